"""Temperaments: random traits of a listener, and the size of its movements."""

from __future__ import annotations

import numpy as np

from visavis.reaction.temperament import CONTROLS, Temperament


def drawn(rng: np.random.Generator) -> Temperament:
    """A random temperament, with equal chances."""
    return Temperament(*(round(float(value), 3) for value in rng.uniform(0, 1, len(CONTROLS))))


def scale_of(kind: Temperament) -> float:
    """Factor of the size of movements: 0.6 to 1.4."""
    return 0.6 + 0.8 * kind.expressiveness
