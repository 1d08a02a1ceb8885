"""Live Link Face, Epic's app on an iPhone, and other programs that send its packets.

``livelink://`` listens to port 11111; with a host, such as ``livelink://192.168.1.7``, only this sender is
heard. In the app, enter the address of this computer as a Live Link target. See :mod:`visavis.live_link`.
"""

from __future__ import annotations

from visavis.base.address import Address
from visavis.base.clock import Clock
from visavis.capture.datagram_source import DatagramSource
from visavis.live_link import DEFAULT_PORT, Packet
from visavis.types import FaceState

USUAL = "Unreal or another receiver of Live Link Face"
# 0.0.0.0 means any sender, as in other programs.


class LiveLinkDecoder:
    """Reads packets of version 6."""

    def decode(self, datagram: bytes) -> tuple[FaceState | None, ...]:
        """The face of a packet; None if the sender sees none.

        Raises:
            InputError: the datagram is no whole packet.
        """
        face = Packet.decode(datagram).face
        return (None if face is None else FaceState(face),)


def open(address: Address, clock: Clock | None = None) -> DatagramSource:
    """Listen to a phone.

    Raises:
        InputError: the host is not known, or the address has options or a name.
        DeviceError: the port is taken.
    """
    address.require()
    return DatagramSource(address, address.port or DEFAULT_PORT, LiveLinkDecoder, clock=clock, usual=USUAL)
