"""One session with VTube Studio: requests with their answers, and events in between.

JSON in text messages over a WebSocket. Each request has an id, which comes back in its answer, so that an
answer may come late, and an event or the answer to somebody else cannot be taken for it.
https://github.com/DenchiSoft/VTubeStudio#api-details
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from time import monotonic
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from visavis.base.reading import parse_json
from visavis.errors import DeviceError
from visavis.outputs.vtube_studio.errors import VTubeStudioError

API_NAME = "VTubeStudioPublicAPI"
API_VERSION = "1.0"
# VTube Studio answers between two frames, and not at all while it loads a large model.
ANSWER_S = 10.0
OPEN_S = 2.0
CLOSE_S = 0.5
MAX_BYTES = 1 << 22
# No more messages than these are read at once, so that a flood of them cannot keep the sender from sending.
MOST_AT_ONCE = 1000

Data = Mapping[str, Any]
# Gets the answer's data, or the error; an exception is for the caller of pump().
Handler = Callable[[Data, VTubeStudioError | None], None]


@dataclass(frozen=True, slots=True)
class _Open:
    """A request without an answer."""

    kind: str
    handler: Handler
    until_s: float


class StudioSession:
    """An open session.

    Args:
        host: name or address of the computer.
        port: port of the API, usually 8001.
        on_event: gets the type and the data of each event.

    Raises:
        DeviceError: nobody listens there, or it is no WebSocket.
    """

    def __init__(self, host: str, port: int, on_event: Callable[[str, Data], None]) -> None:
        self._name = f"VTube Studio ({host}, port {port})"
        self._on_event = on_event
        self._open: dict[str, _Open] = {}
        self._ids = count(1)
        self._stack = ExitStack()
        try:
            plain = socket.create_connection((host, port), OPEN_S)
        except OSError as error:
            raise DeviceError(
                f"{self._name} cannot be reached: start it, and switch on Allow Plugin API access there"
            ) from error
        shown = f"[{host}]" if ":" in host else host
        try:
            # A socket of our own goes past any proxy.
            self._socket: ClientConnection = self._stack.enter_context(
                connect(
                    f"ws://{shown}:{port}",
                    sock=plain,
                    compression=None,
                    open_timeout=OPEN_S,
                    close_timeout=CLOSE_S,
                    max_size=MAX_BYTES,
                )
            )
        except (WebSocketException, OSError, ValueError) as error:
            plain.close()
            raise DeviceError(
                f"{self._name}: another program answers there; check the port in VTube Studio's settings"
            ) from error

    def post(
        self, kind: str, data: Data | None = None, handler: Handler | None = None, wait_s: float = ANSWER_S
    ) -> None:
        """Send a request; :meth:`pump` hands the answer to the handler.

        Args:
            kind: type of the request, such as ``HotkeyTriggerRequest``.
            data: its data.
            handler: gets the answer; None if only time-outs matter.
            wait_s: the session counts as lost if the answer takes longer.
        """
        request_id = f"visavis{next(self._ids)}"
        request = {
            "apiName": API_NAME,
            "apiVersion": API_VERSION,
            "requestID": request_id,
            "messageType": kind,
            "data": data or {},
        }
        self._open[request_id] = _Open(kind, handler or _ignore, monotonic() + wait_s)
        try:
            self._socket.send(json.dumps(request, allow_nan=False))
        except (WebSocketException, OSError) as error:
            raise self._lost() from error

    def ask(self, kind: str, data: Data | None = None) -> Data:
        """Send a request, and wait for the data of its answer.

        Raises:
            VTubeStudioError: the answer is an error.
            DeviceError: the session is lost.
        """
        answers: list[tuple[Data, VTubeStudioError | None]] = []
        self.post(kind, data, lambda *answer: answers.append(answer))
        while not answers:
            self.pump(ANSWER_S / 10)
        found, error = answers[0]
        if error is not None:
            raise error
        return found

    def unanswered(self, kind: str) -> int:
        """How many requests of this type have no answer yet."""
        return sum(waiting.kind == kind for waiting in self._open.values())

    def pump(self, wait_s: float = 0.0) -> None:
        """Handle all messages that have come.

        Args:
            wait_s: wait this long for the first one.

        Raises:
            DeviceError: the session is lost.
        """
        for _ in range(MOST_AT_ONCE):
            try:
                text = self._socket.recv(timeout=wait_s)
            except TimeoutError:
                break
            except (WebSocketException, OSError) as error:
                raise self._lost() from error
            wait_s = 0.0
            self._take(text)
        now_s = monotonic()
        if any(waiting.until_s < now_s for waiting in self._open.values()):
            raise DeviceError(f"{self._name} does not answer any more; visavis connects again")

    def close(self) -> None:
        """End the session; nothing is raised."""
        self._stack.close()

    def _take(self, text: str | bytes) -> None:
        """One message. Whoever it is from, only answers to open requests and events have an effect."""
        try:
            message = parse_json(text)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        kind, data = message.get("messageType"), message.get("data")
        if not isinstance(kind, str) or not isinstance(data, dict):
            return
        if kind.endswith("Event"):  # An event may bear the id of its subscription.
            self._on_event(kind, data)
            return
        waiting = self._open.pop(str(message.get("requestID")), None)
        if waiting is not None:
            waiting.handler(data, _error(data) if kind == "APIError" else None)

    def _lost(self) -> DeviceError:
        return DeviceError(f"{self._name} closed the connection; visavis connects again")


def _ignore(data: Data, error: VTubeStudioError | None) -> None:
    pass


def _error(data: Data) -> VTubeStudioError:
    number = data.get("errorID")
    return VTubeStudioError(number if type(number) is int else -1, str(data.get("message", "")))
