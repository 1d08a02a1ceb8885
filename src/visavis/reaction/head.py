"""The last layer of a listener: probabilities of tokens digit by digit, and draws from them.

A token consists of digits, the least significant first. Each digit is predicted from the state and the digits
before it (Larochelle and Murray 2011, NADE), so a vocabulary may have any size.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from visavis.errors import WeightsError
from visavis.reaction.sampling import Sampling, log_softmax
from visavis.types import FloatArray

Tokens = NDArray[np.int64]


class TokenHead:
    """The last layer of a listener.

    Args:
        levels: number of values of each of the K digits.
        width: size D of a hidden state.
        weights: (:meth:`size`,) in this order: the layer of each digit, (levels, D) and (levels,); then for
            each digit except the last, the vectors (levels, D) that its values add to the state.

    Raises:
        WeightsError: the number of weights is wrong, or a weight is not finite.
    """

    def __init__(self, levels: Sequence[int], width: int, weights: FloatArray) -> None:
        if weights.shape != (self.size(levels, width),) or not np.isfinite(weights).all():
            raise WeightsError(
                f"the listener's last layer has shape {weights.shape}; expected {self.size(levels, width)} "
                f"finite numbers for the levels {list(levels)}: export it again"
            )
        self.levels, self.width = tuple(levels), width
        taken = 0

        def take(*shape: int) -> FloatArray:
            nonlocal taken
            part = weights[taken : taken + prod(shape)].reshape(shape)
            taken += prod(shape)
            return part

        self._out = [(take(size, width), take(size)) for size in levels]
        self._given = [take(size, width) for size in levels[:-1]]
        self._places = [prod(levels[:place]) for place in range(len(levels))]

    @staticmethod
    def size(levels: Sequence[int], width: int) -> int:
        """Number of weights."""
        return sum(levels) * (2 * width + 1) - levels[-1] * width

    def nats(self, hidden: FloatArray, tokens: Tokens) -> FloatArray:
        """How unlikely tokens are: (..., D) states and (...) tokens, 0 or more -> (...) nats."""
        total = np.zeros(tokens.shape, np.float32)
        steps = self._steps(hidden)
        log_probs = next(steps)
        for place, (size, worth) in enumerate(zip(self.levels, self._places, strict=True)):
            digits = tokens // worth % size
            total -= np.take_along_axis(log_probs, digits[..., None], axis=-1)[..., 0]
            if place < len(self._given):
                log_probs = steps.send(digits)
        return total

    def draw(
        self,
        hidden: FloatArray,
        chances: NDArray[np.float64],
        sampling: Sampling,
        alone: FloatArray | None = None,
    ) -> Tokens:
        """One token for each state.

        Args:
            hidden: (N, D) states.
            chances: (N, K) uniform numbers in 0..1.
            sampling: how tokens are drawn.
            alone: (N, D) states of the same listeners without a speaker, for guidance; None draws without
                guidance.

        Returns:
            (N,) tokens.
        """
        count = len(hidden)
        tokens = np.zeros(count, np.int64)
        steps = self._steps(hidden if alone is None else np.concatenate([hidden, alone]))
        log_probs = next(steps)
        for place, worth in enumerate(self._places):
            likely = log_probs if alone is None else sampling.guide(log_probs[:count], log_probs[count:])
            digits = sampling.draw(likely, chances[:, place])
            tokens += digits * worth
            if place < len(self._given):
                log_probs = steps.send(digits if alone is None else np.concatenate([digits, digits]))
        return tokens

    def _steps(self, hidden: FloatArray) -> Generator[FloatArray, Tokens, None]:
        """Yields the log-probabilities (..., levels) of each digit; the caller sends the chosen digits."""
        state = np.asarray(hidden, np.float32)
        for place, (weights, bias) in enumerate(self._out):
            digits = yield log_softmax(_gelu(state) @ weights.T + bias)
            if place < len(self._given):
                state = state + self._given[place][digits]


def _gelu(values: FloatArray) -> FloatArray:
    """The GELU of Hendrycks and Gimpel 2016 (arXiv:1606.08415), approximated by the hyperbolic tangent."""
    # A product: numpy's power of 3 is ten times as slow.
    inner = np.float32(np.sqrt(2 / np.pi)) * (values + np.float32(0.044715) * (values * values * values))
    return np.asarray(values * np.float32(0.5) * (1 + np.tanh(inner)), np.float32)
