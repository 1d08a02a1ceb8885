"""The commands that make networks: ``visavis train``, ``export``, ``quantize`` and ``report``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, Literal

import typer

from visavis.errors import InputError
from visavis_train.commands.shared import NOTHING_WRITTEN, interrupted_says

# Each task's module; its ``TASK`` says the rest.
TASKS = {
    "expression": "expression.task",
    "pretraining": "expression.pretraining",
    "face": "face.face_task",
    "detector": "face.detector_task",
    "tokenizer": "tokenizer.task",
    "calls": "listener.calls",
    "listener": "listener.task",
    "voice": "voice.task",
}
# The recipe for a user's own faces.
OWN_FACES = Path(__file__).parents[1] / "expression" / "own_faces.toml"
# How to use the results of the tasks without --install.
ELSEWHERE = {
    "face": "install its result by  visavis lab export-face",
    "detector": "install its result by  visavis lab export-detector",
    "pretraining": "an expression run's init takes its result",
}
DataSet = Annotated[
    Path | None,
    typer.Option(metavar="DATASET", help="Measure all runs on this data set.", show_default="each run's own"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

QuantizationMethod = Literal["int8", "int4", "nf4"]


@interrupted_says("interrupted: --resume goes on after the last finished epoch or round, if there is one")
def train(
    experiment: Annotated[
        Path | None,
        typer.Argument(
            help="A TOML file, such as experiments/fer_first.toml.",
            show_default="with --data: a recipe for your own faces",
        ),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(metavar="DATASET", help="Data set, in place of the file's; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="RUN_DIR", help="Run folder, in place of the file's.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the run folder's last checkpoint.")
    ] = False,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a value of the file; may be repeated."),
    ] = None,
    install: Annotated[
        bool,
        typer.Option(
            "--install",
            help="Put the network into the package (expression, tokenizer, calls, listener, voice).",
        ),
    ] = False,
) -> None:
    """Train the network of an experiment file. Needs the extra `train`.

    Without a file, the embedded recogniser is trained further on your own labelled faces: any data set that
    `visavis evaluate expressions` reads. Ctrl-C stops it. With `--resume` it continues exactly where it
    stopped.

    Examples:

        visavis train --data faces/ --out runs/mine
        visavis train experiments/fer_hybrid.toml
        visavis train experiments/fer_hybrid.toml --set training.epochs=3 --set out=runs/short
        visavis train experiments/fer_hybrid.toml --resume
    """
    from visavis_train.loop.toml_file import read_toml

    if experiment is None and (not data or out is None):
        raise InputError(
            "name an experiment, a TOML file; or --data DATASET and --out RUN_DIR, for your faces"
        )
    if missing := next((path for path in data or () if not path.exists()), None):
        raise InputError(f"--data {missing}: no such file or folder")
    # Errors name what was typed: without a file, only --set can be wrong.
    typed = experiment or "--set"
    experiment = experiment or OWN_FACES
    values = read_toml(experiment)
    # Before the overrides, which may say more.
    # Tasks other than `expression` know one data set.
    named = [str(path) for path in data or ()]
    values |= ({"data": named if len(named) > 1 else named[0]} if named else {}) | (
        {"out": str(out)} if out else {}
    )
    name = values.get("task", "expression")
    if name not in TASKS:
        raise InputError(f"{experiment}: task is {name!r}; expected one of {', '.join(TASKS)}")
    if install and name in ELSEWHERE:
        able = ", ".join(task for task in TASKS if task not in ELSEWHERE)
        raise InputError(
            f"--install is for the tasks {able}; {experiment} is of the {name} task: {ELSEWHERE[name]}"
        )
    _require_data(typed, values, overrides or ())
    from visavis.base.console import write_out
    from visavis_train.loop.command import Command
    from visavis_train.loop.experiment import checked_experiment

    task = import_module(f"visavis_train.{TASKS[name]}").TASK
    settings = checked_experiment(typed, values, task.kind, overrides or ())
    trained = task.train(settings, resume=resume)
    report = task.finish(settings, trained, Command(experiment, install)) if task.finish else None
    if report is not None:
        write_out(report.read_text("utf-8"))


def _require_data(typed: Path | str, values: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Report missing data before heavy packages are loaded."""
    data = values.get("data")
    for key, _, value in (override.partition("=") for override in overrides):
        data = value.strip().strip("\"'") if key.strip() == "data" else data
    for one in data if isinstance(data, list) else [data]:
        place = one.get("path") if isinstance(one, dict) else one
        if isinstance(place, str) and not place.startswith("[") and not Path(place).exists():
            raise InputError(f"{typed}: data is {place}: no such file or folder; name yours with --data PATH")


