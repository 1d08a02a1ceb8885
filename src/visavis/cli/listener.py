"""Shared options that choose a listener and its style."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.cli.tokenizer import named
from visavis.errors import InputError

if TYPE_CHECKING:
    from visavis.reaction.listener import ListenerModel

Listener = Annotated[
    Path | None,
    typer.Option(
        "--listener",
        help="ONNX file of another listener; --encoder and --decoder name its tokenizer if it is not one of "
        "the package.",
    ),
]
StyleText = Annotated[
    str | None,
    typer.Option(
        "--style",
        help="Five traits of the listener from 0 to 1: expressiveness, nodding, smiling, mirroring, gaze, "
        "such as nodding=0.9,smiling=0.2. Unnamed traits are 0.5. Without the option, traits are drawn "
        "at random.",
    ),
]
# The former name of --style.
Temperament = Annotated[str | None, typer.Option("--temperament", hidden=True)]
Guidance = Annotated[
    float | None,
    typer.Option(
        help="How strongly the listener answers the speaker: 0 ignores the speaker, 1 is as trained, "
        "more is stronger.",
        show_default="the listener's default",
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="A different seed gives a different listener.")]


def named_listener(listener: Path | None, encoder: Path | None, decoder: Path | None) -> ListenerModel:
    """The listener of a file, with the package's tokenizer or its own; by default the embedded listener.

    Raises:
        InputError: the tokenizer has no listener, half of it is missing, or a file cannot be read.
        WeightsError: a file is not the network of a listener, or no listener is embedded.
    """
    from visavis.reaction.listener import ListenerModel

    tokenizer = named(encoder, decoder)
    if listener is not None:
        return ListenerModel.load(listener, tokenizer)
    if tokenizer is not None:
        raise InputError("--encoder and --decoder need --listener: give it too, or leave them out")
    return ListenerModel.default()
