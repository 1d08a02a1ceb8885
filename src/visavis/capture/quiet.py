"""A context manager that keeps OpenCV's own messages off standard error."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2


class _Silence:
    """Counts the open blocks in all threads; the end of the last one restores the level."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0
        self._level = 0

    def enter(self) -> None:
        with self._lock:
            if self._open == 0:
                self._level = cv2.utils.logging.getLogLevel()
                cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
            self._open += 1

    def leave(self) -> None:
        with self._lock:
            self._open -= 1
            if self._open == 0:
                cv2.utils.logging.setLogLevel(self._level)


_SILENCE = _Silence()


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Silence OpenCV's warnings; visavis raises its own errors instead."""
    _SILENCE.enter()
    try:
        yield
    finally:
        _SILENCE.leave()
