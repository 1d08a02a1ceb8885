"""Loading a server of its own, and killing its processes."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from websockets.sync.server import serve

from support.console import CommandLine
from visavis.errors import DeviceError, InputError
from visavis.evaluate import soak as module
from visavis.evaluate.load_attacks import attacked
from visavis.evaluate.load_clients import Wish, pictures_of
from visavis.evaluate.soak import LEVELS, Soak, levels, percentiles, rise_per_hour, server, soak

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are watched in /proc")


def test_without_times_there_are_no_percentiles() -> None:
    assert percentiles(np.zeros(0)) == {"p50": None, "p95": None, "p99": None}
    assert percentiles(np.arange(101.0)) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}


def test_a_rise_is_that_of_the_second_half() -> None:
    windows = [{"seconds": 60.0, "held": held} for held in (10.0, 90.0, 100.0, 101.0, 102.0)]
    assert rise_per_hour(windows, "held") == pytest.approx(60)
    assert rise_per_hour([*windows, {"seconds": 60.0, "held": None}], "held") is None


@on_linux
def test_levels_see_open_files_and_threads(tmp_path: Path) -> None:
    before = levels([os.getpid()])
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait)
    with (tmp_path / "file").open("w"):
        thread.start()
        after = levels([os.getpid(), 2**22 + 1])  # Nobody has this number.
        gate.set()
    thread.join()
    assert [after[name] - before[name] for name in LEVELS[1:3]] == [1, 1]
    assert after[LEVELS[0]] > 10


@pytest.mark.parametrize(
    ("wanted", "message"),
    [({"attacks": ("noise",)}, "no attack is called noise"), ({"kill_every_s": 5.0}, "at least 2 workers")],
)
def test_what_cannot_be_tried_is_refused(wanted: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Soak(1, 5.0, Wish(), **wanted)  # type: ignore[arg-type]


def test_a_server_that_does_not_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READY", module.re.compile(b"never"))
    monkeypatch.setattr(module.sys, "executable", "/bin/true")
    with pytest.raises(DeviceError, match="the server did not start"), server(1, 1):
        pass


@on_linux
@pytest.mark.slow
def test_clients_survive_killed_processes_and_a_hostile_client() -> None:
    wanted = Soak(2, 18.0, Wish(fps=10, resume=True), workers=2, attacks=("junk",), kill_every_s=7.0)
    with server(2, 12) as (url, pid):
        found = asyncio.run(soak(f"{url}?token=none", pid, pictures_of(None), wanted))
    [attack] = found["attacks"]
    assert (attack["name"], attack["connections"] > 0, attack["messages"] > 0) == ("junk", True, True)
    assert found["kills"] >= 2
    assert found["gaps_s"]
    assert found["errors"] == {}
    assert all(window["answers"] for window in found["windows"][:-1])
    assert found["windows"][0]["server_memory_mb"] > 10
    assert found["windows"][0]["server_tasks"] > 0


@on_linux
@pytest.mark.slow
def test_the_command_prints_one_object(command_line: CommandLine) -> None:
    found = command_line.json("lab", "soak", "--clients", 1, "--minutes", 0.05, "--json")
    assert found["answers"] > 0
    assert found["closed"] == found["attacks"] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--url ws://127.0.0.1:{free}/ws", "no client is let in"),
        ("--url http://127.0.0.1:8765/", "expected the address of a WebSocket"),
        ("--pid 1", "give --url, too"),
        ("--url ws://127.0.0.1:{free}/ws --kill-every 5 --workers 2", "by --pid"),
        ("--url ws://127.0.0.1:{free}/ws --pid 99999999", "no process 99999999"),
    ],
)
@pytest.mark.slow
def test_a_server_that_cannot_be_loaded_ends_with_status_2(
    options: str, message: str, command_line: CommandLine
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    assert message in command_line.error(
        "lab", "soak", "--minutes", "0.05", *options.format(free=free).split()
    )


@pytest.mark.slow
def test_a_server_without_answers_ends_with_status_2(
    command_line: CommandLine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WARM_S", 0.2)
    with serve(lambda client: client.recv(), "127.0.0.1", 0) as silent:
        threading.Thread(target=silent.serve_forever, daemon=True).start()
        url = f"ws://127.0.0.1:{silent.socket.getsockname()[1]}/ws"
        status = command_line("lab", "soak", "--clients", "1", "--minutes", "0.05", "--url", url)
        silent.shutdown()
    assert status == 2
    out, err = capsys.readouterr()
    assert "None" not in out + err
    assert "answered no picture" in err


def test_an_attack_counts_what_happened_to_it() -> None:
    """The server speaks no WebSocket, and closes each connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"ws://127.0.0.1:{server.getsockname()[1]}/ws"
        with attacked(["half-open"], url) as [tally]:
            for _ in range(2):
                with server.accept()[0] as connection:
                    connection.recv(100)
            with server.accept()[0] as connection:
                connection.recv(100)
                figures = tally.figures()
    assert figures == {"connections": 3, "messages": 0, "ended": 2, "reason": "closed"}


def test_an_attack_on_an_address_of_another_form_is_refused() -> None:
    with pytest.raises(InputError, match="ws://HOST:PORT/PATH"), attacked(["junk"], "wss://faces.example/"):
        pass


def test_hidden_files_and_folders_are_no_clips(make_video, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    (folder / "folder.mp4").mkdir(parents=True)
    (folder / "._clip.mp4").write_bytes(b"litter of macOS")
    make_video(count=3).rename(folder / "clip.mp4")
    assert [len(clip) for clip in pictures_of(folder)] == [3]
