"""Steady expression probabilities and a steady label over time."""

from __future__ import annotations

import math

import numpy as np

from visavis.base.arrays import as_float32
from visavis.channels import EXPRESSIONS
from visavis.errors import InputError
from visavis.types import FloatArray


class ProbabilitySmoother:
    """Exponential smoothing by time: the weight of the past falls by e in ``time_constant_s``.

    A step of dt keeps exp(-dt / time_constant) of the past, so the result does not depend on the frame rate:
    two steps with the same input equal one step of their sum.

    Args:
        time_constant_s: seconds; 0 smooths nothing.
    """

    def __init__(self, time_constant_s: float = 0.3) -> None:
        if not (math.isfinite(time_constant_s) and time_constant_s >= 0):
            raise InputError(f"time constant must be 0 or more seconds; found {time_constant_s}")
        self.time_constant_s = time_constant_s
        self._past: FloatArray | None = None
        self._time_s = 0.0

    def update(self, probabilities: FloatArray, time_s: float) -> FloatArray:
        """Smooth the next reading.

        Args:
            probabilities: (8,) summing to 1.
            time_s: time of the reading; a time at or before the last one counts as no elapsed time.

        Returns:
            (8,) summing to 1.
        """
        now = as_float32("expression probabilities", probabilities, (len(EXPRESSIONS),))
        if self._past is None or self.time_constant_s == 0:
            mixed = now
        else:
            kept = math.exp(-max(time_s - self._time_s, 0.0) / self.time_constant_s)
            mixed = np.asarray(kept * self._past + (1 - kept) * now, np.float32)
        self._past, self._time_s = mixed, max(time_s, self._time_s)
        return mixed

    def reset(self) -> None:
        """Forget the past."""
        self._past, self._time_s = None, 0.0


class LabelHold:
    """The label of a stream of distributions, with hysteresis.

    Another expression replaces the held one after it has led by ``margin`` for ``dwell_s`` without a break.

    Args:
        margin: lead in probability that another expression needs.
        dwell_s: seconds for which it must keep this lead.
    """

    def __init__(self, margin: float = 0.1, dwell_s: float = 0.2) -> None:
        self.margin = margin
        self.dwell_s = dwell_s
        self._held: int | None = None
        self._challenger: int | None = None
        self._since_s = 0.0

    @property
    def label(self) -> str | None:
        """The held expression; None before the first reading."""
        return None if self._held is None else EXPRESSIONS[self._held]

    def update(self, probabilities: FloatArray, time_s: float) -> str:
        """Take the next distribution (8,); returns the label to show."""
        top = int(probabilities.argmax())
        if self._held is None:
            self._held = top
        if probabilities[top] - probabilities[self._held] <= self.margin:
            self._challenger = None
        else:
            if top != self._challenger:
                self._challenger, self._since_s = top, time_s
            if time_s - self._since_s >= self.dwell_s:
                self._held, self._challenger = top, None
        return EXPRESSIONS[self._held]

    def reset(self) -> None:
        """Forget the held label."""
        self._held = self._challenger = None
