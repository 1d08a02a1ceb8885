"""The one source of time, passed in wherever time matters."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A monotonic clock."""

    def now_s(self) -> float:
        """Seconds since an arbitrary start."""

    def sleep_s(self, duration_s: float) -> None:
        """Wait; a duration of zero or less returns at once."""


class SystemClock:
    """The computer's monotonic clock."""

    def now_s(self) -> float:
        """Seconds since an arbitrary start."""
        return time.perf_counter()

    def sleep_s(self, duration_s: float) -> None:
        """Wait."""
        if duration_s > 0:
            time.sleep(duration_s)


class ManualClock:
    """A clock that moves only on request: for tests, and for runs that must not depend on the machine."""

    def __init__(self, start_s: float = 0.0) -> None:
        self._now_s = start_s

    def now_s(self) -> float:
        """The current time of the clock."""
        return self._now_s

    def sleep_s(self, duration_s: float) -> None:
        """Advance the clock at once."""
        self._now_s += max(duration_s, 0.0)
