"""Packs of conversations for training and measuring listeners: one for each split of a corpus.

``visavis lab conversations`` makes them from any corpus that ``visavis.datasets.conversations`` recognises
and whose faces are weights: REACT's layouts, with FaceVerse's numbers or ours. Other rates than 25 frames a
second are resampled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from visavis.base.console import print_note, progress
from visavis.base.files import require_folder
from visavis.base.reading import regular
from visavis.base.waveform import SPEECH_RATE_HZ
from visavis.base.words import counted, reason
from visavis.datasets.appropriateness import read_neighbours
from visavis.datasets.conversations import find_corpus
from visavis.datasets.dyads import Corpus, Dyad, Dyads, Person
from visavis.datasets.react import MANIFEST
from visavis.datasets.react2025 import BIG_FIVE
from visavis.errors import InputError
from visavis.reaction.speech import FRAME_RATE_HZ, LogMelFeatures, SpeechFeatures
from visavis.reaction.style import CONTROLS, Style
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

_OURS = LogMelFeatures()
Styles = Mapping[str, FloatArray]


class _Clips:
    """The clips of a split; persons with equal numbers and equal sound share one clip."""

    def __init__(self, features: SpeechFeatures) -> None:
        self._features = features
        self._known: dict[tuple[bytes, bool], PersonClip] = {}

    def of(self, person: Person, track: Track, *, speaks: bool) -> PersonClip:
        """The clip of a person, new or known."""
        digest = hashlib.sha256(track.face.tobytes() + track.expression.tobytes())
        if speaks and person.audio is not None:
            with _opened(person.audio) as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        key = (digest.digest(), speaks)
        if key not in self._known:
            self._known[key] = PersonClip(
                person.name,
                track.face.astype(np.float16),
                track.expression.astype(np.float16),
                speech_of(person.audio, len(track.face), self._features) if speaks else None,
            )
        return self._known[key]


@contextmanager
def _opened(audio: Path) -> Iterator[BufferedReader]:
    try:
        with regular(audio).open("rb") as file:
            yield file
    except OSError as error:
        raise InputError(f"{audio}: cannot be read: {error.strerror}") from error


def speech_of(audio: Path | None, frames: int, features: SpeechFeatures) -> HalfArray:
    """(T, D) features of a sound file; NaN without a file, and after its end.

    Raises:
        InputError: the sound cannot be read.
    """
    rows = np.full((frames, len(features.channels)), np.nan, np.float16)
    if audio is not None:
        with _opened(audio) as file:
            samples = decode(file, str(audio))
        found = features.features(samples, SPEECH_RATE_HZ)[:frames]
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
        notes: dict[str, Any] = dict(json.loads(regular(path).read_text("utf-8-sig")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a manifest: {error}; make the corpus again") from error
    return notes


def styles(notes: Mapping[str, Any]) -> Styles:
    """The listener's style (5,) for each simulated conversation, by name.

    Raises:
        InputError: the manifest has another format of listeners.
    """
    try:
        return {
            listener["conversation"]: Style(**listener["temperament"]).values
            for clip in notes.get("clips", ())
            for listener in clip["listeners"]
        }
    except (KeyError, TypeError) as error:
        raise InputError(f"{MANIFEST}: no record of simulated listeners: {reason(error)}") from error


def pack_split(
    corpus: Corpus, split: str, notes: Mapping[str, Any], features: SpeechFeatures = _OURS
) -> ListeningPack:
    """Read one split.

    Both directions of each conversation are used. A simulated corpus gives only the first one, because in
    the other direction nobody listens.

    Raises:
        InputError: a file is bad, the corpus has other faces, or a simulation is unfinished.
    """
    dyads = corpus.read(split)
    simulated = "simulated" in notes
    count = len(dyads) // 2 if simulated else len(dyads)
    known, clips, items = styles(notes) if simulated else {}, _Clips(features), []
    labels: list[Mapping[str, str]] = []
    with progress(f"{corpus.path} {split}", count, "conversations") as advance:
        for place in range(count):
            dyad = dyads[place]
            labels.append(dyad.labels)
            items.append(_item(dyad.at_rate(FRAME_RATE_HZ), clips, known))
            if simulated and np.isnan(items[-1].style).any():
                raise InputError(
                    f"{corpus.path / MANIFEST}: nothing is said of {items[-1].listener.name}; let "
                    "visavis lab simulate finish"
                )
            advance()
    name = "simulated dyads" if simulated else corpus.name
    sources = tuple(str(source) for source in notes.get("sources", ()))
    near = _neighbours(corpus, dyads, [known.get("session") for known in labels])
    traits = BIG_FIVE if any(BIG_FIVE[0] in known for known in labels) else CONTROLS
    silent = sum(item.speaker.speech is None or bool(np.isnan(item.speaker.speech).all()) for item in items)
    unknown = 0 if traits is CONTROLS else sum(bool(np.isnan(item.style).any()) for item in items)
    for missing, what in ((silent, "speakers have no sound"), (unknown, "listeners have no Big Five")):
        if missing:
            print_note(f"{corpus.path}, {split}: {missing} of {count} {what}")
    return ListeningPack(name, sources, split, tuple(items), near, traits)


def _item(dyad: Dyad, clips: _Clips, known: Styles) -> ListeningItem:
    speaker, listener = dyad.tracks()
    conversation = Path(dyad.listener.name).parent.parent.name
    big_five = np.asarray([dyad.labels.get(name, "nan") for name in BIG_FIVE], np.float32)
    return ListeningItem(
        clips.of(dyad.speaker, speaker, speaks=True),
        clips.of(dyad.listener, listener, speaks=False),
        known.get(conversation, big_five),
    )


def _neighbours(corpus: Corpus, dyads: Dyads, sessions: Sequence[str | None]) -> BoolArray:
    """The corpus's own matrix, or its sessions; without both, each listener fits only its own speaker.

    In REACT2025, all listeners of a session fit its speakers; the second half has the other direction.
    """
    path, count = corpus.path / f"neighbour_emotion_{dyads.split}.npy", len(sessions)
    if not path.is_file():
        if None not in sessions:
            label, place = np.asarray(sessions), np.arange(count) < count // 2
            return np.asarray((label[:, None] == label) & (place[:, None] == place), np.bool_)
        print_note(f"{path}: not there; each reaction is appropriate for its own speaker alone")
        return np.eye(count, dtype=np.bool_)
    return read_neighbours(path, len(dyads))[:count, :count]


def pack_corpus(path: Path, out: Path, splits: Sequence[str] = (), features: SpeechFeatures = _OURS) -> None:
    """Write a pack, such as ``train.npz``, for some splits or all; existing packs are not changed.

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
        pack = pack_split(corpus, split, notes, features)
        save_listening(file, pack)
        print_note(
            f"{file}: {counted(len(pack.items), 'conversation')}, "
            f"{counted(len(pack.first_of_speakers()), 'clip')} of speakers"
        )
