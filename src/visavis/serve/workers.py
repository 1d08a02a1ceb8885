"""Several server processes on one port: a parent starts them, replaces dead ones, and ends them together."""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ctypes import c_double
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from time import monotonic
from typing import NoReturn

from visavis.base.console import print_error
from visavis.base.interruption import deaf_children
from visavis.base.signals import INTERRUPTED, signals_go_to
from visavis.errors import DeviceError, InputError, VisavisError
from visavis.serve.pool import MOST_PER_CORE, usual_sessions
from visavis.serve.resume import SECRET_VARIABLE

# A worker that has not served, or for less than the first time, has failed to start; after so many in a row,
# the parent gives up.
YOUNG_S, MOST_FAILURES = 5.0, 5
FIRST_PAUSE_S = 0.1
BAD_INPUT = 2  # exit status
Work = Callable[[socket.socket, bool, Callable[[], None]], None]
_log = logging.getLogger(__name__)


def check_workers(workers: int, sends: bool, sessions: int | None = None) -> None:
    """Check that several workers are possible.

    Args:
        workers: their number.
        sends: whether the server has outputs.
        sessions: maximum number of sessions; None for the usual one.

    Raises:
        InputError: they are not on this system, or with these options; or there are more than sessions, or
            than sessions usually are: each worker holds its own networks in memory.
    """
    places = min(usual_sessions(), sessions or usual_sessions())
    if workers > places:
        raise InputError(
            f"--workers {workers}: each process needs a session of its own, and their number is {places} "
            f"(--sessions, at most {MOST_PER_CORE} for each processor); use fewer"
        )
    if workers > 1 and sys.platform == "win32":
        raise InputError("--workers: Windows cannot share a port among processes; use --workers 1")
    if workers > 1 and sends:
        raise InputError("--send needs one process, which holds the output; use --workers 1, or leave it out")


class Workers:
    """Processes that serve one listening socket.

    Args:
        works: what each process does: serve until SIGTERM. It is called with the socket, with True in the
            first process alone, and with a function to call once it serves. It must be picklable.
        listener: a listening socket.
        grace_s: time for a worker to end after SIGTERM.
    """

    def __init__(self, works: Sequence[Work], listener: socket.socket, grace_s: float = 6.0) -> None:
        self._works, self._listener, self._grace_s = works, listener, grace_s
        self._context = multiprocessing.get_context("spawn")
        # Its work, and the time since which it serves.
        self._alive: dict[SpawnProcess, tuple[Work, c_double]] = {}
        self._failures = 0
        self._stopping = threading.Event()

    @property
    def pids(self) -> list[int]:
        """The processes that are there now."""
        return [process.pid for process in self._alive if process.pid is not None]

    def stop(self) -> None:
        """Let :meth:`run` end; may be called in another thread or a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Serve until a signal or :meth:`stop`.

        Raises:
            DeviceError: workers end as soon as they start.
            SystemExit: a worker found bad input, and said so.
        """
        os.environ.setdefault(SECRET_VARIABLE, secrets.token_urlsafe(32))  # Tokens hold in every worker.
        with caught_signals(self.stop, self._kill):
            try:
                for number, work in enumerate(self._works):
                    if not self._stopping.is_set():  # A signal may come while many start.
                        self._start(work, first=number == 0)
                while not self._stopping.is_set():
                    self._replace_dead()
            finally:
                self._end()

    def _start(self, work: Work, first: bool = False) -> None:
        serves_s = self._context.RawValue("d", math.inf)
        process = self._context.Process(target=_serve, args=(work, self._listener, first, serves_s))
        with deaf_children():
            process.start()
        self._alive[process] = work, serves_s

    def _replace_dead(self) -> None:
        """Wait a moment for a worker that dies, and start another one."""
        wait([process.sentinel for process in self._alive], timeout=0.2)
        for process in [process for process in self._alive if not process.is_alive()]:
            work, serves_s = self._alive.pop(process)
            young = monotonic() - serves_s.value < YOUNG_S
            self._failures = self._failures + 1 if young else 0
            if self._stopping.is_set():
                return
            _log.warning("a worker ended with status %s; another one starts", process.exitcode)
            if process.exitcode == BAD_INPUT:  # It has said why, and the next one would say the same.
                raise SystemExit(BAD_INPUT)
            if self._failures >= MOST_FAILURES:
                raise DeviceError(
                    f"{MOST_FAILURES} workers in a row ended as soon as they started; see above"
                )
            self._stopping.wait(FIRST_PAUSE_S * 2**self._failures if young else 0.0)
            self._start(work)

    def _end(self) -> None:
        for process in self._alive:
            process.terminate()
        end_s = monotonic() + self._grace_s
        for process in self._alive:
            process.join(max(end_s - monotonic(), 0.0))
            if process.is_alive():
                process.kill()
                process.join()
        self._alive.clear()

    def _kill(self) -> None:
        for process in self._alive:
            process.kill()


@contextmanager
def caught_signals(stop: Callable[[], None], at_once: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Stop at a signal; a second Ctrl-C ends the process at once. The handlers before come back at the end.

    Args:
        stop: called at each signal; it begins to stop.
        at_once: called before the process ends at once.
    """
    stopping = False

    def hear(number: int, _: object) -> None:
        nonlocal stopping
        if stopping and number == signal.SIGINT:
            at_once()
            end_process(INTERRUPTED)
        stopping = True
        stop()

    with signals_go_to(hear):
        yield


def end_process(status: int) -> NoReturn:
    """End this process now, whatever its threads do."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, RuntimeError):
            stream.flush()
    os._exit(status)


def _serve(work: Work, listener: socket.socket, first: bool, serves_s: c_double) -> None:
    """One worker: it ends with its parent, and does not hear the terminal's Ctrl-C itself."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # and with it one that waits
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def serves() -> None:
        serves_s.value = monotonic()  # The system's clock, the same in all processes.

    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            wait([parent.sentinel])
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=follow, name="visavis-parent", daemon=True).start()
    try:
        work(listener, first, serves)
    except VisavisError as error:
        print_error(str(error))
        sys.exit(BAD_INPUT)
