"""The One-Euro filter, which smooths noisy numbers over time.

Casiez, Roussel and Vogel 2012: "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in
Interactive Systems", doi 10.1145/2207676.2208639.
"""

from __future__ import annotations

import numpy as np

from visavis.channels import BLENDSHAPES
from visavis.types import FloatArray

# Each channel of a face state: (lowest cutoff in Hz, gain of the cutoff with speed, unit of the speed).
# Eyes need a fast filter: a blink of 120 ms keeps 95% of its depth with 1.7 Hz / 1 and all of it with 3 / 4,
# but only half with 1 / 0 (simulated at 25 fps).
EYES = (3.0, 4.0, 1.0)
WEIGHTS = (1.7, 1.0, 1.0)
# Tuned on angles in degrees; the state carries radians.
ANGLES = (1.0, 0.08, 57.29578)
TRANSLATION = (1.0, 0.1, 1.0)
SPEED_CUTOFF_HZ = 1.0


class OneEuroFilter:
    """One filter for an array whose channels may differ in cutoff; :meth:`reset` clears its state.

    Args:
        min_cutoff_hz: (C,) lowest cutoff.
        beta: (C,) growth of the cutoff per unit of speed.
        speed_scale: (C,) turns the channel's speed into the unit that ``beta`` was tuned for.
        angles: which channels are angles in radians; they take the shorter direction and stay within half a
            circle to either side.
    """

    def __init__(
        self,
        min_cutoff_hz: FloatArray,
        beta: FloatArray,
        speed_scale: FloatArray,
        angles: slice = slice(0, 0),
    ) -> None:
        self.min_cutoff_hz = min_cutoff_hz
        self.beta = beta * speed_scale
        self._angles = angles
        self.reset()

    @classmethod
    def for_face_state(cls) -> OneEuroFilter:
        """The filter of a 58-channel face state."""
        rows = [EYES if name.startswith("eye") else WEIGHTS for name in BLENDSHAPES]
        rows += 3 * [ANGLES] + 3 * [TRANSLATION]
        cutoff, beta, scale = np.asarray(rows, np.float32).T
        return cls(cutoff, beta, scale, slice(len(BLENDSHAPES), len(BLENDSHAPES) + 3))

    def reset(self) -> None:
        """Forget the past: the next value passes unchanged."""
        self._time_s: float | None = None
        self._value: FloatArray | None = None
        self._speed: FloatArray | None = None

    def update(self, value: FloatArray, time_s: float) -> FloatArray:
        """Filter the next value (C,), taken at ``time_s``; a time that does not advance changes nothing."""
        if self._value is None or self._time_s is None or self._speed is None:
            self._time_s, self._value, self._speed = time_s, value, np.zeros_like(value)
            return value
        step_s = time_s - self._time_s
        if step_s <= 0:
            return self._value
        change = self._unwound(value - self._value)
        speed = change / step_s
        self._speed = self._speed + smoothing_factor(SPEED_CUTOFF_HZ, step_s) * (speed - self._speed)
        cutoff_hz = self.min_cutoff_hz + self.beta * np.abs(self._speed)
        filtered = self._unwound(self._value + smoothing_factor(cutoff_hz, step_s) * change)
        self._time_s, self._value = time_s, np.asarray(filtered, np.float32)
        return self._value

    def _unwound(self, values: FloatArray) -> FloatArray:
        """The same values, with whole turns removed from the angles."""
        if self._angles.stop:
            angles = values[self._angles]
            angles -= 2 * np.pi * np.round(angles / (2 * np.pi))
        return values


def smoothing_factor(cutoff_hz: FloatArray | float, step_s: float) -> FloatArray | float:
    """Weight of the new sample in a first-order low-pass filter (eq. 5 of the paper)."""
    reach = 2 * np.pi * cutoff_hz * step_s
    return reach / (reach + 1)
