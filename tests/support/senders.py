"""A scripted receiver for tests of senders."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter, sleep

from visavis.errors import InputError
from visavis.outputs.sample import Sample


class Scripted:
    """A receiver that notes what it gets; `fails` and `waits` are asked before each sample."""

    def __init__(self, repeat_s: float | None = None, waits: int = 1, at_once: bool = False) -> None:
        self.repeat_s, self.waits, self.at_once = repeat_s, waits, at_once
        self.got: list[float] = []
        self.at_s: list[float] = []
        self.opened_at_s: list[float] = []
        self.closed = 0
        self.unreachable = 0
        self.lost_at: set[int] = set()
        self.free = threading.Event()
        self.free.set()
        self.entered = threading.Event()
        self.message = ""
        self.pause_s = 0.0
        self.threads: list[str] = []

    def open(self) -> None:
        self.opened_at_s.append(perf_counter())
        if self.unreachable > 0:
            self.unreachable -= 1
            raise OSError("nobody answers")

    def send(self, each: Sample) -> str:
        self.entered.set()
        self.free.wait(5)
        sleep(self.pause_s)
        if len(self.got) in self.lost_at:
            self.lost_at.remove(len(self.got))
            raise InputError("the receiver went away")
        self.got.append(each.time_s)
        self.at_s.append(perf_counter())
        self.threads.append(threading.current_thread().name)
        return self.message

    def close(self) -> None:
        self.closed += 1


def wait_for(happened: Callable[[], bool], within_s: float = 20.0) -> None:
    end_s = perf_counter() + within_s
    while not happened():
        assert perf_counter() < end_s, "it did not happen in time"
        sleep(0.002)
