"""A running server, clips and a browser for the server's tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from support import scripted_server as scripted
from support.page_host import Host, opened_page
from support.talking import serving
from visavis.serve.server import Server


@pytest.fixture
def anyio_backend() -> str:
    """What runs the tests that are coroutines."""
    return "asyncio"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server for all tests that need no special one."""
    with serving(scripted.ScriptedPipeline) as running_server:
        yield running_server


def drawn_frames(count: int) -> Iterator[np.ndarray]:
    """A bright disc that wanders over a grey wall."""
    for number in range(count):
        image = np.full((480, 640, 3), 90, np.uint8)
        cv2.circle(image, (320 + int(80 * np.sin(number / 8)), 240), 120, (150, 180, 220), -1)
        yield image


@pytest.fixture(scope="session")
def camera_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Motion JPEG, which is JPEG files one after the other."""
    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    path.write_bytes(b"".join(cv2.imencode(".jpg", image)[1].tobytes() for image in drawn_frames(60)))
    return path


@pytest.fixture(scope="session")
def dark_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "dark.webm"
    with av.open(path, "w") as container:
        stream = container.add_stream("libvpx", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for _ in range(50):
            frame = av.VideoFrame.from_ndarray(np.zeros((240, 320, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")  # and no longer: while it lives, asyncio.run() fails in other modules
def browser(camera_file: Path) -> Iterator[Any]:
    """Headless Chromium with a fake camera."""
    driving = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    names = ("chromium", "chromium-browser", "google-chrome")
    found = [path for name in names if (path := shutil.which(name))]
    if not found:
        pytest.skip("needs Chromium on the path")
    arguments = [
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={camera_file}",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with driving.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found[0], args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """The scripted server; a module that needs another one has a fixture of this name."""
    with Host() as running:
        yield running


@pytest.fixture
def page(browser: Any, host: Host) -> Iterator[Any]:
    """The page of the module's own ``host``."""
    with opened_page(browser, host) as opened:
        yield opened
