"""Value and cost of one network's keep rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from visavis.datasets.faces import LabeledFaces
from visavis.evaluate.bench import Timing
from visavis.types import BoolArray
from visavis_train.expression.report.by_class import ByClass
from visavis_train.expression.report.tables import NONE, Table
from visavis_train.loop.paired import Paired


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """A network's answers for N faces at one keep rate.

    Attributes:
        rate: the keep rate.
        tokens: number of kept tokens besides CLS.
        macs: multiply-accumulates of the whole network for one face.
        right: (N,) whether the answered label is right.
    """

    rate: float
    tokens: int
    macs: int
    right: BoolArray


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
