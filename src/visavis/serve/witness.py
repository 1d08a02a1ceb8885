"""Sees what goes through the server's WebSockets: it counts, measures, and logs their begin and end."""

from __future__ import annotations

import itertools
import json
import logging
import re
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from visavis.serve.logs import FIELDS, shortened
from visavis.serve.metrics import Metrics
from visavis.serve.protocol import FRAME_KIND, HEADER, MAGIC, Close

# The layer below closes with these codes for the server; another code of a disconnect is the client's choice.
LAYER_CODES = (Close.TOO_BIG, Close.RESTARTING)
MOST_WAITING = 64  # pictures of one session whose times are kept
# The messages to a client are the server's own: each begins with its type, then an error's code.
_MOMENT = re.compile(r'\{"type":"moment","id":(\d+),')
_ERROR = re.compile(r'\{"type":"error","code":"(\w+)",.*"id":(null|\d+)\}$', re.DOTALL)
_TIMINGS = '"timings_ms":'
_DROPPED = '"dropped":'
_log = logging.getLogger(__name__)
_decoder = json.JSONDecoder()


class Witness:
    """ASGI middleware that feeds the metrics and the log.

    It logs no picture, no sound, no text of a client and no name; of an address it logs the network alone.

    Args:
        app: what is observed.
        metrics: takes the counts.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward one request (the ASGI interface)."""
        if scope["type"] == "websocket":
            talk = _Talk(scope, receive, send, self._metrics, next(self._numbers))
            try:
                await self._app(scope, talk.receive, talk.send)
            finally:
                talk.end()
        elif scope["type"] == "http":

            async def send_counted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self._metrics.count("http_requests_total", status=str(message["status"]))
                await send(message)

            await self._app(scope, receive, send_counted)
        else:
            await self._app(scope, receive, send)


class _Talk:
    """One WebSocket."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, metrics: Metrics, number: int) -> None:
        client = scope.get("client")
        self._who = {
            "conversation": number,
            "path": scope["path"] if scope["path"] in ("/ws", "/ws/watch") else "other",
            "address": shortened(client[0]) if client else "",
        }
        self._receive, self._send = receive, send
        self._metrics = metrics
        self._since_s = time.monotonic()
        self._opened = False
        self._code: int | None = None
        self._client_closed = False
        self._detail = ""
        self._waiting: dict[int, float] = {}  # pictures: when they came
        self._frames = self._answered = self._dropped = self._refused = 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.receive":
            data = message.get("bytes")
            self._metrics.count("received_bytes_total", len(data or message.get("text") or ""))
            if data is not None and len(data) > HEADER.size and data[:2] == MAGIC and data[3] == FRAME_KIND:
                self._frames += 1
                self._metrics.count("frames_received_total")
                if len(self._waiting) < MOST_WAITING:
                    self._waiting[HEADER.unpack_from(data)[3]] = time.monotonic()
                    self._metrics.frames_waiting += 1
        elif message["type"] == "websocket.disconnect" and self._code is None:
            self._code, self._client_closed = message.get("code", 1005), True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.accept":
            self._opened = True
            self._metrics.count("conversations_opened_total")
            _say("conversation opened", self._who)
        elif message["type"] == "websocket.close" and self._code is None:
            self._code = message.get("code", 1000)
            # Other reasons may quote the client.
            self._detail = message.get("reason", "") if self._code == Close.FAILED else ""
        elif message["type"] == "websocket.send":
            self._answer(message.get("text") or "")
        await self._send(message)

    def _answer(self, text: str) -> None:
        self._metrics.count("sent_bytes_total", len(text))
        if moment := _MOMENT.match(text):
            self._answered += 1
            self._metrics.count("frames_answered_total")
            self._leave_queue(int(moment[1]))
            for stage, took_ms in _field(text, _TIMINGS, {}).items():
                self._metrics.observe("stage_seconds", took_ms / 1000, stage=stage)
            self._dropped = _field(text, _DROPPED, self._dropped)
        elif error := _ERROR.match(text):
            self._metrics.count("errors_total", code=error[1])
            if error[2] != "null":
                self._refused += 1
                self._leave_queue(int(error[2]))

    def _leave_queue(self, number: int) -> None:
        """A picture is answered; those before it never will be."""
        came_s = self._waiting.get(number)
        if came_s is not None:
            self._metrics.observe("answer_seconds", time.monotonic() - came_s)
            for passed in [*itertools.takewhile(lambda one: one != number, self._waiting), number]:
                del self._waiting[passed]
                self._metrics.frames_waiting -= 1

    def end(self) -> None:
        self._metrics.frames_waiting -= len(self._waiting)
        reason = self._reason()
        self._metrics.count("conversations_closed_total", reason=reason)
        facts: dict[str, Any] = {
            **self._who,
            "reason": reason,
            "code": self._code,
            "duration_s": round(time.monotonic() - self._since_s, 3),
            "frames": self._frames,
            "answered": self._answered,
            "dropped": self._dropped,
            "refused": self._refused,
        }
        if self._detail:
            facts["detail"] = self._detail
        _say("conversation closed" if self._opened else "conversation refused", facts)

    def _reason(self) -> str:
        if not self._opened:
            return "refused"
        if self._code in list(Close) and not (self._client_closed and self._code not in LAYER_CODES):
            return Close(self._code).name.lower()
        return "connection_lost" if self._code in (None, 1005, 1006) else "client_left"


def _say(event: str, fields: dict[str, Any]) -> None:
    _log.info(event, extra={FIELDS: fields})


def _field(text: str, name: str, missing: Any) -> Any:
    """The value of the last field of this name in a JSON text."""
    at = text.rfind(name)
    return missing if at < 0 else _decoder.raw_decode(text, at + len(name))[0]
