"""A running server, and its clients: fetched pages, and sockets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.request import urlopen

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from support.scripted_server import ScriptedPipeline
from visavis.serve.app import create_app
from visavis.serve.server import Server


@contextmanager
def serving(make_pipeline: Any, **options: Any) -> Iterator[Server]:
    """A server on a free port, in a thread of its own."""
    answers = threading.Event()
    front = options.pop("front", None)
    app = create_app(make_pipeline, **options)
    server = Server(app, "127.0.0.1", 0, lambda url: answers.set(), front)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert answers.wait(10)
        yield server
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def asking(**options: Any) -> Iterator[Any]:
    """A client of an application in this process."""
    client = pytest.importorskip("starlette.testclient")
    app = create_app(ScriptedPipeline, **options)
    with client.TestClient(app, base_url="http://127.0.0.1") as made:
        yield made


def fetch(server: Server, path: str) -> str:
    with urlopen(server.url + path, timeout=10) as answer:  # noqa: S310
        return answer.read().decode()


def talk(server: Server, query: str = "", **options: Any) -> ClientConnection:
    return connect(
        server.url.replace("http", "ws") + "ws" + query, compression=None, max_size=None, **options
    )


def receive(socket_: ClientConnection) -> dict[str, Any]:
    return json.loads(socket_.recv(timeout=10))


def next_of(socket_: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of this type; those before it are dropped."""
    while (message := receive(socket_))["type"] != kind:
        pass
    return message


def closed_with(socket_: ClientConnection) -> int | None:
    """The close code of a conversation, once it has ended."""
    with suppress(ConnectionClosed):
        while True:
            socket_.recv(timeout=10)
    return socket_.close_code
