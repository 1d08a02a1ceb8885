"""``visavis serve``: announces its address, ends quietly when interrupted, and reports errors in one line."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from websockets.sync.client import connect

from support.console import CommandLine

NOT_WINDOWS = pytest.mark.skipif(sys.platform == "win32", reason="needs workers or ulimit")
COMMAND = [sys.executable, "-c", "from visavis.cli import main; main()", "serve"]


def test_it_serves_until_it_is_interrupted() -> None:
    with subprocess.Popen([*COMMAND, "--port", "0"], stderr=subprocess.PIPE, text=True) as process:
        line = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert found, line
        with urlopen(found[0], timeout=10) as answer:  # noqa: S310
            assert b"<title>visavis</title>" in answer.read()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 0
    assert rest == ""


@contextmanager
def serving(*options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command with options, and the line that says where it is."""
    command = [*COMMAND, "--port", "0", *options]
    environment = {**os.environ, **environment}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process, process.stderr.readline()
        finally:
            process.terminate()


def status(url: str, **headers: str) -> int:
    try:
        with urlopen(Request(url, headers=headers), timeout=10) as answer:  # noqa: S310
            code: int = answer.status
            return code
    except HTTPError as error:
        return error.code


@pytest.mark.slow
@pytest.mark.parametrize("way", ["option", "file", "environment"])
def test_a_given_token_is_asked_for_and_not_printed(way: str, tmp_path: Path) -> None:
    token = "a-token-that-is-given"  # noqa: S105
    (tmp_path / "token").write_text(token + "\n")
    options = {"option": ["--token", token], "file": ["--token-file", str(tmp_path / "token")]}.get(way, [])
    environment = {"VISAVIS_TOKEN": token} if way == "environment" else {}
    with serving(*options, **environment) as (_, line):
        assert token not in line
        [url] = re.findall(r"http://127\.0\.0\.1:\d+/", line)
        assert status(url) == 401
        assert status(url, Authorization=f"Bearer {token}") == status(f"{url}?token={token}") == 200


@pytest.mark.slow
@pytest.mark.parametrize("number", ["1", pytest.param("2", marks=NOT_WINDOWS)])
def test_every_line_is_json_and_names_its_process(number: str) -> None:
    with serving("--log-format", "json", "--workers", number) as (process, line):
        [url] = re.findall(r"ws://\S+/", line.replace("http", "ws"))
        with connect(url + "ws") as client:
            client.recv(timeout=10)
        process.terminate()
        events = [json.loads(one) for one in (line, *process.stderr)]
    assert events[0]["message"].startswith("visavis is at http://")
    assert [one["message"] for one in events[1:]] == ["conversation opened", "conversation closed"]
    assert events[2]["reason"] == "client_left"
    [served_by] = {one["process"] for one in events[1:]}
    assert (served_by == process.pid) == (number == "1")


@pytest.mark.slow
@NOT_WINDOWS
def test_a_flood_of_connections_locks_nobody_out_and_fills_no_log() -> None:
    shell = ["sh", "-c", 'ulimit -n 160 && exec "$@"', "sh", *COMMAND, "--port", "0"]
    with subprocess.Popen(shell, stderr=subprocess.PIPE, text=True) as process:
        [port] = re.findall(r"127\.0\.0\.1:(\d+)/", process.stderr.readline())
        with ExitStack() as flood:
            for _ in range(200):
                flood.enter_context(socket.create_connection(("127.0.0.1", int(port)), timeout=5))
            assert status(f"http://127.0.0.1:{port}/live") == 200
        process.terminate()
        rest = process.stderr.read()
    assert "--max-connections" in rest
    assert "Traceback" not in rest
    assert len(rest) < 2000


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--token", "short"], "16 to 128"),
        (["--tls-cert", "cert.pem"], "both --tls-cert and --tls-key"),
        (["--max-connections", "100000000"], "ulimit -n"),
        (["--proxy", "faces.example"], "--proxy faces.example"),
        (["--allow-host", "https://faces.example"], "expected a plain name such as faces.example"),
        (["--token-file", "none.txt"], "none.txt: the token cannot be read"),
        (["--token", "x" * 20, "--no-token"], "--token and --no-token exclude each other"),
        (["--workers", "2", "--send", "vts://", "--log-format", "json"], "--send needs one process"),
        (["--send", "vmc://a..b"], "no computer or phone is called 'a..b'"),
        (["--encoder", "tokens_encoder.onnx"], "--encoder and --decoder go together"),
        (["--listener", "none.onnx"], "none.onnx"),
    ],
)
def test_bad_options_end_with_status_2(command_line: CommandLine, options: list[str], says: str) -> None:
    told = command_line.error("serve", "--port", "0", *options)
    assert re.fullmatch(r'(Error: |\{.*"level": "error", )[^\n]+\n', told)
    assert says in told


@pytest.mark.parametrize("options", [[], ["--host", "203.0.113.9"]])
def test_a_port_that_cannot_be_had_ends_with_status_2(command_line: CommandLine, options: list[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = command_line.error("serve", "--port", taken.getsockname()[1], *options)
    assert re.fullmatch(r"Error: cannot listen on [^\n]*--port[^\n]*\n", told)


class Stage:
    """Stands in for Ray: it is ready at once, and ends."""

    def __init__(self, *_: object) -> None:
        pass

    def run(self, host: str, port: int, ready: Callable[[int], None]) -> None:
        ready(8765)


def test_on_ray_the_browser_opens_once_with_the_token_and_the_log_has_none(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("visavis.serve.ray_serve.RayServer", Stage)
    monkeypatch.setattr("webbrowser.open", opened.append)
    options = ("--engine", "ray", "--host", "0.0.0.0", "--token", "a-token-that-is-given", "--open")  # noqa: S104
    assert command_line("serve", *options) == 0
    assert opened == ["http://localhost:8765/?token=a-token-that-is-given"]
    err = capsys.readouterr().err
    assert "visavis is at http://localhost:8765/ " in err
    assert "a-token" not in err


@NOT_WINDOWS
@pytest.mark.parametrize(
    ("sessions", "workers", "shares"), [(7, 3, [3, 2, 2]), (4, 2, [2, 2]), (None, 3, [11, 11, 10])]
)
def test_workers_share_all_sessions(
    command_line: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    sessions: int | None,
    workers: int,
    shares: list[int],
) -> None:
    found: list[int] = []

    class Started:
        def __init__(self, works: list[Any], *_: object) -> None:
            found.extend(work.args[0].options["sessions"] for work in works)

        def run(self) -> None:
            pass

    monkeypatch.setattr("visavis.serve.workers.Workers", Started)
    monkeypatch.setattr("visavis.serve.pool.usable_threads", lambda: 2)
    number = () if sessions is None else ("--sessions", sessions)
    assert command_line("serve", "--port", "0", *number, "--workers", workers) == 0
    assert found == shares


def test_more_replicas_than_sessions_are_refused_and_a_rest_is_told(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("visavis.serve.ray_serve.RayServer", Stage)
    ray = ("serve", "--engine", "ray", "--sessions", "7", "--replicas")
    assert command_line(*ray, "1:8") == 2
    assert (
        "--sessions 7: each replica needs a session of its own, and there may be 8" in capsys.readouterr().err
    )
    assert command_line(*ray, "1:3") == 0
    assert (
        "--sessions 7: each of 3 processes has 2, so there are at most 6 at a time" in capsys.readouterr().err
    )
