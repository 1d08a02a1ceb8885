"""Tokens of four signals of a person in a call: the alphabet of a listener of real calls.

The signals are those of Diao et al. (ICMI 2024, doi 10.1145/3678957.3685733): AU06 and AU12 intensity, body
motion, gaze region. Each is cut into a few levels; a token is their combination.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.base.arrays import as_float32
from visavis.errors import InputError
from visavis.types import FloatArray

# Intensities 0..5, changed pixels a frame, and one of four regions.
SIGNALS = ("AU06", "AU12", "motion", "gaze")
AU12, MOTION = SIGNALS.index("AU12"), SIGNALS.index("motion")
REGIONS = 4
Tokens = NDArray[np.int64]
# A speaker is heard as numbers, which are smoother than tokens: AU06, AU12 and the logarithm of motion,
# directly and as a short running mean, both minus a long running mean, because people differ.
SHORT_S, LONG_S = 3.0, 15.0
HEARD_CHANNELS = 2 * (len(SIGNALS) - 1)


def as_heard(signals: FloatArray, frame_rate_hz: float) -> FloatArray:
    """A listener's input about a speaker; no row depends on a later one.

    Args:
        signals: (T, 4) signals; motion is 0 or more.
        frame_rate_hz: frame rate of the signals.

    Returns:
        (T, 6) float32.
    """
    motion = np.log1p(signals[:, MOTION]) / 2
    now = np.stack([signals[:, 0], signals[:, 1], motion], axis=1).astype(np.float32)
    short, long = (_running_mean(now, frame_rate_hz * time_s) for time_s in (SHORT_S, LONG_S))
    return np.concatenate([now - long, short - long], axis=1)


def _running_mean(values: FloatArray, frames: float) -> FloatArray:
    """The running mean (T, C) of each row and earlier rows, whose weight falls by e in this many frames."""
    kept = np.float32(np.exp(-1 / frames))
    result, last = np.empty_like(values), values[0]
    for place, row in enumerate(values):
        last = result[place] = kept * last + (1 - kept) * row
    return result


@dataclass(frozen=True, slots=True, eq=False)
class SignalCodec:
    """Turns signals into tokens and back.

    Attributes:
        edges: for AU06, AU12 and motion, the increasing values between the levels; the gaze region is itself
            a level.
        centers: for the same three signals, the decoded value of each level.
    """

    edges: tuple[FloatArray, ...]
    centers: tuple[FloatArray, ...]

    def __post_init__(self) -> None:
        if len(self.edges) != len(SIGNALS) - 1 or len(self.centers) != len(SIGNALS) - 1:
            raise InputError(
                f"expected levels of {', '.join(SIGNALS[:-1])}; found {len(self.edges)} and "
                f"{len(self.centers)}"
            )
        edges = tuple(as_float32("edges", values, (None,)) for values in self.edges)
        centers = tuple(
            as_float32("centers", values, (len(cuts) + 1,))
            for values, cuts in zip(self.centers, edges, strict=True)
        )
        if any((np.diff(values) <= 0).any() for values in (*edges, *centers)):
            raise InputError("edges and centres of levels must increase")
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "centers", centers)

    @classmethod
    def fitted(cls, signals: FloatArray, levels: Sequence[int]) -> SignalCodec:
        """A codec whose levels are used about equally often, and decode to their means.

        A very frequent value, such as an intensity of 0, gets its own level, and then there are fewer levels.

        Args:
            signals: (N, 4) without NaN.
            levels: maximum number of levels for AU06, AU12 and motion.
        """
        edges, centers = [], []
        for column, count in zip(signals.T, levels, strict=False):
            cuts = np.quantile(column, np.arange(1, count) / count)
            # Values on an edge belong above it: an edge above the smallest value is the next one.
            above = column[column > column.min()]
            cuts = np.unique(np.maximum(cuts, above.min()) if above.size else cuts[:0])
            level = np.searchsorted(cuts, column, side="right")
            edges.append(cuts.astype(np.float32))
            centers.append(np.asarray([column[level == k].mean() for k in range(len(cuts) + 1)], np.float32))
        return cls(tuple(edges), tuple(centers))

    @property
    def levels(self) -> tuple[int, ...]:
        """How many values each digit of a token has, AU06 first: it is the least significant."""
        return (*(len(values) for values in self.centers), REGIONS)

    def encode(self, signals: ArrayLike) -> Tokens:
        """(..., 4) signals -> (...) tokens.

        Raises:
            InputError: the width is not 4, a value is not finite, or a gaze region is not 0 to 3.
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
            InputError: a token is outside the vocabulary.
        """
        array = np.asarray(tokens)
        most = int(np.prod(self.levels))
        if array.size and (array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= most):
            raise InputError(f"tokens of signals are integers from 0 to {most - 1}")
        gaze, *digits = np.unravel_index(array, self.levels[::-1])
        values = [centers[digit] for centers, digit in zip(self.centers, digits[::-1], strict=True)]
        return np.stack([*values, gaze.astype(np.float32)], axis=-1).astype(np.float32)
