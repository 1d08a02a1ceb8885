"""A checked set of labelled faces that is read in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.base.arrays import kind_of, require_whole
from visavis.base.words import counted
from visavis.capture.image import read_image
from visavis.errors import InputError
from visavis.expression.labels import FERPLUS_COLUMNS
from visavis.face.region import FaceRegion
from visavis.types import BoolArray, ImageArray


class FaceImages(Protocol):
    """Pictures of faces, in memory or on disk."""

    def __len__(self) -> int: ...

    def read(self, row: int) -> ImageArray:
        """One picture: uint8, grey (H, W) or RGB (H, W, 3).

        Raises:
            InputError: the picture cannot be read; the message names its file and row.
        """

    def place(self, row: int) -> str:
        """The origin of a picture: its file, or a table's ``file:line``."""

    def take(self, rows: NDArray[np.int64]) -> Self:
        """The pictures at these rows."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedImages:
    """Pictures in memory.

    Attributes:
        pixels: (N, H, W) grey or (N, H, W, 3) RGB, uint8.
        places: (N,) str, origin of each picture.
    """

    pixels: ImageArray
    places: NDArray[np.str_]

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", np.asarray(self.pixels))
        object.__setattr__(self, "places", np.asarray(self.places))
        shape = self.pixels.shape
        if self.pixels.dtype != np.uint8 or len(shape) not in (3, 4) or shape[3:] not in ((), (3,)):
            raise InputError(
                f"faces must be uint8 (N, H, W) or (N, H, W, 3); found {self.pixels.dtype} {shape}"
            )
        if 0 in shape[1:]:
            raise InputError(f"faces must have pixels; found {shape}")
        if self.places.shape != shape[:1]:
            raise InputError(f"{shape[0]} faces need as many places; found {self.places.shape}")

    def __len__(self) -> int:
        return len(self.pixels)

    def read(self, row: int) -> ImageArray:
        """One picture; see :class:`FaceImages`."""
        return np.asarray(self.pixels[row], np.uint8)

    def place(self, row: int) -> str:
        """The origin of a picture."""
        return str(self.places[row])

    def take(self, rows: NDArray[np.int64]) -> Self:
        """The pictures at these rows."""
        return type(self)(self.pixels[rows], self.places[rows])


@dataclass(frozen=True, slots=True)
class FaceFile:
    """A picture on disk.

    Attributes:
        path: the image file.
        place: line of a table that lists the picture, as ``file:line``; empty if there is none.
        box_xywh: the face's x, y, width and height in pixels; None if the picture is the face.
    """

    path: Path
    place: str = ""
    box_xywh: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        box = self.box_xywh
        if box is not None and (not np.isfinite(box).all() or min(box[2:]) <= 0):
            raise InputError(
                f"{self.place or self.path}: a face's box is finite and larger than 0; found {box}"
            )


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Pictures that are read from disk one by one when needed, as RGB.

    Attributes:
        files: one for each face.
    """

    files: tuple[FaceFile, ...]

    def __len__(self) -> int:
        return len(self.files)

    def read(self, row: int) -> ImageArray:
        """One picture, cut to its box; see :class:`FaceImages`."""
        file = self.files[row]
        try:
            image = read_image(file.path)
        except InputError as error:
            raise InputError(f"{file.place}: {error}" if file.place else str(error)) from error
        if file.box_xywh is None:
            return image
        x, y, width, height = file.box_xywh
        if x >= image.shape[1] or y >= image.shape[0] or x + width <= 0 or y + height <= 0:
            size = f"{image.shape[1]}x{image.shape[0]}"
            raise InputError(f"{self.place(row)}: the face's box lies outside {file.path} of {size} pixels")
        side = max(width, height)
        return FaceRegion((x + width / 2 - 0.5, y + height / 2 - 0.5), side).crop(image, round(side))

    def place(self, row: int) -> str:
        """The origin of a picture."""
        return self.files[row].place or str(self.files[row].path)

    def take(self, rows: NDArray[np.int64]) -> Self:
        """The pictures at these rows."""
        return type(self)(tuple(self.files[row] for row in rows))


