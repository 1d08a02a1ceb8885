"""Paired comparison of two networks: accuracy difference, 95% interval, McNemar's p."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Self

import numpy as np

from visavis.metrics.expression import RESAMPLES
from visavis.types import BoolArray


@dataclass(frozen=True, slots=True)
class Paired:
    """Two networks on the same faces.

    Attributes:
        first, second: their names.
        n: faces.
        only_first, only_second: faces that only this network reads rightly.
        difference: accuracy of the first minus accuracy of the second.
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
        return f"{100 * self.difference:+z.1f} ({100 * low:+z.1f} to {100 * high:+z.1f})"

    @classmethod
    def of(cls, first: str, second: str, right_first: BoolArray, right_second: BoolArray) -> Self:
        """Compare (N,) with (N,): whether each network read each face rightly."""
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
    """Two-sided p of McNemar's exact test: the chance that fair coins fall at least as unevenly.

    McNemar 1947, doi:10.1007/BF02295996, with the binomial distribution instead of its approximation.
    """
    tosses, fewer = only_first + only_second, min(only_first, only_second)
    # Integers of any size: no rounding errors, even with thousands of faces.
    as_uneven = 2 * sum(comb(tosses, heads) for heads in range(fewer + 1))
    return min(1.0, as_uneven / (1 << tosses))


def difference_interval(only_first: int, only_second: int, n: int) -> tuple[float, float]:
    """95% percentile interval of the difference of two accuracies, by paired bootstrap.

    A draw of N faces with replacement is a multinomial draw of the sizes of three groups (only the
    first is right, only the second is right, all others). There are 10,000 draws.
    """
    shares = np.asarray([only_first, only_second, n - only_first - only_second]) / n
    draws = np.random.default_rng(0).multinomial(n, shares, RESAMPLES)
    low, high = np.quantile((draws[:, 0] - draws[:, 1]) / n, (0.025, 0.975))
    return float(low), float(high)
