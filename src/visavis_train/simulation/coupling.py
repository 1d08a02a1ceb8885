"""Measured distributions of how real people smile and smile back, from a small JSON file.

``visavis lab smiles`` makes the file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from visavis.base.words import reason
from visavis.errors import InputError

NAME = "smile_coupling.json"
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
# A smile back starts within 2 s, the window of the peak correlation.
REPLY_S = (0.2, 2.0)

Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A distribution, given by its quantiles at :data:`LEVELS`."""

    quantiles: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float] | Signal) -> Self:
        """The distribution of values."""
        return cls(tuple(round(float(value), 4) for value in np.quantile(np.asarray(values), LEVELS)))

    def at(self, share: float) -> float:
        """The quantile at a share, 0..1; beyond the ends, the end values."""
        return float(np.interp(share, LEVELS, self.quantiles))


@dataclass(frozen=True, slots=True)
class SmileCoupling:
    """Figures of smiles and returned smiles; strengths are 0..1 (AU12 over 5), times in seconds.

    Attributes:
        calls: number of measured calls.
        rises_per_minute: rises of one person per minute.
        alone_per_minute: rises that do not follow a rise of the other person within the window of replies.
        level: a person's usual AU12 (its median over the call).
        rise: height of a smile's rise.
        rise_s: time from 10% to 90% of a rise.
        fall_s: time from 90% to 10% of the fall after the rise.
        above_s: time of a smile above half of its rise.
        reply_share: share of rises that the other person answers with a rise within :data:`REPLY_S`.
        reply_share_by_chance: the same with the other person shifted in time.
        reply_s: time from the start of the rise to the start of the answer.
        reply_gain: height of the answer over height of the smile.
        peak_r: mean over calls of the largest correlation of the two within 2 s, whole calls.
        peak_r_in_clips: the same in stretches of 30 s.
        peak_r_of_strangers: the same for people of different calls, in stretches of 30 s.
    """

    calls: int
    rises_per_minute: float
    alone_per_minute: float
    level: Quantiles
    rise: Quantiles
    rise_s: Quantiles
    fall_s: Quantiles
    above_s: Quantiles
    reply_share: float
    reply_share_by_chance: float
    reply_s: Quantiles
    reply_gain: Quantiles
    peak_r: float
    peak_r_in_clips: float
    peak_r_of_strangers: float

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read the file next to this module, or another one.

        Raises:
            InputError: missing, damaged or of another kind.
        """
        place = files(__package__) / NAME if path is None else path
        try:
            notes: dict[str, Any] = json.loads(place.read_text("utf-8-sig"))["measured"]
            values: dict[str, Any] = {
                key: Quantiles(tuple(value)) if isinstance(value, list) else value
                for key, value in notes.items()
            }
            return cls(**values)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{place}: no measured smiles: {reason(error)}; remake it by its module"
            ) from error
