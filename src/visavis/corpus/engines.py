"""Engines that run jobs: in this process, in several processes, or on a Ray cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from itertools import islice
from multiprocessing.synchronize import Event
from typing import Protocol

from visavis.base.interruption import deaf_children
from visavis.base.machine import MOST_PROCESSES
from visavis.corpus.job import work
from visavis.corpus.layout import Outcome
from visavis.corpus.segments import RecordingJob
from visavis.corpus.watching import Worker
from visavis.errors import InputError

ENGINES = ("local", "ray")


class Engine(Protocol):
    """Runs jobs: each segment and each recording writes its own files, so that finished work is kept."""

    def run(self, jobs: Sequence[RecordingJob], advance: Callable[[int], None]) -> Iterator[Outcome]:
        """Yield outcomes in any order; ``advance`` is called with the number of processed frames.

        Raises:
            InputError: a file cannot be written, or a worker died.
        """


class InProcess:
    """One segment after another in this process; progress is reported frame by frame.

    Args:
        open_worker: opens the networks.
    """

    def __init__(self, open_worker: Callable[[], Worker] = Worker) -> None:
        self._open_worker = open_worker

    def run(self, jobs: Sequence[RecordingJob], advance: Callable[[int], None]) -> Iterator[Outcome]:
        """See :class:`Engine`."""
        worker = self._open_worker()
        for job in jobs:
            for number in range(len(job.segments)):
                outcome = work(job, number, worker, lambda: advance(1))
                if outcome is not None:
                    yield outcome


class Processes:
    """Several segments at a time, each in its own process.

    Args:
        count: number of processes.
        open_worker: opens the networks of a process.
    """

    def __init__(self, count: int, open_worker: Callable[[], Worker] = Worker) -> None:
        self._count = min(count, MOST_PROCESSES)
        self._open_worker = open_worker

    def run(self, jobs: Sequence[RecordingJob], advance: Callable[[int], None]) -> Iterator[Outcome]:
        """See :class:`Engine`."""
        context = multiprocessing.get_context("spawn")
        stop = context.Event()
        with ProcessPoolExecutor(self._count, context, _begin_worker, (stop, self._open_worker)) as pool:
            try:
                yield from self._run(pool, jobs, advance)
            except BrokenProcessPool as error:
                raise InputError(
                    "a worker process was killed, perhaps because memory was full; run the command again "
                    "with fewer --jobs: what is finished is kept"
                ) from error
            finally:
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)

    def _run(
        self, pool: ProcessPoolExecutor, jobs: Sequence[RecordingJob], advance: Callable[[int], None]
    ) -> Iterator[Outcome]:
        """Submit only a few segments ahead, because a corpus may have millions."""
        todo = ((job, number) for job in jobs for number in range(len(job.segments)))
        waiting: dict[Future[Outcome | None], int] = {}
        while True:
            for job, number in islice(todo, max(2 * self._count - len(waiting), 0)):
                with deaf_children():  # The first call starts the processes.
                    waiting[pool.submit(_work, job, number)] = job.segments[number].frames or 0
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                advance(waiting.pop(future))
                outcome = future.result()
                if outcome is not None:
                    yield outcome


def open_engine(name: str, jobs: int | None, address: str | None = None) -> Engine:
    """An engine by its name.

    Args:
        name: one of :data:`ENGINES`.
        jobs: number of workers; None for one process, or for all processors of Ray's machines.
        address: address of a Ray cluster; None starts Ray on this machine.

    Raises:
        InputError: the name is unknown, the number of workers is below 1, or an address is given to another
            engine.
        MissingExtraError: the engine's package is not installed.
    """
    if name not in ENGINES:
        raise InputError(f"no engine is called {name!r}; there are: {', '.join(ENGINES)}")
    if jobs is not None and jobs < 1:
        raise InputError(f"--jobs is {jobs}; expected at least 1")
    if name == "ray":
        from visavis.corpus.ray_data import RayData

        return RayData(jobs, address)
    if address is not None:
        raise InputError(f"--ray-address {address} needs --engine ray")
    return InProcess() if jobs in (None, 1) else Processes(jobs)


class _Stopped(BaseException):
    """The main process asks the worker to end."""


# Set once in each worker at its start.
_stop: list[Event] = []
_open: list[Callable[[], Worker]] = []


def _begin_worker(stop: Event, open_worker: Callable[[], Worker]) -> None:
    _stop[:] = [stop]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The main process receives Ctrl-C and sets the event.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _open[:] = [open_worker]


def _end_with_parent() -> None:
    """End this worker if the main process is killed."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _look_whether_to_stop() -> None:
    if _stop and _stop[0].is_set():
        raise _Stopped


@cache
def _worker() -> Worker:
    return _open[0]()


def _work(job: RecordingJob, number: int) -> Outcome | None:
    return work(job, number, _worker(), _look_whether_to_stop)
