"""Reader of Learning to Listen: conversations of 64 frames, as DECA coefficients.

Ng et al. 2022, "Learning to Listen: Modeling Non-Deterministic Dyadic Facial Motion" (arXiv:2204.08451). The
layout follows the README and ``src/utils/load_utils.py`` of evonneng/learning2listen: for each channel
(conan, ...) the folders ``train`` and ``test`` with ``p0_speak_faces_clean_deca.npy`` and
``p1_list_faces_clean_deca.npy`` (N, 64, 184), which belong together row by row, and the same with p1 and p0;
p0 sits on the left. The 184 numbers of DECA are 50 for the expression, 6 for the pose, and 128 details, which
the official code leaves out too. The sound is not read, because it is only mel features (N, 256, 128).

The files and the README do not state the frame rate; 30 is assumed, and the label ``fps`` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from visavis.base.arrays import as_float32
from visavis.datasets.dyads import WIDTHS, Corpus, Dyad, Dyads, FaceSpace, Person
from visavis.datasets.npy import read_npy
from visavis.errors import InputError
from visavis.types import FloatArray

NAME = "Learning to Listen"
SPLITS = ("train", "test")
ASSUMED_FPS = 30.0
DECA_WIDTH = 184
_SPEAKER, _LISTENER = "p{}_speak_faces_clean_deca.npy", "p{}_list_faces_clean_deca.npy"


@dataclass(frozen=True, slots=True)
class Side:
    """All clips of a channel in which the same side listens.

    Attributes:
        channel: name of the channel.
        listener: 0 where the left person listens, 1 the right one.
        speaker_file: (N, 64, 184).
        listener_file: (N, 64, 184).
        count: N.
    """

    channel: str
    listener: int
    speaker_file: Path
    listener_file: Path
    count: int


def find_l2l(path: Path) -> Corpus | None:
    """The channels in a folder, or one channel; None if there is none."""
    if not path.is_dir():
        return None
    folders = [path, *sorted(folder for folder in path.iterdir() if folder.is_dir())]
    channels = {
        split: [folder for folder in folders if any((folder / split).glob(_LISTENER.format("[01]")))]
        for split in SPLITS
    }
    splits = tuple(split for split in SPLITS if channels[split])
    return Corpus(NAME, path, splits, lambda split: _open(channels[split], split)) if splits else None


def _open(channels: list[Path], split: str) -> Dyads:
    sides = [side for folder in channels for side in _sides(folder, split)]
    readers = tuple(partial(_read, split, side, row) for side in sides for row in range(side.count))
    return Dyads(NAME, split, readers)


def _sides(folder: Path, split: str) -> list[Side]:
    found = []
    for listener in (0, 1):
        heard = folder / split / _LISTENER.format(listener)
        said = folder / split / _SPEAKER.format(1 - listener)
        if not heard.is_file():
            continue
        shapes = [read_npy(path, mapped=True).shape for path in (said, heard)]
        if shapes[0] != shapes[1] or len(shapes[0]) != 3 or shapes[0][2] < WIDTHS[FaceSpace.DECA]:
            raise InputError(
                f"{said} is {shapes[0]} and {heard} {shapes[1]}; expected the same, (N, frames, {DECA_WIDTH})"
            )
        found.append(Side(folder.name, listener, said, heard, shapes[0][0]))
    return found


def _read(split: str, side: Side, row: int) -> Dyad:
    names = [f"{side.channel}/p{1 - side.listener}", f"{side.channel}/p{side.listener}"]
    faces = [_row(path, row) for path in (side.speaker_file, side.listener_file)]
    speaker, listener = (Person(name, face) for name, face in zip(names, faces, strict=True))
    key = f"{side.channel}/p{side.listener}/{row}"
    return Dyad(key, split, FaceSpace.DECA, ASSUMED_FPS, speaker, listener, {"fps": "assumed"})


def _row(path: Path, row: int) -> FloatArray:
    face = np.asarray(read_npy(path, mapped=True)[row, :, : WIDTHS[FaceSpace.DECA]])
    return as_float32(f"{path}: row {row}", face, (None, WIDTHS[FaceSpace.DECA]))
