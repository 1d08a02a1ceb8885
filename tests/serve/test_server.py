"""The server's process: how it announces itself, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from websockets.sync.client import connect

from support import scripted_server as scripted
from support.pictures import jpeg
from support.talking import closed_with
from visavis.errors import DeviceError, InputError
from visavis.serve.front import Front
from visavis.serve.protocol import Close, encode_frame
from visavis.serve.server import serve

TESTS = Path(__file__).parents[1]
# A server of the scripted pipeline; its arguments: time of a step, further arguments of serve().
PROGRAM = """
import json, signal, sys
if hasattr(signal, "SIGHUP"):  # After nohup it would be ignored, as it should.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
from support.scripted_server import ScriptedPipeline
from visavis.serve import logs
from visavis.serve.front import Front
from visavis.serve.server import serve
logs.configure(None)
options = json.loads(sys.argv[2])
front = Front(**options.pop("front", {}))
made = lambda: ScriptedPipeline(step_s=float(sys.argv[1]))
serve(made, port=0, announce=lambda url: print(url, flush=True), front=front, **options)
print("returned", flush=True)
"""


@contextmanager
def program(step_s: float = 0.0, **options: Any) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, and the address that it announced first."""
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(step_s), json.dumps(options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@contextmanager
def talking(url: str, **options: Any) -> Iterator[Any]:
    address = "ws" + url.removeprefix("http").split("?")[0] + "ws"
    with connect(address, compression=None, max_size=None, **options) as client:
        yield client


needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")


@needs_signals
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
@pytest.mark.slow
def test_a_signal_ends_the_server_and_tells_its_clients(name: str) -> None:
    with program() as (process, url), talking(url) as client:
        client.recv(timeout=10)
        process.send_signal(getattr(signal, name))
        assert closed_with(client) == Close.RESTARTING
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "returned\n", "")


@needs_signals
@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_it_ends_in_spite_of_work_that_does_not(name: str) -> None:
    with program(step_s=600, front={"grace_s": 1.0}) as (process, url), talking(url) as client:
        client.recv(timeout=10)
        client.send(encode_frame(1, 1.0, jpeg()))
        time.sleep(1.0)  # until the step has begun
        began_s = time.monotonic()
        process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=10)
        assert process.returncode == 0
        assert time.monotonic() - began_s < 6
        assert "Traceback" not in err
        assert closed_with(client) == Close.RESTARTING


@needs_signals
@pytest.mark.slow
def test_a_second_interrupt_ends_it_at_once() -> None:
    with program(step_s=600, front={"grace_s": 60.0}) as (process, url), talking(url) as client:
        client.recv(timeout=10)
        client.send(encode_frame(1, 1.0, jpeg()))
        time.sleep(1.0)  # until the step has begun
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
        # The second comes while the server still stops, or while only the step is waited for.
        assert process.returncode in (130, -signal.SIGINT)
        assert err == ""


def ask(url: str, path: str = "", **headers: str) -> tuple[int, str, str | None]:
    """Status, text and cookie of an answer."""
    base, _, query = url.partition("?")
    query = "?" + query if query and not path else ""
    try:
        with urlopen(Request(base + path + query, headers=headers), timeout=5) as answer:  # noqa: S310
            return answer.status, answer.read().decode(), answer.headers["set-cookie"]
    except HTTPError as error:
        return error.code, error.read().decode(), error.headers["set-cookie"]


@pytest.mark.slow
def test_a_public_server_asks_for_the_token_that_it_printed() -> None:
    with program(host="0.0.0.0") as (process, url):  # noqa: S104
        found = re.fullmatch(r"http://([^/:]+):\d+/\?token=([A-Za-z0-9_-]{32})", url)
        assert found, url
        assert not found[1].startswith("127.")
        status, text, _ = ask(url.partition("?")[0])
        assert status == 401
        assert "?token=" in text
        status, text, cookie = ask(url)
        assert status == 200
        assert cookie
        assert "HttpOnly; SameSite=Strict" in cookie
        with talking(url) as client:
            assert json.loads(client.recv(timeout=5))["code"] == "unauthorized"
            assert closed_with(client) == Close.UNAUTHORIZED
        for header in ({"Cookie": cookie.split(";")[0]}, {"Authorization": f"Bearer {found[2]}"}):
            with talking(url, additional_headers=header) as client:
                assert json.loads(client.recv(timeout=5))["type"] == "hello"
        process.terminate()
        _, err = process.communicate(timeout=10)
        assert "without TLS" in err
        assert found[2] not in err


@pytest.mark.slow
def test_a_private_server_and_no_token_let_in() -> None:
    with program() as (_, url):
        assert "token" not in url
        assert ask(url)[0] == 200
    with program(host="0.0.0.0", front={"no_token": True}) as (process, url):  # noqa: S104
        assert "token" not in url
        assert ask(url)[0] == 200
        process.terminate()
        assert "--no-token" in process.communicate(timeout=10)[1]


@pytest.mark.slow
def test_behind_a_proxy_a_token_is_asked_for_too() -> None:
    with program(allowed_hosts=["faces.example"]) as (_, url):
        assert ask(url.partition("?")[0])[0] == 401
        assert ask(url)[0] == 200
        assert ask(url, "metrics")[0] == 401  # Loopback is the proxy's address.


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DeviceError, match=f"port {port}.*--port") as caught:
            serve(scripted.ScriptedPipeline, port=port)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("203.0.113.9", 0), ("no such host", 0)])
def test_addresses_that_cannot_be_listened_on(host: str, port: int) -> None:
    with pytest.raises(DeviceError, match="--port"):
        serve(scripted.ScriptedPipeline, host=host, port=port)


def test_more_connections_than_file_handles_are_refused() -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no such limit")
    with pytest.raises(InputError, match=r"ulimit -n.*--max-connections"):
        serve(scripted.ScriptedPipeline, port=0, front=Front(max_connections=10**9))
