"""Limits of connections: floods lock nobody out, slow clients lose their place, honest ones keep it."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from threading import Timer
from urllib.request import urlopen

import pytest

from support import scripted_server as scripted
from support.pictures import jpeg
from support.talking import fetch, receive, serving, talk
from visavis.errors import InputError
from visavis.serve import doors
from visavis.serve.doors import connection_limit
from visavis.serve.front import Front
from visavis.serve.protocol import encode_frame
from visavis.serve.server import Server

LIMIT = 8
HEADER_S = 0.4
KEEP_ALIVE_S = 2
# On a busy computer, what must happen may take this much longer.
BUSY_S = 10
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
CLOSE = b"\x88\x80" + bytes(4)  # a frame of the client


@pytest.fixture
def narrow() -> Iterator[Server]:
    """A server with few connections and little patience."""
    front = Front(max_connections=LIMIT, header_s=HEADER_S, keep_alive_s=KEEP_ALIVE_S)
    with serving(scripted.ScriptedPipeline, front=front) as server:
        yield server


def raw(server: Server, text: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    connection.sendall(text)
    return connection


def is_closed(connection: socket.socket, within_s: float) -> bool:
    """Whether the server closes a connection within a time; its answers are skipped."""
    connection.settimeout(within_s)
    with suppress(TimeoutError):
        try:
            while connection.recv(65536):
                pass
        except ConnectionError:
            pass
        return True
    return False


def ended(server: Server, reason: str) -> int:
    [count] = re.findall(rf'connections_ended_total{{reason="{reason}"}} (\d+)', fetch(server, "metrics"))
    return int(count)


def test_idle_connections_lock_nobody_out(narrow: Server) -> None:
    with talk(narrow) as early, ExitStack() as stack:
        receive(early)
        idle = [stack.enter_context(raw(narrow)) for _ in range(3 * LIMIT)]
        early.send(encode_frame(1, 1.0, jpeg()))
        assert receive(early)["type"] == "moment"  # Who talks keeps the place.
        with talk(narrow) as late:
            assert receive(late)["type"] == "hello"
        assert is_closed(idle[0], 0.2)  # It was closed for others, before its time was over.
        assert ended(narrow, "crowded") > LIMIT


@pytest.mark.parametrize(
    "text",
    [b"", b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n"],
    ids=["silent", "half a header", "half a handshake"],
)
def test_a_request_must_arrive_in_time(narrow: Server, text: bytes) -> None:
    with raw(narrow, text) as slow:
        assert not is_closed(slow, HEADER_S / 2)
        assert is_closed(slow, HEADER_S + BUSY_S)
        assert ended(narrow, "slow_request") == 1


def test_a_header_that_drips_does_not_win_time(narrow: Server) -> None:
    with raw(narrow, b"GET /live HTTP/1.1\r\n") as slow:
        began_s = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() < began_s + HEADER_S + BUSY_S:
                slow.sendall(b"X: y\r\n")
                time.sleep(0.05)
        assert time.monotonic() < began_s + HEADER_S + BUSY_S


def test_a_reader_that_does_not_read_is_cut_off(narrow: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(narrow._doors._patience_s, doors.State.ANSWERS, 0.2)
    size = len(fetch(narrow, "static/vendor/three-vrm.js"))
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with slow:
        slow.connect(("127.0.0.1", narrow.port))
        for _ in range(12):  # more than the buffers on both sides hold
            slow.sendall(b"GET /static/vendor/three-vrm.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        deadline_s = time.monotonic() + 10
        while not ended(narrow, "slow_reader") and time.monotonic() < deadline_s:
            time.sleep(0.1)
        assert ended(narrow, "slow_reader") == 1
        assert size > 100_000


@pytest.mark.slow
def test_honest_requests_share_a_connection(narrow: Server) -> None:
    connection = HTTPConnection("127.0.0.1", narrow.port, timeout=5)
    with closing(connection):
        connection.connect()
        first = connection.sock
        for _ in range(3):
            connection.request("GET", "/live")
            assert json.loads(connection.getresponse().read()) == {"status": "live"}
            time.sleep(1.5 * HEADER_S)  # less than KEEP_ALIVE_S
        assert connection.sock is first
        assert is_closed(first, KEEP_ALIVE_S + BUSY_S)


def test_a_kept_connection_gives_way(narrow: Server) -> None:
    with ExitStack() as stack:
        for _ in range(3 * LIMIT):
            stack.enter_context(raw(narrow, b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
        assert json.loads(fetch(narrow, "live")) == {"status": "live"}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=test"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    return cert, key


def test_tls_serves_page_and_socket_and_slow_handshakes_end(certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    front = Front(tls_cert=cert, tls_key=key, header_s=HEADER_S, max_connections=LIMIT)
    trusting = ssl.create_default_context(cafile=str(cert))
    with serving(scripted.ScriptedPipeline, front=front) as server:
        assert server.url.startswith("https://")
        with ExitStack() as stack:
            idle = [stack.enter_context(raw(server)) for _ in range(3 * LIMIT)]
            junk = stack.enter_context(raw(server, b"GET / HTTP/1.1\r\n\r\n"))
            with urlopen(server.url, timeout=5, context=trusting) as answer:  # noqa: S310
                assert answer.status == 200
            assert is_closed(junk, BUSY_S)
            # While some are open, the next connection may be refused.
            assert all(is_closed(each, HEADER_S + BUSY_S) for each in idle)
        with talk(server, ssl=trusting) as client:
            assert receive(client)["type"] == "hello"
            client.send(encode_frame(1, 1.0, jpeg()))
            assert receive(client)["type"] == "moment"


def test_a_connection_that_closes_does_not_spoil_the_servers_end(certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    trusting = ssl.create_default_context(cafile=str(cert))
    with serving(scripted.ScriptedPipeline, front=Front(tls_cert=cert, tls_key=key)) as server:
        client = trusting.wrap_socket(raw(server), server_hostname="127.0.0.1")
        client.sendall(UPGRADE % server.port)
        assert b" 101 " in client.recv(65536)
        client.sendall(CLOSE)
        while client.recv(65536):  # To the server's own end; a client of TLS may leave the line open.
            pass
        Timer(0.5, client.close).start()


def test_the_limit_lies_below_that_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "_file_handles", lambda: 256)
    assert connection_limit(None) == 256 - doors.SPARE_HANDLES
    assert connection_limit(100) == 100
    with pytest.raises(InputError, match="may open 256 files, but needs 280"):
        connection_limit(200)
    monkeypatch.setattr(doors, "_file_handles", lambda: None)
    assert connection_limit(None) == doors.MOST_CONNECTIONS
