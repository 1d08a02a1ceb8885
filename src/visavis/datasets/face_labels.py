"""Labelled faces to measure the face network with: packs of crops, and labels for frames of clips.

A pack is a folder of ``crops.npy`` (N, S, S, 3) uint8, upright and 1.4 times as large as the face's region,
and ``labels.npz``. Labels alone can stand for the clips that they were made from. ``visavis lab
label-faces`` writes both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from visavis.base.arrays import as_float32, checked_numbers
from visavis.base.files import PathText, as_path
from visavis.base.npz import read_npz
from visavis.base.words import counted
from visavis.channels import BLENDSHAPES
from visavis.datasets.npy import read_npy
from visavis.errors import InputError
from visavis.face.geometry import upright
from visavis.face.mesh import LANDMARKS_146
from visavis.face.region import FaceRegion
from visavis.types import LANDMARK_COUNT, FloatArray, ImageArray, NumberArray

# Side of a stored crop divided by the region's side; the margin is room for augmentation.
STORED_MARGIN = 1.4
SMALLEST_CROP_PX = 32
_MADE_BY = "visavis lab label-faces"


@dataclass(frozen=True, slots=True, eq=False)
class FaceLabels:
    """Labels of N faces.

    Attributes:
        landmarks: (N, P, 3) in units of the region: 0 at its centre, x and y +-0.5 at its edges.
        numbers: (P,) int32, the landmarks' point numbers in MediaPipe's face mesh.
        weights: (N, 52) in the order of :data:`~visavis.channels.BLENDSHAPES`.
        rotation: (N, 3, 3) of the head in the upright crop.
        source: (N,) str, such as ``clip:00012`` for a frame of a video.
        region: (N, 4) centre x, y and side in pixels of the image, roll in radians; None if not known.
        truth: ``known`` for faces that were drawn, or moved, with these weights, else ``teacher``.
    """

    landmarks: FloatArray
    numbers: NumberArray
    weights: FloatArray
    rotation: FloatArray
    source: NDArray[np.str_]
    region: FloatArray | None
    truth: str

    def __len__(self) -> int:
        return len(self.source)

    @classmethod
    def load(cls, path: PathText) -> Self:
        """Read ``labels.npz``.

        ``landmarks146`` (N, 146, 3), or ``landmarks`` (N, 478, 3); ``blendshapes`` (N, 52); ``rotation``
        (N, 3, 3) in the upright crop, or ``matrix`` (N, 4, 4) in the picture, and then the blendshapes are
        in MediaPipe's order, ``_neutral`` first; ``source`` (N,). Optional: ``landmark_numbers``, ``region``
        and ``truth``.

        Raises:
            InputError: the file is missing or damaged, lacks an array, or has arrays of other shapes.
        """
        path = as_path(path)
        arrays = read_npz(path, "file of face labels", made_by=_MADE_BY)
        choices = (("landmarks146", "landmarks"), ("blendshapes",), ("rotation", "matrix"), ("source",))
        lacking = [" or ".join(names) for names in choices if not arrays.keys() & set(names)]
        if lacking:
            raise InputError(
                f"{path}: lacks the arrays {', '.join(lacking)}; found {', '.join(arrays) or 'none'}; labels "
                f"are made by  {_MADE_BY}"
            )
        try:
            return cls._of(arrays)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    @classmethod
    def _of(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        source = arrays["source"]
        if source.ndim != 1 or source.dtype.kind != "U" or not len(source):
            raise InputError(f"source must name each face; found {source.dtype} of shape {source.shape}")
        count = len(source)
        name = "landmarks146" if "landmarks146" in arrays else "landmarks"
        usual = LANDMARKS_146 if name == "landmarks146" else range(LANDMARK_COUNT)
        numbers = checked_numbers("landmark_numbers", arrays.get("landmark_numbers", usual), LANDMARK_COUNT)
        weights = as_float32("blendshapes", arrays["blendshapes"], (count, len(BLENDSHAPES)))
        if "rotation" in arrays:
            rotation = as_float32("rotation", arrays["rotation"], (count, 3, 3))
        else:
            rotation = upright(as_float32("matrix", arrays["matrix"], (count, 4, 4))[:, :3, :3])
            weights = np.column_stack([weights[:, 1:], np.zeros(count, np.float32)])
        region = arrays.get("region")
        return cls(
            as_float32(name, arrays[name], (count, len(numbers), 3)),
            numbers,
            weights,
            rotation,
            source,
            None if region is None else as_float32("region", region, (count, 4)),
            str(arrays.get("truth", "teacher")),
        )

    def frames(self, clip: str) -> dict[int, int]:
        """Number of each labelled frame of a clip, and its row; of several faces, the row of the largest.

        Raises:
            InputError: there is no ``region``, or no frame of this clip.
        """
        if self.region is None:
            raise InputError("labels of clips need the array region: where each face is in its frame")
        found: dict[int, int] = {}
        for row, source in enumerate(self.source.tolist()):
            stem, _, frame = source.rpartition(":")
            if stem != clip or not frame.isdecimal():
                continue
            before = found.get(int(frame))
            if before is None or self.region[row, 2] > self.region[before, 2]:
                found[int(frame)] = row
        if not found:
            raise InputError(f"no face of {clip} is labelled; expected sources such as {clip}:00000")
        return found

    def region_of(self, row: int) -> FaceRegion:
        """The region of a face in its picture."""
        known = self.region
        if known is None:
            raise InputError("these labels do not say where the faces are: they lack the array region")
        x, y, size_px, roll_rad = (float(value) for value in known[row])
        return FaceRegion((x, y), size_px, roll_rad)


@dataclass(frozen=True, slots=True, eq=False)
class FaceLabelPack:
    """Crops with their labels.

    Attributes:
        crops: (N, S, S, 3) uint8, mapped from disk.
        labels: labels of the same faces.
    """

    crops: ImageArray
    labels: FaceLabels

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a folder of ``crops.npy`` and ``labels.npz``.

        Raises:
            InputError: a file is missing, damaged or of another shape, or they do not fit together.
        """
        labels = FaceLabels.load(folder / "labels.npz")
        crops = read_npy(folder / "crops.npy", mapped=True)
        side = crops.shape[1] if crops.ndim == 4 else 0
        if crops.dtype != np.uint8 or crops.shape[1:] != (side, side, 3) or side < SMALLEST_CROP_PX:
            raise InputError(
                f"{folder / 'crops.npy'}: found {crops.dtype} of shape {crops.shape}; expected uint8 "
                f"(N, S, S, 3), S at least {SMALLEST_CROP_PX}"
            )
        if len(crops) != len(labels):
            raise InputError(
                f"{folder}: {counted(len(crops), 'crop')}, but labels of {counted(len(labels), 'face')}"
            )
        return cls(crops, labels)

    @property
    def region(self) -> FaceRegion:
        """The face's region in every crop."""
        side = self.crops.shape[1]
        return FaceRegion((side / 2 - 0.5, side / 2 - 0.5), side / STORED_MARGIN)
