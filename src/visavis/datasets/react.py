"""Reader of REACT2023, REACT2024 and corpora that ``visavis corpus build`` made.

Song et al. 2024, "REACT 2024: the Second Multiple Appropriate Facial Reaction Generation Challenge"
(arXiv:2401.05166). The layout follows the README and ``dataset.py`` of
reactmultimodalchallenge/baseline_react2023 and baseline_react2024:

- ``val.csv`` with the columns ``speaker_path`` and ``listener_path``, each ``site/chat/person/clip`` (UDIVA
  also has a task in between); all rows are read, then all rows in the other direction, as in
  ``neighbour_emotion_val.npy`` (2L, 2L).
- ``val/3D_FV_files/<path>.npy`` (T, 1, 58), ``val/Emotion/<path>.csv`` with a header and 25 columns,
  ``val/Audio_files/<path>.wav``. 25 frames a second; faces have 751 rows and expressions 750.
- Some copies file expressions under P1 and P2 whatever the person is called; the names are those of
  ``regnn/datasets/datasets.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path

import numpy as np

from visavis.base.arrays import as_float32
from visavis.base.reading import regular
from visavis.base.words import reason
from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.datasets import tables
from visavis.datasets.dyads import Corpus, Dyad, Dyads, FaceSpace, Person, cut_to_shortest, require_fit
from visavis.datasets.npy import read_npy
from visavis.errors import InputError
from visavis.types import FloatArray

NAME = "REACT"
FACES, EMOTIONS, SOUNDS = "3D_FV_files", "Emotion", "Audio_files"
SPEAKER, LISTENER = COLUMNS = ("speaker_path", "listener_path")
# A file that ``visavis corpus build`` writes next to the index; it states the space of the faces.
MANIFEST = "manifest.json"
FPS = 25.0
# In the official files, expressions have one row less than faces.
TOLERANCE_FRAMES = 1
KNOWN_SPLITS = ("train", "val", "test")
_EMOTION_FOLDERS = {
    "Expert_video": "P1",
    "Novice_video": "P2",
    **dict.fromkeys(("P25", "P41", "P45"), "P1"),
    **dict.fromkeys(("P26", "P42", "P46"), "P2"),
}


@dataclass(frozen=True, slots=True)
class PersonFiles:
    """One person's files of one clip.

    Attributes:
        name: ``site/chat/person/clip``.
        face: .npy.
        expression: .csv; None if the split has no expressions.
        audio: .wav; None if there is none.
    """

    name: str
    face: Path
    expression: Path | None
    audio: Path | None


@dataclass(frozen=True, slots=True)
class ReactEntry:
    """One row of the index, in one direction.

    Attributes:
        place: the row, as ``file:line``.
        speaker: the person to whose behaviour the listener reacts.
        listener: the person who reacts.
    """

    place: str
    speaker: PersonFiles
    listener: PersonFiles


def find_react(path: Path) -> Corpus | None:
    """The corpus in a folder; None if no index is found.

    Raises:
        InputError: an index has no folder or a folder no index, or a table cannot be read.
    """
    if not path.is_dir():
        return None
    splits = []
    for table in path.glob("*.csv"):
        faces = path / table.stem / FACES
        lacking = sorted(set(COLUMNS) - set(tables.header(table)))
        if lacking and faces.is_dir():
            raise InputError(f"{table}: the index of {faces} lacks {' and '.join(lacking)} in its header")
        if not lacking and not faces.is_dir():
            raise InputError(f"{table}: its faces are missing; expected the folder {faces}")
        if not lacking:
            splits.append(table.stem)
    order = {name: number for number, name in enumerate(KNOWN_SPLITS)}
    splits.sort(key=lambda name: (order.get(name, len(order)), name))
    return Corpus(NAME, path, tuple(splits), partial(_open, path)) if splits else None


def _open(path: Path, split: str) -> Dyads:
    root = path / split
    forward, places = [], dict[frozenset[str], str]()
    for place, row in tables.rows(path / f"{split}.csv", COLUMNS):
        speaker, listener = (_files(root, row[column], place) for column in COLUMNS)
        if speaker.name == listener.name:
            raise InputError(f"{place}: {speaker.name} is speaker and listener; expected two people")
        tables.require_new(places, place, speaker.name, listener.name)
        forward.append(ReactEntry(place, speaker, listener))
    people = [person for entry in forward for person in (entry.speaker, entry.listener)]
    require_fit(root / SOUNDS, ".wav", {person.name: person.audio for person in people})
    fps, space = _convention(path)
    back = [ReactEntry(entry.place, entry.listener, entry.speaker) for entry in forward]
    return Dyads(NAME, split, tuple(partial(_read, split, fps, space, entry) for entry in (*forward, *back)))


def _files(root: Path, name: str, place: str) -> PersonFiles:
    """A person's files, which must exist.

    Raises:
        InputError: a file of the row does not exist.
    """
    parts = name.split("/")
    if len(parts) < 4 or any(part in ("", ".", "..") for part in parts):
        raise InputError(f"{place}: {name!r} is no path of a clip; expected site/chat/person/clip")
    face = root / FACES / f"{name}.npy"
    if not face.is_file():
        raise InputError(f"{place}: the face {face} is missing")
    audio = root / SOUNDS / f"{name}.wav"
    expression = _expression_file(root / EMOTIONS, parts, place) if (root / EMOTIONS).is_dir() else None
    return PersonFiles(name, face, expression, audio if audio.is_file() else None)


def _expression_file(folder: Path, parts: list[str], place: str) -> Path:
    *chat, person, clip = parts
    named = folder.joinpath(*chat, person, f"{clip}.csv")
    numbered = folder.joinpath(*chat, _EMOTION_FOLDERS.get(person, person), f"{clip}.csv")
    for path in (named, numbered):
        if path.is_file():
            return path
    raise InputError(f"{place}: the expression {named} is missing")


def _convention(path: Path) -> tuple[float, FaceSpace]:
    """Frames per second and space of the faces: the official values, or the values in our manifest."""
    manifest = path / MANIFEST
    if not manifest.is_file():
        return FPS, FaceSpace.FACEVERSE
    try:
        notes = json.loads(regular(manifest).read_text("utf-8-sig"))
        return float(notes["settings"]["fps"]), FaceSpace(notes["face_space"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{manifest}: not what visavis corpus build writes: {reason(error)}; build it again"
        ) from error


def _read(split: str, fps: float, space: FaceSpace, entry: ReactEntry) -> Dyad:
    people = read_people(entry, read_expression, TOLERANCE_FRAMES)
    return Dyad(entry.speaker.name, split, space, fps, *people)


def read_people(
    entry: ReactEntry, read_expression: Callable[[Path], FloatArray], tolerance: int
) -> tuple[Person, Person]:
    """Speaker and listener, cut to the same frames.

    Args:
        entry: files of both people.
        read_expression: function that reads a file of expressions.
        tolerance: by how many frames the arrays may differ in length.

    Raises:
        InputError: a file is missing, damaged, or of another length.
    """
    both = (entry.speaker, entry.listener)
    arrays: dict[str, FloatArray] = {}
    for files in both:
        arrays[f"face of {files.name}"] = read_face(files.face)
        if files.expression is not None:
            arrays[f"expression of {files.name}"] = read_expression(files.expression)
    cut = iter(cut_to_shortest(entry.place, arrays, tolerance))
    speaker, listener = (
        Person(files.name, next(cut), None if files.expression is None else next(cut), files.audio)
        for files in both
    )
    return speaker, listener


def read_face(path: Path) -> FloatArray:
    """(T, 58) of a ``3D_FV_files`` file, which holds (T, 1, 58) or (T, 58).

    Raises:
        InputError: the file is missing, damaged, of another shape, or has infinite values.
    """
    array = read_npy(path)
    if array.ndim == 3 and array.shape[1] == 1:
        array = array[:, 0]
    return as_float32(f"{path}: the face", array, (None, len(FACE_CHANNELS)), allow_nan=True)


def read_expression(path: Path) -> FloatArray:
    """(T, 25) of an ``Emotion`` file.

    Raises:
        InputError: the file is missing, its header is not REACT's 25 channels in order, or a row is bad.
    """
    names = [name.lower() for name in tables.header(path)]
    wanted = [name.lower() for name in EXPRESSION_CHANNELS]
    for number, (name, want) in enumerate(zip_longest(names, wanted, fillvalue=""), start=1):
        if name != want:
            raise InputError(f"{path}: column {number} of the header is {name!r}; expected {want!r}")
    try:
        first, *lines = regular(path).read_text("utf-8-sig").splitlines()
        if not any(lines):
            raise InputError(f"{path}: a header without rows; expected one a frame")
        values = np.loadtxt(lines, np.float32, delimiter=tables.separator(first), ndmin=2)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a table of numbers: {reason(error)}") from error
    return as_float32(f"{path}: the expression", values, (None, len(wanted)), allow_nan=True)
