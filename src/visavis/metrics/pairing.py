"""Correlation of two signals at the best shift, and a test of paired differences."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike, NDArray

FLIPS = 100_000


def peak_r(first: ArrayLike, second: ArrayLike, reach: int) -> NDArray[np.float64]:
    """The largest Pearson correlation of two signals while one is shifted against the other.

    Args:
        first: (..., T).
        second: (..., T).
        reach: largest shift in frames in either direction; less than T - 1.

    Returns:
        (...) in -1..1; 0 at shifts where a signal is constant.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    frames = a.shape[-1]
    shifts = (
        _pearson(a[..., max(k, 0) : frames + min(k, 0)], b[..., max(-k, 0) : frames - max(k, 0)])
        for k in range(-reach, reach + 1)
    )
    return np.asarray(functools.reduce(np.maximum, shifts))


def _pearson(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    # The mean of equal numbers is rounded, so their differences from it would be noise.
    moves = (a != a[..., :1]).any(-1) & (b != b[..., :1]).any(-1)
    a, b = a - a.mean(-1, keepdims=True), b - b.mean(-1, keepdims=True)
    norm = np.sqrt(np.einsum("...t,...t", a, a) * np.einsum("...t,...t", b, b))
    products = np.einsum("...t,...t", a, b)
    r: NDArray[np.float64] = np.divide(products, norm, out=np.zeros_like(products), where=moves & (norm > 0))
    return r


def sign_flip_p(differences: ArrayLike) -> float:
    """Two-sided p-value that paired differences (N,) are centred on 0, by flipping their signs at random.

    There are 100,000 flips, so the smallest possible p-value is 1e-5.
    """
    values = np.asarray(differences, np.float64)
    observed = abs(values.mean())
    rng = np.random.default_rng(0)
    reached = 0
    for _ in range(10):
        signs = rng.integers(0, 2, (FLIPS // 10, len(values)), np.int8) * 2 - 1
        # Rounding must not exclude the observed signs themselves.
        reached += int((np.abs(signs @ values) / len(values) >= observed * (1 - 1e-12)).sum())
    return (reached + 1) / (FLIPS + 1)
