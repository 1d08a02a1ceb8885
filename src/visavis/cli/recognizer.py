"""Shared options that choose the expression recogniser and how many tokens it keeps."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from visavis.errors import InputError

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
        help="Share of tokens that the sparse recogniser keeps, such as 0.3.",
        show_default="the recogniser's default",
    ),
]


def parse_keep(text: str | None) -> float | None:
    """The value of ``--keep``.

    Raises:
        InputError: the value is no keep rate in its range.
    """
    from visavis.expression.sparse import check_keep

    if text is None:
        return None
    try:
        rate = float(text)
    except ValueError as error:
        raise InputError(f"--keep is {text!r}; expected a keep rate above 0 and at most 1") from error
    return check_keep(rate)