@dataclass(frozen=True, slots=True, eq=False)
class LabeledFaces:
    """One split of a data set of facial expressions.

    Attributes:
        name: name of the data set.
        split: name of the split.
        names: the labels in the data set's own words and order.
        labels: (N,) int64, index into ``names``.
        images: the N pictures.
        votes: (N, 10) int64, FER+'s votes in the order of FERPLUS_COLUMNS; None if there are none.
        left_out: reason why rows of the split were left out -> number of rows.
        persons: (N,) str, name of each face's person, empty where it is not known; None if none is known.
    """

    name: str
    split: str
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    images: FaceImages
    votes: NDArray[np.int64] | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    persons: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        what = f"{self.name}, {self.split}"
        for name in ("labels", "votes", "persons"):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, np.asarray(given))
        if self.labels.ndim != 1 or self.labels.dtype != np.int64 or len(self.images) != len(self.labels):
            found = f"{self.labels.dtype} {self.labels.shape} for {counted(len(self.images), 'face')}"
            raise InputError(f"{what}: every face needs one label of int64; found {found}")
        if not len(self.labels):
            raise InputError(f"{what}: no faces")
        if not 0 <= self.labels.min() <= self.labels.max() < len(self.names):
            raise InputError(f"{what}: labels must be 0 to {len(self.names) - 1}, one for each name")
        if self.votes is not None and self.votes.shape != (len(self), len(FERPLUS_COLUMNS)):
            raise InputError(f"{what}: votes must be (N, {len(FERPLUS_COLUMNS)}); found {self.votes.shape}")
        if self.persons is not None and self.persons.shape != (len(self),):
            raise InputError(f"{what}: persons must be ({len(self)},); found {self.persons.shape}")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: BoolArray | NDArray[np.int64] | slice) -> LabeledFaces:
        """The faces where the mask (N,) is true, of the row numbers (M,), or of a slice.

        Raises:
            InputError: no face is chosen, a mask has another length, or there is no such row.
        """
        every = np.arange(len(self))
        picked = every[chosen] if isinstance(chosen, slice) else np.asarray(chosen)
        fits = picked.shape == every.shape if picked.dtype == np.bool_ else picked.dtype.kind in "iu"
        if picked.ndim != 1 or (picked.size and not fits):
            raise InputError(
                f"faces are chosen by a mask ({len(self)},), row numbers (M,) or a slice; "
                f"found {kind_of(picked)}"
            )
        try:
            rows = every[picked if picked.size else every[:0]]
        except IndexError as error:
            raise InputError(f"{self.name}, {self.split}: no such row: {error}") from error
        votes = None if self.votes is None else self.votes[rows]
        persons = None if self.persons is None else self.persons[rows]
        images = self.images.take(rows)
        return replace(self, labels=self.labels[rows], images=images, votes=votes, persons=persons)

    @property
    def counts(self) -> dict[str, int]:
        """How many faces each label has."""
        counts = np.bincount(self.labels, minlength=len(self.names))
        return {name: int(count) for name, count in zip(self.names, counts, strict=True)}

    def batches(self, size: int, side_px: int) -> Iterator[ImageArray]:
        """Yield all faces in their order as (B, S, S) or (B, S, S, 3) uint8, B at most ``size``.

        Args:
            size: number of faces in a batch.
            side_px: S. Pictures that are not square get black edges, others are scaled; pictures of this size
                are unchanged.

        Raises:
            InputError: a picture cannot be read, or ``size`` or ``side_px`` is no whole number from 1.
        """
        require_whole("size", size, 1)
        require_whole("side_px", side_px, 1)
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            yield np.stack([as_square(self.images.read(row), side_px) for row in range(start, stop)])

    def gray(self, side_px: int, on_face: Callable[[], None] = lambda: None) -> ImageArray:
        """All faces in grey, (N, S, S) uint8; see :meth:`batches`."""
        require_whole("side_px", side_px, 1)
        found = np.empty((len(self), side_px, side_px), np.uint8)
        for row, (face,) in enumerate(self.batches(1, side_px)):
            found[row] = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) if face.ndim == 3 else face
            on_face()
        return found


def as_square(image: ImageArray, side_px: int) -> ImageArray:
    """A picture (H, W[, 3]) as a square (S, S[, 3]) of side ``side_px``, if needed with black edges."""
    height, width = image.shape[:2]
    side = max(height, width)
    if height != width:
        image = FaceRegion((width / 2 - 0.5, height / 2 - 0.5), side).crop(image, side)
    if side == side_px:
        return image
    how = cv2.INTER_AREA if side > side_px else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (side_px, side_px), interpolation=how), np.uint8)
