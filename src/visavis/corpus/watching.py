"""Processing one segment of a recording: decode, track, read expressions, and write the segment's file."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from visavis.base.files import whole_file
from visavis.capture.video import VideoFile, check_damage
from visavis.capture.video_part import VideoPart
from visavis.corpus.layout import writable
from visavis.corpus.observe import observe
from visavis.corpus.recording import PEOPLE, mismatch
from visavis.corpus.segments import ROWS, RecordingJob, VideoSegment, refusal, refused_path
from visavis.corpus.split_screen import MOST_FACES, find_cut
from visavis.errors import InputError
from visavis.face.tracker import Tracker, open_tracker
from visavis.pipeline import Pipeline
from visavis.types import Frame

# In one run, a segment is tried again this often after its worker died.
MOST_TRIES = 3


class Worker:
    """The networks of one worker: they are opened once and used for all recordings.

    Args:
        make_pipeline: makes a person's pipeline; by default with the embedded networks.
        searcher: finds the faces in whole pictures; by default the embedded tracker.
    """

    def __init__(
        self, make_pipeline: Callable[[], Pipeline] | None = None, searcher: Tracker | None = None
    ) -> None:
        self.people = [(make_pipeline or Pipeline)() for _ in PEOPLE]
        self.searcher = searcher or open_tracker("visavis", MOST_FACES)
        self._cut: tuple[Path, int] | None = None

    def find_cut(self, video: Path) -> int:
        """The column between two people side by side; it is found once for the segments of a video.

        Raises:
            InputError: see :func:`~visavis.corpus.split_screen.find_cut`.
        """
        if self._cut is None or self._cut[0] != video:
            self._cut = (video, find_cut(video, self.searcher))
        return self._cut[1]


def watch_segment(job: RecordingJob, number: int, worker: Worker, on_frame: Callable[[], None]) -> None:
    """Process a segment and write its file; nothing happens if it is finished, or its recording is refused.

    Args:
        job: the recording.
        number: index of the segment.
        worker: the worker's networks.
        on_frame: called after each processed frame.

    Raises:
        InputError: a file cannot be written. For errors of the video, a file with the reason is written.
    """
    path = job.path(number)
    if path.exists() or refusal(job, number + 1) is not None:
        return
    deaths = path.with_suffix(f".{job.run}")
    try:
        with writable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with deaths.open("a") as file:
                file.write("x")
        arrays = _observe(job, number, worker, on_frame, deaths.stat().st_size)
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)
    except _RefusedError as error:
        with whole_file(refused_path(path)) as partial:
            partial.write_text(str(error), "utf-8", "backslashreplace")
    finally:
        with suppress(OSError):
            deaths.unlink(missing_ok=True)


class _RefusedError(InputError):
    """A segment cannot be processed."""


def _observe(
    job: RecordingJob, number: int, worker: Worker, on_frame: Callable[[], None], tries: int
) -> dict[str, Any]:
    """The arrays of a segment's file."""
    segment = job.segments[number]
    path = job.recording.videos[segment.video]
    if tries > MOST_TRIES:
        raise _RefusedError(
            f"{path}: the worker died {MOST_TRIES} times at {segment.start_s:.0f} s; look whether memory was "
            "full (--jobs uses less), or leave the video out"
        )
    alone = len(job.recording.videos) == len(PEOPLE)
    people = worker.people[:1] if alone else worker.people
    arrays: dict[str, Any]
    try:
        if alone and number == 0:
            _check_lengths(job)
        cut_px = None if alone else worker.find_cut(path)
        with _open(path, segment) as video:
            observed = observe(_frames(video, segment), people, cut_px, on_frame)
            arrays = {"fps": video.fps, "start_s": video.start_s}
    except InputError as error:
        raise _RefusedError(str(error)) from error
    finally:
        for pipeline in people:
            pipeline.close()
    for person, one in enumerate(observed):
        first = int(np.searchsorted(one.time_s, segment.start_s))
        rows: list[list[Any]] = [one.time_s, one.face, one.expression, one.look]
        arrays |= {f"{name}{person}": np.asarray(row[first:]) for name, row in zip(ROWS, rows, strict=True)}
    return arrays


def _check_lengths(job: RecordingJob) -> None:
    """Refuse two videos whose files say that they differ much; the frames, read later, say it exactly."""
    lengths_s = []
    for path in job.recording.videos:
        with VideoFile(path) as video:
            lengths_s.append(video.pictures_s or np.nan)
    if abs(lengths_s[0] - lengths_s[1]) > 2 * job.settings.tolerance_s:
        mismatch(job.recording.videos, lengths_s, job.settings.tolerance_s)


def _open(path: Path, segment: VideoSegment) -> VideoFile:
    whole = segment.from_s == 0 and segment.end_s is None
    return VideoFile(path) if whole else VideoPart(path, segment.from_s)


def _frames(video: VideoFile, segment: VideoSegment) -> Generator[Frame, None, None]:
    """The frames of a segment and of its run-up.

    Raises:
        InputError: frames of the segment were damaged; of a whole video, also if it is cut off.
    """
    count, damaged = 0, 0
    for frame in video:
        if segment.end_s is not None and frame.time_s >= segment.end_s:
            break
        if isinstance(video, VideoPart) and frame.time_s < segment.start_s:
            damaged = video.damaged  # Damage of the run-up belongs to the segment before.
        count += 1
        yield frame
    if isinstance(video, VideoPart):
        check_damage(video.path, count, video.damaged - damaged)
