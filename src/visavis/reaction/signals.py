"""Tokens of four signals of a person in a call: the alphabet of a listener of real calls.

The signals are those of Diao et al. (ICMI 2024, doi 10.1145/3678957.3685733): AU06 and AU12 intensity, body
motion, gaze region. Each is cut into a few levels; a token is their combination.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.base.arrays import checked
from visavis.errors import InputError
from visavis.types import FloatArray

# Intensities 0..5, changed pixels a frame, and one of four regions.
SIGNALS = ("AU06", "AU12", "motion", "gaze")
AU12, MOTION = SIGNALS.index("AU12"), SIGNALS.index("motion")
REGIONS = 4
Tokens = NDArray[np.int64]
# A partner is heard as numbers, which are smooth where tokens are not: AU06, AU12 and the logarithm of
# motion, as they are and as a short running mean, both against a long one: people differ in what is usual.
SHORT_S, LONG_S = 3.0, 15.0
HEARD_CHANNELS = 2 * (len(SIGNALS) - 1)


def as_heard(signals: FloatArray, frame_rate_hz: float) -> FloatArray:
    """What a listener hears of a partner; no row depends on a later one.

    Args:
        signals: (T, 4), motion 0 or more.
        frame_rate_hz: of them.

    Returns:
        (T, 6) float32.
    """
    motion = np.log1p(signals[:, MOTION]) / 2
    now = np.stack([signals[:, 0], signals[:, 1], motion], axis=1).astype(np.float32)
    short, long = (_running_mean(now, frame_rate_hz * time_s) for time_s in (SHORT_S, LONG_S))
    return np.concatenate([now - long, short - long], axis=1)


def _running_mean(values: FloatArray, frames: float) -> FloatArray:
    """(T, C): each row's mean of itself and those before it, which count less by e every so many frames."""
    kept = np.float32(np.exp(-1 / frames))
    result, last = np.empty_like(values), values[0]
    for place, row in enumerate(values):
        last = result[place] = kept * last + (1 - kept) * row
    return result


@dataclass(frozen=True, slots=True, eq=False)
class SignalCodec:
    """How signals become tokens.

    Attributes:
        edges: for AU06, AU12 and motion, the increasing values between their levels; the gaze region is a
            level itself.
        centres: for the same three, the value that each level is decoded to.
    """

    edges: tuple[FloatArray, ...]
    centres: tuple[FloatArray, ...]

    def __post_init__(self) -> None:
        if len(self.edges) != len(SIGNALS) - 1 or len(self.centres) != len(SIGNALS) - 1:
            raise InputError(
                f"expected levels of {', '.join(SIGNALS[:-1])}; found {len(self.edges)} and "
                f"{len(self.centres)}"
            )
        edges = tuple(checked("edges", values, (None,)) for values in self.edges)
        centres = tuple(
            checked("centres", values, (len(cuts) + 1,))
            for values, cuts in zip(self.centres, edges, strict=True)
        )
        if any((np.diff(values) <= 0).any() for values in (*edges, *centres)):
            raise InputError("edges and centres of levels must increase")
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "centres", centres)

    @classmethod
    def fitted(cls, signals: FloatArray, levels: Sequence[int]) -> SignalCodec:
        """Levels that are about equally often used, and the means within them.

        A value that is found in more than its share of the frames, such as an intensity of 0, gets a level of
        its own, and there are fewer of them.

        Args:
            signals: (N, 4) without NaN.
            levels: at most so many for AU06, AU12 and motion.
        """
        edges, centres = [], []
        for column, count in zip(signals.T, levels, strict=False):
            cuts = np.quantile(column, np.arange(1, count) / count)
            # Values on an edge belong above it: an edge above the smallest value is the next one.
            above = column[column > column.min()]
            cuts = np.unique(np.maximum(cuts, above.min()) if above.size else cuts[:0])
            level = np.searchsorted(cuts, column, side="right")
            edges.append(cuts.astype(np.float32))
            centres.append(np.asarray([column[level == k].mean() for k in range(len(cuts) + 1)], np.float32))
        return cls(tuple(edges), tuple(centres))

    @property
    def levels(self) -> tuple[int, ...]:
        """How many values each digit of a token has, AU06 first: it is the least significant."""
        return (*(len(values) for values in self.centres), REGIONS)

    def encode(self, signals: ArrayLike) -> Tokens:
        """(..., 4) signals -> (...) tokens.

        Raises:
            InputError: another width, not finite, or a gaze region that is not 0 to 3.
        """
        array = np.asarray(signals, np.float32)
        if array.ndim < 1 or array.shape[-1] != len(SIGNALS):
            raise InputError(f"signals have shape {array.shape}; expected (..., {len(SIGNALS)})")
        if not np.isfinite(array).all():
            raise InputError("signals hold numbers that are not finite")
        gaze = array[..., -1]
        if ((gaze != np.round(gaze)) | (gaze < 0) | (gaze >= REGIONS)).any():
            raise InputError(f"gaze regions are 0 to {REGIONS - 1}; found {gaze.min():g} to {gaze.max():g}")
        digits = [
            np.searchsorted(cuts, array[..., place], side="right") for place, cuts in enumerate(self.edges)
        ]
        return np.ravel_multi_index((gaze.astype(np.int64), *digits[::-1]), self.levels[::-1]).astype(
            np.int64
        )

    def decode(self, tokens: ArrayLike) -> FloatArray:
        """(...) tokens -> (..., 4) signals: the mean of each level.

        Raises:
            InputError: a token outside of the vocabulary.
        """
        array = np.asarray(tokens)
        most = int(np.prod(self.levels))
        if array.size and (array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= most):
            raise InputError(f"tokens of signals are integers from 0 to {most - 1}")
        gaze, *digits = np.unravel_index(array, self.levels[::-1])
        values = [centres[digit] for centres, digit in zip(self.centres, digits[::-1], strict=True)]
        return np.stack([*values, gaze.astype(np.float32)], axis=-1).astype(np.float32)
