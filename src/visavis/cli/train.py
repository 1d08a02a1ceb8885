"""An experiment file in; a trained network, its log and its report out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visavis.cli.research import start


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
        bool,
        typer.Option(
            "--install", help="Put the network into the package (emotion, tokenizer, calls, listener)."
        ),
    ] = False,
) -> None:
    """Train a network as an experiment file says. Needs the extra `train`.

    Ctrl-C stops it; with `--resume` it goes on as if it had never stopped.

    Examples:

        visavis train experiments/fer_hybrid.toml
        visavis train experiments/fer_hybrid.toml --set training.epochs=3 --set out=runs/short
        visavis train experiments/fer_hybrid.toml --resume
    """
    words = [str(experiment), *(["--resume"] if resume else []), *(["--install"] if install else [])]
    words += [word for override in overrides or () for word in ("--set", override)]
    start("visavis_train.__main__", "visavis train", words)
