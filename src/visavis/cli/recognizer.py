"""Shared options that choose the expression recogniser and how many tokens it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from visavis.errors import InputError

if TYPE_CHECKING:
    from visavis.expression.sparse import Keeping

ADAPTIVE: Final = "adaptive"


DENSE: Final = "dense"
RecognizerOption = Annotated[
    str,
    typer.Option(
        "--recognizer",
        metavar="dense|sparse|NET.onnx|RUN_DIR",
        help="Recogniser of expressions: dense reads the whole face, sparse drops tokens; or your own "
        "network, as visavis train makes it.",
    ),
]
KeepOption = Annotated[
    str | None,
    typer.Option(
        "--keep",
        help="Share of tokens that the sparse recogniser keeps, such as 0.3; or adaptive: few for easy "
        "faces, more for others.",
        show_default="the recogniser's default",
    ),
]


def parse_keep(text: str | None) -> Keeping | None:
    """The value of ``--keep``.

    Raises:
        InputError: the value is neither a keep rate in its range nor ``adaptive``.
    """
    from visavis.expression.sparse import Keep

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
