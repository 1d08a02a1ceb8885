"""Segments of recordings: where they begin, and the files of the finished ones, which are kept."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visavis import __version__
from visavis.base.networks import manifest
from visavis.base.npz import read_npz
from visavis.capture.video_part import VideoPart, cut_times_s
from visavis.corpus.observe import Observed
from visavis.corpus.recording import PEOPLE, CorpusRecording, CorpusSettings, Source
from visavis.errors import InputError

# Folder of finished segments; it is there until their recordings are finished.
SEGMENTS = ".segments"
# Their files: the result, which later runs use too, or the reason why there is none.
KEPT_SUFFIX, _REFUSED = ".npz", ".refused"
# At least this much before a segment is processed too.
RUN_UP_S = 4.0
# The arrays of a person in a segment's file; the person's number follows.
ROWS = ("time_s", "face", "expression", "look")


@dataclass(frozen=True, slots=True)
class VideoSegment:
    """A part of one of a recording's videos.

    Attributes:
        video: index of the video in the recording.
        from_s: time of the key frame at which reading starts, so that trackers and filters do not show where
            the segment begins.
        start_s: time of the first frame.
        end_s: the first time that does not belong to the segment; None for the end of the video.
        frames: estimated number of frames; None if not known.
    """

    video: int
    from_s: float
    start_s: float
    end_s: float | None
    frames: int | None


@dataclass(frozen=True, slots=True)
class RecordingJob:
    """A recording to process.

    Attributes:
        root: the corpus's folder.
        recording: the recording.
        settings: settings of the corpus.
        sources: the recording's videos.
        segments: their segments, in order of the videos and of time.
        run: name of the program's run, which distinguishes deaths of workers from killed runs.
    """

    root: Path
    recording: CorpusRecording
    settings: CorpusSettings
    sources: tuple[Source, ...]
    segments: tuple[VideoSegment, ...]
    run: str = ""

    @property
    def frames(self) -> int | None:
        """Estimated number of frames; None if not known."""
        frames = [segment.frames for segment in self.segments]
        return None if None in frames else sum(filter(None, frames))

    def path(self, number: int) -> Path:
        """The file of a finished segment: its name is a digest of everything that its content depends on."""
        source = self.sources[self.segments[number].video]
        made_by = {name: entry.sha256 for name, entry in sorted(manifest().items())}
        place = [self.recording.split, self.recording.name, len(self.recording.videos), number]
        facts = [source.sha256, *place, self.settings.segment_s, RUN_UP_S, __version__, made_by]
        digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
        return self.root / SEGMENTS / f"{digest}{KEPT_SUFFIX}"


@dataclass(frozen=True, slots=True)
class PersonView:
    """One person through a whole video.

    Attributes:
        observed: the person in each frame.
        video: the file.
        fps: its frames per second.
        start_s: time of its first frame in the file.
    """

    observed: Observed
    video: Path
    fps: float
    start_s: float

    @property
    def end_s(self) -> float:
        """The time at which the last frame ends."""
        return self.observed.time_s[-1] + 1 / self.fps


def list_segments(recording: CorpusRecording, settings: CorpusSettings) -> tuple[VideoSegment, ...]:
    """The segments of a recording's videos; a video that cannot be cut, or cannot be read, is one segment."""
    segments = []
    for number, path in enumerate(recording.videos):
        cuts_s, fps, end_s = [0.0], 0.0, 0.0
        with suppress(InputError), VideoPart(path) as video:  # Processing the video gives the reason.
            fps, end_s = video.fps, video.duration_s or 0.0
            if end_s > settings.segment_s:
                length_s = settings.segment_s + RUN_UP_S
                cuts_s = cut_times_s(video.entry_times_s(), end_s, length_s, RUN_UP_S)
        starts_s = [0.0, *(cut_s + RUN_UP_S for cut_s in cuts_s[1:])]
        for from_s, start_s, next_s in zip(cuts_s, starts_s, [*starts_s[1:], None], strict=True):
            frames = round(((end_s if next_s is None else next_s) - start_s) * fps)
            segments.append(VideoSegment(number, from_s, start_s, next_s, max(frames, 0) if end_s else None))
    return tuple(segments)


def refusal(job: RecordingJob, count: int | None = None) -> str | None:
    """Why the recording is refused according to its first finished segments; None if it is not.

    The reason is that of the earliest refused segment, so that it does not depend on the order of the work.
    """
    for number in range(len(job.segments) if count is None else count):
        if (path := refused_path(job.path(number))).exists():
            return path.read_text("utf-8")
    return None


def is_complete(job: RecordingJob) -> bool:
    """Whether all segments of a recording are finished, up to the first refused one."""
    for number in range(len(job.segments)):
        path = job.path(number)
        if not path.exists():
            return refused_path(path).exists()
    return True


def claim(job: RecordingJob, number: int) -> bool:
    """Whether the worker of this segment finishes the recording: of several in one run, the first one.

    The same segment may claim again, because its worker may have died.
    """
    if len(job.segments) == 1:
        return True
    path = job.path(0).with_suffix(f".{job.run}-finish")
    try:
        with path.open("x") as file:
            file.write(str(number))
    except FileExistsError:
        return path.read_text() == str(number)
    return True


def join_segments(job: RecordingJob) -> list[PersonView]:
    """Both people, each through the whole recording, from the files of all segments.

    Raises:
        InputError: a file is damaged.
    """
    each = len(PEOPLE) // len(job.recording.videos)
    seen: list[PersonView] = []
    for index, video in enumerate(job.recording.videos):
        parts = [_load(job.path(n)) for n, segment in enumerate(job.segments) if segment.video == index]
        for person in range(each):
            observed = Observed()
            for part in parts:
                observed.extend(*(part[f"{name}{person}"] for name in ROWS))
            seen.append(PersonView(observed, video, float(parts[0]["fps"]), float(parts[0]["start_s"])))
    return seen


def forget(job: RecordingJob) -> None:
    """Delete the files of a recording's segments."""
    for number in range(len(job.segments)):
        job.path(number).unlink(missing_ok=True)
        refused_path(job.path(number)).unlink(missing_ok=True)


def _load(path: Path) -> dict[str, Any]:
    try:
        return read_npz(path, "segment")
    except InputError as error:
        path.unlink(missing_ok=True)
        raise InputError(f"{error}; it was deleted, and the same command makes it again") from error


def refused_path(path: Path) -> Path:
    """The file that has the reason instead of a segment's file."""
    return path.with_suffix(_REFUSED)
