"""The option ``--send`` of the commands that are live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.base import console
from visavis.base.words import counted

if TYPE_CHECKING:
    from visavis.outputs.sender import Sender, Status

SendOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ADDRESS",
        help="Send the face into another program, such as vmc://localhost:39539; may be repeated.",
    ),
]


def teller(senders: Sequence[Sender]) -> Callable[[], None]:
    """A function that prints a line each time the message of an output has changed, such as *click Allow*."""
    told = dict.fromkeys(senders, "")

    def tell() -> None:
        for sender, before in told.items():
            message = sender.message
            if message != before:
                told[sender] = message
                console.print_note(f"{sender.address}: {message or 'all is well'}")

    return tell


def describe(status: Status) -> str:
    """One line on how an output did."""
    line = f"{status.address}: {counted(status.sent, 'sample')} sent, {status.dropped} dropped"
    return f"{line}; {status.message}" if status.message else line
