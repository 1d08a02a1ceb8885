"""Styles: random traits of a listener, and the size of its movements."""

from __future__ import annotations

import numpy as np

from visavis.reaction.style import CONTROLS, Style


def random_style(rng: np.random.Generator) -> Style:
    """A random style, with equal chances."""
    return Style(*(round(float(value), 3) for value in rng.uniform(0, 1, len(CONTROLS))))


def scale_of(kind: Style) -> float:
    """Factor of the size of movements: 0.6 to 1.4."""
    return 0.6 + 0.8 * kind.expressiveness
