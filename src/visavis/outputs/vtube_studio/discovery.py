"""Finding VTube Studio: it announces itself every two seconds by UDP broadcast on port 47779.

https://github.com/DenchiSoft/VTubeStudio#api-server-discovery-udp
"""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from time import monotonic

from visavis.base.reading import parse_json

PORT = 47779
# A little more than the time between two announcements.
LISTEN_S = 2.2
MAX_BYTES = 1 << 14


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a VTube Studio says about itself.

    Attributes:
        host: address of its computer.
        port: port of its API.
        active: whether its API is switched on.
        here: whether it runs on this computer.
    """

    host: str
    port: int
    active: bool
    here: bool


def hear_announcement(wait_s: float = LISTEN_S, port: int = PORT) -> Announcement | None:
    """The first VTube Studio of this computer with its API on, else the best other one, else None.

    Args:
        wait_s: listen this long at most.
        port: UDP port of the announcements.
    """
    best: Announcement | None = None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        # Other plugins listen, too.
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "darwin":
            ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        until_s = monotonic() + wait_s
        try:
            ear.bind(("", port))
            while (left_s := until_s - monotonic()) > 0:
                ear.settimeout(left_s)
                data, (host, _) = ear.recvfrom(MAX_BYTES)
                found = read_announcement(data, host)
                if found is None:
                    continue
                if found.here and found.active:
                    return found
                if best is None or (found.here, found.active) > (best.here, best.active):
                    best = found
        except OSError:  # Time is over, or the port is closed to us.
            pass
    return best


def read_announcement(data: bytes, host: str) -> Announcement | None:
    """The announcement in a datagram from a host; None if it is none."""
    try:
        message = parse_json(data)
    except ValueError:
        return None
    if not isinstance(message, dict) or message.get("messageType") != "VTubeStudioAPIStateBroadcast":
        return None
    told = message.get("data")
    port = told.get("port") if isinstance(told, dict) else None
    if not isinstance(told, dict) or type(port) is not int or not 0 < port < 1 << 16:
        return None
    return Announcement(host, port, told.get("active") is True, _is_here(host))


def _is_here(host: str) -> bool:
    """Whether an address is one of this computer: only then a socket can be bound to it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True
