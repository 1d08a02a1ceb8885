"""How often each part of the face is kept, and the tables of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.metrics.expression import RESAMPLES
from visavis.types import BoolArray
from visavis_train.expression.report.tables import NONE, Table
from visavis_train.expression.sparsity.face_parts import PARTS

# The parts that the network of "Sparse Attention to Emotion" looks at, according to the paper.
CLAIMED = ("eyes", "mouth", "cheeks")
CLAIM = "eyes, mouth and cheeks"
PAIRS = 100_000
# Batch of resamples: all at once would take hundreds of megabytes.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Ratio:
    """Kept tokens of a part relative to the expected number by its area.

    Attributes:
        value: 1 means chance level.
        interval_95: interval by bootstrap over faces.
    """

    value: float
    interval_95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class PartKept:
    """A part of the face and the tokens kept in it.

    Attributes:
        name: of :data:`PARTS`, or :data:`CLAIM`.
        of_picture: the part's share of all tokens.
        of_kept: the part's share of the kept tokens.
        ratio: ``of_kept`` over ``of_picture``.
        other_face: the same, if each face gets the kept tokens of another face.
        untrained: the same for the kept tokens of untrained networks.
        random: the same for equally many random tokens.
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
    """Similarity of two faces' kept tokens: intersection over union, mean over pairs.

    Attributes:
        same_label, other_label: for two faces with equal or different labels; None without such pairs.
        random: for two faces with equally many random tokens.
    """

    same_label: float | None
    other_label: float | None
    random: float


def by_chance(masks: BoolArray, seed: int = 0) -> BoolArray:
    """(N, cells) random cells, as many for each face as in ``masks``."""
    ranks = np.random.default_rng(seed).random(masks.shape).argsort(axis=1).argsort(axis=1)
    drawn: BoolArray = ranks < masks.sum(axis=1, keepdims=True)
    return drawn


def of_another(masks: BoolArray, seed: int = 0) -> BoolArray:
    """(N, cells) where each face has another face's row: a cyclic shift in random order."""
    order = np.random.default_rng(seed).permutation(len(masks))
    other = np.empty_like(masks)
    other[order] = masks[np.roll(order, 1)]
    return other


def on_parts(
    shares: NDArray[np.float64], masks: BoolArray, untrained: BoolArray, seed: int = 0
) -> list[PartKept]:
    """The parts of the face that the kept tokens show.

    Args:
        shares: (N, cells, 8) parts in each cell; see ``face_parts.cell_parts``.
        masks: (N, cells) the kept cells.
        untrained: (N, cells) the kept cells of untrained networks.
        seed: seed of controls and bootstrap.

    Returns:
        Each of :data:`PARTS`, then :data:`CLAIM`.
    """
    claimed = shares[:, :, [PARTS.index(part) for part in CLAIMED]].sum(axis=2, keepdims=True)
    shares = np.concatenate([shares, claimed], axis=2)
    all_cells = np.ones_like(masks)
    sets = (all_cells, masks, of_another(masks, seed), untrained, by_chance(masks, seed))
    width, kinds = shares.shape[2], len(sets)
    # For each face: the area of each part in the set, and the set's number of cells.
    areas = [np.einsum("nc,ncp->np", chosen, shares) for chosen in sets]
    values = np.concatenate([*areas, *(chosen.sum(axis=1, keepdims=True) for chosen in sets)], axis=1)
    totals = np.concatenate([values.sum(axis=0)[None], resampled_sums(values, seed)])
    parts = (
        totals[:, : kinds * width].reshape(-1, kinds, width)
        / np.maximum(totals[:, kinds * width :], 1e-12)[:, :, None]
    )
    # A part that no face shows gets no token: chance level.
    ratios = np.divide(parts[:, 1:], parts[:, :1], out=np.ones_like(parts[:, 1:]), where=parts[:, :1] > 0)
    lows, highs = np.quantile(ratios[1:], (0.025, 0.975), axis=0)

    def ratio(kind: int, part: int) -> Ratio:
        return Ratio(float(ratios[0, kind, part]), (float(lows[kind, part]), float(highs[kind, part])))

    return [
        PartKept(name, float(parts[0, 0, p]), float(parts[0, 1, p]), *(ratio(kind, p) for kind in range(4)))
        for p, name in enumerate((*PARTS, CLAIM))
    ]


def resampled_sums(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Sums (10,000, F) of N rows of (N, F), drawn 10,000 times with replacement."""
    rng, n = np.random.default_rng(seed), len(values)
    chances = np.full(n, 1 / n)
    draws = [rng.multinomial(n, chances, _CHUNK) @ values for _ in range(RESAMPLES // _CHUNK)]
    return np.concatenate(draws)


def kept_overlap(masks: BoolArray, labels: NDArray[np.int64]) -> Overlap:
    """Similarity of faces' kept tokens (N, cells), over 100,000 random pairs of different faces.

    Raises:
        InputError: there are fewer than two faces.
    """
    n = len(masks)
    if n < 2:
        raise InputError(f"found {n} faces; expected 2 or more")
    rng = np.random.default_rng(0)
    first = rng.integers(0, n, PAIRS)
    second = (first + rng.integers(1, n, PAIRS)) % n
    alike, same = _jaccard(masks, first, second), labels[first] == labels[second]
    return Overlap(
        float(alike[same].mean()) if same.any() else None,
        float(alike[~same].mean()) if not same.all() else None,
        float(_jaccard(by_chance(masks), first, second).mean()),
    )


def _jaccard(masks: BoolArray, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
    counts = masks.astype(np.float32)
    both = np.einsum("pc,pc->p", counts[first], counts[second])
    sizes = counts.sum(axis=1)
    return np.asarray(both / np.maximum(sizes[first] + sizes[second] - both, 1), np.float64)


def parts_table(parts: Sequence[PartKept]) -> Table:
    """Table of the parts that one layer's kept tokens show."""
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
    """One sentence on the similarity of two faces' kept tokens."""
    same, other = (NONE if v is None else f"{v:.1%}" for v in (found.same_label, found.other_label))
    return (
        f"Of the tokens kept for either of two faces, {same} are kept for both if the labels agree, {other} "
        f"if they differ, {found.random:.1%} at random."
    )


def _ratio(ratio: Ratio) -> str:
    low, high = ratio.interval_95
    return f"{ratio.value:.2f} ({low:.2f} to {high:.2f})"
