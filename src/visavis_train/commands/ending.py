"""How research commands end when the user interrupts them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

from visavis.base.console import print_note

INTERRUPTED = 130
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
