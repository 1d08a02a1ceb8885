"""Shared options that choose a listener and its temperament."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.cli.tokenizer import named
from visavis.errors import InputError

if TYPE_CHECKING:
    from visavis.reaction.listener import FaceListener
    from visavis.reaction.temperament import Temperament

Listener = Annotated[
    Path | None,
    typer.Option(
        "--listener",
        help="Another listener, an ONNX file. Its tokenizer is the package's, or that of --encoder and "
        "--decoder.",
    ),
]
TemperamentText = Annotated[
    str | None,
    typer.Option(
        "--temperament",
        help="Of the listener, say nodding=.9,smiling=.2: expressiveness, nodding, smiling, mirroring and "
        "gaze, 0 to 1. What is not named is .5. Without this option all is left to chance.",
    ),
]
Guidance = Annotated[
    float | None,
    typer.Option(
        help="How much of what the person changes is taken: 0 nothing, 1 as predicted, more than 1 beyond.",
        show_default="the listener's own",
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Another seed is another listener.")]


def named_listener(listener: Path | None, encoder: Path | None, decoder: Path | None) -> FaceListener:
    """The listener of a file, with the package's tokenizer or that of two more; the embedded one without.

    Raises:
        InputError: a tokenizer without a listener, half a tokenizer, or a file cannot be read.
        WeightsError: no networks of a listener, or there is none embedded.
    """
    from visavis.reaction.listener import FaceListener

    tokenizer = named(encoder, decoder)
    if listener is not None:
        return FaceListener.load(listener, tokenizer)
    if tokenizer is not None:
        raise InputError(
            "--encoder and --decoder are of no use without --listener: name it too, or leave them out"
        )
    return FaceListener.default()


def parse_temperament(text: str | None) -> Temperament | None:
    """``nodding=.9,smiling=.2`` as a temperament.

    Raises:
        InputError: an unknown or repeated name, or no share of 0 to 1.
    """
    from visavis.reaction.temperament import CONTROLS, Temperament

    if text is None:
        return None
    values: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        try:
            share = float(value)
        except ValueError:
            share = -1.0
        if name not in CONTROLS or name in values or not 0 <= share <= 1:
            raise InputError(
                f"--temperament: {part.strip()!r}; expected each of {', '.join(CONTROLS)} at most once, with "
                "a share of 0 to 1, such as nodding=.9,smiling=.2"
            )
        values[name] = share
    return Temperament(**values)
