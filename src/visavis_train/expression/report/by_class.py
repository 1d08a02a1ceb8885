"""Accuracy over all faces, as the mean of the classes, and of each class, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.metrics.emotion import RESAMPLES, accuracy_interval
from visavis.types import BoolArray


@dataclass(frozen=True, slots=True)
class Share:
    """A share of faces that are read rightly.

    Attributes:
        value: 0 to 1.
        interval_95: by bootstrap.
    """

    value: float
    interval_95: tuple[float, float]

    @property
    def percent(self) -> str:
        """Value and interval in percent, for tables."""
        low, high = self.interval_95
        return f"{100 * self.value:.1f} ({100 * low:.1f} to {100 * high:.1f})"


@dataclass(frozen=True, slots=True)
class ByClass:
    """How well a network reads a split, as Tables I and II of "Sparse Attention to Emotion" say it.

    Attributes:
        overall: of all faces.
        mean: mean over classes; its resamples keep the number of faces of each class.
        classes: label -> of its faces; labels without faces are left out.
    """

    overall: Share
    mean: Share
    classes: dict[str, Share]

    @classmethod
    def of(cls, truth: NDArray[np.integer], right: BoolArray, names: Sequence[str], seed: int = 0) -> Self:
        """Count.

        Args:
            truth: (N,) labels, 0 to C - 1.
            right: (N,) whether each answer is right.
            names: the C labels.
            seed: of the draws.

        Raises:
            InputError: no faces, other shapes, or a label without a name.
        """
        if not len(truth) or truth.shape != right.shape or truth.min() < 0 or truth.max() >= len(names):
            raise InputError(
                f"found labels {truth.shape} and answers {right.shape}; expected as many, from 0 to "
                f"{len(names) - 1}"
            )
        parts = {name: right[truth == number] for number, name in enumerate(names)}
        parts = {name: part for name, part in parts.items() if len(part)}
        rng = np.random.default_rng(seed)
        # To draw n faces of a class with replacement and count the right ones is to draw from a binomial.
        drawn = [rng.binomial(len(part), part.mean(), RESAMPLES) / len(part) for part in parts.values()]
        low, high = np.quantile(np.mean(drawn, axis=0), (0.025, 0.975))
        mean = float(np.mean([part.mean() for part in parts.values()]))
        return cls(
            _share(right),
            Share(mean, (float(low), float(high))),
            {name: _share(r) for name, r in parts.items()},
        )


def _share(right: BoolArray) -> Share:
    return Share(float(right.mean()), accuracy_interval(right))
