"""Conversations of two people with faces, expressions and sound; corpora are read item by item."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from visavis.base.arrays import as_float32
from visavis.channels import ACTION_UNITS, BLENDSHAPES, EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.errors import InputError
from visavis.track import Track
from visavis.types import FloatArray


class FaceSpace(StrEnum):
    """The meaning of a face's numbers; different spaces cannot be compared.

    Attributes:
        VISAVIS: 58, our face state: see :data:`~visavis.channels.FACE_CHANNELS`.
        FACEVERSE: 58 of REACT: 52 expressions in the same order, rotation about x, y, z in radians
            (pitch, yaw, roll; applied as Rz Ry Rx, ``compute_rotation_matrix`` of REACT's
            ``external/FaceVerse/FaceVerseModel.py``), translation x, y, z in FaceVerse's own units.
        BFM: 73 of ViCo: rotation 3, expression 64, translation 3, crop 3, the baseline's
            ``angle.exp.trans`` (``preprocess/rearrange_recon_coeffs.py`` of dc3ea9f/vico_challenge_baseline).
        DECA: 56 of Learning to Listen: expression 50, pose 6 (its README; the 128 details are left out, as
            in its ``utils/load_utils.py``).
    """

    VISAVIS = "visavis"
    FACEVERSE = "faceverse"
    BFM = "bfm"
    DECA = "deca"


WIDTHS: Mapping[FaceSpace, int] = MappingProxyType(
    {
        FaceSpace.VISAVIS: len(FACE_CHANNELS),
        FaceSpace.FACEVERSE: len(FACE_CHANNELS),
        FaceSpace.BFM: 73,
        FaceSpace.DECA: 56,
    }
)
# FaceVerse's rotation is pitch, yaw, roll; ours is yaw, pitch, roll.
_FROM_FACEVERSE = np.arange(len(FACE_CHANNELS))
_FROM_FACEVERSE[[len(BLENDSHAPES), len(BLENDSHAPES) + 1]] = len(BLENDSHAPES) + 1, len(BLENDSHAPES)


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One of the two people.

    Attributes:
        name: name within the conversation.
        face: (T, C) float32; NaN where no face was found.
        expression: (T, 25) float32, NaN where no expression was read; None if the corpus has none.
        audio: the person's sound; None if there is none.
    """

    name: str
    face: FloatArray
    expression: FloatArray | None = None
    audio: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "face", as_float32(f"face of {self.name}", self.face, (None, None), allow_nan=True)
        )
        if self.expression is not None:
            shape = (len(self.face), len(EXPRESSION_CHANNELS))
            expression = as_float32(f"expression of {self.name}", self.expression, shape, allow_nan=True)
            object.__setattr__(self, "expression", expression)


@dataclass(frozen=True, slots=True, eq=False)
class Dyad:
    """One clip of a conversation, in one direction: who speaks, and who reacts.

    Attributes:
        key: name of the clip within its corpus.
        split: split of the corpus.
        space: meaning of the faces' numbers.
        fps: frames per second of both.
        speaker: the person to whose behaviour the listener reacts.
        listener: the person who reacts.
        labels: further data of the corpus about the clip, by name.
    """

    key: str
    split: str
    space: FaceSpace
    fps: float
    speaker: Person
    listener: Person
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise InputError(f"{self.key}: a conversation's fps must be positive; found {self.fps}")
        want = WIDTHS[self.space]
        lengths = []
        for person in (self.speaker, self.listener):
            length, width = person.face.shape
            if width != want:
                raise InputError(
                    f"{self.key}: the face of {person.name} has {width} numbers a frame; "
                    f"{self.space} has {want}"
                )
            lengths.append(length)
        if 0 in lengths or lengths[0] != lengths[1]:
            raise InputError(
                f"{self.key}: {self.speaker.name} has {lengths[0]} frames and {self.listener.name} "
                f"{lengths[1]}; expected as many, and at least one"
            )

    def __len__(self) -> int:
        return len(self.speaker.face)

    def at_rate(self, fps: float) -> Dyad:
        """The same clip at another rate, at the times ``k / fps`` up to the last frame.

        Numbers are linear between two frames and NaN where one of the frames is unknown. Action units, which
        some corpora give as 0 or 1, are those of the nearest frame.
        """
        if fps == self.fps:
            return self
        places = np.arange(int((len(self) - 1) / self.fps * fps + 1e-6) + 1) * np.float64(self.fps / fps)
        people = [
            replace(
                person,
                face=_between(person.face, places),
                expression=None if person.expression is None else _felt(person.expression, places),
            )
            for person in (self.speaker, self.listener)
        ]
        return replace(self, fps=fps, speaker=people[0], listener=people[1])

    def tracks(self) -> tuple[Track, Track]:
        """Speaker and listener as tracks: rotation in the order yaw, pitch, roll.

        Only the order of FaceVerse's numbers is changed; the signs of the rotation and the units of the
        translation remain FaceVerse's own.

        Raises:
            InputError: the coefficients are not blendshape weights (ViCo, Learning to Listen).
        """
        return self._track(self.speaker), self._track(self.listener)

    def _track(self, person: Person) -> Track:
        if self.space not in (FaceSpace.VISAVIS, FaceSpace.FACEVERSE):
            raise InputError(
                f"{self.key}: {self.space} coefficients have no public map to blendshape weights, so they "
                "are no face states; read them as they are, or track the videos by visavis corpus build"
            )
        face = person.face if self.space is FaceSpace.VISAVIS else person.face[:, _FROM_FACEVERSE]
        found = np.asarray(np.isfinite(face).all(axis=1), np.bool_)
        nothing = np.full((len(self), len(EXPRESSION_CHANNELS)), np.nan, np.float32)
        expression = nothing if person.expression is None else person.expression
        return Track(np.arange(len(self)) / self.fps, face, expression, found, self.fps)


