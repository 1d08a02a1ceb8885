"""The page in headless Chromium, with a fake camera and a server that is killed and started again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.page_host import Host, in_browser, until, wait_for_moments
from support.sounds import write_wav

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = in_browser


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

    page.set_viewport_size({"width": 390, "height": 800})
    page.locator("#record").evaluate("button => button.textContent = 'Stop recording'")
    controls = "[...document.querySelectorAll('.top :is(button, input, p)')].filter(e => e.checkVisibility())"
    middle = "e => Math.round(e.getBoundingClientRect().top + e.getBoundingClientRect().bottom)"
    assert page.evaluate(f"new Set({controls}.map({middle})).size") == 2, "rows above the stage of a phone"

    page.click("#expressions-switch")
    until(page, "visavisStats.lastMoment?.expression === null")
    playwright.expect(page.locator("#sign")).to_be_hidden()
    playwright.expect(page.locator("#bars")).to_be_hidden()
    page.click("#expressions-switch")
    until(page, "visavisStats.lastMoment?.expression !== null")

    host.kill()
    playwright.expect(page.locator("#banner")).to_be_visible()
    playwright.expect(page.locator("#banner-title")).to_contain_text("Server gone")
    playwright.expect(page.locator("#sign")).to_be_hidden()
    alone = avatar_picture(page)
    page.wait_for_timeout(700)
    assert avatar_picture(page) != alone, "the avatar froze without its server"

    host.start()
    wait_for_moments(page)
    playwright.expect(page.locator("#banner")).to_be_hidden()
    playwright.expect(page.locator("#sign")).to_be_visible()

    page.click("#stop")
    playwright.expect(page.locator("#notice")).to_be_visible()
    assert page.evaluate("document.getElementById('video').srcObject") is None


def test_trying_now_need_not_wait(page: Any, host: Host) -> None:
    page.click("#start")
    wait_for_moments(page)
    # The link, in its worker, never tries again of itself now: the button cannot vanish before it is pressed.
    [worker] = page.workers
    worker.evaluate("void (self.setTimeout = () => 0)")
    host.kill()
    playwright.expect(page.locator("#banner")).to_be_visible()
    host.start()
    page.click("#retry")
    until(page, "visavisStats.server === 'open'")
    playwright.expect(page.locator("#banner")).to_be_hidden()


def test_the_page_goes_on_with_its_token_and_follows_the_pace(page: Any, host: Host) -> None:
    page.click("#start")
    wait_for_moments(page)
    [worker] = page.workers
    worker.evaluate("void (self.told = [], self.speak = WebSocket.prototype.send)")
    worker.evaluate(
        "void (WebSocket.prototype.send = function (data) {"
        " if (typeof data === 'string') self.told.push(JSON.parse(data)); self.speak.call(this, data); })"
    )
    host.kill()
    playwright.expect(page.locator("#banner")).to_be_visible()
    host.start()
    wait_for_moments(page)
    first, second = worker.evaluate("self.told")[:2]
    assert (first["type"], second) == ("resume", {"type": "pace", "on": True})
    assert len(first["token"]) > 100
    assert page.evaluate("visavisStats.problems") == 0  # The new server does not know the token.


def test_a_video_file_without_a_face(page: Any, dark_clip: Path) -> None:
    page.set_input_files("#file", dark_clip)
    wait_for_moments(page, 3)
    playwright.expect(page.locator("#hint")).to_contain_text("No face in view")


def test_files_without_a_picture_are_told_apart(page: Any, tmp_path: Path) -> None:
    write_wav(tmp_path / "talk.wav", bytes(32000))
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video")
    for name, told in (("talk.wav", "only sound"), ("empty.mp4", "is empty"), ("text.mp4", "its format")):
        page.set_input_files("#file", tmp_path / name)
        playwright.expect(page.locator("#problem-text")).to_contain_text(told)


def test_the_bars_are_seen_on_a_narrow_page(page: Any) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.locator(".bar-track").first.bounding_box()["width"] > 60
    assert page.evaluate("document.documentElement.scrollWidth") == 320


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
    playwright.expect(page.locator("#expressions-switch")).to_be_checked()


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
