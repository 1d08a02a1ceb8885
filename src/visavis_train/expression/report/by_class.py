"""Accuracy over all faces, as the mean of the classes, and of each class, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from visavis.metrics.expression import RESAMPLES, accuracy_interval
from visavis.types import BoolArray


@dataclass(frozen=True, slots=True)
class Share:
    """A share of rightly read faces.

    Attributes:
        value: 0 to 1.
        interval_95: interval by bootstrap.
    """

    value: float
    interval_95: tuple[float, float]

    @classmethod
    def of(cls, right: BoolArray) -> Self:
        """The share of right answers; ``right`` is (N,), N at least 1."""
        return cls(float(right.mean()), accuracy_interval(right))

    @property
    def percent(self) -> str:
        """Value and interval in percent, for tables."""
        low, high = self.interval_95
        return f"{100 * self.value:.1f} ({100 * low:.1f} to {100 * high:.1f})"


@dataclass(frozen=True, slots=True)
class ByClass:
    """Accuracies of a network on a split, as in Tables I and II of "Sparse Attention to Emotion".

    Attributes:
        overall: accuracy over all faces.
        mean: mean of the classes; its resamples keep the number of faces of each class.
        classes: label -> accuracy on its faces; labels without faces are left out.
    """

    overall: Share
    mean: Share
    classes: dict[str, Share]

    @classmethod
    def of(cls, truth: NDArray[np.integer], right: BoolArray, names: Sequence[str]) -> Self:
        """Count the right answers (N,) to the labels ``truth`` (N,), which are indices into ``names``."""
        parts = {name: right[truth == number] for number, name in enumerate(names)}
        parts = {name: part for name, part in parts.items() if len(part)}
        rng = np.random.default_rng(0)
        # The number of right faces among n drawn with replacement has a binomial distribution.
        drawn = [rng.binomial(len(part), part.mean(), RESAMPLES) / len(part) for part in parts.values()]
        low, high = np.quantile(np.mean(drawn, axis=0), (0.025, 0.975))
        mean = float(np.mean([part.mean() for part in parts.values()]))
        return cls(
            Share.of(right),
            Share(mean, (float(low), float(high))),
            {name: Share.of(r) for name, r in parts.items()},
        )
