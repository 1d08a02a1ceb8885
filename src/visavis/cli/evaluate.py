"""Data with known answers in, how well a network does on them out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import output

if TYPE_CHECKING:
    from visavis.evaluation import Evaluation, Model

evaluate = typer.Typer(
    name="evaluate",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Measure a network on data with known answers.",
)


class Labels(StrEnum):
    """Which labels count as the truth."""

    OWN = "own"
    FERPLUS = "ferplus"


@evaluate.callback()
def _evaluate() -> None:
    """Measure a network on data with known answers."""


@evaluate.command()
def emotion(
    dataset: Annotated[
        Path, typer.Argument(help="A table or folder of labelled faces, as above.", readable=False)
    ],
    split: Annotated[
        str | None,
        typer.Option(
            help="Part of the data set.",
            show_default="PublicTest for FER-2013, validation for AffectNet, else test, or all there is",
        ),
    ] = None,
    labels: Annotated[
        Labels,
        typer.Option(help="own: the data set's; ferplus: FER+'s majority of 8, for FER-2013 with votes."),
    ] = Labels.OWN,
    model: Annotated[
        Path | None,
        typer.Option(
            help="An ONNX file made by visavis' export.", show_default="the embedded network", readable=False
        ),
    ] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Also read each face mirrored; average.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how well expressions are recognised.

    DATASET is FER-2013 (Kaggle's fer2013.csv, with FER+'s fer2013new.csv beside it if you have it, or
    Kaggle's folders), RAF-DB (list_patition_label.txt with the aligned pictures), AffectNet (training.csv,
    validation.csv and the pictures), or folders of pictures named by expressions, with or without splits
    above them.

    Examples:

        visavis evaluate emotion fer2013.csv --split PublicTest --json
        visavis evaluate emotion fer2013.csv --labels ferplus
        visavis evaluate emotion faces/ --split test --model mine.onnx
    """
    from visavis.datasets import ferplus
    from visavis.datasets.opening import find_dataset
    from visavis.evaluation import Model, evaluate, steps

    network = Model.embedded(mirror=mirror) if model is None else Model.load(model, mirror=mirror)
    found = find_dataset(dataset)
    faces = found.read(split)
    training = None
    if found.training_split not in (None, faces.split):
        training = found.read(found.training_split)
    if labels is Labels.FERPLUS:
        faces = ferplus.majority(faces)
    with output.progress("evaluate", steps(faces, training), "faces") as advance:
        result = evaluate(faces, network.classifier, training=training, on_step=advance)
    if as_json:
        output.print_json(evaluation_json(result, network))
    else:
        _print_result(result, network)


def evaluation_json(result: Evaluation, model: Model) -> dict[str, Any]:
    """What ``--json`` prints; null for the figures of a class without faces."""
    scores, duplicates = result.scores, result.duplicates
    columns = zip(result.names, scores.precision, scores.recall, scores.f1, scores.support, strict=True)
    return {
        "dataset": result.dataset,
        "split": result.split,
        "n": result.n,
        "left_out": dict(result.left_out),
        "accuracy": round(scores.accuracy, 4),
        "interval_95": [round(v, 4) for v in result.interval_95],
        "mean_accuracy": round(scores.mean_accuracy, 4),
        "macro_f1": round(scores.macro_f1, 4),
        "ece": round(result.calibration_error, 4),
        "labels": list(result.names),
        "per_class": {
            name: {
                "precision": _rounded(precision),
                "recall": _rounded(recall),
                "f1": _rounded(f1),
                "support": int(support),
            }
            for name, precision, recall, f1, support in columns
        },
        "confusion": result.confusion.tolist(),
        "duplicates": duplicates
        and {
            "in_training": duplicates.in_training,
            "n_without": duplicates.n,
            "accuracy_without": _rounded(duplicates.accuracy),
        },
        "model": {
            "name": model.name,
            "bytes": model.size_bytes,
            "parameters": model.parameters,
            "sha256": model.sha256,
            "mirror": model.classifier.mirror,
        },
        "ms_per_face": round(result.ms_per_face, 3),
    }


def _rounded(value: float | None) -> float | None:
    """Four digits; None where there is no value."""
    return None if value is None or value != value else round(float(value), 4)


def _print_result(result: Evaluation, model: Model) -> None:
    scores, (low, high) = result.scores, result.interval_95
    output.print_line(f"{result.dataset}, {result.split}: {result.n} faces" + _left_out(result))
    output.print_line(
        f"accuracy {scores.accuracy:.2%} (95% interval {low:.2%} to {high:.2%}), mean over classes "
        f"{scores.mean_accuracy:.2%}, macro F1 {scores.macro_f1:.2%}, ECE {result.calibration_error:.2%}"
    )
    if (twice := result.duplicates) and twice.accuracy is not None:
        output.print_line(
            f"without {twice.in_training} faces that training shows too: {twice.accuracy:.2%} of {twice.n}"
        )
    size = "" if model.parameters is None else f", {model.parameters / 1e6:.2f} M parameters"
    output.print_line(
        f"{model.name}: {model.size_bytes / 1e6:.2f} MB{size}, "
        f"{result.ms_per_face:.2f} ms a face on one thread"
    )
    columns = zip(result.names, scores.precision, scores.recall, scores.f1, scores.support, strict=True)
    rows = [[name, *(_percent(v) for v in (p, r, f1)), str(n)] for name, p, r, f1, n in columns]
    output.print_table(["%", "precision", "recall", "F1", "faces"], rows)
    # A column is as wide as a count, so names are cut; their order is that of the rows.
    shares = [
        [name, *("-" if n == 0 else f"{100 * count / n:.0f}" for count in row)]
        for name, row, n in zip(result.names, result.confusion, scores.support, strict=True)
    ]
    output.print_table(["% answered", *(name[:4] for name in result.names)], shares)


def _percent(value: float) -> str:
    return "-" if value != value else f"{100 * value:.1f}"


def _left_out(result: Evaluation) -> str:
    if not result.left_out:
        return ""
    return "; left out: " + ", ".join(f"{count} {why}" for why, count in result.left_out.items())
