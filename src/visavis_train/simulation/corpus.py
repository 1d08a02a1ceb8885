"""The simulated corpus in REACT's layout: conversations, index, neighbours, manifest."""

from __future__ import annotations

import json
import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from visavis.base.console import progress
from visavis.base.files import require_folder, whole_file, write_json
from visavis.base.reading import regular
from visavis.base.waveform import SPEECH_RATE_HZ
from visavis.base.words import reason
from visavis.corpus.layout import UNFINISHED, record_path, write_index
from visavis.datasets.appropriateness import write_neighbours
from visavis.datasets.dyads import FaceSpace
from visavis.datasets.react import FPS, MANIFEST
from visavis.datasets.tables import rows
from visavis.errors import InputError
from visavis.types import BoolArray
from visavis_train.data.track_pack import load_tracks
from visavis_train.simulation.clip import SILENCE, ClipJob, listener_name, write_clip, write_samples
from visavis_train.simulation.coupling import SmileCoupling
from visavis_train.simulation.real_faces import Habits, RealFaces, habits, real_faces
from visavis_train.simulation.seed_stream import SeedStream
from visavis_train.simulation.settings import ACTORS, GRID_EVERY, SPLITS, SimulationSettings
from visavis_train.simulation.turns import Timings, read_timings
from visavis_train.simulation.utterances import (
    GRID,
    GRID_SPEAKER,
    Utterance,
    read_ravdess,
    read_sounds,
)
from visavis_train.simulation.voice import speak

FORMAT = "visavis simulated dyads 1"
SOURCES = (
    "RAVDESS speech (CC BY-NC-SA 4.0)",
    "turn timings of BACKSpeech (CC BY-NC-SA 4.0)",
    "GRID s1, tracks and sound",
    "face tracks of videos and of single faces (the pack of visavis lab tracks)",
    "smile_coupling.json, measured on vc_dyads.npz (MIT)",
)


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """All real parts, sorted by split if they have splits.

    Attributes:
        utterances: utterances by speaker.
        timings: timings of turns.
        faces: faces by split.
        habits: habits measured on train.
        coupling: coupling measured on real calls.
    """

    utterances: Mapping[str, tuple[Utterance, ...]]
    timings: Timings
    faces: Mapping[str, RealFaces]
    habits: Habits
    coupling: SmileCoupling


def read_parts(data: Path, pack: Path, length_s: float) -> Parts:
    """Read every real part, from the shared data and from a pack of face tracks.

    Raises:
        InputError: a real part is missing or damaged.
    """
    clips = load_tracks(pack)
    faces = {split: real_faces(clips, split) for split in SPLITS}
    spoken = read_ravdess(data / "speech") + _grid(data / "video" / GRID, faces["train"])
    by_speaker = {name: tuple(u for u in spoken if u.speaker == name) for name in {u.speaker for u in spoken}}
    timings = read_timings(data / "speech" / "turn_timings.csv.gz", length_s)
    table = rows(data / "faces" / "index.csv", ("id", "split", "label"))
    labels = {f"still_{row['split']}_{row['id']}": row["label"] for _, row in table if row["label"]}
    return Parts(by_speaker, timings, faces, habits(clips, labels), SmileCoupling.load())


def _grid(archive: Path, faces: RealFaces) -> list[Utterance]:
    """Whole sentences, with the length of their tracks."""
    found = []
    for name, samples in sorted(read_sounds(archive, ".mp4").items()):
        own = f"{GRID_SPEAKER}_{Path(name).stem}"
        if own in faces.own_sound:
            length = round(len(faces.own_sound[own].face) / FPS * SPEECH_RATE_HZ)
            fitted = np.zeros(length, np.float32)
            fitted[: len(samples)] = samples[:length]
            found.append(Utterance(own, GRID_SPEAKER, "neutral", False, fitted))
    return found


def clip_names(settings: SimulationSettings, split: str) -> list[str]:
    """The clips of a split."""
    return [f"{split}_{number:04}" for number in range(settings.count(split))]


def speaker_of(split: str, number: int) -> str:
    """The speaker of a clip: the actors in turn, and in train sometimes GRID's talker."""
    if split == "train" and number % GRID_EVERY == GRID_EVERY - 1:
        return GRID_SPEAKER
    before = number // GRID_EVERY if split == "train" else 0
    return ACTORS[split][(number - before) % len(ACTORS[split])]


