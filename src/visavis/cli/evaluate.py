"""The commands ``visavis evaluate``: how well networks do on data with known answers."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from visavis.base import console
from visavis.base.words import counted, rounded, shown
from visavis.cli.evaluate_dyads import dyads
from visavis.cli.evaluate_face import face
from visavis.cli.evaluate_mirror import mirror
from visavis.cli.evaluate_reaction import reaction
from visavis.cli.evaluate_voices import voices
from visavis.cli.labeled import (
    DatasetArgument,
    JsonOption,
    LabelsOption,
    MirrorOption,
    ModelOption,
    SplitOption,
    model_json,
    open_model,
    read_faces,
)
from visavis.cli.recognizer import KeepOption
from visavis.cli.robustness import robustness

if TYPE_CHECKING:
    from visavis.evaluate.expressions import Evaluation, Model

evaluate = typer.Typer(
    name="evaluate",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Measure a network on data with known answers.",
)


@evaluate.callback()
def _evaluate() -> None:
    """Measure a network on data with known answers."""


@evaluate.command()
def expressions(
    dataset: DatasetArgument,
    split: SplitOption = None,
    labels: LabelsOption = "own",
    model: ModelOption = None,
    keep: KeepOption = None,
    mirror: MirrorOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure how well expressions are recognised.

    DATASET is FER-2013 (Kaggle's fer2013.csv, if you like with FER+'s fer2013new.csv in the same folder, or
    Kaggle's folders), RAF-DB (list_patition_label.txt with the aligned pictures), AffectNet (training.csv,
    validation.csv and the pictures), or one folder of pictures for each expression, with or without folders
    for splits above them.

    Examples:

        visavis evaluate expressions fer2013.csv --split PublicTest --json
        visavis evaluate expressions fer2013.csv --labels ferplus
        visavis evaluate expressions faces/ --split test --model mine.onnx
        visavis evaluate expressions fer2013.csv --model sparse --keep 0.3
    """
    from visavis.datasets.registry import find_dataset
    from visavis.evaluate.expressions import evaluate, evaluate_steps

    network = open_model(model, keep, mirror)
    found = find_dataset(dataset)
    faces, training = read_faces(found, split, labels), None
    if found.training_split not in (None, faces.split):
        training = found.read(found.training_split)
    with console.progress("evaluate", evaluate_steps(faces, training), "faces") as advance:
        result = evaluate(faces, network.classifier, training=training, on_step=advance)
    if as_json:
        console.print_json(evaluation_json(result, network))
    else:
        _print_result(result, network)


evaluate.command()(face)
evaluate.command()(mirror)
evaluate.command()(robustness)
evaluate.command()(reaction)
evaluate.command()(dyads)
evaluate.command()(voices)


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
                "precision": rounded(precision),
                "recall": rounded(recall),
                "f1": rounded(f1),
                "support": int(support),
            }
            for name, precision, recall, f1, support in columns
        },
        "confusion": result.confusion.tolist(),
        "duplicates": duplicates
        and {
            "in_training": duplicates.in_training,
            "n_without": duplicates.n,
            "accuracy_without": rounded(duplicates.accuracy),
        },
        "model": model_json(model),
        "ms_per_face": round(result.ms_per_face, 3),
        "repeats": asdict(result.repeats),
        "tokens": result.tokens_kept and {"kept": rounded(result.tokens_kept)},
    }


def _print_result(result: Evaluation, model: Model) -> None:
    scores, (low, high) = result.scores, result.interval_95
    console.print_line(f"{result.dataset}, {result.split}: {counted(result.n, 'face')}" + _left_out(result))
    console.print_line(
        f"accuracy {scores.accuracy:.2%} (95% interval {low:.2%} to {high:.2%}), mean over classes "
        f"{scores.mean_accuracy:.2%}, macro F1 {scores.macro_f1:.2%}, ECE {result.calibration_error:.2%}"
    )
    if (twice := result.duplicates) and twice.in_training and twice.accuracy is not None:
        console.print_line(
            f"without {counted(twice.in_training, 'face')} that training shows too: "
            f"{twice.accuracy:.2%} of {twice.n}"
        )
    if (repeats := result.repeats).pictures:
        console.print_line(
            f"{counted(repeats.pictures, 'repeated picture')} in {result.split}, as {repeats.faces} faces; "
            f"{repeats.pictures_with_other_labels} of them with different labels"
        )
    size = "" if model.parameters is None else f", {model.parameters / 1e6:.2f} M parameters"
    console.print_line(
        f"{model.name}: {model.size_bytes / 1e6:.2f} MB{size}, "
        f"{result.ms_per_face:.2f} ms per face on one thread"
    )
    if kept := result.tokens_kept:
        console.print_line(f"{kept:.1%} of the tokens kept")
    columns = zip(result.names, scores.precision, scores.recall, scores.f1, scores.support, strict=True)
    rows = [[name, *(shown(v, 1, 100) for v in (p, r, f1)), str(n)] for name, p, r, f1, n in columns]
    console.print_table(["%", "precision", "recall", "F1", "faces"], rows)
    # A column is as wide as a count, so names are cut; columns have the order of the rows.
    shares = [
        [name, *("-" if n == 0 else f"{100 * count / n:.0f}" for count in row)]
        for name, row, n in zip(result.names, result.confusion, scores.support, strict=True)
    ]
    console.print_table(["% answered", *(name[:4] for name in result.names)], shares)


def _left_out(result: Evaluation) -> str:
    if not result.left_out:
        return ""
    return "; left out: " + ", ".join(f"{count} {why}" for why, count in result.left_out.items())
