"""The command ``visavis quantize``: one quantised network that passes the gate, or a table of all methods.

``visavis quantize NET.onnx|RUN_DIR --method int8 --data DATASET --out Q.onnx [--max-loss 0.5] [--json]``
``visavis quantize NET.onnx|RUN_DIR --compare --data DATASET [--json]``
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from visavis.base import console
from visavis.base.files import require_outputs, whole_file
from visavis.base.machine import machine, versions
from visavis.datasets.registry import find_dataset
from visavis.errors import InputError, VisavisError
from visavis.types import ImageArray
from visavis_train.expression.quantize.comparison import (
    THREADS,
    ComparedNetwork,
    compare_candidates,
    compare_steps,
    right_answers,
)
from visavis_train.expression.quantize.methods import METHODS, Candidate, calibration_faces, quantized
from visavis_train.expression.quantize.network import Network
from visavis_train.loop.paired import Paired

# Accuracies with a smaller difference count as equal.
_ROUNDING = 1e-9
# Even if no answer of so many faces differs, half a point of them may (3 / n, 95%).
FEW = 600


def quantize_network(
    network: Path, method: str, data: Path, split: str | None, out: Path, max_loss: float
) -> dict[str, Any]:
    """Quantise, measure on a split, and write if the loss is at most ``max_loss`` points.

    Raises:
        InputError: the loss of accuracy is larger, or a file cannot be read or written.
        WeightsError: the network is not an expression network.
    """
    if not 0 <= max_loss <= 100:
        raise InputError(f"--max-loss is {max_loss:g}; expected points of accuracy, 0 to 100")
    original = Network.load(network)
    require_outputs([(out, (".onnx",))], [original.path])
    found = find_dataset(data)
    faces = found.read(split)
    base = Candidate("fp32", original.data)
    side_px = base.open(1).side_px
    made = quantized(method, original, lambda: calibration_faces(found, side_px))
    with console.progress("measure", 2 * len(faces), "faces") as advance:
        before, after = (right_answers(faces, each, advance) for each in (base, made))
    paired = Paired.of(method, "fp32", after, before)
    if -paired.difference > max_loss / 100 + _ROUNDING:
        raise InputError(
            f"{method} loses {-100 * paired.difference:.2f} points on {faces.name}, {faces.split} "
            f"({before.mean():.2%} to {after.mean():.2%}); --max-loss allows {max_loss:g}, so nothing was "
            "written: take another method, or allow more"
        )
    with whole_file(out) as partial:
        partial.write_bytes(made.data)
    return {
        "network": str(original.path),
        "method": method,
        "out": str(out),
        "bytes": len(made.data),
        "ratio": round(len(original.data) / len(made.data), 3),
        "sha256": hashlib.sha256(made.data).hexdigest(),
        "dataset": faces.name,
        "split": faces.split,
        "n": len(faces),
        "accuracy_fp32": round(float(before.mean()), 4),
        "accuracy": round(float(after.mean()), 4),
        **_change(paired),
        "max_loss": max_loss,
    }


def compare_all(network: Path, data: Path, split: str | None) -> dict[str, Any]:
    """Measure every method that this network and this installation allow, for one table.

    Raises:
        InputError: a file cannot be read.
        WeightsError: the network is not an expression network.
    """
    original = Network.load(network)
    found = find_dataset(data)
    faces = found.read(split)
    candidates, left_out = [Candidate("fp32", original.data)], {}
    side_px = candidates[0].open(1).side_px

    @cache
    def training() -> ImageArray:
        return calibration_faces(found, side_px)

    for method in METHODS:
        console.print_note(f"quantising: {method}")
        try:
            candidates.append(quantized(method, original, training))
        except VisavisError as error:
            left_out[method] = str(error)
    with console.progress("measure", compare_steps(len(faces), len(candidates)), "steps") as advance:
        variants = compare_candidates(faces, candidates, on_step=advance)
    return {
        "network": {
            "name": original.path.name,
            "bytes": len(original.data),
            "sha256": hashlib.sha256(original.data).hexdigest(),
        },
        "dataset": faces.name,
        "split": faces.split,
        "n": len(faces),
        "machine": machine(),
        "versions": versions(),
        "variants": [_row(variant, variants[0]) for variant in variants],
        "left_out": left_out,
    }


def _change(paired: Paired) -> dict[str, Any]:
    return {
        "change_points": round(100 * paired.difference, 2),
        "interval_95_points": [round(100 * bound, 2) for bound in paired.interval_95],
    }


def _row(variant: ComparedNetwork, base: ComparedNetwork) -> dict[str, Any]:
    return {
        "name": variant.name,
        "what": METHODS.get(variant.name, "32 bits, as it was"),
        "bytes": variant.size_bytes,
        "ratio": round(base.size_bytes / variant.size_bytes, 3),
        "accuracy": round(variant.accuracy, 4),
        **_change(variant.paired),
        "latency_ms": {
            str(threads): {"p50": round(time.p50_ms, 3), "p95": round(time.p95_ms, 3), "calls": time.calls}
            for threads, time in variant.latency.items()
        },
        "speed_up": {
            str(threads): round(base.latency[threads].p50_ms / variant.latency[threads].p50_ms, 3)
            for threads in THREADS
        },
    }


def _doubt(faces: int) -> None:
    """Say how little few faces tell: even if none of n was read differently, 3 / n may be (95%)."""
    if faces < FEW:
        console.print_note(
            f"{faces} faces are too few for a reliable interval: even if no answer differs here, the true "
            f"change may be up to {min(300 / faces, 100):.1f} points; measure {FEW} faces or more"
        )


def print_comparison(facts: Mapping[str, Any]) -> None:
    """Print the results of :func:`compare_all`."""
    console.print_line(
        f"{facts['network']['name']} on {facts['dataset']}, {facts['split']}: {facts['n']} faces"
    )
    rows = []
    for row in facts["variants"]:
        low, high = row["interval_95_points"]
        measured = (row["latency_ms"][str(threads)] for threads in THREADS)
        times = [f"{ms['p50']:.2f}, {ms['p95']:.2f}" for ms in measured]
        change = f"{row['change_points']:+z.2f} ({low:+z.2f} to {high:+z.2f})"
        shown = [f"{row['bytes'] / 1e6:.2f}", f"{row['ratio']:.2f}", f"{100 * row['accuracy']:.2f}", change]
        rows.append([row["name"], *shown, *times])
    console.print_line("times smaller than 32 bits; ms per face: p50, p95")
    columns = [f"ms, {threads} thr." for threads in THREADS]
    console.print_table(["", "MB", "times", "% right", "points (95%)", *columns], rows)
    _doubt(facts["n"])
    for method, reason in facts["left_out"].items():
        console.print_note(f"{method} is left out: {reason}")


def print_change(facts: Mapping[str, Any]) -> None:
    """Print the results of :func:`quantize_network`."""
    low, high = facts["interval_95_points"]
    console.print_line(
        f"{facts['out']}: {facts['bytes'] / 1e6:.2f} MB, {facts['ratio']:.2f} times smaller than in 32 bits; "
        f"accuracy {facts['accuracy']:.2%} on {facts['dataset']}, {facts['split']}: "
        f"{facts['change_points']:+z.2f} points (95% interval {low:+z.2f} to {high:+z.2f})"
    )
    _doubt(facts["n"])
