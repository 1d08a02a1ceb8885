"""The sender: it sends the newest samples to a receiver and never makes the pipeline wait.

A thread finds the receiver and sends to it. Datagrams do not wait for their receiver, and to wake a thread up
costs more than to send them: they are sent at once, and the thread only finds the receiver.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Condition, Thread
from time import perf_counter
from typing import Protocol

import numpy as np

from visavis.base.closing import Closing
from visavis.base.words import reason
from visavis.errors import VisavisError
from visavis.outputs.sample import Sample
from visavis.types import FloatArray

# Pauses before a lost receiver is tried again: the first one and the longest one.
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 2.0
# The newest durations that are kept for the status.
TIMED_SAMPLES = 4096
# A connection that once took longer to send at once is left to the thread.
LONGEST_AT_ONCE_S = 0.05
# A thread that hangs in a system call does not keep the program from ending.
CLOSING_S = 2.0


class NotReadyError(VisavisError):
    """A receiver is there but not ready, for example because a person must allow the connection first.

    A connection's ``send`` raises it: the connection stays open, and the light is ``waiting``.

    Args:
        message: one line for a person.
        sent: the sample was sent all the same, so it does not count as dropped.
    """

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class Connection(Protocol):
    """One receiver. Its methods are called in the sender's thread and may take their time.

    Attributes:
        at_once: ``send`` never waits; the thread that has the sample calls it.
        repeat_s: send the last sample again when this time has passed without a new one; None: never.
        waits: number of samples that may wait; a further one replaces the oldest. 1: only the newest waits.
    """

    at_once: bool
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
        dropped: number of samples that newer ones replaced before they were sent, or that could not be sent.
        p95_ms: milliseconds from :meth:`Sender.send` to the end of sending: 95th percentile of the newest.
    """

    address: str
    light: str
    message: str
    sent: int
    dropped: int
    p95_ms: float


class Sender(Closing):
    """Sends the newest samples. Use it in a ``with`` statement, or close it.

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
        self._last: Sample | None = None
        # Whether samples may be sent at once, whether they are now, and what stopped it.
        self._quick, self._at_once = connection.at_once, False
        self._failure: Exception | None = None
        self._thread = Thread(target=self._run, name=f"send {address}", daemon=True)
        self._thread.start()

    def send(self, sample: Sample) -> None:
        """Send this sample next; of more samples than may wait the oldest is dropped. Returns at once."""
        with self._wake:
            if self._closed:
                return
            self._dropped += len(self._waiting) == self._waiting.maxlen
            start_s = perf_counter()
            self._waiting.append((start_s, sample))
            if self._at_once:
                try:
                    self._send_next()
                except (OSError, VisavisError) as error:
                    self._failure, self._at_once = error, False
                if perf_counter() - start_s > LONGEST_AT_ONCE_S:
                    self._quick = self._at_once = False
            if not self._at_once:
                self._wake.notify()

    @property
    def message(self) -> str:
        """One line for a person, as in :attr:`status`, but cheap enough to be read at each frame."""
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

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        begun = False
        # A sender may be closed before this thread has run: what waits then gets its one chance.
        while not self._closed or (self._waiting and not begun):
            sent_before, begun = self._sent, True
            try:
                self._connection.open()
                self._let_send()
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

    def _let_send(self) -> None:
        """Let samples be sent at once until the end, or until one fails or takes long."""
        with self._wake:
            if not self._quick:
                return
            while self._waiting:
                self._send_next()
            self._at_once = True
            self._wake.wait_for(lambda: self._closed or not self._at_once)
            self._at_once = False
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _send_all(self) -> bool:
        """Send until the sender is closed (True) or the connection raises."""
        self._last = None
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closed or self._waiting, self._connection.repeat_s)
                if self._closed and not self._waiting:
                    return True
            self._send_next()

    def _send_next(self) -> None:
        """Send the oldest sample that waits, else the last one again."""
        with self._wake:
            waiting = self._waiting.popleft() if self._waiting else None
        since_s, sample = waiting or (perf_counter(), self._last)
        if sample is None:
            return
        light, sent = "sending", True
        try:
            message = self._connection.send(sample)
        except NotReadyError as error:
            light, message, sent = "waiting", str(error), error.sent
        except (OSError, VisavisError):
            with self._wake:
                self._dropped += waiting is not None
            raise
        self._last = sample
        with self._wake:
            self._light, self._message = light, message
            if waiting is not None and sent:
                self._sent += 1
                self._durations_s.append(perf_counter() - since_s)
            elif waiting is not None:
                self._dropped += 1
