"""Scripted pipelines, pictures, clips, running servers and a browser for the server's tests."""

from __future__ import annotations

import runpy
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
import pytest

from support.page_host import Host, opened_page
from visavis.serve.app import create_app
from visavis.serve.server import Server
from visavis.types import ImageArray

SCRIPT = Path(__file__).with_name("scripted_server.py")


@pytest.fixture(scope="session")
def scripted() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(SCRIPT), run_name="scripted_server"))


def encode(image_rgb: ImageArray) -> bytes:
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(image_rgb[..., ::-1]))
    assert done
    return data.tobytes()


@pytest.fixture(scope="session")
def jpeg() -> Callable[..., bytes]:
    """Makes a JPEG of one grey level."""

    def make(width: int = 64, height: int = 48, level: int = 128) -> bytes:
        return encode(np.full((height, width, 3), level, np.uint8))

    return make


@contextmanager
def running(make_pipeline: Any, **options: Any) -> Iterator[Server]:
    """A server on a free port, in a thread of its own."""
    answers = threading.Event()
    front = options.pop("front", None)
    app = create_app(make_pipeline, **options)
    server = Server(app, "127.0.0.1", 0, lambda url: answers.set(), front)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert answers.wait(10)
        yield server
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def serving() -> Callable[..., Any]:
    return running


@pytest.fixture(scope="module")
def server(scripted: SimpleNamespace) -> Iterator[Server]:
    """One server for all tests that need no special one."""
    with running(scripted.ScriptedPipeline) as running_server:
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
    running = Host()
    yield running
    running.kill()


@pytest.fixture
def page(browser: Any, host: Host) -> Iterator[Any]:
    """The page of the module's own ``host``."""
    with opened_page(browser, host) as opened:
        yield opened
