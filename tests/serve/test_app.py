"""The running server: its answers, its refusals, and the end of each conversation."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

import visavis.serve
from support import scripted_server as scripted
from support.pictures import jpeg
from support.talking import asking, fetch, receive, serving, talk
from visavis.channels import EXPRESSIONS
from visavis.errors import WeightsError
from visavis.serve.protocol import Close, encode_frame
from visavis.serve.server import Server

STATIC = Path(visavis.serve.__file__).with_name("static")
PARTS = [path for path in STATIC.rglob("*") if path.is_file()]


def closing(socket_: ClientConnection) -> tuple[str | None, int | None, str | None]:
    """Code of the error message before the close, close code, close reason."""
    error = None
    with suppress(ConnectionClosed):
        while True:
            message = receive(socket_)
            error = message["code"] if message["type"] == "error" else error
    return error, socket_.close_code, socket_.close_reason


def test_the_page_and_its_parts(server: Server) -> None:
    page = fetch(server, "")
    parts = re.findall(r'(?:src|href)="(static/[^"]+)"', page)
    assert {"static/app.js", "static/style.css"} <= set(parts)
    for part in {*parts, *(f"static/{path.relative_to(STATIC).as_posix()}" for path in PARTS)}:
        assert fetch(server, part)
    assert json.loads(fetch(server, "assets/puppet.json"))
    for absent in (
        "docs",
        "openapi.json",
        "assets/manifest.json",
        "static/../app.py",
        "static/%2e%2e/app.py",
    ):
        with pytest.raises(HTTPError, match="404"):
            fetch(server, absent)


def test_nothing_in_the_page_comes_from_elsewhere() -> None:
    for path in PARTS:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"""(src|href|import|from|url|fetch)\s*[=(]?\s*["'(](https?:)?//""", text), (
            path.name
        )


def test_health_counts_sessions(server: Server) -> None:
    before = json.loads(fetch(server, "health"))
    assert (before["status"], before["modes"]) == ("ok", ["mirror"])
    assert before["sessions_limit"] >= 16
    assert before["process"] is None
    assert before["expressions"] == list(EXPRESSIONS)
    with talk(server) as client:
        receive(client)
        assert json.loads(fetch(server, "health"))["sessions"] == before["sessions"] + 1


def test_one_of_several_processes_says_that_its_places_are_its_own() -> None:
    with asking(sessions=1, processes=2) as client:
        health = client.get("/health").json()
        assert (health["sessions_limit"], health["process"]) == (1, os.getpid())
        client.app.state.pool.active = 1
        detail = client.get("/ready").json()["detail"]
        client.app.state.pool.active = 0  # Else the end would wait for it.
    assert detail.startswith("no session can begin now: 1 of 1 sessions of this process (--sessions) are in")


@pytest.mark.parametrize(
    "path", ["", "health", "live", "ready", "metrics", "static/app.js", "assets/puppet.json"]
)
def test_the_head_of_a_page_can_be_asked_for(server: Server, path: str) -> None:
    request = Request(server.url + path, method="HEAD")  # noqa: S310
    with urlopen(request, timeout=5) as answer:  # noqa: S310
        assert (answer.status, answer.read()) == (200, b"")


def test_ready_is_not_live() -> None:
    with serving(scripted.ScriptedPipeline, sessions=1) as server:
        assert json.loads(fetch(server, "ready")) == {"status": "ready"}
        with talk(server) as client:
            receive(client)
            with pytest.raises(HTTPError) as caught:
                fetch(server, "ready")
            assert caught.value.code == 503
            assert "1 of 1 sessions of this server (--sessions)" in caught.value.read().decode()
            assert json.loads(fetch(server, "live")) == {"status": "live"}


def test_settings_and_calibration(server: Server) -> None:
    with talk(server) as client:
        receive(client)
        wanted = {"type": "settings", "read_expressions": False, "mirror": True}
        client.send(json.dumps(wanted))
        assert receive(client) == wanted
        client.send('{"type": "calibrate"}')
        client.send(encode_frame(1, 1.0, jpeg()))
        moment = receive(client)
        assert (moment["expression"], moment["calibrated"]) == (None, True)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"rubbish of some length", Close.BAD_MESSAGE),
        (b"VV\x07\x01" + bytes(20), Close.BAD_VERSION),
        (struct.pack("<2sBBId", b"VV", 1, 1, 1, float("nan")), Close.BAD_MESSAGE),
        ("{not json", Close.BAD_MESSAGE),
        ('{"type": "unknown"}', Close.BAD_MESSAGE),
    ],
)
def test_breaches_end_with_one_error_and_a_code(server: Server, message: bytes | str, code: Close) -> None:
    with talk(server) as client:
        receive(client)
        client.send(message)
        error, close_code, reason = closing(client)
        assert (error, close_code) == (code.name.lower(), code)
        assert reason


def test_a_huge_message_is_refused_by_its_length(server: Server) -> None:
    with talk(server) as client:
        receive(client)
        client.socket.sendall(b"\x82\xff" + struct.pack(">Q", 1 << 40) + bytes(4))  # a terabyte, announced
        assert closing(client)[1] == Close.TOO_BIG


def test_silence_ends_a_session() -> None:
    with serving(scripted.ScriptedPipeline, idle_s=0.1) as server, talk(server) as client:
        assert receive(client)["type"] == "hello"
        assert closing(client)[1] == Close.IDLE


@pytest.mark.slow
def test_a_slow_pipeline_does_not_block_the_server() -> None:
    with serving(lambda: scripted.ScriptedPipeline(step_s=0.6)) as server, talk(server) as client:
        receive(client)
        for number in range(1, 6):
            client.send(encode_frame(number, float(number), jpeg()))
            time.sleep(0.02)
        started_s = time.perf_counter()
        fetch(server, "health")
        assert time.perf_counter() - started_s < 0.4
        assert receive(client)["id"] == 1
        last = receive(client)
        assert (last["id"], last["dropped"]) == (5, 3)


def test_damaged_weights_are_reported() -> None:
    def broken() -> Any:
        raise WeightsError("face.onnx: its sha256 differs from the manifest's")

    with serving(broken) as server, talk(server) as client:
        error, code, reason = closing(client)
        assert (error, code) == ("failed", Close.FAILED)
        assert "sha256" in reason
        with pytest.raises(HTTPError, match="503"):
            fetch(server, "health")
        with pytest.raises(HTTPError, match="503"):
            fetch(server, "ready")
        assert json.loads(fetch(server, "live")) == {"status": "live"}


def test_a_stopping_server_asks_to_reconnect() -> None:
    with serving(scripted.ScriptedPipeline) as server, talk(server) as client:
        receive(client)
        server.should_exit = True
        error, code, _ = closing(client)
        assert (error, code) == ("restarting", Close.RESTARTING)


def test_clients_that_vanish_leave_no_session(server: Server) -> None:
    for number in range(3):
        with talk(server) as client:
            receive(client)
            client.send(encode_frame(number, 1.0, jpeg()))
            client.socket.shutdown(socket.SHUT_RDWR)  # no goodbye
    deadline_s = time.monotonic() + 5
    while json.loads(fetch(server, "health"))["sessions"] and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert json.loads(fetch(server, "health"))["sessions"] == 0


def test_a_foreign_page_is_refused_at_the_handshake(server: Server) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        talk(server, origin="https://evil.example")
    with talk(server, origin=server.url.rstrip("/")) as client:
        assert receive(client)["type"] == "hello"
