"""UDP sockets that hear this computer's network, or this computer alone."""

from __future__ import annotations

import errno
import socket

from visavis.base.address import Address
from visavis.errors import DeviceError

ANYBODY = frozenset({"0.0.0.0", "::"})  # noqa: S104
HIGHEST_PORT = 65535

# The address of a socket, as Python gives it for IPv4 and for IPv6.
Endpoint = tuple[str, int] | tuple[str, int, int, int]


def ip_of(endpoint: Endpoint) -> str:
    """The IP address, without the name of a network card."""
    return endpoint[0].partition("%")[0]


def own_address() -> str:
    """The address of this computer in its network; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # An address for documents, RFC 5737.
        except OSError:
            return "not in a network"
        return str(probe.getsockname()[0])


def resolve(address: Address, port: int) -> tuple[tuple[socket.AddressFamily, Endpoint], ...]:
    """Where a port of the host of an address can be reached; empty if the address names no host, or anybody.

    Raises:
        InputError: the host is not known.
    """
    if address.host in ANYBODY:
        return ()
    return tuple((family, (str(host), *rest)) for family, (host, *rest) in address.look_up(port))


def listen(
    address: Address, port: int, hosts: frozenset[str], usual: str
) -> dict[socket.AddressFamily, socket.socket]:
    """A socket for IPv4, and one for IPv6 where the system has it; neither of them waits.

    Args:
        address: the address of the input, for messages.
        port: the port; 0 lets the system choose.
        hosts: IP addresses of the senders, if known; if all are this computer's, nothing comes from outside.
        usual: programs that usually use the port, for messages.

    Raises:
        DeviceError: the port is taken or must not be used, or there is no network.
    """
    inside = bool(hosts) and all(host.startswith("127.") or host == "::1" for host in hosts)
    places = {
        socket.AF_INET: "127.0.0.1" if inside else "0.0.0.0",  # noqa: S104
        socket.AF_INET6: "::1" if inside else "::",
    }
    sockets: dict[socket.AddressFamily, socket.socket] = {}
    for family, place in places.items():
        try:
            each = socket.socket(family, socket.SOCK_DGRAM)
        except OSError:
            continue
        try:
            each.setblocking(False)
            if family == socket.AF_INET6:
                each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            each.bind((place, port or (sockets[socket.AF_INET].getsockname()[1] if sockets else 0)))
        except OSError as error:
            each.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                continue  # The system has no IPv6, or no IPv4.
            if not port and sockets:
                continue
            for other in sockets.values():
                other.close()
            raise DeviceError(_refused(address, port, error, usual)) from error
        sockets[family] = each
    if not sockets:
        raise DeviceError(f"{address}: this computer has no network")
    return sockets


def _refused(address: Address, port: int, error: OSError, usual: str) -> str:
    other = port + 1 if port < HIGHEST_PORT else port - 1
    choice = Address(address.scheme, address.host, other, address.name, address.options)
    remedy = f"close that program, or choose another port, here ({choice}) and in the sender"
    if error.errno == errno.EADDRINUSE:
        who = f", perhaps {usual}" if usual else ""
        return f"{address}: another program listens on UDP port {port}{who}: {remedy}"
    return f"{address}: the system does not let this program listen on UDP port {port}: {remedy}"
