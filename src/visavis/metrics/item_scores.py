"""The share of one item in each metric of reaction."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from visavis.base.words import counted
from visavis.channels import ACTION_UNITS, EXPRESSION_CHANNELS, EXPRESSIONS
from visavis.errors import InputError, MissingExtraError
from visavis.types import FloatArray

Float64Array = NDArray[np.float64]
# Added to the denominator of the concordance correlation.
EPSILON = 1e-8
# FRSyn looks at lags below this, both ways: 2 s at 25 frames a second.
LAGS = 50
_EXPRESSIONS_FROM = len(EXPRESSION_CHANNELS) - len(EXPRESSIONS)
# FRDist warps action units, valence with arousal, and expressions separately, with these weights.
GROUPS = (
    (slice(0, len(ACTION_UNITS)), 1 / len(ACTION_UNITS)),
    (slice(len(ACTION_UNITS), _EXPRESSIONS_FROM), 1.0),
    (slice(_EXPRESSIONS_FROM, len(EXPRESSION_CHANNELS)), 1 / len(EXPRESSIONS)),
)


def concordance(predictions: FloatArray, listeners: FloatArray, *, repaired: bool = False) -> Float64Array:
    """Concordance correlation of each prediction with each listener, mean over channels: (K, L), -1..1.

    CCC = 2 r s s' / (v + v' + (m - m')^2 + 1e-8) with population variances (Lin 1989). Without variance r is
    0, so constant channels score 0. Repaired, 1e-8 is added to the numerator too: then a channel that is
    constant and equal in both scores 1, like all equal series.

    Args:
        predictions: (K, T, C).
        listeners: (L, T, C).
        repaired: whether equal constants agree.
    """
    x, mean_x, variance_x = _moments(predictions)
    y, mean_y, variance_y = _moments(listeners)
    covariance = x @ y.swapaxes(1, 2) / x.shape[2]
    largest = np.sqrt(variance_x[:, :, None] * variance_y[:, None])
    twice = 2 * np.clip(covariance, -largest, largest)
    spread = variance_x[:, :, None] + variance_y[:, None] + (mean_x[:, :, None] - mean_y[:, None]) ** 2
    agreement = (twice + (EPSILON if repaired else 0.0)) / (spread + EPSILON)
    return np.asarray(agreement.mean(axis=0), np.float64)


def nearest_distances(predictions: FloatArray, listeners: FloatArray) -> Float64Array:
    """Distance (K,) of each prediction (K, T, 25) from the nearest listener (L, U, 25); all finite float32.

    DTW(action units) / 15 + DTW(valence and arousal) + DTW(expressions) / 8.

    Raises:
        InputError: values so large that float32 cannot hold their squares.
        MissingExtraError: numba is not installed.
    """
    kernels, totals = _kernels(), np.zeros((len(listeners), len(predictions)))
    for total, listener in zip(totals, listeners, strict=True):
        for channels, weight in GROUPS:
            total += weight * kernels.warped_distances(predictions[:, :, channels], listener[:, channels])
    if not np.isfinite(totals).all():
        raise InputError("values are too large to be warped: float32 cannot hold their squared distances")
    return np.asarray(totals.min(axis=0), np.float64)


def concordance_share(item: FloatArray, near: FloatArray, *, repaired: bool = False) -> float:
    """What an item (K, T, C) with its appropriate listeners (L, T, C) adds to FRCorr."""
    best = concordance(item, near, repaired=repaired).max(axis=1)
    return float(best.mean() if repaired else best.sum())


def distance_shares(item: FloatArray, near: FloatArray) -> tuple[float, float]:
    """What an item (K, T, 25) with its appropriate listeners (L, U, 25) adds to FRDist, and to it repaired.

    Raises:
        InputError, MissingExtraError: as :func:`nearest_distances`.
    """
    nearest = nearest_distances(item, near)
    return float(nearest.sum()), float(nearest.mean()) / math.sqrt(item.shape[1])


def dtw(series: FloatArray, other: FloatArray) -> float:
    """Dynamic time warping of two series (T, C) and (U, C): the root of the summed squared costs.

    Raises:
        MissingExtraError: numba is not installed.
    """
    warped = _kernels().warped_distances(np.asarray(series, np.float32)[None], np.asarray(other, np.float32))
    return float(warped[0])


def channel_correlations_by_lag(prediction: FloatArray, speaker: FloatArray) -> Float64Array:
    """Pearson's r of each channel at lags -49..49: (99, C); NaN where either is constant in the window.

    Args:
        prediction: (T, C) with more than 50 frames.
        speaker: (T, C).

    Raises:
        MissingExtraError: numba is not installed.
    """
    found: Float64Array = _kernels().lagged_correlations(prediction, speaker, LAGS)
    return found


def require_lags(frames: int) -> None:
    """Refuse series that are too short for every lag.

    Raises:
        InputError: they have 50 frames or fewer.
    """
    if frames <= LAGS:
        raise InputError(
            f"predictions has {counted(frames, 'frame')}; lags up to {LAGS - 1} need more than {LAGS}"
        )


def lag(found: Float64Array) -> int:
    """How far from 0 the largest mean correlation lies, in frames, as the challenge finds it.

    Correlations and their mean are rounded to float32; of equal ones, the first counts. NaN counts as the
    largest, so a channel that is constant in the first window gives 49.

    Args:
        found: (99, C) of :func:`channel_correlations_by_lag`.
    """
    means = found.astype(np.float32).mean(axis=1, dtype=np.float64).astype(np.float32)
    return abs(LAGS - 1 - int(means.argmax()))


def lag_repaired(found: Float64Array) -> float:
    """The same over the channels that have a correlation at every lag; NaN if there are none.

    Args:
        found: (99, C) of :func:`channel_correlations_by_lag`.
    """
    moving = found[:, np.isfinite(found).all(axis=0)]
    return float(lag(moving)) if moving.size else float("nan")


def mean_lag(lags: Float64Array) -> float:
    """FRSyn repaired, from the lags (N, K) of :func:`lag_repaired`; NaN if all are NaN."""
    return float(np.nanmean(lags)) if np.isfinite(lags).any() else float("nan")


def within(predictions: FloatArray) -> tuple[float, float]:
    """Diversity among the predictions of an item, and their mean variance over time.

    Diversity is the sum over pairs of squared distances divided by K (K-1) T C, and 0 for one prediction, as
    in the official code; the variance is unbiased.

    Args:
        predictions: (K, T, C), T at least 2.
    """
    values = predictions.astype(np.float64)
    count = len(values)
    # Sum over ordered pairs of |p - q|^2 = 2 K sum |p - mean|^2: exactly 0 for equal predictions.
    apart = 2 * count * float(np.square(values - values.mean(axis=0)).sum())
    diversity = apart / (count * (count - 1) * values[0].size) if count > 1 else 0.0
    return diversity, float(values.var(axis=1, ddof=1).mean())


def _moments(series: FloatArray) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Channels first: (C, K, T) without their means, the means (C, K), and population variances (C, K)."""
    values = np.ascontiguousarray(np.moveaxis(series, 2, 0), np.float64)
    means = values.mean(axis=2)
    values -= means[:, :, None]
    return values, means, np.asarray(np.einsum("ckt,ckt->ck", values, values) / values.shape[2], np.float64)


def _kernels() -> ModuleType:
    try:
        from visavis.metrics import reaction_kernels
    except ModuleNotFoundError as error:
        if error.name != "numba":
            raise
        raise MissingExtraError("numba", "metrics", "comparing reactions") from error
    return reaction_kernels
