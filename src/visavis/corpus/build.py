"""Building a corpus with index, manifest and table of quality; finished recordings are kept."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from visavis import __version__
from visavis.base.files import whole_file, write_json
from visavis.base.interruption import Interruption
from visavis.base.machine import versions
from visavis.base.networks import manifest as embedded
from visavis.base.reading import regular
from visavis.base.words import reason
from visavis.corpus.engines import Engine
from visavis.corpus.job import finish, finished
from visavis.corpus.layout import (
    DONE,
    RECORDS,
    REFUSED,
    UNFINISHED,
    Outcome,
    describe_refusal,
    discard,
    record_path,
    write_index,
)
from visavis.corpus.recording import CorpusRecording, CorpusSettings, Source
from visavis.corpus.segments import KEPT_SUFFIX, SEGMENTS, RecordingJob, is_complete, list_segments
from visavis.datasets.dyads import FaceSpace
from visavis.datasets.react import MANIFEST
from visavis.errors import InputError

FORMAT = "visavis corpus 1"
QUALITY = "quality.csv"
HASHING_THREADS = 4
# Settings that must be the same in all recordings of a corpus.
_BINDING = ("format", "visavis", "face_space", "weights", "settings")


@dataclass(frozen=True, slots=True)
class Build:
    """The results of a run.

    Attributes:
        outcomes: outcomes of the requested recordings in order; fewer if the run was interrupted.
        kept: number of recordings that were finished before.
        copies: as in :class:`Plan`, with what the corpus has now.
        interrupted: whether the user ended the run.
    """

    outcomes: tuple[Outcome, ...]
    kept: int
    copies: tuple[str, ...]
    interrupted: bool

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """The recordings that could not be made; see :attr:`~visavis.corpus.layout.Outcome.stays`."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == REFUSED)


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a run.

    Attributes:
        root: the corpus's folder.
        recordings: all requested recordings.
        settings: settings of the recordings.
        kept: recordings that were finished before, by name.
        unread: recordings with a video that cannot be read, by name.
        jobs: jobs for the other recordings.
        copies: a line for each video that is in the corpus, or among the recordings, under another name too.
    """

    root: Path
    recordings: tuple[CorpusRecording, ...]
    settings: CorpusSettings
    kept: Mapping[str, Outcome]
    unread: Mapping[str, Outcome]
    jobs: tuple[RecordingJob, ...]
    copies: tuple[str, ...]

    @property
    def frames(self) -> int | None:
        """Estimated number of frames to process; None if not known."""
        frames = [job.frames for job in self.jobs]
        return None if None in frames else sum(filter(None, frames))


def plan(root: Path, recordings: Sequence[CorpusRecording], settings: CorpusSettings) -> Plan:
    """Find out what is finished and what must be done; nothing is written.

    Raises:
        InputError: no recording's videos can be read, the folder has a corpus with other settings, or a
            recording of the same name has other videos there.
    """
    if root.exists() and not root.is_dir():
        raise InputError(f"{root}: is no folder; name one for the corpus")
    _require_same(root, settings)
    kept: dict[str, Outcome] = {}
    unread: dict[str, Outcome] = {}
    asked: dict[Path, tuple[Source, ...]] = {}
    jobs = []
    run = f"{os.getpid()}-{time.time_ns()}"
    befores = [Outcome.load(record_path(root, one.split, one.name)) for one in recordings]
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        fingerprints = list(pool.map(_fingerprint, recordings, befores))
    for recording, before, sources in zip(recordings, befores, fingerprints, strict=True):
        if isinstance(sources, InputError):
            unknown = tuple(Source(str(video), 0, 0, "") for video in recording.videos)  # Looked at again.
            unread[recording.name] = describe_refusal(root, recording, str(sources), unknown)
            continue
        asked[record_path(root, recording.split, recording.name)] = sources
        if before and before.stands(root, sources) and not before.may_pass:
            kept[recording.name] = before
        else:
            if before is not None:
                _require_same_videos(recording, before, sources)
            segments = list_segments(recording, settings)
            jobs.append(RecordingJob(root, recording, settings, sources, segments, run))
    if unread and len(unread) == len(recordings):
        more = f" (and so with {len(unread) - 1} more recordings)" if len(unread) > 1 else ""
        raise InputError(f"{next(iter(unread.values())).reason}{more}")
    copies = _copies(root, asked)
    return Plan(root, tuple(recordings), settings, kept, unread, tuple(jobs), copies)


def build_corpus(todo: Plan, engine: Engine, advance: Callable[[int], None]) -> Build:
    """Process the jobs, and update index, manifest and table.

    Ctrl-C ends the run early; finished recordings and segments are kept, and the next run continues.

    Args:
        todo: the result of :func:`plan`.
        engine: processes the recordings.
        advance: called with the number of processed frames.

    Raises:
        InputError: a file cannot be written.
    """
    root = todo.root
    _tidy(root, finished=False)
    for job in todo.jobs:
        before = Outcome.load(record_path(root, job.recording.split, job.recording.name))
        if before is not None and before.may_pass:  # Else a worker would take it for the end of this run.
            discard(root, job.recording)
    for recording in todo.recordings:
        unread = todo.unread.get(recording.name)
        if unread is not None and not unread.stays:
            discard(root, recording)
            unread.save(root)
    _write_manifest(todo)
    outcomes = {**todo.kept, **todo.unread}
    with Interruption() as signals:
        try:
            for outcome in signals.each(engine.run(todo.jobs, advance) if todo.jobs else ()):
                outcomes[outcome.name] = outcome
            interrupted = signals.came
            for job in () if interrupted else todo.jobs:
                if job.recording.name not in outcomes:  # Its worker died in the end.
                    late = finished(job) or (finish(job) if is_complete(job) else None)
                    outcomes |= {} if late is None else {late.name: late}
        finally:
            _tidy(root, finished=len(outcomes) == len(todo.recordings))
            _write_manifest(todo)
    done = tuple(outcomes[one.name] for one in todo.recordings if one.name in outcomes)
    made = {record_path(root, one.split, one.name): one.sources for one in done if one.status == DONE}
    return Build(done, len(todo.kept), _copies(root, made), interrupted)


def _fingerprint(recording: CorpusRecording, before: Outcome | None) -> tuple[Source, ...] | InputError:
    """The recording's videos, or why one of them cannot be read."""
    known = {source.path: source for source in before.sources} if before else {}
    try:
        return tuple(Source.of(video, known.get(str(video))) for video in recording.videos)
    except InputError as error:
        return error


