"""Shared options that choose the emotion recogniser and how many tokens it keeps."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from visavis.errors import InputError

if TYPE_CHECKING:
    from visavis.emotion.sparse import Keeping

ADAPTIVE: Final = "adaptive"


class RecognizerName(StrEnum):
    """Which of the embedded recognisers."""

    DENSE = "dense"
    SPARSE = "sparse"


RecognizerOption = Annotated[
    RecognizerName,
    typer.Option(
        "--recognizer", help="What reads expressions: dense looks at all of a face, sparse drops tokens."
    ),
]
KeepOption = Annotated[
    str | None,
    typer.Option(
        "--keep",
        help="Of the sparse recogniser: the share of tokens that it keeps, say 0.3; or adaptive: few of easy "
        "faces, more of others.",
        show_default="the recogniser's own",
    ),
]


def parse_keep(text: str | None) -> Keeping | None:
    """What ``--keep`` says.

    Raises:
        InputError: neither a keep rate in its range nor ``adaptive``.
    """
    from visavis.emotion.sparse import Keep

    if text is None:
        return None
    if text == ADAPTIVE:
        return ADAPTIVE
    try:
        rate = float(text)
    except ValueError as error:
        raise InputError(
            f"--keep is {text!r}; expected a keep rate above 0 and at most 1, or {ADAPTIVE}"
        ) from error
    return Keep(rate)
