"""Hostile clients of a server; their effect on the honest ones is measured."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import sys
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import cv2
import numpy as np
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from visavis.errors import InputError
from visavis.serve.budget import TEXTS_AT_ONCE
from visavis.serve.protocol import encode_frame

REASON_BYTES = 120
# Hostile clients have an address of their own, since the server has limits for each address. Only Linux gives
# every computer a second one.
ADDRESS = ("127.0.0.2", 0) if sys.platform == "linux" else None
SETTINGS = '{"type": "settings", "read_expressions": true, "mirror": true}'
hostile = partial(connect, max_size=None, compression=None, ping_interval=None, local_addr=ADDRESS)


class Tally:
    """What happened to a hostile client, in memory that its process shares with ours.

    Attributes:
        connections: how often it connected.
        messages: number of messages sent.
        ended: how often the server ended or refused the connection.
        reason: why, the last time.
    """

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._counts = spawn.Array("q", 3, lock=False)
        self._reason = spawn.Array("c", REASON_BYTES, lock=False)

    def connected(self) -> None:
        """Count a connection."""
        self._counts[0] += 1

    def sent(self) -> None:
        """Count a message."""
        self._counts[1] += 1

    def was_ended(self, reason: str) -> None:
        """Count an end by the server."""
        self._counts[2] += 1
        self._reason.value = reason.encode()[: REASON_BYTES - 1]

    def figures(self) -> dict[str, Any]:
        """The figures as JSON data."""
        connections, messages, ended = self._counts[:]
        reason = self._reason.value.decode(errors="replace") or None
        return {"connections": connections, "messages": messages, "ended": ended, "reason": reason}


Attack = Callable[[str, Tally], Awaitable[None]]


async def flood(url: str, tally: Tally) -> None:
    """Settings as fast as they go out; the answers are not read."""
    async with hostile(url) as socket:
        tally.connected()
        while True:
            await socket.send(SETTINGS)
            tally.sent()


async def reconnect(url: str, tally: Tally) -> None:
    """New connections as fast as they open, each with as many settings as a session may send at once."""
    while True:
        try:
            async with hostile(url) as socket:
                tally.connected()
                for _ in range(int(TEXTS_AT_ONCE)):
                    await socket.send(SETTINGS)
                    tally.sent()
                socket.transport.abort()  # A goodbye would take time.
        except (ConnectionClosed, InvalidHandshake) as error:
            tally.was_ended(str(error))


async def junk(url: str, tally: Tally) -> None:
    """Frames of 1 MB of junk, as fast as they go out."""
    data = b"\xff\xd8" + os.urandom((1 << 20) - 100) + b"\xff\xd9"
    async with hostile(url) as socket:
        tally.connected()
        number = 0
        while True:
            number += 1
            await socket.send(encode_frame(number, float(number), data))
            tally.sent()


def place_of(url: str) -> tuple[str, int, str]:
    """Host, port and path of a server without TLS.

    Raises:
        InputError: the address has another form.
    """
    where = re.fullmatch(r"ws://([^/:]+):(\d+)(/.*)", url)
    if where is None:
        raise InputError(f"{url}: for attacks, the address must be ws://HOST:PORT/PATH")
    return where[1], int(where[2]), where[3]


async def slow_reader(url: str, tally: Tally) -> None:
    """Frames at the camera's rate; the answers are never read."""
    host, port, path = place_of(url)
    _, writer = await asyncio.open_connection(host, port, local_addr=ADDRESS)
    tally.connected()
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    jpeg = cv2.imencode(".jpg", np.full((480, 640, 3), 90, np.uint8))[1].tobytes()
    number = 0
    while True:
        number += 1
        frame = encode_frame(number, float(number), jpeg)
        writer.write(b"\x82\xfe" + len(frame).to_bytes(2, "big") + bytes(4) + frame)
        await writer.drain()
        tally.sent()
        await asyncio.sleep(0.04)


async def half_open(url: str, tally: Tally) -> None:
    """A connection that never speaks nor answers pings."""
    host, port, path = place_of(url)
    reader, writer = await asyncio.open_connection(host, port, local_addr=ADDRESS)
    tally.connected()
    writer.write(f"GET {path} HTTP/1.1\r\n".encode())
    await reader.read()
    raise ConnectionResetError("closed")


ATTACKS: dict[str, Attack] = {
    "settings": flood,
    "reconnect": reconnect,
    "junk": junk,
    "slow-reader": slow_reader,
    "half-open": half_open,
}


async def _attack(name: str, url: str, tally: Tally) -> None:
    while True:
        try:
            await ATTACKS[name](url, tally)
        except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError) as error:
            tally.was_ended(str(error))
            await asyncio.sleep(0.1)


def attack_forever(name: str, url: str, tally: Tally) -> None:
    """One hostile client that always comes back; it needs a process of its own, since it never waits."""
    os.nice(10)  # In truth it is another computer, which takes no processor from the server.
    asyncio.run(_attack(name, url, tally))


@contextmanager
def attacked(names: Sequence[str], url: str) -> Generator[list[Tally], None, None]:
    """Hostile clients, each in a process of its own, that are killed at the end; gives their figures.

    Raises:
        InputError: the address has another form than attacks need.
    """
    if names:
        place_of(url)
    tallies = [Tally() for _ in names]
    spawn = multiprocessing.get_context("spawn")
    processes = [
        spawn.Process(target=attack_forever, args=(name, url, tally), daemon=True)
        for name, tally in zip(names, tallies, strict=True)
    ]
    try:
        for process in processes:
            process.start()
        yield tallies
    finally:
        for process in processes:
            if process.pid is not None:
                process.kill()
                process.join()