def _copies(root: Path, asked: Mapping[Path, tuple[Source, ...]]) -> tuple[str, ...]:
    """A line for each of these videos, by record, that another recording of the corpus has too."""
    known: dict[str, str] = {}
    for path in sorted((root / RECORDS).glob("*/*.json")):
        before = None if path in asked else Outcome.load(path)
        if before is not None and before.status == DONE:
            known |= {source.sha256: _place(path) for source in before.sources}
    lines = []
    for path, sources in asked.items():
        for source in sources:
            if source.sha256 in known:
                lines.append(
                    f"{source.path}: the same video as in {known[source.sha256]}; the corpus has it twice"
                )
            else:
                known[source.sha256] = _place(path)
    return tuple(lines)


def _place(record: Path) -> str:
    return f"{record.stem!r} of {record.parent.name}"


def _tidy(root: Path, *, finished: bool) -> None:
    """Delete what a killed run left half done; after the last recording, nothing of the segments stays."""
    shutil.rmtree(root / UNFINISHED, ignore_errors=True)
    if finished:
        shutil.rmtree(root / SEGMENTS, ignore_errors=True)
    for path in (root / SEGMENTS).glob("*"):
        if path.suffix != KEPT_SUFFIX:
            path.unlink(missing_ok=True)


def _header(settings: CorpusSettings) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "visavis": __version__,
        "face_space": FaceSpace.VISAVIS.value,
        "weights": {name: entry.sha256 for name, entry in sorted(embedded().items())},
        "settings": asdict(settings),
    }


