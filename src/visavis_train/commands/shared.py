"""What the research commands share: options, and how a command ends on Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec

import typer

from visavis.base.console import print_note
from visavis.base.files import require_ending
from visavis.base.signals import INTERRUPTED


def ends_in(ending: str) -> Callable[[Path | None], Path | None]:
    """What an option of a file to write calls: a name with another ending is an error before the work."""

    def check(path: Path | None) -> Path | None:
        if path is not None:
            require_ending(path, ending)
        return path

    return check


Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a value of all experiments; may be repeated."),
]
Page = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The page whose tables are replaced.", show_default="the project's"),
]
Results = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The JSON file to write.",
        show_default="the project's",
        callback=ends_in(".json"),
    ),
]
TablesOnly = Annotated[
    bool, typer.Option("--tables-only", help="Only make the tables, from existing results.")
]
_Arguments = ParamSpec("_Arguments")


def interrupted_says(note: str) -> Callable[[Callable[_Arguments, None]], Callable[_Arguments, None]]:
    """A decorator: Ctrl-C ends the command with a note on how to go on, and status 130.

    Args:
        note: the text, such as ``interrupted: the same command goes on``.
    """

    def decorate(command: Callable[_Arguments, None]) -> Callable[_Arguments, None]:
        @wraps(command)
        def run(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> None:
            try:
                command(*args, **kwargs)
            except KeyboardInterrupt as error:
                print_note(note)
                raise typer.Exit(INTERRUPTED) from error

        return run

    return decorate


GOES_ON = interrupted_says("interrupted: the same command goes on")
ANEW = interrupted_says("interrupted: the same command starts again from the beginning")
NOTHING_WRITTEN = interrupted_says("interrupted: nothing was written")
