"""``visavis serve``: announces its address, ends quietly when interrupted, and reports errors in one line."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from urllib.request import urlopen

import pytest

COMMAND = [sys.executable, "-c", "from visavis.cli import main; main()", "serve"]


def test_it_serves_until_it_is_interrupted() -> None:
    with subprocess.Popen([*COMMAND, "--port", "0"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert found, line
        with urlopen(found[0], timeout=10) as answer:  # noqa: S310
            assert b"<title>visavis</title>" in answer.read()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 0
    assert rest == ""


def test_half_a_tokenizer_ends_with_status_2() -> None:
    command = [*COMMAND, "--port", "0", "--encoder", "tokens_encoder.onnx"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"Error: --encoder and --decoder go together[^\n]*\n", done.stderr)


@pytest.mark.parametrize("options", [[], ["--host", "203.0.113.9"]])
def test_a_port_that_cannot_be_had_ends_with_status_2(options: list[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, "--port", port, *options], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"Error: cannot listen on [^\n]*--port[^\n]*\n", done.stderr)


def test_a_listener_that_is_missing_ends_with_status_2() -> None:
    command = [*COMMAND, "--port", "0", "--listener", "none.onnx"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"Error: [^\n]+\n", done.stderr)
