"""Drawing the digits of a token from their log-probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.base.arrays import require_number
from visavis.errors import InputError
from visavis.types import FloatArray


@dataclass(frozen=True, slots=True)
class Sampling:
    """How each digit of a token is drawn from its distribution.

    Attributes:
        temperature: 1 draws as predicted, lower values prefer likely values; 0 takes the most likely value.
        top_k: draw only from the k most likely values; None for all (Fan et al. 2018, arXiv:1805.04833).
        top_p: draw only from the most likely values that together reach this probability (Holtzman et al.
            2020, arXiv:1904.09751).
        guidance: how strongly the listener answers the speaker: 1 as predicted, 0 as if nobody were there,
            more is stronger (classifier-free guidance, Ho and Salimans 2022, arXiv:2207.12598; Sanchez et
            al. 2023, arXiv:2306.17806). Values other than 1 double the network's work.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    guidance: float = 1.0

    def __post_init__(self) -> None:
        for name in ("temperature", "top_p", "guidance"):
            require_number(name, getattr(self, name))
        if self.temperature < 0:
            raise InputError(f"temperature must be 0 or more; found {self.temperature}")
        if self.top_k is not None and self.top_k < 1:
            raise InputError(f"top_k must be 1 or more; found {self.top_k}")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p must lie above 0 and not above 1; found {self.top_p}")
        if self.guidance < 0:
            raise InputError(f"guidance must be 0 or more; found {self.guidance}")

    @property
    def guided(self) -> bool:
        """Whether drawing also needs the prediction without a speaker."""
        return self.guidance != 1

    def guide(self, log_probs: FloatArray, alone: FloatArray) -> FloatArray:
        """The guided log-probabilities (N, V), from those with a speaker (N, V) and without (N, V)."""
        return log_softmax(alone + np.float32(self.guidance) * (log_probs - alone))

    def draw(self, log_probs: FloatArray, chances: NDArray[np.float64]) -> NDArray[np.int64]:
        """Draw a value for each row; it depends on that row and its own chance alone.

        Args:
            log_probs: (N, V) natural logarithms, of sum 1.
            chances: (N,) uniform numbers in 0..1, one for each row.

        Returns:
            (N,) values, 0 to V - 1.
        """
        if self.temperature == 0:
            return np.asarray(np.argmax(log_probs, axis=1), np.int64)
        rows = np.arange(len(log_probs))
        order = np.argsort(-log_probs, axis=1, kind="stable")[:, : self.top_k]
        sorted_log = log_probs[rows[:, None], order].astype(np.float64)
        with np.errstate(over="ignore"):  # Near temperature 0, only the most likely value can be drawn.
            weights = np.exp((sorted_log - sorted_log[:, :1]) / self.temperature)
        weights /= weights.sum(axis=1, keepdims=True)
        reached = np.cumsum(weights, axis=1)
        # The first value is always kept: the sum before it is 0.
        weights[reached - weights >= self.top_p] = 0.0
        reached = np.cumsum(weights, axis=1)
        places = (reached <= chances[:, None] * reached[:, -1:]).sum(axis=1)
        # Rounding at a chance near 1 must not choose a token after the last kept one.
        last = (weights > 0).sum(axis=1) - 1
        return np.asarray(order[rows, np.minimum(places, last)], np.int64)


def log_softmax(logits: FloatArray) -> FloatArray:
    """(..., V) logits -> (..., V) natural logarithms, of sum 1."""
    less = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(less - np.log(np.exp(less).sum(axis=-1, keepdims=True)), np.float32)
