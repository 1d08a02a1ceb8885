"""Limits on what is read from files; an environment variable changes each of them."""

from __future__ import annotations

import os
from dataclasses import dataclass

from visavis.errors import InputError


@dataclass(frozen=True, slots=True)
class Limit:
    """A number that an environment variable may change.

    Attributes:
        variable: name of the environment variable.
        default: the value without it.
        unit: unit of the value, for messages.
    """

    variable: str
    default: float
    unit: str

    @property
    def value(self) -> float:
        """The limit that holds now.

        Raises:
            InputError: the environment variable is no positive number.
        """
        text = os.environ.get(self.variable, "").strip()
        try:
            value = float(text) if text else self.default
        except ValueError:
            value = 0.0
        if not value > 0:  # Also refuses NaN.
            raise InputError(f"{self.variable}={text}: expected a positive number of {self.unit}")
        return value

    def __str__(self) -> str:
        """The limit for a message: its value, its unit and the variable that changes it."""
        return f"{self.value:.15g} {self.unit} ({self.variable} changes this limit)"


# A small file can expand to gigabytes. 8k video has 33 megapixels; the largest phone cameras have 100.
PICTURE = Limit("VISAVIS_MAX_MEGAPIXELS", 100, "megapixels")
# Every frame of a video adds a row to its track: at 25 frames/s, a day has two million rows.
DURATION = Limit("VISAVIS_MAX_HOURS", 24, "hours")
# Recorders reach 768 kHz. A resampler's memory grows with the rate; and with its inverse.
SAMPLING_RATE = Limit("VISAVIS_MAX_SAMPLING_RATE_HZ", 768_000, "Hz")
LEAST_RATE_HZ = 1000
# A recording with a longer gap was paused, or its clock is wrong.
GAP = Limit("VISAVIS_MAX_GAP_S", 600, "seconds")
