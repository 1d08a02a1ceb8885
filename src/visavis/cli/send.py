"""The option ``--send`` of the commands that are live."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.base import console

if TYPE_CHECKING:
    from visavis.outputs.sender import Sender, Status

SendOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ADDRESS",
        help="Send the face into another program, such as vmc://localhost:39539; may be repeated.",
    ),
]


@contextmanager
def open_outputs(addresses: Sequence[str]) -> Iterator[tuple[Sender, ...]]:
    """Senders to these addresses, closed at the end.

    Raises:
        InputError: an address is not understood.
        MissingExtraError: a format needs a package that is not installed.
    """
    from visavis.errors import InputError
    from visavis.outputs.registry import connect_output, place_of
    from visavis.outputs.sender import Sender

    # All addresses are read before any of them is sent to.
    connections = [connect_output(text) for text in addresses]
    places = [place_of(address, connection) for address, connection in connections]
    if twice := [text for text, place in zip(addresses, places, strict=True) if places.count(place) > 1]:
        raise InputError(f"--send names one receiver twice: {' and '.join(twice)}; leave one out")
    with ExitStack() as stack:
        yield tuple(
            stack.enter_context(Sender(str(address), connection)) for address, connection in connections
        )


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
    line = f"{status.address}: {status.sent} samples sent, {status.dropped} dropped"
    return f"{line}; {status.message}" if status.message else line
