"""All metrics of reaction in one pass over the items.

A new metric needs its share of an item in :mod:`visavis.metrics.item_scores`, a field in ``_Shares`` and
:class:`ReactionScores`, its name in ``cli/evaluate_reaction.py``, and its equation in
docs/reference/metrics.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.metrics.checked_items import (
    Work,
    appropriate,
    checked_expressions,
    in_parallel,
    mean_of_items,
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
from visavis.metrics.reaction import PairwiseDistance, fr_rea
from visavis.types import FloatArray

_ANY_WORK = Work()


@dataclass(frozen=True, slots=True)
class ReactionScores:
    """Every metric of :mod:`visavis.metrics.reaction`, and the size of the data.

    Attributes:
        items, predictions, frames, listeners: N, K, T and L.
        neighbours: number of pairs of an item and an appropriate listener.
        fr_corr, fr_dist, fr_div, fr_var, fr_dvs, fr_syn: the official metrics.
        fr_rea: official, too; None without features of frames.
        fr_corr_repaired, fr_dist_repaired, fr_syn_repaired: repaired versions of our own.
    """

    items: int
    predictions: int
    frames: int
    listeners: int
    neighbours: int
    fr_corr: float
    fr_dist: float
    fr_div: float
    fr_var: float
    fr_dvs: float
    fr_syn: float
    fr_rea: float | None
    fr_corr_repaired: float
    fr_dist_repaired: float
    fr_syn_repaired: float


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    item: FloatArray
    speaker: FloatArray
    near: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Shares:
    """An item's share of each metric; None if it has no listener."""

    corr: float | None
    corr_repaired: float | None
    dist: float | None
    dist_repaired: float | None
    div: float
    var: float
    lag: int
    lags_repaired: tuple[float, ...]


def score_reactions(
    predictions: Any,
    listeners: Any,
    speakers: Any,
    neighbours: Any,
    *,
    real_features: Any = None,
    fake_features: Any = None,
    work: Work = _ANY_WORK,
) -> ReactionScores:
    """All metrics in one pass over the items.

    Args:
        predictions: (N, K, T, 25) with more than 50 frames.
        listeners: (L, T, 25).
        speakers: (N, T, 25).
        neighbours: (N, L) of 0 and 1.
        real_features: (A, F) of real frames, for FRRea; None for none.
        fake_features: (B, F) of generated ones.
        work: threads, progress, and the treatment of neighbours out of range.

    Raises:
        InputError: arrays are empty, not finite or of other shapes, or neighbours are out of range.
        MissingExtraError: numba is not installed.
    """
    items = checked_expressions("predictions", predictions, samples=True)
    count, samples, frames, _ = items.shape
    require_lags(frames)
    others = checked_expressions("speakers", speakers, samples=False, count=count, length=frames)
    real = list(sound("listeners", checked_expressions("listeners", listeners, samples=False, length=frames)))
    near = appropriate(neighbours, count, len(real), work.out_of_range)
    if (real_features is None) != (fake_features is None):
        raise InputError("FRRea needs both real_features and fake_features, or neither")
    rea = None if real_features is None else fr_rea(real_features, fake_features)
    spread = PairwiseDistance()

    def share(job: _Job) -> _Shares:
        return _share(job, np.stack([real[i] for i in job.near]) if len(job.near) else None)

    def jobs() -> Any:
        rows = zip(sound("predictions", items), sound("speakers", others), near, strict=True)
        for item, speaker, indices in rows:
            spread.add(item)
            yield _Job(item, speaker, indices)

    shares = list(in_parallel(share, jobs(), work))
    return ReactionScores(
        items=count,
        predictions=samples,
        frames=frames,
        listeners=len(real),
        neighbours=sum(map(len, near)),
        fr_corr=mean_of_items([one.corr for one in shares], work.out_of_range),
        fr_dist=mean_of_items([one.dist for one in shares], work.out_of_range),
        fr_div=float(np.mean([one.div for one in shares])),
        fr_var=float(np.mean([one.var for one in shares])),
        fr_dvs=spread.mean(),
        fr_syn=float(np.mean([one.lag for one in shares])),
        fr_rea=rea,
        fr_corr_repaired=mean_of_items([one.corr_repaired for one in shares], work.out_of_range),
        fr_dist_repaired=mean_of_items([one.dist_repaired for one in shares], work.out_of_range),
        fr_syn_repaired=mean_lag(np.asarray([one.lags_repaired for one in shares])),
    )


def _share(job: _Job, near: FloatArray | None) -> _Shares:
    found = [channel_correlations_by_lag(prediction, job.speaker) for prediction in job.item]
    diversity, variance = within(job.item)
    corr = corr_repaired = dist = dist_repaired = None
    if near is not None:
        corr = concordance_share(job.item, near)
        corr_repaired = concordance_share(job.item, near, repaired=True)
        dist, dist_repaired = distance_shares(job.item, near)
    return _Shares(
        corr,
        corr_repaired,
        dist,
        dist_repaired,
        diversity,
        variance,
        lag(found[0]),
        tuple(lag_repaired(one) for one in found),
    )
