"""Value and cost of one network's keep rates, and of a second pass at unsure faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from visavis.datasets.faces import LabeledFaces
from visavis.evaluate.bench import Timing
from visavis.expression.sparse import Keep
from visavis.types import BoolArray, FloatArray
from visavis_train.expression.report.by_class import ByClass
from visavis_train.expression.report.tables import NONE, Table
from visavis_train.loop.paired import Paired

# Tried thresholds: a first pass with this probability needs no second pass.
SURE = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """A network's answers for N faces at one keep rate.

    Attributes:
        rate: the keep rate.
        tokens: number of kept tokens besides CLS.
        macs: multiply-accumulates of the whole network for one face.
        right: (N,) whether the answered label is right.
        confidence: (N,) probability of the most probable of the 8 expressions.
    """

    rate: float
    tokens: int
    macs: int
    right: BoolArray
    confidence: FloatArray


@dataclass(frozen=True, slots=True)
class AtRate:
    """Accuracy and cost of one keep rate.

    Attributes:
        rate, tokens, macs: see :class:`Answered`.
        scores: accuracy in the paper's three ways.
        paired: comparison with the highest keep rate, on the same faces.
        latency: one face at a time in ONNX Runtime, on one thread, all rates in turn.
    """

    rate: float
    tokens: int
    macs: int
    scores: ByClass
    paired: Paired
    latency: Timing


@dataclass(frozen=True, slots=True)
class SecondPass:
    """Accuracy and cost of a second pass at unsure faces.

    Attributes:
        keep: rates of both looks, and the threshold for a second pass.
        twice: share of the faces with a second pass.
        macs: mean multiply-accumulates for one face.
        accuracy: accuracy over all faces, 0..1.
        paired: comparison with a single look at the highest keep rate.
    """

    keep: Keep
    twice: float
    macs: float
    accuracy: float
    paired: Paired


def at_rates(
    faces: LabeledFaces, answers: Sequence[Answered], latency: Mapping[float, Timing]
) -> list[AtRate]:
    """Every rate, measured; ``answers`` begin with the highest."""
    first = answers[0]
    return [
        AtRate(
            each.rate,
            each.tokens,
            each.macs,
            ByClass.of(faces.labels, each.right, faces.names),
            Paired.of(f"{each.rate:g}", f"{first.rate:g}", each.right, first.right),
            latency[each.rate],
        )
        for each in answers
    ]


def second_passes(answers: Sequence[Answered], sure: Sequence[float] = SURE) -> list[SecondPass]:
    """Every pair of rates with every threshold; ``answers`` begin with the highest rate."""
    found = []
    for more, few in combinations(answers, 2):
        for threshold in sure:
            again = few.confidence < threshold
            right = np.where(again, more.right, few.right)
            twice = float(again.mean())
            keep = Keep(few.rate, more.rate, threshold)
            name = f"{few.rate:g}, then {more.rate:g}"
            paired = Paired.of(name, f"{answers[0].rate:g}", right, answers[0].right)
            found.append(SecondPass(keep, twice, few.macs + twice * more.macs, float(right.mean()), paired))
    return found


def frontier(options: Sequence[SecondPass], steady: Sequence[Answered]) -> list[SecondPass]:
    """Second passes that no equally cheap way, fixed rates too, matches in accuracy; cheapest first."""
    best, kept = -1.0, []
    others = [(each.macs, float(each.right.mean())) for each in steady]
    for each in sorted(options, key=lambda option: (option.macs, -option.accuracy)):
        best = max([best, *(accuracy for macs, accuracy in others if macs <= each.macs)])
        if each.accuracy > best:
            kept.append(each)
            best = each.accuracy
    return kept


def rates_table(rows: Sequence[AtRate]) -> Table:
    """Table of each keep rate's accuracy and cost."""
    heads = (
        "keep rate",
        "tokens",
        "accuracy % (95%)",
        "mean over classes % (95%)",
        "against the first, points (95%)",
        "MMAC",
        "of the first",
        "ms p50",
        "ms p95",
        "times as fast",
    )
    first = rows[0]
    return Table(
        heads,
        tuple(
            (
                f"{row.rate:g}",
                str(row.tokens),
                row.scores.overall.percent,
                row.scores.mean.percent,
                NONE if row is first else row.paired.points,
                f"{row.macs / 1e6:.1f}",
                f"{row.macs / first.macs:.0%}",
                f"{row.latency.p50_ms:.2f}",
                f"{row.latency.p95_ms:.2f}",
                f"{first.latency.p50_ms / row.latency.p50_ms:.2f}",
            )
            for row in rows
        ),
    )


def adaptive_table(options: Sequence[SecondPass], first: AtRate) -> Table:
    """Table of the accuracy and cost of second passes."""
    heads = (
        "first pass",
        "second pass",
        "sure from",
        "read twice",
        "accuracy %",
        "against the first rate, points (95%)",
        "MMAC, mean",
        "of the first",
    )
    return Table(
        heads,
        tuple(
            (
                f"{each.keep.rate:g}",
                f"{each.keep.more:g}",
                f"{each.keep.sure:g}",
                f"{each.twice:.0%}",
                f"{100 * each.accuracy:.1f}",
                each.paired.points,
                f"{each.macs / 1e6:.1f}",
                f"{each.macs / first.macs:.0%}",
            )
            for each in options
        ),
    )


def rates_json(rows: Sequence[AtRate], options: Sequence[SecondPass]) -> dict[str, Any]:
    """JSON values."""
    return {"rates": [asdict(row) for row in rows], "adaptive": [asdict(each) for each in options]}
