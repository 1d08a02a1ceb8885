"""Datagrams: what most receivers are sent, by UDP; nobody waits for them and nobody answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import Protocol

from visavis.outputs.sample import Sample
from visavis.outputs.sender import NotReadyError

# Samples that may wait until the receiver is found.
DATAGRAMS_WAIT = 4
# A system says at most about once a second that nobody listens.
REFUSED_FOR_S = 2.0


class Encoder(Protocol):
    """Turns samples into the datagrams of a format; the same samples give the same bytes."""

    def encode(self, sample: Sample) -> Sequence[bytes]:
        """The datagrams of one sample; none if the format has nothing to say."""


class Datagrams:
    """A receiver of UDP datagrams. It never answers, but its system may say that nobody listens at the port.

    Args:
        endpoint: host and port.
        encoder: makes the datagrams.

    Attributes:
        endpoint: host and port.
    """

    at_once = True
    repeat_s: float | None = None
    waits = DATAGRAMS_WAIT

    def __init__(self, endpoint: tuple[str, int], encoder: Encoder) -> None:
        self.endpoint = endpoint
        self._encoder = encoder
        self._socket: socket.socket | None = None
        self._refused_s = -inf

    def open(self) -> None:
        """Look the host up and make a socket."""
        host, port = self.endpoint
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:  # A name with an empty or too long part cannot be encoded.
            raise OSError(f"{host}: no computer of this name is known") from error
        # "localhost" is often ::1 first, where receivers made with Unity do not listen.
        family, kind, number, _, target = min(found, key=lambda each: each[0] != socket.AF_INET)
        self._socket = socket.socket(family, kind, number)
        self._socket.setblocking(False)
        with self._allowed():
            self._socket.connect(target)  # Else the system would not tell of a closed port.

    def send(self, sample: Sample) -> str:
        """Send the datagrams of one sample.

        Raises:
            NotReadyError: the system takes no more datagrams now, or it said within the last two seconds that
                nobody listens. In the second case the sample is sent, and may be lost.
        """
        if self._socket is None:
            raise OSError("the socket is closed")
        try:
            with self._allowed():
                for datagram in self._encoder.encode(sample):
                    try:
                        self._socket.send(datagram)
                    except ConnectionError:  # An earlier datagram was refused, and this one was not sent.
                        self._refused_s = monotonic()
                        self._socket.send(datagram)
        except BlockingIOError as error:
            raise NotReadyError("the network is too slow: it takes no more packets now") from error
        if monotonic() - self._refused_s < REFUSED_FOR_S:
            host, port = self.endpoint
            raise NotReadyError(
                f"nobody listens at port {port} of {host}: start the program, or look up its port", sent=True
            )
        return ""

    @contextmanager
    def _allowed(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise OSError(
                f"{self.endpoint[0]}: the system forbids sending there; name one computer"
            ) from error

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