def _between(rows: FloatArray, places: NDArray[np.float64]) -> FloatArray:
    """(P, C) between the frames (T, C), linear."""
    left = np.minimum(np.floor(places + 1e-6).astype(int), len(rows) - 1)
    weight = np.clip(places - left, 0, 1)[:, None]
    weight[weight < 1e-6] = 0
    right = np.where(weight[:, 0] > 0, np.minimum(left + 1, len(rows) - 1), left)
    return np.asarray((1 - weight) * rows[left] + weight * rows[right], np.float32)


def _felt(rows: FloatArray, places: NDArray[np.float64]) -> FloatArray:
    felt = _between(rows, places)
    units = len(ACTION_UNITS)
    felt[:, :units] = rows[np.minimum(np.rint(places).astype(int), len(rows) - 1), :units]
    return felt


@dataclass(frozen=True, slots=True)
class Dyads:
    """One split of a corpus: only names are in memory; a conversation is read when requested.

    The order is the same as in the corpus's own matrix of appropriate reactions.

    Attributes:
        name: name of the corpus.
        split: name of the split.
        readers: functions that read each conversation.
    """

    name: str
    split: str
    readers: tuple[Callable[[], Dyad], ...]

    def __post_init__(self) -> None:
        if not self.readers:
            raise InputError(f"{self.name}, {self.split}: no conversations")

    def __len__(self) -> int:
        return len(self.readers)

    def __getitem__(self, row: int) -> Dyad:
        """Read one conversation.

        Raises:
            InputError: files of the conversation are missing or damaged, or contradict each other.
        """
        return self.readers[row]()

    def __iter__(self) -> Iterator[Dyad]:
        """Yield every conversation, one in memory at a time."""
        return (read() for read in self.readers)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Conversations on disk whose layout was recognised.

    Attributes:
        name: name of the corpus.
        path: place of the corpus.
        splits: names of the splits.
        open_split: opens a split by name.
    """

    name: str
    path: Path
    splits: tuple[str, ...]
    open_split: Callable[[str], Dyads]

    def read(self, split: str) -> Dyads:
        """Open one split; only its index is read.

        Raises:
            InputError: the split does not exist (the message lists all splits), or its index is bad.
        """
        if split not in self.splits:
            raise InputError(
                f"{self.path}: no split {split!r} here; it has {', '.join(self.splits)}: name one of these"
            )
        return self.open_split(split)


def require_fit(folder: Path, suffix: str, files: Mapping[str, Path | None]) -> None:
    """Check that a folder without any file of these people is empty or not there.

    Args:
        folder: the folder.
        suffix: of its files.
        files: each person's file by the person's name; None if it is not there.

    Raises:
        InputError: the folder holds other files only.
    """
    if files and not any(files.values()) and any(path.is_file() for path in folder.rglob("[!.]*")):
        raise InputError(
            f"{folder}: no file belongs to a clip; expected for example {next(iter(files))}{suffix}"
        )


def cut_to_shortest(where: str, arrays: Mapping[str, FloatArray], tolerance: int) -> list[FloatArray]:
    """Arrays over the same frames, cut at the end to the shortest.

    Args:
        where: name of the conversation for the message.
        arrays: arrays by name.
        tolerance: largest allowed difference in frames.

    Raises:
        InputError: the difference is larger.
    """
    lengths = {name: len(array) for name, array in arrays.items()}
    if max(lengths.values()) - min(lengths.values()) > tolerance:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InputError(
            f"{where}: different numbers of frames: {found}; expected as many, give or take {tolerance}"
        )
    return [array[: min(lengths.values())] for array in arrays.values()]
