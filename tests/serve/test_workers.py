"""Several processes: a dead one is replaced, all end together, and what cannot work is refused."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ctypes import c_double
from pathlib import Path
from unittest.mock import Mock

import pytest

from visavis.errors import DeviceError, InputError
from visavis.serve import workers
from visavis.serve.server import open_port
from visavis.serve.workers import Workers, check_workers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot share a port")


def answer(listener: socket.socket, first: bool, serves: Callable[[], None]) -> None:
    """A worker that tells its number to whoever connects."""
    listener.setblocking(True)
    serves()
    while True:
        with listener.accept()[0] as client:
            client.sendall(f"{os.getpid()} {os.environ['VISAVIS_SECRET']}".encode())


def fail(listener: socket.socket, first: bool, serves: Callable[[], None]) -> None:
    sys.exit(3)


def stay(listener: socket.socket, first: bool, serves: Callable[[], None]) -> None:
    """A worker whose work cannot be stopped."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    answer(listener, first, serves)


def refuse(listener: socket.socket, first: bool, serves: Callable[[], None]) -> None:
    raise InputError("the weights are damaged")


def ask(port: int) -> tuple[int, str]:
    while True:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client, suppress(ConnectionError):
            if answer := client.recv(200).decode().split():  # A dying worker may accept and say nothing.
                return int(answer[0]), answer[1]


@contextmanager
def started(count: int) -> Iterator[tuple[Workers, int]]:
    with open_port("127.0.0.1", 0) as listener:
        group = Workers([answer] * count, listener)
        thread = threading.Thread(target=group.run)
        thread.start()
        try:
            yield group, listener.getsockname()[1]
        finally:
            group.stop()
            thread.join(20)


@pytest.mark.slow
def test_a_dead_worker_is_replaced_and_all_know_one_secret() -> None:
    with started(1) as (group, port):
        pid, secret = ask(port)
        assert group.pids == [pid]
        os.kill(pid, signal.SIGKILL)
        other, same = ask(port)
        assert other != pid
        assert same == secret
    assert group.pids == []
    for ended in (pid, other):
        with pytest.raises(ProcessLookupError):
            os.kill(ended, 0)


@pytest.mark.slow
def test_workers_that_cannot_start_end_the_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(workers, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(workers, "YOUNG_S", 0.0)  # However long it takes: they never serve.
    with open_port("127.0.0.1", 0) as listener:
        with pytest.raises(DeviceError, match="5 workers in a row ended as soon as they started"):
            Workers([fail], listener).run()
        with pytest.raises(SystemExit) as caught:
            Workers([refuse], listener).run()
    assert caught.value.code == 2
    assert caplog.text.count("a worker ended with status 3") == 5
    assert caplog.text.count("a worker ended with status 2") == 1


STREAMS = ("stdout", "stderr")
PARENT = """
from visavis.serve.server import open_port
from visavis.serve.workers import Workers
from serve.test_workers import stay

if __name__ == "__main__":
    with open_port("127.0.0.1", 0) as listener:
        print(listener.getsockname()[1], flush=True)
        Workers([stay] * 2, listener, grace_s=60).run()
"""


def heed_ctrl_c() -> None:
    """Programs in a shell's background start with Ctrl-C ignored, and so would the server."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_a_second_ctrl_c_ends_all_processes_at_once(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    command, environment = [sys.executable, str(script)], os.environ | {"PYTHONPATH": paths}
    pipes = dict.fromkeys(STREAMS, subprocess.PIPE)
    with subprocess.Popen(
        command, env=environment, start_new_session=True, text=True, preexec_fn=heed_ctrl_c, **pipes
    ) as process:
        try:
            port = int(process.stdout.readline())
            ask(port)
            began_s = time.monotonic()
            for _ in range(3):  # The third one comes too late.
                os.killpg(process.pid, signal.SIGINT)
                time.sleep(0.1)
            assert process.wait(10) == 130
            assert process.stderr.read() == ""
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert time.monotonic() - began_s < 10
    with pytest.raises(ConnectionRefusedError):  # Nobody holds the port, so the workers have ended, too.
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_signal_while_many_start_starts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[bool] = []

    def start(_: object, first: bool) -> None:
        begun.append(first)
        group.stop()

    with open_port("127.0.0.1", 0) as listener:
        group = Workers([answer] * 1000, listener)
        monkeypatch.setattr(group, "_start", start)
        group.run()
    assert begun == [True]


def test_a_dead_worker_leaves_its_work_to_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[object] = []
    with open_port("127.0.0.1", 0) as listener:
        group = Workers([answer, stay], listener)
    monkeypatch.setattr(workers, "wait", lambda *_, **__: [])
    monkeypatch.setattr(group, "_start", begun.append)
    group._alive[Mock(is_alive=lambda: False, exitcode=3)] = stay, c_double(-10.0)
    group._replace_dead()
    assert begun == [stay]


def test_more_workers_than_sessions_are_refused() -> None:
    check_workers(3, sends=False, sessions=3)
    with pytest.raises(InputError, match=r"--workers 4: .* their number is 3 \(--sessions"):
        check_workers(4, sends=False, sessions=3)
    for sessions in (None, 100_000):
        with pytest.raises(InputError, match="--workers 100000: "):
            check_workers(100_000, sends=False, sessions=sessions)


def test_what_needs_one_process_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_workers(1, sends=True)
    check_workers(2, sends=False)
    with pytest.raises(InputError, match="--send needs one process"):
        check_workers(2, sends=True)
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(InputError, match="Windows cannot share a port"):
        check_workers(2, sends=False)
