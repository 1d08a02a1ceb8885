"""Shared clients of a running server: fetched pages, and sockets."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

from visavis.serve.app import Server


def fetch(server: Server, path: str) -> str:
    with urlopen(server.url + path, timeout=10) as answer:  # noqa: S310
        text: str = answer.read().decode()
        return text


def talk(server: Server, **options: Any) -> ClientConnection:
    return connect(server.url.replace("http", "ws") + "ws", compression=None, max_size=None, **options)


def receive(socket_: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(socket_.recv(timeout=10))
    return message
