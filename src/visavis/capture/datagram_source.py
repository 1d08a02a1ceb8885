"""Faces that come as UDP datagrams from a phone or another tracker, as live frames.

A protocol gives a :class:`Decoder`, which turns the bytes of one datagram into face states and knows no
sockets. :class:`DatagramSource` does the rest: ports, senders, floods, silence and times.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from visavis.base.address import Address
from visavis.base.clock import Clock, SystemClock
from visavis.base.closing import Closing
from visavis.capture.tracked import BLANK_PX, TrackedFrame, blank_picture, known_face
from visavis.capture.udp import ip_of, listen, own_address, resolve
from visavis.errors import InputError
from visavis.types import FaceState

# ARKit tracks a face 60 times a second.
NOMINAL_FPS = 60.0
# Frames come at most this often, however many datagrams come.
SHORTEST_STEP_S = 1 / 120
MIN_STEP_S = 1e-4
# A face that is silent for so long is shown as lost; then frames without a face come at a slow rate.
SILENT_S = 0.5
IDLE_STEP_S = 0.1
# After so long, another sender may take over.
TAKEOVER_S = 2.0
# Per frame: so many datagrams are read, more than a system keeps, and so many of the newest are decoded.
MOST_READ = 512
MOST_DECODED = 32
LARGEST_BYTES = 65535
LONGEST_COMPLAINT = 100


class Decoder(Protocol):
    """Reads the datagrams of one sender, in the order of their arrival."""

    def decode(self, datagram: bytes) -> tuple[FaceState | None, ...]:
        """The faces in a datagram, the newest last; None where no face is seen, () if it tells nothing.

        Raises:
            InputError: the datagram is not of this protocol. ValueError means the same.
        """


@dataclass(frozen=True, slots=True)
class Hello:
    """What a sender must be told before it sends.

    Attributes:
        port: the sender's port.
        datagram: makes the message from our own port.
        every_s: the message is sent again after this time.
        always: whether it is also sent again while the sender sends; else only while it is silent.
    """

    port: int
    datagram: Callable[[int], bytes]
    every_s: float = 1.0
    always: bool = False


@dataclass(frozen=True, slots=True)
class Datagram:
    """Bytes and where they came from: IP address and port."""

    data: bytes
    sender: tuple[str, int]


class Inbox:
    """The faces of one sender at a time: of the first one that sends something readable.

    When the sender has been silent for 2 s, another one may take over.

    Args:
        make_decoder: makes the decoder for a new sender.
        most_decoded: at most so many of the newest datagrams are decoded at a time.

    Attributes:
        state: the newest face; None if the sender sees no face.
        sender: IP address and port of the sender; None if nobody sends.
        heard_s: time of the newest readable datagram; minus infinity before the first one.
        read: number of datagrams that were read well.
        unreadable: number of datagrams that were not of this protocol.
        others: number of datagrams of other senders.
        complaint: what was wrong with the newest unreadable datagram.
    """

    def __init__(self, make_decoder: Callable[[], Decoder], most_decoded: int = MOST_DECODED) -> None:
        self.state: FaceState | None = None
        self.sender: tuple[str, int] | None = None
        self.heard_s = float("-inf")
        self.read = self.unreadable = self.others = 0
        self.complaint = ""
        self._make_decoder = make_decoder
        self._most_decoded = most_decoded
        self._decoder: Decoder | None = None

    def take(self, datagrams: Iterable[Datagram], now_s: float) -> bool:
        """Read datagrams in the order of their arrival; returns whether there is a newer face."""
        if now_s - self.heard_s >= TAKEOVER_S:
            self.sender = self.state = self._decoder = None
        all_of_them = list(datagrams)
        candidates = [each for each in all_of_them if self.sender in (None, each.sender)]
        self.others += len(all_of_them) - len(candidates)
        news = False
        for datagram in candidates[-self._most_decoded :]:
            if self.sender not in (None, datagram.sender):
                self.others += 1
                continue
            news |= self._decode(datagram, now_s)
        return news

    def _decode(self, datagram: Datagram, now_s: float) -> bool:
        decoder = self._decoder or self._make_decoder()
        try:
            states = decoder.decode(datagram.data)
        except (InputError, ValueError) as error:
            self.unreadable += 1
            self.complaint = " ".join(str(error).split())[:LONGEST_COMPLAINT]
            return False
        self.sender, self._decoder = datagram.sender, decoder
        self.heard_s = now_s
        self.read += 1
        if states:
            self.state = states[-1]
        return bool(states)


class DatagramSource(Closing):
    """A tracker that sends UDP datagrams to a port of this computer; iterate once, inside ``with``.

    The newest datagram wins. Frames without a face come while nothing arrives, so that the avatar idles.
    If the address names a host, only its datagrams are read.

    Args:
        address: the address of the input.
        port: the port to listen on; 0 lets the system choose.
        make_decoder: makes the decoder for a new sender.
        clock: gives the frames' times.
        hello: what the host must be told before it sends.
        usual: programs that usually use the port, for the message when it is taken.
        most_decoded: per frame, at most so many of the newest datagrams are decoded.

    Attributes:
        name: the address.
        port: the port that is listened on.

    Raises:
        InputError: the host is not known.
        DeviceError: the port is taken or must not be used.
    """

    live = True
    fps = NOMINAL_FPS
    size = (BLANK_PX, BLANK_PX)
    frame_count_hint: int | None = None

    def __init__(
        self,
        address: Address,
        port: int,
        make_decoder: Callable[[], Decoder],
        *,
        clock: Clock | None = None,
        hello: Hello | None = None,
        usual: str = "",
        most_decoded: int = MOST_DECODED,
    ) -> None:
        self.name = str(address)
        self._clock = clock or SystemClock()
        self._inbox = Inbox(make_decoder, most_decoded)
        self._hello = hello
        self._hello_s = float("-inf")
        self._targets = resolve(address, 0 if hello is None else hello.port)
        self._hosts = frozenset(ip_of(target) for _, target in self._targets)
        self._closed = self._read = False
        self._trouble = ""
        self._sockets = listen(address, port, self._hosts, usual)
        self.port: int = next(iter(self._sockets.values())).getsockname()[1]
        self._start_s = self._clock.now_s()

    @property
    def status(self) -> str:
        """One line on what has come so far."""
        inbox = self._inbox
        if inbox.read:
            parts = [f"{inbox.read} datagrams read"]
            if inbox.sender is not None:
                parts[0] += f", the last from {inbox.sender[0]}"
        else:
            so_far = "nothing has come" if self._read else "waiting for the first face"
            parts = [f"{so_far}; this computer is {own_address()}, UDP port {self.port}"]
        if inbox.unreadable:
            parts.append(f"{inbox.unreadable} could not be read ({inbox.complaint})")
        if inbox.others:
            parts.append(f"{inbox.others} of other senders ignored")
        if self._trouble:
            parts.append(self._trouble)
        return f"{self.name}: " + "; ".join(parts)

    def __iter__(self) -> Generator[TrackedFrame, None, None]:
        """Frames as faces come, with times in seconds since opening; ends when the source is closed."""
        self._read = True
        picture = blank_picture()
        index, time_s = 0, -MIN_STEP_S
        while self._wait(time_s):
            time_s = max(self._clock.now_s() - self._start_s, time_s + MIN_STEP_S)
            state = None if self._silent() else self._inbox.state
            yield TrackedFrame(picture, time_s, index, () if state is None else (known_face(state),))
            index += 1

    def close(self) -> None:
        """Free the port."""
        self._closed = True
        for each in self._sockets.values():
            each.close()

    def _silent(self) -> bool:
        return self._clock.now_s() - self._inbox.heard_s >= SILENT_S

    def _wait(self, last_s: float) -> bool:
        """Wait until the next frame is due: for a newer face, or for some time; False when closed."""
        self._clock.sleep_s(self._start_s + last_s + SHORTEST_STEP_S - self._clock.now_s())
        began_s = self._clock.now_s()
        until_s = began_s + IDLE_STEP_S
        if not self._silent():
            until_s = max(until_s, self._inbox.heard_s + SILENT_S)
        while not self._closed:
            now_s = self._clock.now_s()
            self._greet(now_s)
            if self._inbox.take(self._receive(min(until_s - now_s, IDLE_STEP_S)), self._clock.now_s()):
                return True
            if self._clock.now_s() >= until_s:
                return True
        return False

    def _greet(self, now_s: float) -> None:
        hello = self._hello
        if hello is None or now_s - self._hello_s < hello.every_s:
            return
        if not hello.always and now_s - self._inbox.heard_s < hello.every_s:
            return
        self._hello_s = now_s
        self._trouble = ""
        for family, target in self._targets:
            if family in self._sockets:
                try:
                    self._sockets[family].sendto(hello.datagram(self.port), target)
                except OSError as error:
                    self._trouble = f"{ip_of(target)} cannot be reached: {error.strerror}"

    def _receive(self, wait_s: float) -> list[Datagram]:
        """The datagrams that wait, or those that come within a time; only from the host if there is one."""
        received: list[Datagram] = []
        with suppress(OSError, ValueError):  # Another thread may close the sockets.
            ready, _, _ = select.select(list(self._sockets.values()), (), (), max(wait_s, 0.0))
            for each in ready:
                for _ in range(MOST_READ):
                    try:
                        data, sender = each.recvfrom(LARGEST_BYTES)
                    except ConnectionResetError:  # Windows: nobody listened to an earlier hello.
                        continue
                    except OSError:  # Nothing waits any more.
                        break
                    received.append(Datagram(data, (ip_of(sender), sender[1])))
        if not self._hosts:
            return received
        expected = [each for each in received if each.sender[0] in self._hosts]
        self._inbox.others += len(received) - len(expected)
        return expected
