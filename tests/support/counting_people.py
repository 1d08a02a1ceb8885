"""Trackers for processes: one that never forgets, and one whose process ends."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import numpy as np

from visavis.expression.reader import ExpressionReader
from visavis.pipeline import Pipeline
from visavis.testing import ScriptedTracker
from visavis.testing.stages import ScriptedClassifier
from visavis.types import Face, FaceState, Frame


class CountingTracker(ScriptedTracker):
    """Its weights tell how many frames it has seen, up to ``forgets``; its people change numbers."""

    def __init__(self, forgets: int, ends_s: float = np.inf) -> None:
        super().__init__()
        self._forgets, self._ends_s = forgets, ends_s
        self._count = 0

    def reset(self) -> None:
        self._count = 0

    def update(self, frame: Frame) -> tuple[Face, ...]:
        if frame.time_s >= self._ends_s:
            os._exit(9)
        self._count += 1
        values = np.zeros(58, np.float32)
        values[0] = min(self._count, self._forgets) / 1000
        (face,) = super().update(frame)
        return (replace(face, state=FaceState(values), track_id=self._count % 3),)


def pipeline(forgets: int = 5, ends_s: float = np.inf) -> Pipeline:
    """A pipeline for another process."""
    return Pipeline(CountingTracker(forgets, ends_s), ExpressionReader(ScriptedClassifier()))


def idle(*_: object) -> None:
    """What a process does that never comes to its work."""
    time.sleep(600)
