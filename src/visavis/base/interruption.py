"""Ctrl-C and its kin: the first signal ends the work, and later ones do not spoil the results."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Self, TypeVar

from visavis.base.signals import SIGNALS

T = TypeVar("T")

FINISHING = b"Interrupted: the results so far are being kept; please wait\n"


class Interruption:
    """Signals while something is made that must not be lost; use it inside ``with``.

    The first signal raises KeyboardInterrupt, but inside :meth:`each` only while an item is awaited, and
    after :meth:`each` no more. Later signals have no effect until the block ends; one line on standard error
    says so. Only signals that would raise KeyboardInterrupt are taken, and only in the main thread.

    Attributes:
        came: whether a signal has come.
    """

    def __init__(self) -> None:
        self.came = False
        self._held = self._told = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                before = signal.getsignal(number)
                ours = str(getattr(before, "__module__", "")).startswith("visavis.")
                if before is signal.default_int_handler or ours:
                    self._before[number] = before
                    signal.signal(number, self._take)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
            if (outer := _outer(before)) is not None and self.came:
                outer.came, outer._told = True, self._told
        self._before.clear()

    def each(self, items: Iterable[T]) -> Generator[T, None, None]:
        """The items up to the first signal; it ends this generator, and never what is done with an item."""
        iterator = iter(items)
        try:
            while not self.came:
                self._held = False
                item = next(iterator)
                self._held = True
                yield item
        except (KeyboardInterrupt, StopIteration) as end:
            self.came |= isinstance(end, KeyboardInterrupt)
        finally:
            self._held = True

    def _take(self, number: int, frame: FrameType | None) -> None:
        if not self.came and not self._held:
            try:
                self._before[number](number, frame)  # While modules load, it puts the signal off.
            except KeyboardInterrupt:
                self.came = True
                raise
            return
        self.came = True
        if not self._told:
            self._told = True
            with suppress(OSError):  # No print: the signal may have come in the middle of one.
                os.write(2, FINISHING)


@contextmanager
def deaf_children() -> Iterator[None]:
    """Processes started inside ignore Ctrl-C, also while they start: it is for the one that started them."""
    if os.name != "posix":
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # Its start, with the first process, would unblock the signal.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _outer(handler: Any) -> Interruption | None:
    owner = getattr(handler, "__self__", None)
    return owner if isinstance(owner, Interruption) else None
