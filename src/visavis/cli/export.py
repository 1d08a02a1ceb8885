"""A trained run's folder in, its network as an ONNX file out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visavis.cli.research import start


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A folder that visavis train made.")],
    out: Annotated[Path, typer.Option(metavar="NET.onnx", help="The ONNX file to write.")],
    half: Annotated[
        bool, typer.Option("--half", help="Store large weights in 16 bits: half the bytes, the same speed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write a trained emotion network as ONNX, checked against torch. Needs the extra `train`.

    Reads config.json and best.safetensors. The file is what `visavis evaluate emotion --model` takes.

    Examples:

        visavis export runs/fer_hybrid --out mine.onnx
        visavis export runs/fer_vgg --out small.onnx --half
    """
    words = [str(run), "--out", str(out), *(["--half"] if half else []), *(["--json"] if as_json else [])]
    start("visavis_train.expression.run_folder", "visavis export", words)
