"""The output formats: every module of :mod:`visavis.outputs.formats` is one, named by its scheme."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module

from visavis.base.address import LOCALHOST, Address
from visavis.errors import InputError
from visavis.outputs import formats
from visavis.outputs.datagrams import Datagrams
from visavis.outputs.sender import Connection, Sender


def output_schemes() -> tuple[str, ...]:
    """The schemes of all formats, in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(formats.__path__)))


def connect_output(text: str) -> tuple[Address, Connection]:
    """The address and its connection, which is not yet open.

    Raises:
        InputError: no format has this scheme, or the format does not understand the address.
        MissingExtraError: the format needs a package that is not installed.
    """
    address = Address.parse(text)
    if address.scheme not in output_schemes():
        raise InputError(
            f"{text!r}: no output is called {address.scheme!r}; there are {', '.join(output_schemes())}"
        )
    module = import_module(f"{formats.__name__}.{address.scheme}")
    connection: Connection = module.connect(address)
    return address, connection


def open_output(text: str) -> Sender:
    """Start to send to an address, such as ``vmc://localhost:39539``; close it at the end.

    Raises:
        InputError: no format has this scheme, the format does not understand the address, or the host is not
            known.
        MissingExtraError: the format needs a package that is not installed.
    """
    address, connection = connect_output(text)
    address.look_up()
    return Sender(str(address), connection)


@contextmanager
def open_outputs(addresses: Sequence[str]) -> Iterator[tuple[Sender, ...]]:
    """Senders to these addresses, closed at the end.

    Raises:
        InputError: an address is not understood, two name one receiver, or a host is not known.
        MissingExtraError: a format needs a package that is not installed.
    """
    # All addresses are read before any of them is sent to.
    connections = [connect_output(text) for text in addresses]
    places = [_place_of(address, connection) for address, connection in connections]
    if twice := [text for text, place in zip(addresses, places, strict=True) if places.count(place) > 1]:
        raise InputError(f"--send names one receiver twice: {' and '.join(twice)}; leave one out")
    for address, _ in connections:
        address.look_up()
    with ExitStack() as stack:
        yield tuple(
            stack.enter_context(Sender(str(address), connection)) for address, connection in connections
        )


def _place_of(address: Address, connection: Connection) -> tuple[object, ...]:
    """What two addresses of the same receiver have in common."""
    if isinstance(connection, Datagrams):
        host, port = connection.endpoint
        return address.scheme, LOCALHOST if host == "localhost" else host.lower(), port
    return address.scheme, address.host or LOCALHOST, address.port, address.name