def _require_same(root: Path, settings: CorpusSettings) -> None:
    """Refuse to mix recordings that were made differently."""
    path = root / MANIFEST
    if not path.exists():
        if root.is_dir() and any(root.iterdir()):
            raise InputError(f"{root}: holds other files and no {MANIFEST}; name a new or empty folder")
        return
    try:
        there = json.loads(regular(path).read_text("utf-8-sig"))
        differing = [name for name in _BINDING if there[name] != _header(settings)[name]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not a manifest of visavis corpus build: {reason(error)}; name a new folder"
        ) from error
    if differing:
        now = _header(settings)
        found = "; ".join(_difference(name, there[name], now[name]) for name in differing)
        raise InputError(f"{root}: holds a corpus that was made otherwise ({found}); name a new folder")


def _difference(name: str, there: Any, now: Any) -> str:
    """What differs in two values, part by part."""
    if not (isinstance(there, dict) and isinstance(now, dict)):
        return f"{name} {there}, now {now}"
    parts = [part for part in sorted({*there, *now}) if there.get(part) != now.get(part)]
    return "; ".join(_difference(f"{name}.{part}", there.get(part), now.get(part)) for part in parts)


def _require_same_videos(recording: CorpusRecording, before: Outcome, sources: Sequence[Source]) -> None:
    """Refuse to replace an existing recording's video by another one.

    A changed video keeps its path; a moved video keeps its content.
    """
    for old, new in zip(before.sources, sources, strict=False):
        if before.status == DONE and old.path != new.path and old.sha256 != new.sha256:
            raise InputError(
                f"{new.path}: {recording.name!r} in {recording.split} was made from {old.path}; rename one "
                "of the videos"
            )


def _write_manifest(todo: Plan) -> None:
    """Write index, table of quality and manifest of everything in the folder."""
    by_split: dict[str, list[Outcome]] = defaultdict(list)
    for path in sorted((todo.root / RECORDS).glob("*/*.json")):
        if (outcome := Outcome.load(path)) is not None:
            by_split[outcome.split].append(outcome)
    outcomes = [outcome for split in sorted(by_split) for outcome in by_split[split]]
    header = {**_header(todo.settings), "versions": versions()}
    write_json(todo.root / MANIFEST, {**header, "items": [asdict(outcome) for outcome in outcomes]})
    for split, found in by_split.items():
        done = [outcome.name for outcome in found if outcome.status == DONE]
        if done:
            write_index(todo.root, split, done)
        else:
            (todo.root / f"{split}.csv").unlink(missing_ok=True)
    with whole_file(todo.root / QUALITY) as partial:
        partial.write_text(_table(outcomes), "utf-8", "backslashreplace", newline="")


def _table(outcomes: Sequence[Outcome]) -> str:
    """A row for each person of each recording; one row for a refused recording."""
    whole = ("split", "name", "status", "frames", "duration_s", "mismatch_s", "swapped", "mixed_sound")
    own = ("found", "gaps", "longest_gap_s", "source_fps", "source_s", "audio")
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow((*whole, "person", *own, "notes"))
    for outcome in outcomes:
        refused: dict[str, Any] = {"people": {"": {"warnings": []}}, "warnings": [outcome.reason]}
        quality = outcome.quality or refused
        facts = {**asdict(outcome), **quality}
        for name, person in quality["people"].items():
            cells = (*(facts.get(key) for key in whole), name, *(person.get(key) for key in own))
            table.writerow((*cells, "; ".join([*person["warnings"], *quality["warnings"]])))
    return text.getvalue()
