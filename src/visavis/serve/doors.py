"""The server's connections: how many there may be, and how long a client may keep one without using it."""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from visavis.errors import InputError
from visavis.serve.guard import household
from visavis.serve.protocol import Close

MOST_CONNECTIONS = 1024
FEWEST_CONNECTIONS = 8
# File handles for everything but connections, and for those that are accepted and not yet counted.
SPARE_HANDLES = 80
# Connections that are accepted in one turn of the event loop; each may take a file handle above the limit.
ACCEPTED_AT_ONCE = 8
RESPONSE_S = 60.0
LINGER_S = 5.0
FLOOD_LINGER_S = 0.5  # time for a client that sends too much to read why it is closed
_log = logging.getLogger(__name__)


class State(Enum):
    """What a connection does."""

    WAITS = "a request has not come, or not whole"
    KEPT = "it may be used for another request"
    ANSWERS = "a request is answered"
    TALKS = "it is a WebSocket"
    CLOSES = "the server has closed it"


@dataclass(eq=False, slots=True)
class Door:
    """One connection.

    Attributes:
        transport: the connection itself.
        address: address of the other side; that of a proxy if there is one; see
            :func:`~visavis.serve.guard.household`.
        since_s: time since which it is in its state.
        state: what it does.
    """

    transport: asyncio.Transport
    address: str
    since_s: float
    state: State = State.WAITS


class Doors:
    """All connections of a server.

    If there are too many, the one that has waited longest without a request is closed: of the address that
    has most of these. So idle connections lock nobody out.

    Args:
        limit: maximum number of connections.
        header_s: time in which a request's header, and before it the handshake of TLS, must arrive.
        tls: certificate and key; None for no encryption.

    Attributes:
        ended: number of connections that the server ended, by reason.
    """

    def __init__(self, limit: int, header_s: float, tls: ssl.SSLContext | None = None) -> None:
        self.limit, self.header_s, self.tls = limit, header_s, tls
        self.ended: Counter[str] = Counter(crowded=0, full=0, slow_request=0, slow_reader=0)
        self._open: dict[Door, None] = {}
        self._patience_s = {State.WAITS: header_s, State.ANSWERS: RESPONSE_S, State.CLOSES: LINGER_S}

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, transport: asyncio.Transport) -> Door:
        """Count a new connection, and make room for it if there is none."""
        peer = transport.get_extra_info("peername")
        door = Door(transport, household(str(peer[0])) if peer else "", asyncio.get_running_loop().time())
        self._open[door] = None
        if len(self._open) > self.limit:
            waiting = [other for other in self._open if other.state in (State.WAITS, State.KEPT)]
            crowd = Counter(other.address for other in waiting).most_common(1)[0][0]
            oldest = next(other for other in waiting if other.address == crowd)
            self._end(oldest, "full" if oldest is door else "crowded")
            self.leave(oldest)
            _log.warning("all %d connections are in use (--max-connections): one was closed", self.limit)
        return door

    def turn(self, door: Door, state: State) -> None:
        """Note what a connection does from now on."""
        if door in self._open:
            del self._open[door]  # It goes to the end: the first one has waited longest.
            self._open[door] = None
            door.state, door.since_s = state, asyncio.get_running_loop().time()

    def leave(self, door: Door) -> None:
        """Forget a connection."""
        self._open.pop(door, None)

    def sweep(self) -> None:
        """End the connections whose time is over; called about once a second."""
        now_s = asyncio.get_running_loop().time()
        for door in list(self._open):
            if door.transport.is_closing() and door.state is not State.CLOSES:
                self.turn(door, State.CLOSES)
            elif now_s - door.since_s > self._patience_s.get(door.state, float("inf")):
                self._end(door, "slow_request" if door.state is State.WAITS else "slow_reader")

    def _end(self, door: Door, reason: str) -> None:
        self.ended[reason] += 1
        door.transport.abort()

    def protocols(self) -> tuple[type[H11Protocol], type[WebSocketsSansIOProtocol]]:
        """Uvicorn's protocols of HTTP and WebSocket, with these doors."""
        return type("Http", (_Http,), {"doors": self}), type("Socket", (_Socket,), {"doors": self})


class _Http(H11Protocol):
    doors: ClassVar[Doors]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._early = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.door = self.doors.enter(transport)
        if self.doors.tls is None:
            super().connection_made(transport)
        else:
            transport.pause_reading()  # The handshake's first bytes are for TLS.
            self._handshake = self.loop.create_task(self._shake_hands(transport, self.doors.tls))

    async def _shake_hands(self, transport: asyncio.Transport, tls: ssl.SSLContext) -> None:
        """Start TLS here, and not in asyncio's server: there, nobody could count or end a slow handshake."""
        try:
            secured = await self.loop.start_tls(
                transport, self, tls, server_side=True, ssl_handshake_timeout=self.doors.header_s
            )
        except OSError:  # The client left, is too slow, or does not speak TLS.
            secured = None
        if secured is None:
            transport.abort()
            self.doors.leave(self.door)
            return
        self.door.transport = secured
        super().connection_made(secured)
        if self._early:
            self.data_received(self._early)

    def data_received(self, data: bytes) -> None:
        if self.transport is None:
            self._early += data
            return
        if self.door.state is State.KEPT:
            self.doors.turn(self.door, State.WAITS)
        super().data_received(data)
        if self._answers and self.door.state is State.WAITS:
            self.doors.turn(self.door, State.ANSWERS)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.doors.turn(self.door, State.ANSWERS if self._answers else State.KEPT)

    @property
    def _answers(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def handle_websocket_upgrade(self, event: Any) -> None:
        super().handle_websocket_upgrade(event)
        self.doors.turn(self.door, State.TALKS)
        socket = self.transport.get_protocol()
        if isinstance(socket, _Socket):
            socket.door = self.door

    def connection_lost(self, exc: Exception | None) -> None:
        self.doors.leave(self.door)
        if self.transport is not None:
            super().connection_lost(exc)


class _Socket(WebSocketsSansIOProtocol):
    doors: ClassVar[Doors]
    door: Door

    def connection_lost(self, exc: Exception | None) -> None:
        self.doors.leave(self.door)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if not self.transport.is_closing():  # Else uvicorn fails, since it has answered the client's close.
            super().shutdown()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.close" and message.get("code") == Close.TOO_FAST:
            self.transport.pause_reading()  # What such a client has sent already would take long to read.
            self.loop.call_later(FLOOD_LINGER_S, self.transport.abort)


def connection_limit(wanted: int | None) -> int:
    """The maximum number of connections, below the limit of file handles.

    Args:
        wanted: what the operator asks for; None for as many as fit, up to MOST_CONNECTIONS.

    Raises:
        InputError: the process may not open as many files.
    """
    handles = _file_handles()
    fits = MOST_CONNECTIONS if handles is None else handles - SPARE_HANDLES
    if fits < (wanted or FEWEST_CONNECTIONS) and handles is not None:
        needed = SPARE_HANDLES + (wanted or FEWEST_CONNECTIONS)
        raise InputError(
            f"this process may open {handles} files, but needs {needed}: raise it with ulimit -n, "
            "or lower --max-connections"
        )
    return wanted or min(MOST_CONNECTIONS, fits)


def _file_handles() -> int | None:
    """The limit of open files; None if there is none."""
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if limit == resource.RLIM_INFINITY else limit
