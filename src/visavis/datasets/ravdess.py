"""RAVDESS: clips of acted emotion, told apart by their file names; speech only, split by actor.

A name has seven numbers: modality, vocal channel, emotion, intensity, statement, repetition, actor
(Livingstone and Russo 2018, doi:10.1371/journal.pone.0196391). Songs are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from visavis.errors import InputError

# RAVDESS's emotions, in the order of their numbers 1 to 8, as expressions; calm counts as neutral.
EMOTIONS: tuple[str, ...] = ("neutral", "neutral", "happy", "sad", "anger", "fear", "disgust", "surprise")
# The actors of each split, a man (odd) and a woman (even) in turn.
ACTORS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"train": tuple(range(1, 17)), "val": tuple(range(17, 21)), "test": tuple(range(21, 25))}
)
_NAME = re.compile(r"0([1-3])-0([12])-0([1-8])-0([12])-0[12]-0[12]-(0[1-9]|1[0-9]|2[0-4])")
_SUFFIXES = frozenset((".mp4", ".wav", ".flac"))
_AUDIO_VIDEO, _VIDEO_ONLY, _AUDIO_ONLY = "1", "2", "3"
_SPEECH = "1"


@dataclass(frozen=True, slots=True)
class ActedClip:
    """One spoken sentence.

    Attributes:
        path: its file.
        expression: what the actor shows, one of EXPRESSIONS.
        actor: 1 to 24.
        seen: whether the file has a picture.
        heard: whether the file has sound.
    """

    path: Path
    expression: str
    actor: int
    seen: bool
    heard: bool

    @property
    def split(self) -> str:
        """The split of the actor."""
        return next(split for split, actors in ACTORS.items() if self.actor in actors)


def clip_of(path: Path) -> ActedClip | None:
    """The clip of a file by its name; None if the file is no spoken clip of RAVDESS."""
    match = _NAME.fullmatch(path.stem)
    if match is None or path.suffix.lower() not in _SUFFIXES or match[2] != _SPEECH:
        return None
    modality, emotion, actor = match[1], EMOTIONS[int(match[3]) - 1], int(match[5])
    return ActedClip(path, emotion, actor, modality != _AUDIO_ONLY, modality != _VIDEO_ONLY)


def read_clips(folder: Path, split: str | None = None) -> list[ActedClip]:
    """The spoken clips in a folder and the folders in it, by actor and name.

    If a clip is there with picture and sound together, its files with only one of them are left out.

    Args:
        folder: files such as ``Actor_01/01-01-03-01-02-01-01.mp4``; ``.mp4``, ``.wav`` or ``.flac``.
        split: ``train``, ``val`` or ``test``; None for every actor.

    Raises:
        InputError: the folder does not exist or has no such clip, or there is no such split.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected the clips of RAVDESS")
    if split is not None and split not in ACTORS:
        raise InputError(f"{folder}: RAVDESS has no split {split!r}; expected one of {', '.join(ACTORS)}")
    found = [clip for path in sorted(folder.rglob("*")) if (clip := clip_of(path))]
    whole = {clip.path.stem[2:] for clip in found if clip.seen and clip.heard}
    found = [clip for clip in found if (clip.seen and clip.heard) or clip.path.stem[2:] not in whole]
    if not found:
        raise InputError(
            f"{folder}: no clip of RAVDESS's speech; expected names such as 01-01-03-01-02-01-21.mp4 "
            "(modality, channel, emotion, intensity, statement, repetition, actor)"
        )
    chosen = [clip for clip in found if split in (None, clip.split)]
    if not chosen:
        actors = ACTORS[split or "test"]
        raise InputError(
            f"{folder}: no clip of an actor of {split} ({actors[0]} to {actors[-1]}); choose another split"
        )
    return sorted(chosen, key=lambda clip: (clip.actor, clip.path.name))
