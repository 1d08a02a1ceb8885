"""The page's server in a separate process, and tools to watch the page in Chromium."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

SERVER = Path(__file__).with_name("scripted_server.py")
TOKEN = "token-of-the-scripted-server"  # noqa: S105
PATIENCE_MS = 30_000
in_browser = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # playwright's own pipes
]


class Host:
    """The scripted server in a process of its own, always on the same port.

    Args:
        networks: encoder and decoder of its tokenizer, if it is to have one.
        flags: ``listens``: a tiny listener speaks with them; ``sparse``: its recogniser drops tokens;
            ``obeys``: its person does what the guide of a calibration says; ``talks``: does not;
            ``sends``: it has an output; ``guarded``: it asks for a token.
        model: Live2D model that it gives.
        core: Cubism Core that it gives.
        retarget: retarget file that it gives.
    """

    def __init__(
        self,
        *networks: Path,
        model: Path | None = None,
        core: Path | None = None,
        retarget: Path | None = None,
        **flags: bool,
    ) -> None:
        self.options = [*map(str, networks), *(f"--{flag}" for flag, wanted in flags.items() if wanted)]
        files = {"model": model, "core": core, "retarget": retarget}
        self.options += [f"--{name}={path}" for name, path in files.items() if path]
        self.config = tempfile.mkdtemp()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.address = f"{self.url}?token={TOKEN}" if "--guarded" in self.options else self.url
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    def start(self) -> None:
        command = [sys.executable, str(SERVER), str(self.port), *self.options]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(SERVER.parents[1]), os.environ.get("PYTHONPATH", "")]),
            "VISAVIS_CONFIG": self.config,
        }
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout.readline().strip() == self.url

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def opened_page(browser: Any, host: Host) -> Iterator[Any]:
    """The page in a fresh profile; afterwards, no script of it has failed and nothing was asked of others."""
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE_MS)
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda request: check_own(request.url, host, errors))
    opened.goto(host.address)
    yield opened
    context.close()
    assert errors == []


def check_own(url: str, host: Host, errors: list[str]) -> None:
    if not url.startswith((host.url, f"blob:{host.url}", "data:")):
        errors.append(f"a request to {url}")


def until(page: Any, condition: str) -> None:
    """Wait for a condition. (Playwright's own waiting evaluates strings, which the page's policy forbids.)"""
    deadline_s = time.monotonic() + PATIENCE_MS / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < deadline_s, f"in vain waited for: {condition}"
        page.wait_for_timeout(50)


def wait_for_moments(page: Any, more: int = 5) -> None:
    seen = page.evaluate("visavisStats.moments")
    until(page, f"visavisStats.moments >= {seen + more}")
