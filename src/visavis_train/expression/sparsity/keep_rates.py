"""The command ``visavis lab keep-rates``: accuracy and cost of one network at all its keep rates.

It measures ``expression_sparse.onnx`` of the run folder, one set of weights, at every rate. It writes one
JSON file, and the text between the marks of a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from visavis.base import networks
from visavis.base.clock import SystemClock
from visavis.base.console import progress
from visavis.base.networks import session_of
from visavis.base.reading import read_bytes
from visavis.datasets.faces import LabeledFaces
from visavis.errors import InputError
from visavis.evaluate.bench import Timing
from visavis.evaluate.expressions import predict_labels
from visavis.expression.classifier import ExpressionClassifier
from visavis.expression.sparse import NAME, SparseClassifier
from visavis_train.expression.models.cost import cost
from visavis_train.expression.models.sparse import SparseNet
from visavis_train.expression.quantize.comparison import WARM_UP_CALLS, time_in_turn
from visavis_train.expression.release import export_network
from visavis_train.expression.report.by_class import ByClass
from visavis_train.expression.report.tables import NONE, Table
from visavis_train.expression.run_folder import is_embedded, load_run
from visavis_train.expression.sparsity.kept import drop_tokens
from visavis_train.loop.marks import measured_on
from visavis_train.loop.paired import Paired

RESULTS = Path("benchmarks/results/keep_rates.json")
PAGE = Path("docs/reference/sparse.md")
MARKS = ("<!-- keep rates: by visavis lab keep-rates -->", "<!-- end of keep rates -->")
RATES = (1.0, 0.9, 0.6, 0.3, 0.1)


@dataclass(frozen=True, slots=True)
class AtRate:
    """Accuracy and cost of one keep rate.

    Attributes:
        rate: the keep rate.
        tokens: number of kept tokens besides CLS.
        macs: multiply-accumulates of the whole network for one face.
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


def open_run(run: Path) -> tuple[SparseNet, int]:
    """The network of a run and the side of its pictures in pixels.

    Raises:
        InputError: there is no run of kind sparse.
    """
    network, side_px = load_run(run)
    if not isinstance(network, SparseNet):
        raise InputError(f"{run}: its network drops no tokens; name a run with model.kind = 'sparse'")
    return network, side_px


def costs_by_rate(network: SparseNet, side_px: int, rates: Sequence[float]) -> dict[float, int]:
    """Keep rate -> multiply-accumulates for one face."""
    found = {}
    for rate in rates:
        drop_tokens(network, rate, None)
        found[rate] = cost(network, side_px).macs
    return found


def whole(network: SparseNet, side_px: int) -> ExpressionClassifier:
    """The network exported for keeping all tokens: nothing is scored, sorted or gathered."""
    drop_tokens(network, 1.0, None)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "whole.onnx"
        export_network(network, file, side_px)
        return ExpressionClassifier(session_of(file.read_bytes(), "the whole network"))


def read_network(run: Path) -> bytes:
    """The ONNX file of a run, or an embedded one, with the number of tokens as an input.

    Raises:
        InputError: the run has no such file.
    """
    if is_embedded(run):
        return networks.read(str(run))
    file = run / f"{NAME}.onnx"
    return read_bytes(file, "a finished run with training.keep_rates")


def compare_keep_rates(run: Path, faces: LabeledFaces, calls: int) -> tuple[dict[str, Any], list[str]]:
    """Measure a run's network; returns the JSON values and the Markdown between the marks.

    Raises:
        InputError: the run has no such network, or a picture cannot be read.
        WeightsError: its network is of another kind.
    """
    (net, side_px), network = open_run(run), read_network(run)
    macs = costs_by_rate(net, side_px, RATES)
    readers = {rate: SparseClassifier(session_of(network, "the sparse network"), rate) for rate in RATES}
    total = len(RATES) * len(faces) + WARM_UP_CALLS + calls
    with progress("keep rates", total, "faces") as advance:
        answers = [predict_labels(faces, reader, advance).argmax(axis=1) for reader in readers.values()]
        timed = readers | {1.0: whole(net, side_px)}
        latency = time_in_turn(faces, timed, calls, SystemClock(), advance)
    right = [found == faces.labels for found in answers]
    rows = [
        AtRate(
            rate,
            reader.count(rate),
            macs[rate],
            ByClass.of(faces.labels, found, faces.names),
            Paired.of(f"{rate:g}", f"{RATES[0]:g}", found, right[0]),
            latency[rate],
        )
        for (rate, reader), found in zip(readers.items(), right, strict=True)
    ]
    result: dict[str, Any] = {
        **measured_on(faces),
        "run": run.name,
        "rates": [asdict(row) for row in rows],
    }
    lines = [
        f"{run.name}: {faces.name}, {faces.split}, {len(faces)} faces; "
        f"{result['machine']['processor']}, one thread, batch 1; commit {result['commit'][:12]}.",
        "",
        *rates_table(rows).markdown().splitlines(),
        "",
        "Keep rate 1 is timed with the network without pruning.",
    ]
    return result, lines


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
