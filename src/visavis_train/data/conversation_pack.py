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
from visavis.base.words import reason
from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.errors import InputError
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.reaction.style import CONTROLS
from visavis.types import BoolArray, FloatArray

# Three digits are enough for faces, expressions and standardised speech.
HalfArray = NDArray[np.float16]
SPLITS = ("train", "val", "test")
BEHAVIOR_CHANNELS = len(FACE_CHANNELS) + len(EXPRESSION_CHANNELS)


@dataclass(frozen=True, slots=True, eq=False)
class PersonClip:
    """One person in one clip, 25 frames a second.

    Attributes:
        name: the name of the person's clip in its corpus.
        face: (T, 58) float16, NaN where unknown.
        expression: (T, 25) float16, NaN where unknown.
        speech: (T, 44) float16 of :mod:`visavis.reaction.speech`, or (T, D) of other features; None for a
            person who only listens.
    """

    name: str
    face: HalfArray
    expression: HalfArray
    speech: HalfArray | None = None

    def __post_init__(self) -> None:
        widths = {"face": len(FACE_CHANNELS), "expression": len(EXPRESSION_CHANNELS)}
        if self.speech is not None:
            widths["speech"] = self.speech.shape[-1]
        for key, width in widths.items():
            array = getattr(self, key)
            if array.shape != (len(self.face), width):
                raise InputError(
                    f"{self.name}: {key} has shape {array.shape}; expected ({len(self.face)}, {width})"
                )
        if not len(self.face):
            raise InputError(f"{self.name}: a clip without frames")

    def __len__(self) -> int:
        return len(self.face)

    @property
    def behavior(self) -> FloatArray:
        """(T, 83) float32: the face, then the expression."""
        return np.concatenate([self.face, self.expression], axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ListeningItem:
    """One conversation in one direction; items of one speaker share the speaker's clip.

    Attributes:
        speaker: the speaker, with speech.
        listener: the listener.
        style: (5,) float32 of the listener, NaN where unknown.
    """

    speaker: PersonClip
    listener: PersonClip
    style: FloatArray

    def __post_init__(self) -> None:
        if len(self.speaker) != len(self.listener) or self.speaker.speech is None:
            raise InputError(
                f"{self.listener.name}: expected a speaker with speech and as many frames as the listener's "
                f"{len(self.listener)}; found {len(self.speaker)}"
            )
        if self.style.shape != (len(CONTROLS),):
            raise InputError(
                f"{self.listener.name}: the style has shape {self.style.shape}; expected ({len(CONTROLS)},)"
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
        traits: names of the five numbers of a style: ours, or the Big Five of a corpus that gives them.
    """

    corpus: str
    sources: tuple[str, ...]
    split: str
    items: tuple[ListeningItem, ...]
    neighbours: BoolArray
    traits: tuple[str, ...] = CONTROLS

    def __post_init__(self) -> None:
        count = len(self.items)
        if not count or self.neighbours.shape != (count, count):
            raise InputError(
                f"{self.corpus}, {self.split}: {count} conversations and neighbours of shape "
                f"{self.neighbours.shape}; expected at least one, and a square of as many"
            )

    def require_own_speech(self) -> None:
        """Find packs that only a training can use.

        Raises:
            InputError: the speech is not that of :mod:`visavis.reaction.speech`.
        """
        speech = self.items[0].speaker.speech
        width = len(SPEECH_CHANNELS) if speech is None else speech.shape[1]
        if width != len(SPEECH_CHANNELS):
            raise InputError(
                f"{self.corpus}, {self.split}: the packs hold {width} numbers of sound a frame; reactions "
                f"need the {len(SPEECH_CHANNELS)} of visavis. Compare bits a frame in report.json, or make "
                "packs without --wav2vec2"
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
            emotion=np.concatenate([clip.expression for clip in clips]),
            speech=np.concatenate(speech),
            speaker=np.asarray([place[id(item.speaker)] for item in pack.items]),
            listener=np.asarray([place[id(item.listener)] for item in pack.items]),
            temperament=np.stack([item.style for item in pack.items]),
            neighbours=pack.neighbours,
            traits=np.asarray(pack.traits),
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
            tuple(arrays["traits"].tolist()) if "traits" in arrays else CONTROLS,
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a pack of conversations: {reason(error)}") from error


def require_splits(folder: Path) -> None:
    """Find a missing pack before a training, not after it.

    Raises:
        InputError: a pack of a split is missing.
    """
    missing = [split for split in SPLITS if not (folder / f"{split}.npz").is_file()]
    if missing:
        raise InputError(
            f"{folder}: no {missing[0]}.npz; training needs packs of {', '.join(SPLITS)}: give the corpus "
            f"recordings for this split (visavis corpus build ... --split {missing[0]}), then make its packs "
            "with visavis lab conversations"
        )


def _clips(arrays: dict[str, NDArray[np.generic]]) -> Sequence[PersonClip]:
    lengths, speaks = np.asarray(arrays["lengths"], int), np.asarray(arrays["speaks"], bool)
    faces, expressions = (
        np.split(np.asarray(arrays[key], np.float16), np.cumsum(lengths)[:-1]) for key in ("face", "emotion")
    )
    spoken = iter(np.split(np.asarray(arrays["speech"], np.float16), np.cumsum(lengths[speaks])[:-1]))
    return [
        PersonClip(name, face, expression, next(spoken) if says else None)
        for name, face, expression, says in zip(
            arrays["clips"].tolist(), faces, expressions, speaks, strict=True
        )
    ]
