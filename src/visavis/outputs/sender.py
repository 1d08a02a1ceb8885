"""The sender: a thread that sends the newest samples to a receiver and never makes the pipeline wait."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Condition, Thread
from time import perf_counter
from typing import Protocol

import numpy as np

from visavis.base.words import reason
from visavis.errors import VisavisError
from visavis.outputs.sample import Sample
from visavis.types import FloatArray

# Pauses before a lost receiver is tried again: the first one and the longest one.
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 2.0
# The newest durations that are kept for the status.
TIMED_SAMPLES = 4096
# Datagrams never wait for their receiver, so a few samples may wait for a thread that the system starts late.
DATAGRAMS_WAIT = 4
# A thread that hangs in a system call does not keep the program from ending.
CLOSING_S = 2.0


class NotReadyError(VisavisError):
    """A receiver is there but not ready, for example because a person must allow the connection first.

    A connection's ``send`` raises it: the sample is not sent, the connection stays open, and the light is
    ``waiting``.
    """


class Encoder(Protocol):
    """Turns samples into the datagrams of a format; the same samples give the same bytes."""

    def encode(self, sample: Sample) -> Sequence[bytes]:
        """The datagrams of one sample; none if the format has nothing to say."""


class Connection(Protocol):
    """One receiver. All methods are called in the sender's thread and may take their time.

    Attributes:
        repeat_s: send the last sample again when this time has passed without a new one; None: never.
        waits: number of samples that may wait; a further one replaces the oldest. 1: only the newest waits.
    """

    repeat_s: float | None
    waits: int

    def open(self) -> None:
        """Reach the receiver; raises OSError or VisavisError if that fails."""

    def send(self, sample: Sample) -> str:
        """Send one sample, and return what to show a person; empty if all is well.

        OSError or VisavisError mean that the receiver is lost, but NotReadyError that it is not ready.
        """

    def close(self) -> None:
        """Leave the receiver; also called after an error, and perhaps twice."""


@dataclass(frozen=True, slots=True)
class Status:
    """How an output is doing.

    Attributes:
        address: address of the output.
        light: ``waiting`` until the first sample is sent or while the receiver is not ready, ``sending``, or
            ``lost``.
        message: one line for a person; empty if all is well.
        sent: number of sent samples.
        dropped: number of samples that newer ones replaced before they were sent, or that were lost.
        p95_ms: milliseconds from :meth:`Sender.send` to the end of sending: 95th percentile of the newest.
    """

    address: str
    light: str
    message: str
    sent: int
    dropped: int
    p95_ms: float


class Sender:
    """Sends the newest samples in a thread of its own. Use it in a ``with`` statement, or close it.

    Args:
        address: name of the receiver in messages.
        connection: the receiver.
    """

    def __init__(self, address: str, connection: Connection) -> None:
        self.address = address
        self._connection = connection
        self._wake = Condition()
        self._waiting: deque[tuple[float, Sample]] = deque(maxlen=connection.waits)
        self._closed = False
        self._light, self._message = "waiting", ""
        self._sent = self._dropped = 0
        self._durations_s: deque[float] = deque(maxlen=TIMED_SAMPLES)
        self._thread = Thread(target=self._run, name=f"send {address}", daemon=True)
        self._thread.start()

    def send(self, sample: Sample) -> None:
        """Send this sample next; of more samples than may wait the oldest is dropped. Returns at once."""
        with self._wake:
            if self._closed:
                return
            self._dropped += len(self._waiting) == self._waiting.maxlen
            self._waiting.append((perf_counter(), sample))
            self._wake.notify()

    @property
    def message(self) -> str:
        """One line for a person, as in :attr:`status`, but cheap enough to be read at each frame."""
        with self._wake:
            return self._message

    @property
    def status(self) -> Status:
        """How the output is doing."""
        with self._wake:
            times: FloatArray = np.asarray(self._durations_s, np.float32)
            p95_ms = 1e3 * float(np.percentile(times, 95)) if len(times) else 0.0
            return Status(self.address, self._light, self._message, self._sent, self._dropped, p95_ms)

    def close(self) -> None:
        """Stop sending. Samples that wait are still sent if the receiver is there."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join(CLOSING_S)

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._closed:
            sent_before = self._sent
            try:
                self._connection.open()
                if self._send_all():
                    return
            except (OSError, VisavisError) as error:
                with self._wake:
                    self._light, self._message = "lost", reason(error)
            finally:
                self._connection.close()
            with self._wake:
                worked = self._sent > sent_before
                pause_s = FIRST_PAUSE_S if worked else min(2 * pause_s, LONGEST_PAUSE_S)
                self._wake.wait_for(lambda: self._closed, pause_s)

    def _send_all(self) -> bool:
        """Send until the sender is closed (True) or the connection raises."""
        last: Sample | None = None
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closed or self._waiting, self._connection.repeat_s)
                waiting = self._waiting.popleft() if self._waiting else None
                closed = self._closed
            if waiting is None and (closed or last is None):
                if closed:
                    return True
                continue
            since_s, sample = waiting or (perf_counter(), last)
            if sample is None:
                continue
            try:
                message = self._connection.send(sample)
            except NotReadyError as waits:
                last = sample
                with self._wake:
                    self._light, self._message = "waiting", str(waits)
                    self._dropped += waiting is not None
                continue
            except (OSError, VisavisError):
                with self._wake:
                    self._dropped += waiting is not None
                raise
            last = sample
            with self._wake:
                self._light, self._message = "sending", message
                if waiting is not None:
                    self._sent += 1
                    self._durations_s.append(perf_counter() - since_s)


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

    def send(self, sample: Sample) -> str:
        """Send the datagrams of one sample."""
        if self._socket is None:
            raise OSError("the socket is closed")
        try:
            for datagram in self._encoder.encode(sample):
                # An unconnected socket does not learn that a port is closed, so a receiver may come and go.
                self._socket.sendto(datagram, self._target)
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
