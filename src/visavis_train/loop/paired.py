"""Paired comparison of two networks: accuracy difference, 95% interval, McNemar's p."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Self

import numpy as np

from visavis.errors import InputError
from visavis.metrics.emotion import RESAMPLES
from visavis.types import BoolArray


@dataclass(frozen=True, slots=True)
class Paired:
    """Two networks on the same faces.

    Attributes:
        first, second: their names.
        n: faces.
        only_first, only_second: faces that one alone reads rightly.
        difference: accuracy of the first less that of the second.
        interval_95: of the difference, by paired bootstrap.
        p_value: of McNemar's exact test, two-sided.
    """

    first: str
    second: str
    n: int
    only_first: int
    only_second: int
    difference: float
    interval_95: tuple[float, float]
    p_value: float

    @property
    def points(self) -> str:
        """Difference and interval in percentage points, for tables."""
        low, high = self.interval_95
        return f"{100 * self.difference:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"

    @classmethod
    def of(cls, first: str, second: str, right_first: BoolArray, right_second: BoolArray) -> Self:
        """Compare (N,) with (N,): whether each network read each face rightly.

        Raises:
            InputError: the two do not have as many faces.
        """
        if right_first.shape != right_second.shape or right_first.ndim != 1 or not len(right_first):
            raise InputError(
                f"{first} and {second} need answers to the same faces; found {right_first.shape} and "
                f"{right_second.shape}"
            )
        n = len(right_first)
        only_first = int((right_first & ~right_second).sum())
        only_second = int((right_second & ~right_first).sum())
        return cls(
            first,
            second,
            n,
            only_first,
            only_second,
            (only_first - only_second) / n,
            difference_interval(only_first, only_second, n),
            mcnemar_p(only_first, only_second),
        )


def mcnemar_p(only_first: int, only_second: int) -> float:
    """McNemar's exact test: the chance that fair coins fall as unevenly as the faces that one alone reads.

    McNemar 1947, doi:10.1007/BF02295996, with the binomial distribution instead of its approximation.

    Args:
        only_first: faces that the first network alone reads rightly.
        only_second: faces that the second alone reads rightly.
    """
    tosses, fewer = only_first + only_second, min(only_first, only_second)
    # Whole numbers of any size: no rounding, also with thousands of faces.
    as_uneven = 2 * sum(comb(tosses, heads) for heads in range(fewer + 1))
    return min(1.0, as_uneven / (1 << tosses))


def difference_interval(only_first: int, only_second: int, n: int, *, seed: int = 0) -> tuple[float, float]:
    """95% percentile interval of the difference of two accuracies, by paired bootstrap.

    To draw N faces with replacement is to draw how many fall into each of three groups (the first alone is
    right, the second alone, neither alone) from a multinomial distribution: that is drawn 10,000 times.

    Args:
        only_first: faces that the first network alone reads rightly.
        only_second: faces that the second alone reads rightly.
        n: all faces.
        seed: of the draws.
    """
    shares = np.asarray([only_first, only_second, n - only_first - only_second]) / n
    draws = np.random.default_rng(seed).multinomial(n, shares, RESAMPLES)
    low, high = np.quantile((draws[:, 0] - draws[:, 1]) / n, (0.025, 0.975))
    return float(low), float(high)
