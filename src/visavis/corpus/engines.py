"""Engines that run jobs: in this process, in several processes, or on a Ray cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing.synchronize import Event
from typing import Protocol

from visavis.corpus.item import Bench, Job, build_recording
from visavis.corpus.layout import Outcome
from visavis.errors import InputError, MissingExtraError

ENGINES = ("local", "ray")
# Maximum number of processes; Windows cannot wait for more.
MOST_PROCESSES = 61


class Engine(Protocol):
    """Runs jobs; each job writes its own files, so that finished work is kept."""

    def run(self, jobs: Sequence[Job], advance: Callable[[int], None]) -> Iterator[Outcome]:
        """Yield outcomes in any order; ``advance`` is called with the number of processed frames.

        Raises:
            InputError: a file cannot be written, or a worker died.
        """


class InProcess:
    """One job after another in this process; progress is reported frame by frame."""

    def run(self, jobs: Sequence[Job], advance: Callable[[int], None]) -> Iterator[Outcome]:
        """See :class:`Engine`."""
        bench = Bench()
        for job in jobs:
            yield build_recording(job, bench, lambda: advance(1))


class Processes:
    """Several jobs at a time, each in its own process.

    Args:
        count: number of processes.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def run(self, jobs: Sequence[Job], advance: Callable[[int], None]) -> Iterator[Outcome]:
        """See :class:`Engine`."""
        context = multiprocessing.get_context("spawn")
        stop = context.Event()
        count = min(self._count, MOST_PROCESSES)
        with ProcessPoolExecutor(count, context, _begin_worker, (stop,)) as pool:
            futures = {pool.submit(_work, job): job for job in jobs}
            try:
                for future in as_completed(futures):
                    advance(futures[future].frames or 0)
                    yield future.result()
            except BrokenProcessPool as error:
                raise InputError(
                    "a worker process was killed, perhaps because memory was full; run the command again "
                    "with fewer --jobs: what is finished is kept"
                ) from error
            finally:
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)


class RayCluster:
    """Several jobs at a time, on the machines of a Ray cluster that share the corpus's folder.

    Raises:
        MissingExtraError: Ray is not installed.
    """

    def __init__(self) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError("ray", "scale", "--engine ray") from error
        self._ray = ray

    def run(self, jobs: Sequence[Job], advance: Callable[[int], None]) -> Iterator[Outcome]:
        """See :class:`Engine`."""
        task = self._ray.remote(_work)
        waiting = {task.remote(job): job for job in jobs}
        while waiting:
            (ready, *_), _ = self._ray.wait(list(waiting))
            advance(waiting.pop(ready).frames or 0)
            outcome: Outcome = self._ray.get(ready)
            yield outcome


def open_engine(name: str, jobs: int) -> Engine:
    """An engine by its name.

    Args:
        name: one of :data:`ENGINES`.
        jobs: processes of the local engine.

    Raises:
        InputError: the name is unknown, or the number of processes is below 1.
        MissingExtraError: the engine's package is not installed.
    """
    if name == "ray":
        return RayCluster()
    if name != "local":
        raise InputError(f"no engine is called {name!r}; there are: {', '.join(ENGINES)}")
    if jobs < 1:
        raise InputError(f"--jobs is {jobs}; expected at least 1")
    return InProcess() if jobs == 1 else Processes(jobs)


class _Stopped(BaseException):
    """The main process asks the worker to end."""


# Set once in each worker at its start.
_stop: list[Event] = []


def _begin_worker(stop: Event) -> None:
    _stop[:] = [stop]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The main process receives Ctrl-C and sets the event.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker if the main process is killed."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


@cache
def _bench() -> Bench:
    return Bench()


def _look_whether_to_stop() -> None:
    if _stop and _stop[0].is_set():
        raise _Stopped


def _work(job: Job) -> Outcome:
    return build_recording(job, _bench(), _look_whether_to_stop)
