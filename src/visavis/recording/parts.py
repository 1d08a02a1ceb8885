"""Reading the faces of a video, a long one in several processes at once, with the result of one pass.

This process reads the first part in a thread while the others start. Each reads one part of the file after
the other, from some seconds before its first frame. Two neighboring parts are joined where they agree
(:mod:`visavis.recording.seams`). If they do not agree yet, the earlier part is read on until they do: at
worst one process reads the whole file.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread

from visavis.base import int8
from visavis.base.interruption import deaf_children
from visavis.base.machine import usable_threads
from visavis.capture.prefetch import Prefetch
from visavis.capture.video import VideoFile, check_damage
from visavis.capture.video_part import VideoPart, cut_times_s
from visavis.errors import InputError, VisavisError
from visavis.pipeline import Pipeline, Sighting
from visavis.recording.seams import SameNumbers, Seam

# Length of a lead-in. From 14 starts in a minute of four clips, readings after 1, 2 and 3 s differed from one
# pass by at most 4e-4, 1e-6 and 0 in a weight, and by 0.011, 4e-4 and 1.4e-5 in a probability.
LEAD_S = 3.0
# A part of this length repays its lead-in and its share of the start of a process. Parts longer than the
# second value would only keep more readings waiting.
LEAST_PART_S, LONGEST_PART_S = 16.0, 120.0
# Parts that do not agree are compared again after this much more of the earlier one.
MORE_S = 1.0
# One pass decodes and reads in two threads. On a processor with two, more processes were no faster: a minute
# of 720p took 12.4 s in one pass and 16.1 s in two processes, on a busy computer.
LEAST_THREADS = 3
# Readings are sent in groups of this many.
GROUP = 16
LATEST_S = float("inf")


@dataclass(frozen=True, slots=True)
class _Pause:
    """A process has done what it was asked for, and keeps its state.

    Attributes:
        damaged: places with damaged frames, those of the lead-in left out.
        over: whether the file is over.
        error: what ended the reading early.
    """

    damaged: int = 0
    over: bool = False
    error: VisavisError | None = None


@dataclass(slots=True, eq=False)
class _Part:
    """Frames from ``start_s`` to ``end_s``, read from ``from_s`` on."""

    from_s: float
    start_s: float
    end_s: float
    seen: deque[Sighting] = field(default_factory=deque)
    taken: bool = False
    pause: _Pause | None = None
    seam: Seam = field(init=False)

    def __post_init__(self) -> None:
        self.seam = Seam(self.start_s, self.seen)


@dataclass(slots=True, eq=False)
class _Worker:
    """Another process, or a thread of this one."""

    runs: BaseProcess | Thread
    pipe: Connection
    part: _Part | None = None

    def order(self, from_s: float | None, until_s: float, lead_until_s: float = 0.0) -> None:
        with suppress(BrokenPipeError):  # Receiving will tell.
            self.pipe.send((from_s, until_s, lead_until_s))

    def end(self) -> None:
        if not isinstance(self.runs, Thread):
            self.runs.terminate()
        self.pipe.close()  # Ends the thread.
        self.runs.join()


def follow_faces(
    source: VideoFile,
    make_pipeline: Callable[[], Pipeline],
    jobs: int | None = None,
    limit_s: float | None = None,
) -> Generator[Sighting, None, None]:
    """The faces of each frame of a video; closing the generator frees everything.

    Args:
        source: an open video; the caller closes it.
        make_pipeline: makes the pipeline of this process or of each other process; it can be pickled.
        jobs: how many processes read a long video; by default one for each thread of the processor, if it has
            three or more.
        limit_s: end of what is needed.

    Raises:
        VisavisError: a network or a tracker is missing; errors of the video come with its frames.
    """
    if jobs is None:
        threads = usable_threads()
        jobs = threads if threads >= LEAST_THREADS else 1
    cuts_s = plan_parts(source.path, jobs, limit_s)
    if len(cuts_s) > 1:
        return iter(PartsReader(source.path, make_pipeline, cuts_s, jobs, limit_s))
    return _read_alone(source, make_pipeline())


def _read_alone(source: VideoFile, pipeline: Pipeline) -> Generator[Sighting, None, None]:
    with closing(pipeline), Prefetch(iter(source)) as frames:
        pipeline.reset()
        for frame in frames:
            yield pipeline.see(frame)


def plan_parts(path: Path, jobs: int, limit_s: float | None = None) -> list[float]:
    """Times at which processes should start to read a video; fewer than two if one pass is better.

    One pass is better for short files. It is needed for files that are cut off, whose clock jumps, or whose
    times are not stated.

    Args:
        path: the video.
        jobs: number of processes.
        limit_s: end of what is read.

    Raises:
        InputError: the file cannot be opened.
    """
    if jobs < 2:
        return []
    with VideoPart(path) as video:
        end_s = min(video.duration_s or 0.0, LATEST_S if limit_s is None else limit_s)
        if end_s < 2 * LEAST_PART_S:
            return []
        share_s = (end_s + (jobs - 1) * LEAD_S) / jobs
        part_s = min(max(share_s, LEAST_PART_S), LONGEST_PART_S)
        return cut_times_s(video.entry_times_s(), end_s, part_s, LEAD_S)


class PartsReader:
    """Reads the faces of a video in several processes; iterate over it once.

    At most two parts for each process are kept in memory.

    Args:
        path: the video.
        make_pipeline: makes each process's pipeline; it can be pickled.
        cuts_s: from :func:`plan_parts`.
        jobs: number of processes.
        limit_s: end of what is read.
    """

    def __init__(
        self,
        path: Path,
        make_pipeline: Callable[[], Pipeline],
        cuts_s: Sequence[float],
        jobs: int,
        limit_s: float | None = None,
    ) -> None:
        starts_s = [time_s + LEAD_S if number else 0.0 for number, time_s in enumerate(cuts_s)]
        ends_s = [*starts_s[1:], LATEST_S if limit_s is None else limit_s]
        self._path, self._make_pipeline = path, make_pipeline
        self._parts = [_Part(*times_s) for times_s in zip(cuts_s, starts_s, ends_s, strict=True)]
        self._jobs = min(jobs, len(cuts_s))
        self._workers: list[_Worker] = []
        self._numbers = SameNumbers()
        self._damaged = 0
        self._int8 = "on" if int8.wanted() else "off"

    def __iter__(self) -> Generator[Sighting, None, None]:
        """The faces of each frame, in order, as one pass reads them.

        Raises:
            InputError: after the last good frame, if frames were damaged, or a process ended.
        """
        count = 0
        try:
            for _ in range(self._jobs):
                self._workers.append(self._start())
            while self._parts:
                self._hand_out()
                for seen in self._ready():
                    count += 1
                    yield seen
                if self._parts:
                    self._receive()
            check_damage(self._path, count, self._damaged)
        finally:
            for worker in self._workers:
                worker.end()

    def _start(self) -> _Worker:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        arguments = (theirs, self._path, self._make_pipeline)
        if not self._workers:
            thread = Thread(target=_work, args=arguments, name="parts")
            thread.start()
            return _Worker(thread, ours)
        process = context.Process(target=_work_apart, args=(*arguments, self._int8), daemon=True)
        with deaf_children():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _hand_out(self) -> None:
        """Give the next parts to the workers that have none, or whose part is joined."""
        free = [w for w in self._workers if w.part is None or (w.part.pause and w.part not in self._parts)]
        waiting = [part for part in self._parts[: 2 * self._jobs] if not part.taken]
        for worker, part in zip(free, waiting, strict=False):
            worker.part, part.taken = part, True
            worker.order(part.from_s, part.end_s, part.start_s)

    def _receive(self) -> None:
        busy = [worker for worker in self._workers if worker.part is not None]
        ready = wait([worker.pipe for worker in busy])
        for worker in busy:
            if worker.pipe not in ready or worker.part is None:
                continue
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                message = _Pause(error=self._ended(worker))
            if not isinstance(message, _Pause):
                worker.part.seen.extend(message)
                continue
            worker.part.pause = message
            if message.error is not None:  # What the others read before this place is still wanted.
                self._workers.remove(worker)
                worker.end()

    def _ended(self, worker: _Worker) -> VisavisError:
        worker.runs.join()
        status = 1 if isinstance(worker.runs, Thread) else worker.runs.exitcode
        return InputError(
            f"{self._path}: a process that read a part of this video ended (status {status}); --jobs 1 reads "
            "the video in one"
        )

    def _ready(self) -> Generator[Sighting, None, None]:
        """The readings of the first part that are sure, and of those that follow it."""
        while self._parts:
            part, later = self._parts[0], self._parts[1] if len(self._parts) > 1 else None
            seam = later.seam if later is not None and later.taken else None
            while part.seen:
                seen = part.seen[0]
                if seam and later and seam.waits_for(seen) and not later.pause:
                    return
                part.seen.popleft()
                joined = seam is not None and seam.joins(seen)
                numbered = self._numbers.of(seen)
                yield numbered
                if joined and later:
                    self._numbers.follow(numbered, later.seen.popleft())
                    self._damaged += part.pause.damaged if part.pause else 0
                    del self._parts[0]
                    break
            else:
                if part.pause is None:
                    return
                self._go_on(part, later)
                return

    def _go_on(self, part: _Part, later: _Part | None) -> None:
        """The first part is read to its end: the worker goes on into the next one, or everything is read."""
        pause = part.pause or _Pause()
        self._damaged += pause.damaged
        if pause.error is not None:
            raise pause.error
        if pause.over or later is None:
            self._parts.clear()
            return
        until_s = part.end_s + MORE_S
        if not later.taken or (later.pause and not later.seen):  # Nobody else can read the later part.
            self._parts.remove(later)
            until_s = later.end_s
        part.pause, part.end_s = None, until_s
        next(worker for worker in self._workers if worker.part is part).order(None, until_s)


def _work_apart(pipe: Connection, path: Path, make_pipeline: Callable[[], Pipeline], bits: str) -> None:
    """What another process does; all use the same networks."""
    os.environ[int8.VARIABLE] = bits
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the first process, which ends this one.
    _work(pipe, path, make_pipeline)


def _work(pipe: Connection, path: Path, make_pipeline: Callable[[], Pipeline]) -> None:
    """Read the parts that are asked for."""
    with suppress(EOFError, OSError), pipe:  # The reader of all parts has ended.
        try:
            with closing(make_pipeline()) as pipeline:
                reading: _Reading | None = None
                while True:
                    from_s, until_s, lead_until_s = pipe.recv()
                    if reading is None or from_s is not None:
                        reading = _Reading(VideoPart(path, from_s or 0.0), pipeline)
                    reading.send_until(pipe, until_s, lead_until_s)
        except VisavisError as error:
            pipe.send(_Pause(error=InputError(str(error))))


class _Reading:
    """One stream of readings, from a keyframe on."""

    def __init__(self, part: VideoPart, pipeline: Pipeline) -> None:
        pipeline.reset()
        self._part = part
        self._stream = (pipeline.see(frame) for frame in part)

    def send_until(self, pipe: Connection, until_s: float, lead_until_s: float) -> None:
        """Send the readings up to the first one at or after this time, then a pause."""
        group: list[Sighting] = []
        before = self._part.damaged
        over = True
        for seen in self._stream:
            group.append(seen)
            if seen.time_s < lead_until_s:
                before = self._part.damaged
            if over := seen.time_s < until_s:
                if len(group) >= GROUP:
                    pipe.send(group)
                    group = []
            else:
                break
        pipe.send(group)
        pipe.send(_Pause(self._part.damaged - before, over))
