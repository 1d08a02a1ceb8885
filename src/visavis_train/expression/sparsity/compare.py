"""Comparison of networks that keep more and fewer tokens: accuracy, cost and time.

The tables are Tables I and II of "Sparse Attention to Emotion", with added intervals, costs and times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from visavis.base.clock import SystemClock
from visavis.datasets.faces import LabeledFaces
from visavis.evaluate.bench import Timing
from visavis_train.expression.quantize.comparison import TIMED_CALLS, interleaved, right_answers
from visavis_train.expression.quantize.methods import Candidate
from visavis_train.expression.report.by_class import ByClass, Share
from visavis_train.expression.report.tables import NONE, Table
from visavis_train.expression.sparsity.memory import inference_bytes
from visavis_train.loop.paired import Paired

# Placeholder for figures on a data set with access on request.
NEEDS_DATA = "needs the data set"


@dataclass(frozen=True, slots=True)
class Variant:
    """A network of the comparison.

    Attributes:
        name: a unique name.
        method, keep: which tokens it removes, and its keep rate.
        seed: seed of its training.
        parameters: number of learned numbers.
        macs: multiply-accumulates for one face, counted by torch, all of the network.
        macs_equation_4: only for its transformer's layers, by the paper's formula.
        network: the whole ONNX file.
    """

    name: str
    method: str
    keep: float
    seed: int
    parameters: int
    macs: int
    macs_equation_4: int
    network: bytes


@dataclass(frozen=True, slots=True)
class Compared:
    """Accuracy and cost of a network.

    Attributes:
        variant: the network.
        scores: accuracy in the paper's three ways.
        paired: comparison with the first network of the same seed, on the same faces.
        latency: one face at a time in ONNX Runtime, on one thread, all networks in turn.
        memory_bytes: memory that opening it and reading faces add to a process; None if unknown.
        elsewhere: accuracy on a second data set, RAF-DB; None if there is none.
    """

    variant: Variant
    scores: ByClass
    paired: Paired
    latency: Timing
    memory_bytes: int | None
    elsewhere: Share | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        variant = self.variant
        facts = {key: getattr(variant, key) for key in Variant.__dataclass_fields__ if key != "network"}
        return facts | {
            "bytes": len(variant.network),
            "overall": asdict(self.scores.overall),
            "mean": asdict(self.scores.mean),
            "classes": {name: asdict(share) for name, share in self.scores.classes.items()},
            "against_first": asdict(self.paired),
            "latency": asdict(self.latency),
            "memory_bytes": self.memory_bytes,
            "raf_db": None if self.elsewhere is None else asdict(self.elsewhere),
        }


def compare_variants(
    faces: LabeledFaces,
    variants: Sequence[Variant],
    *,
    second: LabeledFaces | None = None,
    calls: int = TIMED_CALLS,
    on_step: Callable[[], None] = lambda: None,
) -> list[Compared]:
    """Measure networks, and compare each with the first one of its seed.

    Args:
        faces: the split.
        variants: at least one, with different names.
        second: a split of RAF-DB, for accuracy alone.
        calls: number of timed single faces, after 20 to warm up.
        on_step: called once for a face (of both data sets) and network, and once for a timed face and those
            to warm up.
    """
    candidates = [Candidate(variant.name, variant.network) for variant in variants]
    right = [right_answers(faces, candidate, on_step) for candidate in candidates]
    elsewhere = [
        None if second is None else Share.of(right_answers(second, candidate, on_step))
        for candidate in candidates
    ]
    latency = interleaved(faces, candidates, calls, SystemClock(), on_step)
    firsts: dict[int, int] = {}
    for place, variant in enumerate(variants):
        firsts.setdefault(variant.seed, place)
    return [
        Compared(
            variant,
            ByClass.of(faces.labels, found, faces.names),
            Paired.of(variant.name, variants[firsts[variant.seed]].name, found, right[firsts[variant.seed]]),
            latency[variant.name][1],
            inference_bytes(variant.network),
            share,
        )
        for variant, found, share in zip(variants, right, elsewhere, strict=True)
    ]


def costs_table(compared: Sequence[Compared]) -> Table:
    """Accuracy and cost of each network."""
    first = compared[0]
    heads = (
        "network",
        "keep rate",
        "seed",
        "accuracy % (95%)",
        "mean over classes % (95%)",
        "against the first, points (95%)",
        "parameters",
        "MMAC",
        "of the first",
        "MMAC by Eq. 4",
        "ms p50",
        "ms p95",
        "times as fast",
        "MB of memory",
        "RAF-DB %",
    )
    rows = tuple(
        (
            each.variant.name,
            f"{each.variant.keep:g}",
            str(each.variant.seed),
            each.scores.overall.percent,
            each.scores.mean.percent,
            NONE if each.paired.first == each.paired.second else each.paired.points,
            str(each.variant.parameters),
            f"{each.variant.macs / 1e6:.1f}",
            f"{each.variant.macs / first.variant.macs:.0%}",
            f"{each.variant.macs_equation_4 / 1e6:.1f}",
            f"{each.latency.p50_ms:.2f}",
            f"{each.latency.p95_ms:.2f}",
            f"{first.latency.p50_ms / each.latency.p50_ms:.2f}",
            NONE if each.memory_bytes is None else f"{each.memory_bytes / 1e6:.1f}",
            NEEDS_DATA if each.elsewhere is None else each.elsewhere.percent,
        )
        for each in compared
    )
    return Table(heads, rows)


def classes_table(compared: Sequence[Compared]) -> Table:
    """Each network's accuracy on the faces of each class, in percent with its interval."""
    names = tuple(compared[0].scores.classes)
    rows = tuple(
        (each.variant.name, *(each.scores.classes[name].percent for name in names)) for each in compared
    )
    return Table(("network", *names), rows)
