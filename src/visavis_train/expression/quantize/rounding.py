"""4-bit rounding of a matrix: integers that keep the products with its inputs, or NF4."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from visavis.types import FloatArray

LOWEST, HIGHEST = -8, 7
INTEGERS = np.arange(LOWEST, HIGHEST + 1, dtype=np.float32)
# Shares of the smallest scale without clipping: a little clipping often rounds the rest better. With
# either sign, since -8 has no counterpart.
_SHRINK = np.concatenate([np.linspace(0.6, 1.0, 17), np.linspace(-1.0, -0.6, 17)]).astype(np.float32)
# Damping, as a share of the mean of the Hessian's diagonal, as in the GPTQ paper.
_DAMPING = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Rounded:
    """A matrix in 4 bits.

    Attributes:
        codes: (R, K) uint8, 0 to 15.
        scales: (R, B) float16, each for K / B columns.
        levels: (16,) the level of each code; level times scale is the number.
    """

    codes: NDArray[np.uint8]
    scales: NDArray[np.float16]
    levels: FloatArray

    @property
    def block(self) -> int:
        """Number of columns that share a scale."""
        return int(self.codes.shape[1] // self.scales.shape[1])

    @property
    def values(self) -> FloatArray:
        """(R, K), the numbers that the codes stand for."""
        scales = self.scales.astype(np.float32).repeat(self.block, axis=1)
        return np.asarray(self.levels[self.codes] * scales, np.float32)


def block_of(columns: int, at_most: int) -> int:
    """The largest number up to ``at_most`` that divides the columns; below a quarter of it, the whole row."""
    found = max(size for size in range(1, at_most + 1) if columns % size == 0)
    return found if 4 * found >= at_most else columns


def best_scales(block: FloatArray, importance: FloatArray) -> NDArray[np.float16]:
    """Scales (R,) of 16 bits with the smallest squared rounding error among 34 for each row.

    Args:
        block: (R, block).
        importance: (block,) weight of each column's squared error.
    """
    peaks = np.take_along_axis(block, np.abs(block).argmax(axis=1)[:, None], 1)[:, 0]
    tried = (peaks[:, None] / LOWEST * _SHRINK).astype(np.float16)
    # Also if all numbers are 0, or too small for 16 bits.
    tried[tried == 0] = np.finfo(np.float16).tiny
    steps = tried.astype(np.float32)[:, :, None]
    codes = np.clip(np.rint(block[:, None] / steps), LOWEST, HIGHEST)
    errors = ((codes * steps - block[:, None]) ** 2 * importance).sum(axis=2)
    best: NDArray[np.float16] = tried[np.arange(len(tried)), errors.argmin(axis=1)]
    return best


def round_matrix(rows: FloatArray, products: NDArray[np.float64], block: int) -> Rounded:
    """Round column by column, and move each error into the later columns.

    GPTQ (Frantar et al. 2023, arXiv:2210.17323, Algorithm 1), with a search for scales at the start of a
    block. If ``products`` is diagonal, this is rounding to the nearest.

    Args:
        rows: (R, K) the matrix; each row makes one output.
        products: (K, K) sum over inputs x of x x^T.
        block: number of columns that share a scale; divides K.
    """
    outputs, columns = rows.shape
    left = rows.astype(np.float64)
    follow, diagonal = _followers(products), np.maximum(np.diag(products), 1e-12)
    codes = np.zeros((outputs, columns), np.uint8)
    scales = np.zeros((outputs, columns // block), np.float16)
    for column in range(columns):
        number, place = divmod(column, block)
        if place == 0:
            span = slice(column, column + block)
            weights = (diagonal[span] / diagonal[span].mean()).astype(np.float32)
            scales[:, number] = best_scales(left[:, span].astype(np.float32), weights)
        step = scales[:, number].astype(np.float64)
        code = np.clip(np.rint(left[:, column] / step), LOWEST, HIGHEST)
        codes[:, column] = code - LOWEST
        error = (left[:, column] - code * step) / follow[column, column]
        left[:, column + 1 :] -= np.outer(error, follow[column, column + 1 :])
    return Rounded(codes, scales, INTEGERS)


def round_nf4(rows: FloatArray, block: int) -> Rounded:
    """Round a matrix (R, K) to the nearest levels of NF4 (Dettmers et al. 2023, arXiv:2305.14314, section 3).

    The scale of a block is its largest absolute value, in 16 bits. bitsandbytes stores it in 32 bits, or in 8
    bits with "double quantization".

    Args:
        rows: (R, K) the matrix.
        block: number of columns that share a scale; divides K.
    """
    levels = nf4_levels()
    blocks = rows.reshape(len(rows), -1, block)
    scales = np.abs(blocks).max(axis=2).astype(np.float16)
    scales[scales == 0] = np.finfo(np.float16).tiny
    shares = blocks / scales.astype(np.float32)[:, :, None]
    codes = np.searchsorted((levels[1:] + levels[:-1]) / 2, shares).astype(np.uint8)
    return Rounded(codes.reshape(rows.shape), scales, levels)


def nf4_levels() -> FloatArray:
    """The 16 levels of NF4, from -1 to 1: quantiles of a normal distribution and 0 (appendix E)."""
    # The mean of the outermost shares of 16 and of 15 equal intervals.
    outermost = (1 - 1 / 32 + 1 - 1 / 30) / 2
    below, above = (
        [NormalDist().inv_cdf(share) for share in np.linspace(outermost, 0.5, count)[:-1].tolist()]
        for count in (8, 9)
    )
    levels = np.asarray([*(-value for value in below), 0.0, *reversed(above)])
    return np.asarray(levels / levels.max(), np.float32)


def _followers(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K, K) upper Cholesky factor of the damped inverse: how later columns compensate for an earlier one."""
    damped = products.copy()
    spread = float(np.diag(products).mean()) or 1.0
    damped[np.diag_indices_from(damped)] += _DAMPING * spread
    return np.asarray(np.linalg.cholesky(np.linalg.inv(damped)).T, np.float64)
