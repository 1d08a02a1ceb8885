"""Shared clients of a running server: fetched pages, and sockets."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from urllib.request import urlopen

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from visavis.serve.server import Server


def fetch(server: Server, path: str) -> str:
    with urlopen(server.url + path, timeout=10) as answer:  # noqa: S310
        text: str = answer.read().decode()
        return text


def talk(server: Server, query: str = "", **options: Any) -> ClientConnection:
    return connect(
        server.url.replace("http", "ws") + "ws" + query, compression=None, max_size=None, **options
    )


def receive(socket_: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(socket_.recv(timeout=10))
    return message


def closed_with(socket_: ClientConnection) -> int | None:
    """The close code of a conversation, once it has ended."""
    with suppress(ConnectionClosed):
        while True:
            socket_.recv(timeout=10)
    return socket_.close_code
