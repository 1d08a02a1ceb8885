"""Datagrams: what most receivers are sent, by UDP; nobody waits for them and nobody answers."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Protocol

from visavis.outputs.sample import Sample
from visavis.outputs.sender import NotReadyError

# Sending never waits for their receiver, so a few samples may wait for a thread that the system starts late.
DATAGRAMS_WAIT = 4


class Encoder(Protocol):
    """Turns samples into the datagrams of a format; the same samples give the same bytes."""

    def encode(self, sample: Sample) -> Sequence[bytes]:
        """The datagrams of one sample; none if the format has nothing to say."""


class Datagrams:
    """A receiver of UDP datagrams. Nobody answers, so nobody knows whether the receiver is there.

    Args:
        endpoint: host and port.
        encoder: makes the datagrams.

    Attributes:
        endpoint: host and port.
    """

    repeat_s: float | None = None
    waits = DATAGRAMS_WAIT

    def __init__(self, endpoint: tuple[str, int], encoder: Encoder) -> None:
        self.endpoint = endpoint
        self._encoder = encoder
        self._socket: socket.socket | None = None
        self._target: tuple[object, ...] = ()

    def open(self) -> None:
        """Look the host up and make a socket."""
        host, port = self.endpoint
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:  # A name with an empty or too long part cannot be encoded.
            raise OSError(f"{host}: no computer of this name is known") from error
        # "localhost" is often ::1 first, where receivers made with Unity do not listen.
        family, kind, number, _, self._target = min(found, key=lambda each: each[0] != socket.AF_INET)
        self._socket = socket.socket(family, kind, number)
        self._socket.setblocking(False)

    def send(self, sample: Sample) -> str:
        """Send the datagrams of one sample.

        Raises:
            NotReadyError: the system takes no more datagrams now.
        """
        if self._socket is None:
            raise OSError("the socket is closed")
        try:
            for datagram in self._encoder.encode(sample):
                # An unconnected socket does not learn that a port is closed, so a receiver may come and go.
                self._socket.sendto(datagram, self._target)
        except BlockingIOError as error:
            raise NotReadyError("the network is too slow: it takes no more packets now") from error
        except PermissionError as error:
            raise OSError(
                f"{self.endpoint[0]}: the system forbids sending there; name one computer"
            ) from error
        return ""

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