def _require_there(run: Path) -> None:
    """Report a missing folder before heavy packages are loaded."""
    if not run.exists():
        raise InputError(f"{run}: no such folder; expected one that visavis train made")


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A folder that visavis train made.")],
    out: Annotated[
        Path, typer.Option(metavar="NET.onnx", help="The ONNX file to write. An existing file is replaced.")
    ],
    half: Annotated[
        bool, typer.Option("--half", help="Store large weights in 16 bits: half the size, the same speed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a trained expression network as ONNX, checked against torch. Needs the extra `train`.

    Reads config.json and best.safetensors. `visavis evaluate expressions --model` reads the ONNX file.

    Examples:

        visavis export runs/fer_hybrid --out mine.onnx
        visavis export runs/fer_vgg --out small.onnx --half
    """
    import hashlib

    from visavis.base import networks
    from visavis.base.console import print_json, print_line
    from visavis.base.files import require_outputs

    require_outputs([(out, (".onnx",))], ())
    if str(run) not in networks.manifest():
        _require_there(run)
    from visavis_train.expression.release import HALF_TOLERANCE, TOLERANCE
    from visavis_train.expression.run_folder import export_run

    data = export_run(run, out, half_weights=half)
    if as_json:
        facts = {"run": str(run), "out": str(out), "bytes": len(data)}
        print_json({**facts, "sha256": hashlib.sha256(data).hexdigest()})
    else:
        tolerance = HALF_TOLERANCE if half else TOLERANCE
        print_line(f"{out}: {len(data) / 1e6:.2f} MB, answers as torch does to {tolerance:g}")


def quantize(
    network: Annotated[
        Path,
        typer.Argument(metavar="NET.onnx|RUN_DIR", help="A network in 32 bits, or a run folder."),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DATASET",
            help="Data set, as in visavis evaluate expressions.",
            show_default="the run's own pictures",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Split to measure on.", show_default="as in evaluate expressions"),
    ] = None,
    method: Annotated[
        QuantizationMethod | None, typer.Option(help="Quantisation method.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The ONNX file to write. An existing file is replaced."),
    ] = None,
    max_loss: Annotated[
        float,
        typer.Option(
            "--max-loss", min=0, help="Most accuracy points to lose; beyond that, no file is written."
        ),
    ] = 0.5,
    compare: Annotated[
        bool, typer.Option("--compare", help="Measure all methods in one table, and write no network.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make an expression network smaller or faster, if its accuracy stays. Needs the extra `train`.

    int8: faster, a quarter of the size. int4: the smallest, as fast as 32 bits. nf4: nearly as small, without
    calibration. int8 and int4 calibrate on 512 faces of the training split. The accuracy is measured on the
    other split.

    Examples:

        visavis quantize runs/mine --method int8 --out mine.onnx
        visavis quantize net.onnx --method int4 --data fer2013.csv --out small.onnx
        visavis quantize runs/fer_hybrid --compare --data fer2013.csv --split PublicTest --json
    """
    from visavis.base.console import print_json, print_note
    from visavis.datasets.picture_table import TABLES

    if not network.exists():
        raise InputError(f"{network}: no such file or folder; expected NET.onnx or the folder of a run")
    from visavis_train.expression.quantize import task

    if data is None and not (network / TABLES[0]).is_file():
        raise InputError(f"{network}: holds no pictures to measure on; name a data set with --data")
    data = data or network
    if compare and method is None and out is None:
        facts = task.compare_all(network, data, split)
        tell = task.print_comparison
    elif not compare and method is not None and out is not None:
        facts = task.quantize_network(network, method, data, split, out, max_loss)
        tell = task.print_change
    else:
        raise InputError("give --method and --out to write a network, or --compare alone to see all methods")
    (print_json if as_json else tell)(facts)
    if out is not None:
        print_note(f"next: visavis run 0 --recognizer {quote(str(out))}")


@NOTHING_WRITTEN
def convert_weights(
    weights: Annotated[Path, typer.Argument(help="A file of torch.save, such as ir50.pth.")],
    out: Annotated[
        Path,
        typer.Option(metavar="FILE.safetensors", help="The file to write. An existing file is replaced."),
    ],
) -> None:
    """Turn published weights (.pth) into safetensors, reading tensors only: nothing in the file can be run.

    The keys model.weights (timm), model.image_weights (IR-50) and model.landmark_weights (MobileFaceNet) take
    the result.

    Examples:

        visavis lab convert-weights ir50.pth --out ir50.safetensors
    """
    from visavis.base.files import require_outputs
    from visavis_train.expression.models.published import note_taken, read_pickled
    from visavis_train.loop.checkpoint import write_tensors

    require_outputs([(out, (".safetensors",))], [weights])
    taken = read_pickled(weights)
    write_tensors(out, taken.tensors)
    note_taken(out, len(taken.tensors), list(taken.left))


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders of expression experiments.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the report.")] = Path("out/runs"),
    data: DataSet = None,
    split: Annotated[
        str | None, typer.Option(help="Split of the data set.", show_default="as in evaluate expressions")
    ] = None,
    experiments: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also list experiment files of this folder without a run."),
    ] = None,
    quantized: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also show the results of `visavis quantize --compare --json`."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare training runs with each other and with the paper. Needs the extra `train`.

    Measures the network of every finished run and writes report.html (tables and charts), report.json and
    report.md. Unfinished runs are shown by their log.

    Examples:

        visavis report runs/fer_first runs/fer_hybrid
        visavis report runs/fer_*_small --data fer2013.csv --split PrivateTest --out out/fair
        visavis report runs/fer_first --experiments experiments
    """
    from visavis.base.console import print_json, print_line

    for run in runs:
        _require_there(run)
    from visavis_train.expression.report.command import report_runs as write_report

    facts = write_report(runs, out, data=data, split=split, experiments=experiments, quantized=quantized)
    if as_json:
        print_json(facts)
    else:
        print_line(f"{out / 'report.html'}, with report.json and report.md next to it")


COMMANDS = (convert_weights,)
