"""Packs of conversations: faces, sound and reactions, written and read as one .npz for each split.

A pack holds numbers, not tokens, so a new tokenizer needs no new pack. Equal clips are stored once, such as a
speaker whom several people listen to. ``visavis lab conversations`` makes packs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.base.files import whole_file
from visavis.base.npz import read_npz
from visavis.channels import EMOTION_CHANNELS, FACE_CHANNELS
from visavis.errors import InputError
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.reaction.temperament import CONTROLS
from visavis.types import BoolArray, FloatArray

# Three digits are enough for faces, emotions and standardised speech.
HalfArray = NDArray[np.float16]
SPLITS = ("train", "val", "test")
BEHAVIOUR_CHANNELS = len(FACE_CHANNELS) + len(EMOTION_CHANNELS)


@dataclass(frozen=True, slots=True, eq=False)
class PersonClip:
    """One person in one clip, 25 frames a second.

    Attributes:
        name: the name of the person's clip in its corpus.
        face: (T, 58) float16, NaN where unknown.
        emotion: (T, 25) float16, NaN where unknown.
        speech: (T, 44) float16 of :mod:`visavis.reaction.speech`; None for a person who only listens.
    """

    name: str
    face: HalfArray
    emotion: HalfArray
    speech: HalfArray | None = None

    def __post_init__(self) -> None:
        arrays = {"face": FACE_CHANNELS, "emotion": EMOTION_CHANNELS, "speech": SPEECH_CHANNELS}
        for key, channels in arrays.items():
            array = getattr(self, key)
            if array is not None and array.shape != (len(self.face), len(channels)):
                raise InputError(
                    f"{self.name}: {key} has shape {array.shape}; expected "
                    f"({len(self.face)}, {len(channels)})"
                )
        if not len(self.face):
            raise InputError(f"{self.name}: a clip without frames")

    def __len__(self) -> int:
        return len(self.face)

    @property
    def behaviour(self) -> FloatArray:
        """(T, 83) float32: the face, then the emotion."""
        return np.concatenate([self.face, self.emotion], axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ListeningItem:
    """One conversation in one direction; items of one speaker share the speaker's clip.

    Attributes:
        speaker: the speaker, with speech.
        listener: the listener.
        temperament: (5,) float32 of the listener, NaN where unknown.
    """

    speaker: PersonClip
    listener: PersonClip
    temperament: FloatArray

    def __post_init__(self) -> None:
        if len(self.speaker) != len(self.listener) or self.speaker.speech is None:
            raise InputError(
                f"{self.listener.name}: expected a speaker with speech and as many frames as the listener's "
                f"{len(self.listener)}; found {len(self.speaker)}"
            )
        if self.temperament.shape != (len(CONTROLS),):
            raise InputError(
                f"{self.listener.name}: the temperament has shape {self.temperament.shape}; expected "
                f"({len(CONTROLS)},)"
            )


@dataclass(frozen=True, slots=True, eq=False)
class ListeningPack:
    """One split of a corpus.

    Attributes:
        corpus: the name of the corpus, in words.
        sources: the sources of the corpus, in words; may be empty.
        split: the name of the split.
        items: its conversations.
        neighbours: (N, N) whether the listener of one item reacts appropriately to the speaker of another.
    """

    corpus: str
    sources: tuple[str, ...]
    split: str
    items: tuple[ListeningItem, ...]
    neighbours: BoolArray

    def __post_init__(self) -> None:
        count = len(self.items)
        if not count or self.neighbours.shape != (count, count):
            raise InputError(
                f"{self.corpus}, {self.split}: {count} conversations and neighbours of shape "
                f"{self.neighbours.shape}; expected at least one, and a square of as many"
            )

    def clips(self) -> tuple[PersonClip, ...]:
        """Every clip once, in order of first occurrence."""
        every = (clip for item in self.items for clip in (item.speaker, item.listener))
        return tuple({id(clip): clip for clip in every}.values())

    def first_of_speakers(self) -> tuple[int, ...]:
        """The first item of each speaker's clip."""
        first: dict[int, int] = {}
        for place, item in enumerate(self.items):
            first.setdefault(id(item.speaker), place)
        return tuple(first.values())


def save_listening(path: Path, pack: ListeningPack) -> None:
    """Write a pack, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    clips = pack.clips()
    place = {id(clip): number for number, clip in enumerate(clips)}
    speech = [clip.speech for clip in clips if clip.speech is not None]
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            corpus=np.asarray(pack.corpus),
            sources=np.asarray(pack.sources, np.str_),
            split=np.asarray(pack.split),
            clips=np.asarray([clip.name for clip in clips]),
            lengths=np.asarray([len(clip) for clip in clips]),
            speaks=np.asarray([clip.speech is not None for clip in clips]),
            face=np.concatenate([clip.face for clip in clips]),
            emotion=np.concatenate([clip.emotion for clip in clips]),
            speech=np.concatenate(speech),
            speaker=np.asarray([place[id(item.speaker)] for item in pack.items]),
            listener=np.asarray([place[id(item.listener)] for item in pack.items]),
            temperament=np.stack([item.temperament for item in pack.items]),
            neighbours=pack.neighbours,
        )


def load_listening(path: Path) -> ListeningPack:
    """Read a pack.

    Raises:
        InputError: missing, damaged, of another kind, or its arrays contradict each other.
    """
    made_by = "visavis lab conversations"
    arrays = read_npz(path, "pack of conversations", made_by=made_by)
    try:
        clips = _clips(arrays)
        heads = zip(arrays["speaker"], arrays["listener"], arrays["temperament"], strict=True)
        items = tuple(ListeningItem(clips[who], clips[other], controls) for who, other, controls in heads)
        return ListeningPack(
            str(arrays["corpus"]),
            tuple(arrays["sources"].tolist()),
            str(arrays["split"]),
            items,
            np.asarray(arrays["neighbours"], np.bool_),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a pack of conversations: {error}") from error


def _clips(arrays: dict[str, NDArray[np.generic]]) -> Sequence[PersonClip]:
    lengths, speaks = np.asarray(arrays["lengths"], int), np.asarray(arrays["speaks"], bool)
    faces, emotions = (
        np.split(np.asarray(arrays[key], np.float16), np.cumsum(lengths)[:-1]) for key in ("face", "emotion")
    )
    spoken = iter(np.split(np.asarray(arrays["speech"], np.float16), np.cumsum(lengths[speaks])[:-1]))
    return [
        PersonClip(name, face, emotion, next(spoken) if says else None)
        for name, face, emotion, says in zip(arrays["clips"].tolist(), faces, emotions, speaks, strict=True)
    ]
