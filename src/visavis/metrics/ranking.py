"""The area under the ROC curve: how well scores separate positives from negatives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.types import BoolArray

RESAMPLES = 1_000


def area_under_curve(scores: NDArray[np.floating], positive: BoolArray) -> float:
    """Area under the ROC curve: how often a positive scores above a negative; a tie counts half.

    Hanley and McNeil 1982, Radiology 143(1): it is the Mann-Whitney statistic divided by the number of pairs.

    Args:
        scores: (N,) finite.
        positive: (N,) which should score high.

    Raises:
        InputError: an array has another shape, a score is not finite, or there is only one of the two kinds.
    """
    high, low = _split(scores, positive)
    return _area(high, low)


def area_interval(
    scores: NDArray[np.floating], positive: BoolArray, *, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the area, from 1,000 resamples of the positives and of the negatives.

    Args:
        scores: (N,) finite.
        positive: (N,) which should score high.
        level: share of the resamples inside the interval.
        seed: random seed of the draws.

    Raises:
        InputError: see :func:`area_under_curve`; or the level is outside 0..1.
    """
    if not 0 < level < 1:
        raise InputError(f"an interval needs a level between 0 and 1; found {level}")
    high, low = _split(scores, positive)
    rng = np.random.default_rng(seed)
    areas = [_area(rng.choice(high, len(high)), np.sort(rng.choice(low, len(low)))) for _ in range(RESAMPLES)]
    first, last = np.quantile(areas, ((1 - level) / 2, (1 + level) / 2))
    return float(first), float(last)


def _split(
    scores: NDArray[np.floating], positive: BoolArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of the positives, and scores of the negatives in rising order."""
    values, chosen = np.asarray(scores, np.float64), np.asarray(positive)
    if values.ndim != 1 or chosen.shape != values.shape or chosen.dtype != np.bool_:
        raise InputError(
            f"scores (N,) need a boolean each; found {values.shape}, {chosen.dtype} {chosen.shape}"
        )
    if not np.isfinite(values).all() or chosen.all() or not chosen.any():
        raise InputError(
            f"finite scores of both kinds are needed; found {int(chosen.sum())} of {len(chosen)} positive"
        )
    return values[chosen], np.sort(values[~chosen])


def _area(high: NDArray[np.float64], low: NDArray[np.float64]) -> float:
    below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    return float(below.mean() / (2 * len(low)))
