"""Reader of REACT2025.

Song et al. 2025, arXiv:2505.17223; the layout follows the README and ``dataset/react_2025.py`` of
reactmultimodalchallenge/baseline_react2025. There is no index: the files
``train/coefficients/speaker/session0/NAME.npy`` (T, 1, 58) and the same name under ``listener`` belong
together; ``facial-attributes`` holds (T, 25) as .npy and ``audio`` .wav. 30 frames a second (the loader's
default), clips of any length, both directions used. All listeners of one session are appropriate; the label
``session`` names it, and there is no matrix on disk.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from visavis.base.arrays import checked
from visavis.channels import EMOTION_CHANNELS
from visavis.datasets.dyads import Corpus, Dyad, Dyads, FaceSpace
from visavis.datasets.npy import read_npy
from visavis.datasets.react import KNOWN_SPLITS, Entry, PersonFiles, read_people
from visavis.errors import InputError
from visavis.types import FloatArray

NAME = "REACT2025"
FACES, EMOTIONS, SOUNDS = "coefficients", "facial-attributes", "audio"
ROLES = ("speaker", "listener")
FPS = 30.0
# Two cameras filmed the two people; it is not documented how much their clips' lengths differ.
TOLERANCE_FRAMES = 30


def find(path: Path) -> Corpus | None:
    """The corpus in a folder; None if no split has ``coefficients/speaker``."""
    splits = tuple(split for split in KNOWN_SPLITS if (path / split / FACES / ROLES[0]).is_dir())
    return Corpus(NAME, path, splits, partial(_open, path)) if splits else None


def _open(path: Path, split: str) -> Dyads:
    root = path / split
    speakers = sorted((root / FACES / ROLES[0]).glob("*/*.npy"), key=_natural)
    forward = [_entry(root, f"{file.parent.name}/{file.stem}") for file in speakers]
    back = [Entry(entry.place, entry.listener, entry.speaker) for entry in forward]
    return Dyads(NAME, split, tuple(partial(_read, split, entry) for entry in (*forward, *back)))


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sessions by number: session2 comes before session10."""
    words = re.split(r"(\d+)", f"{path.parent.name}/{path.name}")
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in words]


def _entry(root: Path, key: str) -> Entry:
    people = []
    for role in ROLES:
        face, emotion, audio = (
            root / folder / role / f"{key}{suffix}"
            for folder, suffix in ((FACES, ".npy"), (EMOTIONS, ".npy"), (SOUNDS, ".wav"))
        )
        if not face.is_file():
            raise InputError(f"{root / FACES}: {key} has a speaker and no listener: {face} is missing")
        people.append(
            PersonFiles(
                f"{role}/{key}",
                face,
                emotion if emotion.is_file() else None,
                audio if audio.is_file() else None,
            )
        )
    return Entry(str(people[0].face), *people)


def _read(split: str, entry: Entry) -> Dyad:
    people = read_people(entry, _read_emotion, TOLERANCE_FRAMES)
    session = entry.speaker.name.split("/")[1]
    return Dyad(entry.speaker.name, split, FaceSpace.FACEVERSE, FPS, *people, {"session": session})


def _read_emotion(path: Path) -> FloatArray:
    shape = (None, len(EMOTION_CHANNELS))
    return checked(f"{path}: the emotion", read_npy(path), shape, allow_nan=True)
