"""How often each part of the face is kept, and the tables of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.metrics.emotion import RESAMPLES
from visavis.types import BoolArray
from visavis_train.expression.report.tables import NONE, Table
from visavis_train.expression.sparsity.face_parts import PARTS

# What "Sparse Attention to Emotion" says that its network looks at.
CLAIMED = ("eyes", "mouth", "cheeks")
CLAIM = "eyes, mouth and cheeks"
PAIRS = 100_000
# Resamples at a time: all at once would take hundreds of megabytes.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times the tokens that a part gets by its area.

    Attributes:
        value: 1 is as by chance.
        interval_95: by bootstrap over faces.
    """

    value: float
    interval_95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class PartKept:
    """A part of the face and the tokens kept in it.

    Attributes:
        name: of :data:`PARTS`, or :data:`CLAIM`.
        of_picture: share of all tokens that lie in it.
        of_kept: share of the kept tokens that lie in it.
        ratio: the second over the first.
        other_face: the same, where each face gets the tokens that were kept for another one.
        untrained: the same for the tokens that networks keep which have learned nothing.
        random: the same for as many tokens by chance.
    """

    name: str
    of_picture: float
    of_kept: float
    ratio: Ratio
    other_face: Ratio
    untrained: Ratio
    random: Ratio


@dataclass(frozen=True, slots=True)
class Overlap:
    """How alike the kept tokens of two faces are: those of both over those of either, mean over pairs.

    Attributes:
        same_label, other_label: of two faces whose labels agree, or do not; None where there are none.
        random: of two faces with as many tokens by chance, out of all.
    """

    same_label: float | None
    other_label: float | None
    random: float


def by_chance(masks: BoolArray, seed: int = 0) -> BoolArray:
    """(N, cells) with as many cells for each face as in ``masks``, drawn by chance."""
    ranks = np.random.default_rng(seed).random(masks.shape).argsort(axis=1).argsort(axis=1)
    drawn: BoolArray = ranks < masks.sum(axis=1, keepdims=True)
    return drawn


def of_another(masks: BoolArray, seed: int = 0) -> BoolArray:
    """(N, cells) where each face has another one's row: around a circle in an order by chance."""
    order = np.random.default_rng(seed).permutation(len(masks))
    other = np.empty_like(masks)
    other[order] = masks[np.roll(order, 1)]
    return other


def on_parts(
    shares: NDArray[np.float64], masks: BoolArray, untrained: BoolArray, seed: int = 0
) -> list[PartKept]:
    """On which parts of the face the kept tokens lie.

    Args:
        shares: (N, cells, 8) what each cell shows; see ``face_parts.cell_parts``.
        masks: (N, cells) which are kept.
        untrained: (N, cells) which are kept by networks that have learned nothing.
        seed: of controls and bootstrap.

    Returns:
        Each of :data:`PARTS`, then :data:`CLAIM`.

    Raises:
        InputError: other shapes, no faces, or no cell is kept.
    """
    alike = shares.shape == (*masks.shape, len(PARTS)) and untrained.shape == masks.shape
    if not alike or not masks.any():
        raise InputError(
            f"found parts {shares.shape} and kept cells {masks.shape} and {untrained.shape}; expected some, "
            "and as many"
        )
    claimed = shares[:, :, [PARTS.index(part) for part in CLAIMED]].sum(axis=2, keepdims=True)
    shares = np.concatenate([shares, claimed], axis=2)
    all_cells = np.ones_like(masks)
    sets = (all_cells, masks, of_another(masks, seed), untrained, by_chance(masks, seed))
    width, kinds = shares.shape[2], len(sets)
    # For each face: the area of each part that is in the set, and the set's cells.
    areas = [np.einsum("nc,ncp->np", chosen, shares) for chosen in sets]
    values = np.concatenate([*areas, *(chosen.sum(axis=1, keepdims=True) for chosen in sets)], axis=1)
    totals = np.concatenate([values.sum(axis=0)[None], resampled_sums(values, seed)])
    parts = (
        totals[:, : kinds * width].reshape(-1, kinds, width)
        / np.maximum(totals[:, kinds * width :], 1e-12)[:, :, None]
    )
    # A part that no face shows gets no token: as by chance.
    ratios = np.divide(parts[:, 1:], parts[:, :1], out=np.ones_like(parts[:, 1:]), where=parts[:, :1] > 0)
    lows, highs = np.quantile(ratios[1:], (0.025, 0.975), axis=0)

    def ratio(kind: int, part: int) -> Ratio:
        return Ratio(float(ratios[0, kind, part]), (float(lows[kind, part]), float(highs[kind, part])))

    return [
        PartKept(name, float(parts[0, 0, p]), float(parts[0, 1, p]), *(ratio(kind, p) for kind in range(4)))
        for p, name in enumerate((*PARTS, CLAIM))
    ]


def resampled_sums(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Sums (10,000, F) of N rows (N, F) that are drawn with replacement as often."""
    rng, n = np.random.default_rng(seed), len(values)
    chances = np.full(n, 1 / n)
    draws = [rng.multinomial(n, chances, _CHUNK) @ values for _ in range(RESAMPLES // _CHUNK)]
    return np.concatenate(draws)


def overlap(masks: BoolArray, labels: NDArray[np.int64], seed: int = 0) -> Overlap:
    """How alike faces' kept tokens are, over 100,000 pairs of different faces drawn by chance.

    Args:
        masks: (N, cells).
        labels: (N,).
        seed: of the draws.

    Raises:
        InputError: fewer than two faces, or another number of labels.
    """
    n = len(masks)
    if n < 2 or labels.shape != (n,):
        raise InputError(f"found {n} faces and labels {labels.shape}; expected 2 or more, and as many")
    rng = np.random.default_rng(seed)
    first = rng.integers(0, n, PAIRS)
    second = (first + rng.integers(1, n, PAIRS)) % n
    alike, same = _jaccard(masks, first, second), labels[first] == labels[second]
    return Overlap(
        float(alike[same].mean()) if same.any() else None,
        float(alike[~same].mean()) if not same.all() else None,
        float(_jaccard(by_chance(masks, seed), first, second).mean()),
    )


def _jaccard(masks: BoolArray, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
    counts = masks.astype(np.float32)
    both = np.einsum("pc,pc->p", counts[first], counts[second])
    sizes = counts.sum(axis=1)
    return np.asarray(both / np.maximum(sizes[first] + sizes[second] - both, 1), np.float64)


def parts_table(parts: Sequence[PartKept]) -> Table:
    """Where the kept tokens of one layer lie."""
    heads = (
        "part of the face",
        "of the picture",
        "of the kept tokens",
        "ratio (95%)",
        "kept for another face: ratio (95%)",
        "by untrained networks: ratio (95%)",
        "at random: ratio (95%)",
    )
    rows = tuple(
        (
            part.name,
            f"{part.of_picture:.1%}",
            f"{part.of_kept:.1%}",
            *(_ratio(ratio) for ratio in (part.ratio, part.other_face, part.untrained, part.random)),
        )
        for part in parts
    )
    return Table(heads, rows)


def overlap_line(found: Overlap) -> str:
    """One sentence on how alike the kept tokens of two faces are."""
    same, other = (NONE if v is None else f"{v:.1%}" for v in (found.same_label, found.other_label))
    return (
        f"Of the tokens kept for one of two faces, both have {same} where the labels agree, {other} "
        f"where they differ, {found.random:.1%} at random."
    )


def _ratio(ratio: Ratio) -> str:
    low, high = ratio.interval_95
    return f"{ratio.value:.2f} ({low:.2f} to {high:.2f})"
