"""Live Link Face, the protocol of Epic's iPhone app: Unreal's MetaHumans, Blender, Maya, Houdini.

The address is ``livelink://host:11111/NAME``; receivers show the name, ``visavis`` by default. While no face
is seen, nothing is sent. See :mod:`visavis.live_link` for the packet.
"""

from __future__ import annotations

from collections.abc import Sequence

from visavis.base.address import Address
from visavis.errors import InputError
from visavis.live_link import DEFAULT_PORT, LONGEST_NAME, encode
from visavis.outputs.datagrams import Datagrams
from visavis.outputs.sample import Sample
from visavis.outputs.sender import Connection

DEFAULT_NAME = "visavis"


class LiveLinkEncoder:
    """Makes one datagram of each sample with a face.

    Args:
        name: the name that receivers show.

    Raises:
        InputError: the name is too long.
    """

    def __init__(self, name: str) -> None:
        if len(name.encode()) > LONGEST_NAME:
            raise InputError(
                f"a name for Live Link has at most {LONGEST_NAME} bytes; found {len(name.encode())}"
            )
        self._name = name

    def encode(self, sample: Sample) -> Sequence[bytes]:
        """The datagrams of one sample."""
        return [] if sample.state is None else [encode(self._name, sample.time_s, sample.state.values)]


def connect(address: Address) -> Connection:
    """The receiver at this address.

    Raises:
        InputError: the address has options, or its name is too long.
    """
    address.require(name=True)
    return Datagrams(address.endpoint(DEFAULT_PORT), LiveLinkEncoder(address.name or DEFAULT_NAME))
