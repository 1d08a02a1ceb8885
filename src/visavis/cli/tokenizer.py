"""Shared options that choose a face tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.errors import InputError

if TYPE_CHECKING:
    from visavis.reaction.tokenizer import FaceTokenizer

Encoder = Annotated[
    Path | None, typer.Option(help="ONNX file of another tokenizer's encoder; needs --decoder.")
]
Decoder = Annotated[Path | None, typer.Option(help="ONNX file of the tokenizer's decoder.")]


def named(encoder: Path | None, decoder: Path | None) -> FaceTokenizer | None:
    """The tokenizer of two files; None if no file is named.

    Raises:
        InputError: only one file is named, or a file cannot be read.
        WeightsError: a file is not the network of a tokenizer.
    """
    from visavis.reaction.tokenizer import FaceTokenizer

    if encoder is None and decoder is None:
        return None
    if encoder is None or decoder is None:
        raise InputError("--encoder and --decoder go together: name both files of one run, or neither")
    return FaceTokenizer.load(encoder, decoder)
