"""The name of a module of ``visavis_train`` and its words in; that program, started, out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import NoReturn

import typer

from visavis.errors import MissingExtraError

# What the extra ``train`` brings and every training needs.
NEEDED = ("torch", "accelerate", "tensorboard", "safetensors", "onnx", "onnxscript")


def start(module: str, command: str, words: Sequence[str], needed: Sequence[str] = NEEDED) -> NoReturn:
    """Run a module's ``main``, and exit as it says.

    The runtime is complete without the research code: that is looked for when a command wants it.

    Args:
        module: its full name.
        command: what the user typed, for messages.
        words: what follows on its command line.
        needed: packages without which it cannot run.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    for package in needed:
        if find_spec(package) is None:
            raise MissingExtraError(package, "train", command)
    sys.argv = [command, *words]
    raise typer.Exit(import_module(module).main())
