"""Messages of a fake VTube Studio: what a request must be like, and errors.

https://github.com/DenchiSoft/VTubeStudio#api-details; numbers of errors are from Files/ErrorID.cs.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from visavis.base.reading import parse_json

API = {"apiName": "VTubeStudioPublicAPI", "apiVersion": "1.0"}
EVENTS = ("TestEvent", "ModelLoadedEvent", "ModelConfigChangedEvent", "TrackingStatusChangedEvent")
HEXADECIMAL = frozenset("0123456789abcdef")
LARGEST = 1e6
# Name of the plugin and of its developer.
Owner = tuple[str, str]


class ApiError(Exception):
    """A request breaks a rule.

    Attributes:
        number: number of the error.
        request_id: id of the request; empty if the receiver knows it.
    """

    def __init__(self, number: int, request_id: str = "") -> None:
        super().__init__(f"error {number}")
        self.number = number
        self.request_id = request_id


def reject(condition: bool, number: int) -> None:
    """Reject the request if the condition holds."""
    if condition:
        raise ApiError(number)


def number_of(value: object, error: int, low: float = -LARGEST, high: float = LARGEST) -> float:
    """A finite number in a range."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ApiError(error)
    reject(not low <= value <= high, error)
    return float(value)


def read_request(text: str | bytes, request_id: str) -> tuple[str, str, dict[str, Any]]:
    """Id, type and data of a request.

    Args:
        text: the message.
        request_id: the id of a request that gives none.
    """
    try:
        message = parse_json(text)
    except ValueError as error:
        raise ApiError(2) from error
    if not isinstance(message, dict):
        raise ApiError(2)
    request_id = message.get("requestID", request_id)
    reject(not (isinstance(request_id, str) and request_id.isascii() and 1 <= len(request_id) <= 64), 5)
    kind, data = message.get("messageType"), message.get("data")
    for wrong, number in (
        (message.get("apiName") != API["apiName"], 3),
        (message.get("apiVersion") != API["apiVersion"], 4),
        (not isinstance(kind, str) or not kind, 6),
    ):
        if wrong:
            raise ApiError(number, request_id)
    return request_id, str(kind), data if isinstance(data, dict) else {}


@dataclass(slots=True, eq=False)
class Caller:
    """One connection of a plugin."""

    connection: ServerConnection
    plugin: Owner = ("", "")
    token: str = ""
    events: set[str] = field(default_factory=set)

    def send(self, kind: str, data: dict[str, Any], request_id: str) -> None:
        """Send an answer or an event; who has left gets none, but what it sent before still counts."""
        message = {
            **API,
            "timestamp": int(1e3 * time.time()),
            "messageType": kind,
            "requestID": request_id,
            "data": data,
        }
        with suppress(ConnectionClosed):
            self.connection.send(json.dumps(message))

    def subscribe(self, data: dict[str, Any]) -> dict[str, Any]:
        """Begin or end to send an event; the data of the answer."""
        name, on = data.get("eventName") or "", data.get("subscribe") is True
        config = data.get("config") or {}
        reject(name not in EVENTS and (on or bool(name)), 950)
        reject(name == "TestEvent" and len(str(config.get("testMessageForEvent") or "")) > 32, 100000)
        ids = config.get("modelID") or []
        hexes = [len(str(one)) == 32 and set(str(one)) <= HEXADECIMAL for one in ids]
        reject(name == "ModelLoadedEvent" and not all(hexes), 100050)
        if on:
            self.events.add(name)
        else:
            self.events -= {name} if name else set(EVENTS)
        return {"subscribedEventCount": len(self.events), "subscribedEvents": sorted(self.events)}
