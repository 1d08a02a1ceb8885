"""The command ``visavis evaluate robustness``: how well a network reads degraded faces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.base import console
from visavis.base.words import counted
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

if TYPE_CHECKING:
    from visavis.evaluate.expressions import Model
    from visavis.evaluate.robustness import Robustness, Score


def robustness(
    dataset: DatasetArgument,
    split: SplitOption = None,
    labels: LabelsOption = "own",
    limit: Annotated[
        int | None,
        typer.Option(help="Read this many faces, drawn at random.", show_default="all", min=1),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of this draw and of the corruptions.", min=0)] = 0,
    plot: Annotated[
        Path | None, typer.Option(help="Also draw the results into this SVG file.", show_default="none")
    ] = None,
    model: ModelOption = None,
    keep: KeepOption = None,
    mirror: MirrorOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure how well expressions are recognised on degraded faces.

    The faces are darkened, lit by a spot, blurred, moved, covered at the eyes or the mouth, turned,
    compressed, shrunk and made noisy, each at three severities. DATASET is as for `visavis evaluate
    expressions`.

    Examples:

        visavis evaluate robustness fer2013.csv --plot robustness.svg
        visavis evaluate robustness fer2013.csv --limit 1000 --json
    """
    from visavis.base.files import require_writable
    from visavis.datasets.registry import find_dataset
    from visavis.drawing.svg import save_svg, svg_path
    from visavis.evaluate.figures import robustness_figure
    from visavis.evaluate.robustness import measure_robustness, robustness_steps, sample

    target = plot and svg_path(plot)
    if target is not None:
        require_writable(target)
    network = open_model(model, keep, mirror)
    faces = read_faces(find_dataset(dataset), split, labels)
    if limit is not None:
        faces = sample(faces, limit, seed)
    with console.progress("evaluate", robustness_steps(faces), "batches") as advance:
        result = measure_robustness(faces, network.classifier, seed=seed, on_step=advance)
    if as_json:
        console.print_json(robustness_json(result, network, limit))
    else:
        _print_result(result, network)
    if target is not None:  # Last: a full disk must not cost the figures.
        save_svg(target, robustness_figure(result))


def robustness_json(result: Robustness, model: Model, limit: int | None) -> dict[str, Any]:
    """What ``--json`` prints."""
    from visavis.evaluate.corruptions import CORRUPTIONS

    return {
        "dataset": result.dataset,
        "split": result.split,
        "n": result.n,
        "limit": limit,
        "seed": result.seed,
        "clean": _score_json(result.clean),
        "mean_corrupted_accuracy": round(result.mean_accuracy, 4),
        "corruptions": {
            name: {"unit": CORRUPTIONS[name].unit, "severities": [_score_json(score) for score in scores]}
            for name, scores in result.corrupted.items()
        },
        "model": model_json(model),
    }


def _score_json(score: Score) -> dict[str, Any]:
    return {
        "severity": score.severity,
        "level": score.level,
        "accuracy": round(score.accuracy, 4),
        "interval_95": [round(value, 4) for value in score.interval_95],
        "mean_accuracy": round(score.mean_accuracy, 4),
        "kept": round(score.kept, 4),
    }


def _print_result(result: Robustness, model: Model) -> None:
    from visavis.evaluate.corruptions import CORRUPTIONS, SEVERITIES

    low, high = result.clean.interval_95
    console.print_line(
        f"{result.dataset}, {result.split}: {counted(result.n, 'face')}, {model.name}, seed {result.seed}"
    )
    console.print_line(
        f"accuracy {result.clean.accuracy:.2%} (95% interval {low:.2%} to {high:.2%}) as they are, "
        f"{result.mean_accuracy:.2%} in the mean of all that follows"
    )
    rows = [
        [f"{name}, {CORRUPTIONS[name].unit}", *(f"{s.level:g}: {100 * s.accuracy:.1f}" for s in scores)]
        for name, scores in result.corrupted.items()
    ]
    console.print_table(["level: % right", *(f"severity {severity}" for severity in SEVERITIES)], rows)