def job(root: Path, settings: SimulationSettings, parts: Parts, split: str, number: int) -> ClipJob:
    """The job of one clip.

    Raises:
        InputError: the speaker has no utterances.
    """
    seed = (settings.seed, SPLITS.index(split), number)
    speaker = speaker_of(split, number)
    own = parts.utterances.get(speaker, ())
    if not own:
        raise InputError(f"the archives hold nothing that {speaker} says; expected RAVDESS and GRID whole")
    voice = speak(own, parts.timings, settings.length_s, SeedStream(seed).at("voice"))
    return ClipJob(
        root=root,
        name=clip_names(settings, split)[number],
        split=split,
        seed=seed,
        listeners=settings.listeners,
        frames=settings.frames,
        speaker=speaker,
        voice=voice,
        faces=parts.faces[split],
        habits=parts.habits,
        coupling=parts.coupling,
        short_per_minute=parts.timings.short_per_minute,
    )


def neighbours(clips: int, listeners: int) -> BoolArray:
    """(2L, 2L) for L = clips x listeners conversations, as ``visavis.datasets.react`` orders them.

    A listener is appropriate for a speaker's clip if it was made for that clip. In the other direction, where
    the listener counts as the speaker, each conversation has only its own answer.
    """
    whose = np.repeat(np.arange(clips), listeners)
    count = len(whose)
    matrix = np.eye(2 * count, dtype=np.bool_)
    matrix[:count, :count] = whose[:, None] == whose
    return matrix


def simulate_corpus(root: Path, settings: SimulationSettings, parts: Parts, workers: int = 1) -> int:
    """Make the missing clips of a corpus; finished clips are not changed.

    Returns:
        The number of new clips.

    Raises:
        InputError: the folder holds another corpus, or cannot be written.
    """
    require_folder(root)
    _require_same(root, settings)
    shutil.rmtree(root / UNFINISHED, ignore_errors=True)
    write_json(root / MANIFEST, _head(settings))
    with whole_file(root / SILENCE) as partial:
        write_samples(partial, np.zeros(round(settings.length_s * SPEECH_RATE_HZ), np.float32))
    missing = [
        (split, number)
        for split in SPLITS
        for number, name in enumerate(clip_names(settings, split))
        if not _finished(root, split, name)
    ]
    jobs = (job(root, settings, parts, split, number) for split, number in missing)
    with progress(str(root), len(missing), "clips") as advance:
        for _ in _work(jobs, workers):
            advance()
    shutil.rmtree(root / UNFINISHED, ignore_errors=True)
    for split in SPLITS:
        numbers = range(1, settings.listeners + 1)
        names = [listener_name(clip, n) for clip in clip_names(settings, split) for n in numbers]
        write_index(root, split, names)
        matrix = neighbours(settings.count(split), settings.listeners)
        write_neighbours(root / f"neighbour_emotion_{split}.npy", matrix)
    write_json(root / MANIFEST, {**_head(settings), "clips": _records(root, settings)})
    return len(missing)


def _work(jobs: Iterable[ClipJob], workers: int) -> Iterator[str]:
    if workers == 1:
        yield from map(write_clip, jobs)
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        # A job contains a clip's sound, so only a few jobs wait at a time.
        waiting: deque[Future[str]] = deque()
        for one in jobs:
            waiting.append(pool.submit(write_clip, one))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _head(settings: SimulationSettings) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "simulated": "no such conversation took place; see docs/data/simulated_dyads.md",
        "face_space": FaceSpace.VISAVIS.value,
        "settings": {"fps": FPS, **asdict(settings)},
        "sources": list(SOURCES),
        "people": {"A": "the speaker", "B": "the listener, silent"},
    }


def _require_same(root: Path, settings: SimulationSettings) -> None:
    path = root / MANIFEST
    if not path.exists():
        return
    try:
        found = json.loads(regular(path).read_text("utf-8-sig"))
        same = {key: found.get(key) for key in ("format", "settings")}
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not the manifest of a simulated corpus: {reason(error)}") from error
    head = _head(settings)
    if same != {key: head[key] for key in same}:
        raise InputError(f"{root}: holds a corpus that was made otherwise ({same}); choose another folder")


def _record(root: Path, split: str, name: str) -> dict[str, Any] | None:
    try:
        notes = json.loads(regular(record_path(root, split, name)).read_text("utf-8-sig"))
    except (OSError, ValueError):
        return None
    return notes if isinstance(notes, dict) and isinstance(notes.get("files"), dict) else None


def _finished(root: Path, split: str, name: str) -> bool:
    notes = _record(root, split, name)
    return notes is not None and all(
        (root / file).is_file() and (root / file).stat().st_size == size
        for file, size in notes["files"].items()
    )


def _records(root: Path, settings: SimulationSettings) -> Sequence[Mapping[str, Any]]:
    records = []
    for split in SPLITS:
        for name in clip_names(settings, split):
            notes = _record(root, split, name) or {}
            records.append({key: value for key, value in notes.items() if key != "files"})
    return records
