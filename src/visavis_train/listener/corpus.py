"""Packs of conversations for training and measuring listeners: one for each split of a corpus.

``visavis lab conversations`` makes them from any corpus that ``visavis.datasets.conversations`` recognises
and whose faces are weights: REACT's layout, with FaceVerse's numbers or ours, at 25 frames a second.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from visavis.base.console import print_note, progress
from visavis.base.files import require_folder
from visavis.base.reading import regular
from visavis.base.waveform import SPEECH_RATE_HZ
from visavis.datasets.appropriateness import read_neighbours
from visavis.datasets.conversations import find_corpus
from visavis.datasets.dyads import Corpus, Dyads, Person
from visavis.datasets.react import MANIFEST
from visavis.errors import InputError
from visavis.reaction.speech import FRAME_RATE_HZ, SPEECH_CHANNELS, speech_features
from visavis.reaction.temperament import CONTROLS, Temperament
from visavis.track import Track
from visavis.types import BoolArray, FloatArray
from visavis_train.data.conversation_pack import (
    HalfArray,
    ListeningItem,
    ListeningPack,
    PersonClip,
    save_listening,
)
from visavis_train.simulation.utterances import decode

Temperaments = Mapping[str, FloatArray]
_FREE = np.full(len(CONTROLS), np.nan, np.float32)


class _Clips:
    """The clips of a split; persons with equal numbers and equal sound share one clip."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bool], PersonClip] = {}

    def of(self, person: Person, track: Track, *, speaks: bool) -> PersonClip:
        """The clip of a person, new or known."""
        digest = hashlib.sha256(track.face.tobytes() + track.emotion.tobytes())
        if speaks and person.audio is not None:
            # Hard links are one file with several names, read once.
            place = person.audio.stat()
            digest.update(f"{place.st_dev} {place.st_ino}".encode())
        key = (digest.digest(), speaks)
        if key not in self._known:
            self._known[key] = PersonClip(
                person.name,
                track.face.astype(np.float16),
                track.emotion.astype(np.float16),
                speech_of(person.audio, len(track.face)) if speaks else None,
            )
        return self._known[key]


def speech_of(audio: Path | None, frames: int) -> HalfArray:
    """(T, 44) features of a sound file; NaN without a file, and after its end.

    Raises:
        InputError: the sound cannot be read.
    """
    rows = np.full((frames, len(SPEECH_CHANNELS)), np.nan, np.float16)
    if audio is not None:
        try:
            with regular(audio).open("rb") as file:
                samples = decode(file, str(audio))
        except OSError as error:
            raise InputError(f"{audio}: cannot be read: {error.strerror}") from error
        found = speech_features(samples, SPEECH_RATE_HZ)[:frames]
        rows[: len(found)] = found
    return rows


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a corpus that visavis made; empty for others.

    Raises:
        InputError: the file cannot be read.
    """
    if not path.is_file():
        return {}
    try:
        notes: dict[str, Any] = dict(json.loads(regular(path).read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a manifest: {error}; make the corpus again") from error
    return notes


def temperaments(notes: Mapping[str, Any]) -> Temperaments:
    """The listener's temperament (5,) for each simulated conversation, by name.

    Raises:
        InputError: the manifest has another format of listeners.
    """
    try:
        return {
            listener["conversation"]: Temperament(**listener["temperament"]).values
            for clip in notes.get("clips", ())
            for listener in clip["listeners"]
        }
    except (KeyError, TypeError) as error:
        raise InputError(f"{MANIFEST}: no record of simulated listeners: {error!r}") from error


def pack_split(corpus: Corpus, split: str, notes: Mapping[str, Any]) -> ListeningPack:
    """Read one split.

    Both directions of each conversation are used. A simulated corpus gives only the first one, because in
    the other direction nobody listens.

    Raises:
        InputError: a file is bad, the corpus has another rate or other faces, or a simulation is unfinished.
    """
    dyads = corpus.read(split)
    simulated = "simulated" in notes
    count = len(dyads) // 2 if simulated else len(dyads)
    known, clips, items = temperaments(notes) if simulated else {}, _Clips(), []
    with progress(f"{corpus.path} {split}", count, "conversations") as advance:
        for place in range(count):
            items.append(_item(dyads, place, clips, known))
            if simulated and np.isnan(items[-1].temperament).any():
                raise InputError(
                    f"{corpus.path / MANIFEST}: nothing is said of {items[-1].listener.name}; let "
                    "visavis lab simulate finish"
                )
            advance()
    name = "simulated dyads" if simulated else corpus.name
    sources = tuple(str(source) for source in notes.get("sources", ()))
    return ListeningPack(name, sources, split, tuple(items), _neighbours(corpus, dyads, count))


def _item(dyads: Dyads, place: int, clips: _Clips, known: Temperaments) -> ListeningItem:
    dyad = dyads[place]
    if dyad.fps != FRAME_RATE_HZ:
        raise InputError(f"{dyad.key}: {dyad.fps:g} frames a second; a listener needs {FRAME_RATE_HZ}")
    speaker, listener = dyad.tracks()
    conversation = Path(dyad.listener.name).parent.parent.name
    return ListeningItem(
        clips.of(dyad.speaker, speaker, speaks=True),
        clips.of(dyad.listener, listener, speaks=False),
        known.get(conversation, _FREE),
    )


def _neighbours(corpus: Corpus, dyads: Dyads, count: int) -> BoolArray:
    """The corpus's own matrix; without one, each listener fits only its own speaker."""
    path = corpus.path / f"neighbour_emotion_{dyads.split}.npy"
    if not path.is_file():
        print_note(f"{path}: not there; each reaction is appropriate for its own speaker alone")
        return np.eye(count, dtype=np.bool_)
    return read_neighbours(path, len(dyads))[:count, :count]


def pack_corpus(path: Path, out: Path, splits: Sequence[str] = ()) -> None:
    """Write a pack for each split; existing packs are not changed.

    Args:
        path: folder of the corpus.
        out: folder of the packs, ``train.npz`` and so on.
        splits: the splits to write.

    Raises:
        InputError: the corpus is missing, or a split of it cannot be used.
    """
    corpus, notes = find_corpus(path), read_manifest(path / MANIFEST)
    require_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    for split in splits or corpus.splits:
        file = out / f"{split}.npz"
        if file.exists():
            print_note(f"{file}: is there, and stays")
            continue
        pack = pack_split(corpus, split, notes)
        save_listening(file, pack)
        print_note(
            f"{file}: {len(pack.items)} conversations, {len(pack.first_of_speakers())} speakers' clips"
        )
