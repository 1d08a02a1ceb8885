"""Random numbers for any event, by its name and number, independent of all others."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np


@dataclass(frozen=True, slots=True)
class SeedStream:
    """Randomness of one person in one clip.

    An event that is drawn by its own number does not depend on later events or on the number of other
    events. This keeps the listener causal.

    Attributes:
        seed: numbers, 0 and more, that name the person and the clip.
    """

    seed: tuple[int, ...]

    def at(self, what: str, number: int = 0) -> np.random.Generator:
        """The generator of one event."""
        return np.random.default_rng([*self.seed, crc32(what.encode()), number])
