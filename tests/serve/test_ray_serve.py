"""Ray Serve: many open connections a replica, and sessions that outlive their replica."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from support.pictures import jpeg
from support.talking import next_of
from visavis.errors import InputError
from visavis.serve.protocol import encode_frame
from visavis.serve.ray_serve import Replicas

TOKEN = "a-token-of-the-test"  # noqa: S105
SERVER = f"""
import sys
from visavis.serve.app import create_app
from visavis.serve.front import Front
from visavis.serve.ray_serve import RayServer, Replicas

def build():
    from visavis.testing.stages import scripted_pipeline
    return create_app(scripted_pipeline, sessions=16, processes=2, front=Front(token="{TOKEN}"))

server = RayServer(build, Replicas(2, 2), 16, Front())
server.run("127.0.0.1", 0, lambda port: print(port, file=sys.__stdout__, flush=True))
"""
CLIENTS = 12  # Ray's default is five open requests for a replica.


def test_replicas_from_text() -> None:
    assert (Replicas.parse("3"), Replicas.parse("1:8")) == (Replicas(3, 3), Replicas(1, 8))
    for text in ("0", "4:2", "many", "1:2:3", ""):
        with pytest.raises(InputError, match=r"expected a number such as 2, or bounds such as 1:8"):
            Replicas.parse(text)


@contextmanager
def replicas() -> Iterator[tuple[subprocess.Popen[str], int]]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", SERVER], **pipes) as process:
        try:
            line = process.stdout.readline()
            told = "" if line else process.stderr.read()
            if "timed out during startup" in told:
                pytest.skip("Ray's own processes do not start in time on this computer")
            assert line, told
            yield process, int(line)
        finally:
            process.terminate()
            process.wait(30)


def ask(port: int, path: str, token: str = TOKEN) -> str:
    request = Request(f"http://127.0.0.1:{port}/{path}", headers={"Authorization": f"Bearer {token}"})
    with urlopen(request, timeout=10) as answer:  # noqa: S310
        return answer.read().decode()


def sessions_by_process(port: int) -> dict[int, int]:
    """Requests go to either replica; each tells of itself."""
    found: dict[int, int] = {}
    for _ in range(200):
        text = ask(port, "metrics")
        process, count = re.search(r'visavis_sessions\{process="(\d+)"\} (\d+)', text).groups()
        found[int(process)] = int(count)
        if len(found) == 2:
            break
    return found


@contextmanager
def join(port: int) -> Iterator[ClientConnection]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with connect(f"ws://127.0.0.1:{port}/ws", additional_headers=headers) as client:
        yield client


def token_with_settings(client: ClientConnection, picture: bytes) -> str:
    """The token comes after a frame."""
    client.send('{"type": "resume", "token": null}')
    client.send('{"type": "settings", "read_expressions": false, "mirror": false}')
    first, token = next_of(client, "resume")["token"], None
    for number in range(1000):
        client.send(encode_frame(number, 1.0 + number, picture))
        if (message := json.loads(client.recv(timeout=10)))["type"] == "resume":
            token = message["token"]
            break
        time.sleep(0.02)
    assert token not in (None, first)
    return token


def go_on(
    port: int, client: ClientConnection, token: str, frame: bytes
) -> tuple[float, dict[str, Any]] | None:
    """When the session goes on after its loss, and its first moment there; None if it is not lost."""
    try:
        while True:
            client.recv(timeout=5)
    except TimeoutError:
        return None
    except ConnectionClosed:
        pass
    while True:
        with suppress(ConnectionClosed, InvalidStatus, OSError, TimeoutError), join(port) as client:
            client.send(json.dumps({"type": "resume", "token": token}))
            client.send(frame)
            moment = next_of(client, "moment")
            return time.monotonic(), moment
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sessions_go_on_when_their_replica_dies() -> None:
    pytest.importorskip("ray.serve", reason="needs the extra scale")
    with ExitStack() as stack:
        process, port = stack.enter_context(replicas())
        with pytest.raises(HTTPError, match="401"):
            ask(port, "", "another-token-of-a-test")
        clients = [stack.enter_context(join(port)) for _ in range(CLIENTS)]
        tokens = [token_with_settings(client, jpeg()) for client in clients]
        counts = sessions_by_process(port)
        assert sum(counts.values()) == CLIENTS
        victim = max(counts, key=lambda pid: counts[pid])
        os.kill(victim, signal.SIGKILL)
        killed_s = time.monotonic()
        frame = encode_frame(1, 1.0, jpeg())
        with ThreadPoolExecutor(CLIENTS) as pool:
            found = pool.map(lambda one: go_on(port, *one, frame), zip(clients, tokens, strict=True))
            went_on = [one for one in found if one is not None]
        assert len(went_on) == counts[victim]
        assert all(moment["expression"] is None for _, moment in went_on)  # The setting went along.
        gap_s = max(time_s for time_s, _ in went_on) - killed_s
        assert gap_s < 10  # About 1 s on a computer with nothing else to do.
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
