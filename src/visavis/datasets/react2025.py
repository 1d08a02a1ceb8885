"""Reader of REACT2025 and REACT2026, which have the same layout.

Song et al. 2025, arXiv:2505.17223; the layout follows the README and ``dataset/react_2025.py`` of
reactmultimodalchallenge/baseline_react2025. There is no index: the files
``train/coefficients/speaker/session0/NAME.npy`` (T, 1, 58) and the same name under ``listener`` belong
together; ``facial-attributes`` holds (T, 25) as .npy and ``audio`` .wav. 30 frames a second (the loader's
default), clips of any length, both directions used. All listeners of one session are appropriate; the label
``session`` names it, and there is no matrix on disk.

REACT2026 (arXiv:2606.07935, ``dataset/perfrdiff_rewrite_weight.py`` of baseline_react2026) adds
``train/personality/listener.csv``, and perhaps ``speaker.csv``: ``video_name``, ``session`` and five traits
from 1 to 5. A listener's traits, moved to 0 to 1, become labels. Its EEG is not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from visavis.base.arrays import as_float32
from visavis.channels import EXPRESSION_CHANNELS
from visavis.datasets import tables
from visavis.datasets.dyads import Corpus, Dyad, Dyads, FaceSpace, require_fit
from visavis.datasets.npy import read_npy
from visavis.datasets.react import KNOWN_SPLITS, PersonFiles, ReactEntry, read_people
from visavis.errors import InputError
from visavis.types import FloatArray

NAME = "REACT2025"
FACES, EMOTIONS, SOUNDS = "coefficients", "facial-attributes", "audio"
ROLES = ("speaker", "listener")
PERSONALITY = "personality"
# In the order of the official loader.
BIG_FIVE = ("Extraversion", "Agreeableness", "Conscientiousness", "Neuroticism", "Openness")
Traits = Mapping[str, Mapping[str, str]]
FPS = 30.0
# Two cameras filmed the two people; it is not documented how much their clips' lengths differ.
TOLERANCE_FRAMES = 30


def find_react2025(path: Path) -> Corpus | None:
    """The corpus in a folder; None if no split has ``coefficients/speaker``."""
    splits = tuple(split for split in KNOWN_SPLITS if (path / split / FACES / ROLES[0]).is_dir())
    return Corpus(NAME, path, splits, partial(_open, path)) if splits else None


def _open(path: Path, split: str) -> Dyads:
    root = path / split
    # Archives made on a Mac hold a file ._NAME beside each NAME.
    files = (root / FACES / ROLES[0]).glob("[!.]*/[!.]*.npy")
    speakers = sorted(files, key=_natural)
    forward = [_entry(root, f"{file.parent.name}/{file.stem}") for file in speakers]
    people = [person for entry in forward for person in (entry.speaker, entry.listener)]
    require_fit(root / EMOTIONS, ".npy", {person.name: person.expression for person in people})
    require_fit(root / SOUNDS, ".wav", {person.name: person.audio for person in people})
    known = _traits(root / PERSONALITY, [person.name for person in people])
    for file in sorted((root / FACES / ROLES[1]).glob("[!.]*/[!.]*.npy")):
        if not (missing := root / FACES / ROLES[0] / file.parent.name / file.name).is_file():
            key = f"{file.parent.name}/{file.stem}"
            raise InputError(f"{root / FACES}: {key} has a listener and no speaker: {missing} is missing")
    back = [ReactEntry(entry.place, entry.listener, entry.speaker) for entry in forward]
    return Dyads(NAME, split, tuple(partial(_read, split, known, entry) for entry in (*forward, *back)))


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sessions by number: session2 comes before session10."""
    words = re.split(r"(\d+)", f"{path.parent.name}/{path.name}")
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in words]


def _entry(root: Path, key: str) -> ReactEntry:
    people = []
    for role in ROLES:
        face, expression, audio = (
            root / folder / role / f"{key}{suffix}"
            for folder, suffix in ((FACES, ".npy"), (EMOTIONS, ".npy"), (SOUNDS, ".wav"))
        )
        if not face.is_file():
            raise InputError(f"{root / FACES}: {key} has a speaker and no listener: {face} is missing")
        people.append(
            PersonFiles(
                f"{role}/{key}",
                face,
                expression if expression.is_file() else None,
                audio if audio.is_file() else None,
            )
        )
    return ReactEntry(str(people[0].face), *people)


def _traits(folder: Path, clips: Sequence[str]) -> Traits:
    """Traits of each clip, by ``role/session/name`` or ``role/name``, 0 to 1 as in the official loader."""
    found: dict[str, dict[str, str]] = {}
    for role in ROLES:
        table, known = folder / f"{role}.csv", [clip.split("/") for clip in clips if clip.startswith(role)]
        fitting = {
            part for _, session, name in known for part in (f"{role}/{session}/{name}", f"{role}/{name}")
        }
        for place, row in tables.rows(table, ("video_name", *BIG_FIVE)) if table.is_file() else ():
            try:
                traits = {name: (float(row[name]) - 1) / 4 for name in BIG_FIVE}
            except ValueError as error:
                raise InputError(f"{place}: a trait is no number: {error}") from error
            if not all(0 <= value <= 1 for value in traits.values()):
                raise InputError(f"{place}: found traits outside 1 to 5")
            # Without a session, the traits are those of every clip of this name.
            key = "/".join((role, *filter(None, [row.get("session")]), Path(row["video_name"]).stem))
            if key in found:
                raise InputError(f"{place}: {key} has traits in a row before; keep one of them")
            found[key] = {name: f"{value:g}" for name, value in traits.items()}
        if known and table.is_file() and not fitting & found.keys():
            _, session, name = known[0]
            raise InputError(f"{table}: no row belongs to a clip; expected for example {name} in {session}")
    return found


def _read(split: str, traits: Traits, entry: ReactEntry) -> Dyad:
    people = read_people(entry, _read_expression, TOLERANCE_FRAMES)
    role, session, name = entry.listener.name.split("/")
    known = traits.get(entry.listener.name) or traits.get(f"{role}/{name}") or {}
    return Dyad(entry.speaker.name, split, FaceSpace.FACEVERSE, FPS, *people, {"session": session, **known})


def _read_expression(path: Path) -> FloatArray:
    shape = (None, len(EXPRESSION_CHANNELS))
    return as_float32(f"{path}: the expression", read_npy(path), shape, allow_nan=True)
