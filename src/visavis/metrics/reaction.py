"""The metrics of REACT2024, from predicted reactions, real reactions and which of them are appropriate.

``fr_corr`` to ``fr_rea`` are the official definitions (Song et al. 2024, arXiv:2401.05166, in the code of the
challenge), quirks included. Names that end in ``_repaired`` are ours. docs/reference/metrics.md has the
equations. N items, K predictions of each, T frames, L listeners, 25 channels of expression. Items are read
one after the other, to save memory. All sums are float64, except float32 warping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.base.arrays import as_float32
from visavis.errors import InputError
from visavis.metrics.checked_items import (
    Items,
    Work,
    appropriate,
    checked_expressions,
    in_parallel,
    mean_of_items,
    sized,
    sound,
)
from visavis.metrics.item_scores import (
    channel_correlations_by_lag,
    concordance_share,
    distance_shares,
    lag,
    lag_repaired,
    mean_lag,
    require_lags,
    within,
)
from visavis.types import FloatArray

_ANY_WORK = Work()


def fr_corr(predictions: Any, listeners: Any, neighbours: Any, work: Work = _ANY_WORK) -> float:
    """FRCorr: how well the predictions agree with an appropriate reaction; higher is better, at most K.

    Mean over items of the *sum* over predictions of the largest concordance with an appropriate listener. A
    channel that is constant in either scores 0, so real reactions need not reach K.

    Args:
        predictions: (N, K, T, 25).
        listeners: (L, T, 25), the real reactions.
        neighbours: (N, L) of 0 and 1: whose reactions are appropriate.
        work: threads, progress, and the treatment of neighbours out of range.

    Raises:
        InputError: arrays are empty, not finite or of other shapes, or neighbours are out of range.
    """
    return _over_listeners(concordance_share, predictions, listeners, neighbours, work)


def fr_corr_repaired(predictions: Any, listeners: Any, neighbours: Any, work: Work = _ANY_WORK) -> float:
    """FRCorr on a scale of -1 to 1; every real reaction reaches 1.

    Repaired: it is averaged over predictions, and channels that are constant and equal in both score 1.
    Arguments and errors as :func:`fr_corr`.
    """
    repaired = partial(concordance_share, repaired=True)
    return _over_listeners(repaired, predictions, listeners, neighbours, work)


def fr_dist(predictions: Any, listeners: Any, neighbours: Any, work: Work = _ANY_WORK) -> float:
    """FRDist: how far the predictions are from an appropriate reaction; lower is better.

    Mean over items of the *sum* over predictions of the smallest distance from an appropriate listener, by
    unconstrained dynamic time warping, which grows with the root of the length.

    Arguments as :func:`fr_corr`.

    Raises:
        InputError: as :func:`fr_corr`, or values whose squares float32 cannot hold.
        MissingExtraError: numba is not installed.
    """

    def nearest(item: FloatArray, near: FloatArray) -> float:
        return distance_shares(item, near)[0]

    return _over_listeners(nearest, predictions, listeners, neighbours, work)


def fr_dist_repaired(predictions: Any, listeners: Any, neighbours: Any, work: Work = _ANY_WORK) -> float:
    """FRDist of one prediction and one frame.

    Repaired: it is averaged over predictions and divided by the root of the frames, so that neither the
    number of predictions nor the length of the clips scales it. Arguments and errors as :func:`fr_dist`.
    """

    def nearest(item: FloatArray, near: FloatArray) -> float:
        return distance_shares(item, near)[1]

    return _over_listeners(nearest, predictions, listeners, neighbours, work)


def fr_div(predictions: Any, work: Work = _ANY_WORK) -> float:
    """FRDiv: mean squared distance among the predictions of an item, each channel and frame; 0 where K is 1.

    Args:
        predictions: (N, K, T, 25) with 2 frames at least.
        work: threads and progress.

    Raises:
        InputError: another shape, not finite or empty.
    """
    return float(np.mean([diversity for diversity, _ in _within_items(predictions, work)]))


def fr_var(predictions: Any, work: Work = _ANY_WORK) -> float:
    """FRVar: mean unbiased variance over time. Arguments and errors as :func:`fr_div`."""
    return float(np.mean([variance for _, variance in _within_items(predictions, work)]))


def fr_dvs(predictions: Any, work: Work = _ANY_WORK) -> float:
    """FRDvs: mean squared distance across items of the predictions with the same number.

    NaN for a single item, as in the official code. Arguments and errors as :func:`fr_div`.
    """
    spread = PairwiseDistance()
    for item in sound("predictions", checked_expressions("predictions", predictions, samples=True)):
        spread.add(item)
        work.on_item()
    return spread.mean()


def fr_syn(predictions: Any, speakers: Any, work: Work = _ANY_WORK) -> float:
    """FRSyn: mean distance from 0, in frames, of the lag at which prediction and speaker correlate most.

    Only the *first* prediction of each item counts. The correlation of a constant channel is NaN, which
    counts as the largest, so one constant channel makes the lag 49.

    Args:
        predictions: (N, K, T, 25) with more than 50 frames.
        speakers: (N, T, 25).
        work: threads and progress.

    Raises:
        InputError: arrays of other shapes or lengths, not finite or empty.
        MissingExtraError: numba is not installed.
    """

    def first(pair: tuple[FloatArray, FloatArray]) -> float:
        return float(lag(channel_correlations_by_lag(pair[0][0], pair[1])))

    return float(np.mean(list(_over_speakers(first, predictions, speakers, work))))


def fr_syn_repaired(predictions: Any, speakers: Any, work: Work = _ANY_WORK) -> float:
    """FRSyn of all predictions, over the channels that have a correlation at every lag.

    Repaired: constant channels are ignored, and all predictions count except those in which every channel is
    constant somewhere; NaN if all are like this. Arguments and errors as :func:`fr_syn`.
    """

    def every(pair: tuple[FloatArray, FloatArray]) -> list[float]:
        return [lag_repaired(channel_correlations_by_lag(prediction, pair[1])) for prediction in pair[0]]

    return mean_lag(np.asarray(list(_over_speakers(every, predictions, speakers, work))))


def fr_rea(real_features: Any, fake_features: Any) -> float:
    """FRRea: Frechet distance between features of real and generated frames (Heusel et al. 2017, Eq. 6).

    |m - m'|^2 + tr(S + S' - 2 (S S')^1/2) with unbiased covariances, as ``pytorch_fid``. The caller provides
    the features: officially of Inception v3, for every 30th rendered frame.

    Args:
        real_features: (A, F), 2 at least.
        fake_features: (B, F), 2 at least.

    Raises:
        InputError: other shapes, or not finite.
    """
    real = as_float32("real_features", real_features, (None, None)).astype(np.float64)
    fake = as_float32("fake_features", fake_features, (None, real.shape[1])).astype(np.float64)
    for name, features in (("real_features", real), ("fake_features", fake)):
        if len(features) < 2 or not features.shape[1]:
            raise InputError(f"{name} has shape {features.shape}; a covariance needs 2 rows at least")
    gap = real.mean(axis=0) - fake.mean(axis=0)
    a, b = (np.atleast_2d(np.cov(features, rowvar=False)) for features in (real, fake))
    values, vectors = np.linalg.eigh(a)
    # The eigenvalues of A B are those of A^1/2 B A^1/2, which is symmetric.
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ b @ root).clip(min=0)).sum()
    return float(gap @ gap + np.trace(a) + np.trace(b) - 2 * shared)


def neighbour_matrix(appropriateness: Any, rows: Any) -> NDArray[np.uint8]:
    """Neighbours of a split, from the annotation of the whole corpus.

    The annotation has the A clips of the corpus twice, first with one person as the speaker and then with the
    other. The split has the same order: all its clips in one direction, then in the other.

    Args:
        appropriateness: (2A, 2A) of 0 and 1 (``Approprirate_facial_reaction.npy``).
        rows: (S,) where the split's clips stand among the corpus's A.

    Returns:
        (2S, 2S).

    Raises:
        InputError: another shape, other values, or a row out of range.
    """
    matrix = as_float32("appropriateness", appropriateness, (None, None))
    half, odd = divmod(len(matrix), 2)
    if odd or matrix.shape[0] != matrix.shape[1] or not np.isin(matrix, (0, 1)).all():
        raise InputError(f"appropriateness must be (2A, 2A) of 0 and 1; found {matrix.shape}")
    try:
        index = np.asarray(rows)
    except ValueError as error:
        raise InputError("rows must be (S,) indices of clips; found rows of different lengths") from error
    if index.ndim != 1 or not len(index) or index.dtype.kind not in "iu":
        raise InputError(f"rows must be (S,) indices of clips; found {index.dtype} {index.shape}")
    if (bad := (index < 0) | (index >= half)).any():
        place = int(np.flatnonzero(bad)[0])
        raise InputError(f"rows[{place}] is {index[place]}; the annotation has clips 0 to {half - 1}")
    both = np.concatenate([index, index + half])
    return np.asarray(matrix[np.ix_(both, both)], np.uint8)


class PairwiseDistance:
    """Adds items up for FRDvs, one after the other, in the memory of two.

    Squared distances are summed relative to the first item, so equal items have a distance of exactly 0.
    """

    def __init__(self) -> None:
        self._items = 0
        self._squares = 0.0

    def add(self, item: FloatArray) -> None:
        """Count the predictions (K, T, 25) of one more item, of the same shape as those before."""
        if not self._items:
            self._first = item.astype(np.float64)
            self._sum = np.zeros(item.shape)
        apart = item - self._first
        self._sum += apart
        self._squares += float(np.vdot(apart, apart))
        self._items += 1

    def mean(self) -> float:
        """FRDvs of the items so far; NaN for a single item."""
        if self._items < 2:
            return float("nan")
        # Sum over ordered pairs of |p - q|^2 = 2 N sum |p|^2 - 2 |sum p|^2, about any origin.
        apart = 2 * self._items * self._squares - 2 * float(np.vdot(self._sum, self._sum))
        return apart / (self._items * (self._items - 1) * self._sum.size)


def _over_listeners(
    score: Callable[[FloatArray, FloatArray], float],
    predictions: Any,
    listeners: Any,
    neighbours: Any,
    work: Work,
) -> float:
    items = checked_expressions("predictions", predictions, samples=True)
    real = list(
        sound("listeners", checked_expressions("listeners", listeners, samples=False, length=items.shape[2]))
    )
    near = appropriate(neighbours, items.shape[0], len(real), work.out_of_range)

    def one(job: tuple[FloatArray, NDArray[np.intp]]) -> float | None:
        item, indices = job
        return score(item, np.stack([real[i] for i in indices])) if len(indices) else None

    jobs = zip(sound("predictions", items), near, strict=True)
    return mean_of_items(in_parallel(one, jobs, work), work.out_of_range)


def _over_speakers(
    score: Callable[[tuple[FloatArray, FloatArray]], Any], predictions: Any, speakers: Any, work: Work
) -> Iterator[Any]:
    items = checked_expressions("predictions", predictions, samples=True)
    count, _, length, _ = items.shape
    require_lags(length)
    others = sized("speakers", speakers, (count, length, items.shape[3]))
    pairs = zip(sound("predictions", items), sound("speakers", others), strict=True)
    return in_parallel(score, pairs, work)


def _within_items(predictions: Any, work: Work) -> Iterator[tuple[float, float]]:
    items: Items = checked_expressions("predictions", predictions, samples=True)
    if items.shape[2] < 2:
        raise InputError("predictions has 1 frame; a variance over time needs 2 at least")
    return in_parallel(within, sound("predictions", items), work)
