"""An experiment file in; a trained network, its log and its report out."""

from __future__ import annotations

import runpy
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from visavis.errors import MissingExtraError

# What the extra ``train`` brings and every task needs.
NEEDED = ("torch", "accelerate", "tensorboard", "safetensors", "onnx", "onnxscript")


def train(
    experiment: Annotated[Path, typer.Argument(help="A TOML file, such as experiments/fer_first.toml.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the run folder's last checkpoint.")
    ] = False,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a value of the file; may be repeated."),
    ] = None,
    install: Annotated[
        bool, typer.Option("--install", help="Put the network into the package (emotion, tokenizer).")
    ] = False,
) -> None:
    """Train a network as an experiment file says. Needs the extra `train`.

    Ctrl-C stops it; with `--resume` it goes on as if it had never stopped.

    Examples:

        visavis train experiments/fer_hybrid.toml
        visavis train experiments/fer_hybrid.toml --set training.epochs=3 --set out=runs/short
        visavis train experiments/fer_hybrid.toml --resume
    """
    for package in NEEDED:
        if find_spec(package) is None:
            raise MissingExtraError(package, "train", "visavis train")
    words = [str(experiment), *(["--resume"] if resume else []), *(["--install"] if install else [])]
    words += [word for override in overrides or () for word in ("--set", override)]
    # The runtime never imports the research code: it starts it, as ``python -m visavis_train`` would.
    sys.argv = ["visavis train", *words]
    runpy.run_module("visavis_train", run_name="__main__", alter_sys=True)
