"""Dynamic time warping and lagged correlation, compiled by numba.

Nothing is compiled at import: a kernel is compiled when first called, or read from numba's cache. Kernels
release Python's lock, so items run in parallel threads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
from numba import njit
from numpy.typing import NDArray

from visavis.types import FloatArray

Float64Array = NDArray[np.float64]
# Rows of the cost matrix that advance together: they fit the first-level cache and whole vectors.
STRIP = 64
# No reassociation for warping: it would chain the multiply-adds, so that they wait for each other.
_WARPING = {"contract", "nnan", "nsz"}
# Sums may be split over vectors, but NaN must stay: it marks constant windows.
_CORRELATION = {"contract", "nsz", "reassoc"}
_Index = np.uint64


def warped_distances(predictions: FloatArray, reference: FloatArray) -> Float64Array:
    """Dynamic time warping of each prediction with one reference: (K,) square roots of summed squared costs.

    Sakoe and Chiba 1978, without constraint or normalisation, as ``tslearn.metrics.dtw``. Costs and sums are
    float32: the relative error is at most about 1e-7 for each step of the path, and 1e-6 as measured.

    Args:
        predictions: (K, T, C) float32, finite.
        reference: (U, C) float32, finite.
    """
    count, length, channels = predictions.shape
    strips = -(-length // STRIP)
    rows = np.zeros((count, strips * STRIP, channels), np.float32)
    rows[:, :length] = predictions
    blocks = np.ascontiguousarray(rows.reshape(count, strips, STRIP, channels).swapaxes(2, 3))
    # Reversed, so that an anti-diagonal reads it forwards; infinite around, so that every diagonal is full.
    columns = np.full((channels, len(reference) + 2 * STRIP), np.inf, np.float32)
    columns[:, STRIP:-STRIP] = reference[::-1].T
    squares = np.empty(count, np.float32)
    _warping(channels)(blocks.reshape(count, strips, -1), columns, length, squares)
    return np.sqrt(squares.astype(np.float64))


def lagged_correlations(prediction: FloatArray, speaker: FloatArray, lags: int) -> Float64Array:
    """Pearson's r of each channel at lags -(lags-1)..lags-1: (2 lags - 1, C), NaN where a window is constant.

    At a positive lag, the prediction follows the speaker. Two passes in float64, so that a constant window
    has a variance of exactly 0.

    Args:
        prediction: (T, C) float32, finite, T at least ``lags`` + 1.
        speaker: (T, C) float32, finite.
        lags: largest lag, plus 1.
    """
    series = [np.ascontiguousarray(values.T, np.float64) for values in (prediction, speaker)]
    correlations = np.empty((2 * lags - 1, prediction.shape[1]))
    _correlation()(*series, correlations)
    return correlations


@cache
def _warping(channels: int) -> Callable[..., None]:
    """The kernel for a number of channels, which must be known when it is compiled.

    The function contains only this number, because numba's cache finds a kernel by the function's contents.
    """
    half = channels // 2

    def warp(blocks: FloatArray, columns: FloatArray, length: int, squares: FloatArray) -> None:
        flat, width, other = columns.reshape(-1), _Index(columns.shape[1]), columns.shape[1] - 2 * STRIP
        # The last row of the strip above, and three rotating anti-diagonals whose first cell is in it.
        edge, diagonals = np.empty(other + 1, np.float32), np.empty((3, STRIP + 1), np.float32)
        for k in range(blocks.shape[0]):
            edge[:] = np.inf
            for s in range(blocks.shape[1]):
                strip = blocks[k, s]
                diagonals[:] = np.inf
                before, last, now = diagonals[0], diagonals[1], diagonals[2]
                before[0] = 0 if s == 0 else np.inf
                last[0] = edge[0]
                height = min(STRIP, length - s * STRIP)
                for d in range(height + other - 1):
                    reference, left, out = flat[STRIP + other - 1 - d :], last[1:], now[1:]
                    for m in range(_Index(STRIP)):
                        # Two sums, so that multiply-adds do not wait for each other.
                        one = two = np.float32(0)
                        for c in range(_Index(half)):
                            a = strip[c * _Index(STRIP) + m] - reference[c * width + m]
                            e = c + _Index(half)
                            b = strip[e * _Index(STRIP) + m] - reference[e * width + m]
                            one += a * a
                            two += b * b
                        if channels % 2:
                            e = _Index(channels - 1)
                            a = strip[e * _Index(STRIP) + m] - reference[e * width + m]
                            one += a * a
                        out[m] = (one + two) + min(min(left[m], last[m]), before[m])
                    now[0] = edge[min(d + 1, other)]
                    before[0] = np.inf
                    if d >= STRIP - 1:
                        edge[d - STRIP + 1] = now[STRIP]
                    before, last, now = last, now, before
                squares[k] = last[height]

    return _compiled(warp, _WARPING)


@cache
def _correlation() -> Callable[..., None]:
    def correlate(x: Float64Array, y: Float64Array, correlations: Float64Array) -> None:
        lags, length = correlations.shape[0] // 2, x.shape[1]
        for c in range(x.shape[0]):
            for index in range(correlations.shape[0]):
                lag = index - lags
                size = length - abs(lag)
                a, b = x[c, max(lag, 0) :][:size], y[c, max(-lag, 0) :][:size]
                mean_a, mean_b = a.sum() / size, b.sum() / size
                aa = bb = ab = 0.0
                for t in range(size):
                    p, q = a[t] - mean_a, b[t] - mean_b
                    aa += p * p
                    bb += q * q
                    ab += p * q
                correlations[index, c] = ab / np.sqrt(aa) / np.sqrt(bb)

    return _compiled(correlate, _CORRELATION)


def _compiled(kernel: Callable[..., None], fastmath: set[str]) -> Callable[..., None]:
    """The kernel in machine code; cached for later processes if a cache folder is writable."""
    compiler = partial(njit, fastmath=fastmath, error_model="numpy", nogil=True)
    try:
        compiled: Callable[..., None] = compiler(cache=True)(kernel)
    except RuntimeError:  # numba finds no folder for its cache.
        compiled = compiler()(kernel)
    return compiled
