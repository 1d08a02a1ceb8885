"""The page in headless Chromium, with a fake camera, against a server that is killed and comes back."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the path"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # playwright's own pipes
]
SERVER = Path(__file__).with_name("scripted_server.py")
PATIENCE_MS = 30_000


def drawn_frames(count: int) -> Iterator[np.ndarray]:
    """A bright disc that wanders over a grey wall."""
    for number in range(count):
        image = np.full((480, 640, 3), 90, np.uint8)
        cv2.circle(image, (320 + int(80 * np.sin(number / 8)), 240), 120, (150, 180, 220), -1)
        yield image


@pytest.fixture(scope="module")
def camera_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Motion JPEG, which is JPEG files one after the other."""
    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    path.write_bytes(b"".join(cv2.imencode(".jpg", image)[1].tobytes() for image in drawn_frames(60)))
    return path


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def browser(camera_file: Path) -> Iterator[Any]:
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
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


class Host:
    """The scripted server in a process of its own, always on the same port."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(SERVER), str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == self.url

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    running = Host()
    yield running
    running.kill()


@pytest.fixture
def page(browser: Any, host: Host) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda request: check_own(request.url, host, errors))
    opened.goto(host.url)
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


def avatar_picture(page: Any) -> str:
    picture: str = page.evaluate("document.getElementById('avatar').toDataURL()")
    return picture


def test_the_whole_loop(page: Any, host: Host) -> None:
    # Nothing is captured before the notice has been answered.
    playwright.expect(page.locator("#notice")).to_be_visible()
    playwright.expect(page.locator("#notice")).to_contain_text("on this computer")
    assert page.evaluate("document.getElementById('video').srcObject") is None
    assert page.evaluate("visavisStats.server") == "idle"

    page.click("#start")
    wait_for_moments(page)
    playwright.expect(page.locator("#notice")).to_be_hidden()
    playwright.expect(page.locator("#sign")).to_be_visible()
    playwright.expect(page.locator(".bar.strongest")).to_have_count(1)
    before = avatar_picture(page)
    wait_for_moments(page)
    assert avatar_picture(page) != before

    page.click("#emotions-switch")
    until(page, "visavisStats.lastMoment?.emotion === null")
    playwright.expect(page.locator("#sign")).to_be_hidden()
    playwright.expect(page.locator("#bars")).to_be_hidden()
    page.click("#emotions-switch")
    until(page, "visavisStats.lastMoment?.emotion !== null")

    host.kill()
    playwright.expect(page.locator("#banner")).to_be_visible()
    playwright.expect(page.locator("#banner-title")).to_contain_text("Server gone")
    playwright.expect(page.locator("#sign")).to_be_hidden()
    alone = avatar_picture(page)
    page.wait_for_timeout(700)
    assert avatar_picture(page) != alone, "the avatar froze without its server"

    host.start()
    page.click("#retry")
    wait_for_moments(page)
    playwright.expect(page.locator("#banner")).to_be_hidden()
    playwright.expect(page.locator("#sign")).to_be_visible()

    page.click("#stop")
    playwright.expect(page.locator("#notice")).to_be_visible()
    assert page.evaluate("document.getElementById('video').srcObject") is None


def test_a_video_file_without_a_face(page: Any, dark_clip: Path) -> None:
    page.set_input_files("#file", dark_clip)
    wait_for_moments(page, 3)
    playwright.expect(page.locator("#hint")).to_contain_text("No face in view")


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("NotAllowedError", "The camera is blocked"),
        ("NotFoundError", "No camera found"),
        ("NotReadableError", "The camera is in use"),
    ],
)
def test_camera_problems_are_told_apart(page: Any, name: str, title: str) -> None:
    page.evaluate(
        f"void (navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', '{name}')))"
    )
    page.click("#start")
    playwright.expect(page.locator("#problem-title")).to_have_text(title)
    playwright.expect(page.locator("#again")).to_be_visible()
    assert page.evaluate("visavisStats.server") == "idle"


def test_settings_persist(page: Any) -> None:
    page.click("#open-settings")
    page.select_option("[data-setting=background]", "green")
    page.uncheck("dialog [data-setting=showLandmarks]")
    page.reload()
    playwright.expect(page.locator("#avatar-card")).to_have_attribute("data-background", "green")
    page.click("#open-settings")
    playwright.expect(page.locator("dialog [data-setting=showLandmarks]")).not_to_be_checked()
    page.click("#reset")
    playwright.expect(page.locator("dialog [data-setting=showLandmarks]")).to_be_checked()


def test_damaged_settings_are_forgotten(page: Any) -> None:
    page.evaluate('localStorage.setItem(\'visavis.settings.v1\', \'{"quality": 99, "mirror": "x"\')')
    page.reload()
    playwright.expect(page.locator("#emotions-switch")).to_be_checked()


def test_the_avatar_alone(page: Any, host: Host) -> None:
    page.goto(host.url + "?avatar=only&background=transparent")
    playwright.expect(page.locator("#notice")).to_be_visible()
    page.click("#start")
    wait_for_moments(page)
    playwright.expect(page.locator(".timeline")).to_be_hidden()
    box = page.locator("#avatar").bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 1280, 800)


def test_it_can_be_used_from_the_keyboard(page: Any) -> None:
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "start":
            break
    page.keyboard.press("Enter")
    wait_for_moments(page, 1)
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button')].filter(b => !b.textContent.trim() && !b.ariaLabel).length"
    )
    assert unnamed == 0
