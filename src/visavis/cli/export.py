"""A trained run's folder in, its network as an ONNX file out."""

from __future__ import annotations

import runpy
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from visavis.cli.train import NEEDED
from visavis.errors import MissingExtraError


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A folder that visavis train made.")],
    out: Annotated[Path, typer.Option(metavar="NET.onnx", help="The ONNX file to write.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write a trained emotion network as ONNX, checked against torch. Needs the extra `train`.

    Reads config.json and best.safetensors. The file is what `visavis evaluate emotion --model` takes.

    Examples:

        visavis export runs/fer_hybrid --out mine.onnx
    """
    for package in NEEDED:
        if find_spec(package) is None:
            raise MissingExtraError(package, "train", "visavis export")
    sys.argv = ["visavis export", str(run), "--out", str(out), *(["--json"] if as_json else [])]
    # The runtime never imports the research code: it starts it.
    runpy.run_module("visavis_train.run_folder", run_name="__main__", alter_sys=True)
