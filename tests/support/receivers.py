"""A receiver that keeps every sample."""

from __future__ import annotations

import time

from visavis.outputs.sample import Sample

PATIENCE_S = 5.0


class Shelf:
    """A connection that keeps the samples."""

    repeat_s: float | None = None
    waits = 1
    at_once = False

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.message = ""

    def open(self) -> None:
        """Nothing to open."""

    def send(self, sample: Sample) -> str:
        """Keep the sample."""
        self.samples.append(sample)
        return self.message

    def close(self) -> None:
        """Nothing to close."""

    def waited_for(self, count: int) -> bool:
        """Whether this number of samples is there before patience ends."""
        end_s = time.monotonic() + PATIENCE_S
        while len(self.samples) < count and time.monotonic() < end_s:
            time.sleep(0.01)
        return len(self.samples) >= count
