"""Recording, keys and the avatar's place, in headless Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

from support.page_host import Host, in_browser, until, wait_for_moments
from visavis.track import Track

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = in_browser


@pytest.mark.parametrize("end", ["#record", "#stop"])
def test_one_click_records_video_track_and_motion(page: Any, tmp_path: Path, end: str) -> None:
    assert page.locator("#record").is_hidden()
    page.click("#start")
    wait_for_moments(page)
    saved: dict[str, Path] = {}

    def keep(download: Any) -> None:
        path = tmp_path / download.suggested_filename
        download.save_as(path)
        saved[path.name] = path

    page.on("download", keep)
    page.click("#record")
    wait_for_moments(page, 15)
    page.click(end)
    for _ in range(100):
        if len(saved) == 3:
            break
        page.wait_for_timeout(100)
    assert set(saved) == {"visavis.webm", "visavis.npz", "visavis.motion3.json"}
    assert len(Track.load(saved["visavis.npz"])) >= 10
    with av.open(str(saved["visavis.webm"])) as video:
        assert sum(1 for _ in video.decode(video=0)) >= 5


def test_what_is_lost_with_the_server_is_told(page: Any, host: Host) -> None:
    page.click("#start")
    wait_for_moments(page)
    page.click("#record")
    wait_for_moments(page, 5)
    host.kill()
    problem = page.locator("#avatar-problem")
    playwright.expect(problem).to_contain_text("Only the video is recorded: the connection to the server")
    host.start()


def test_keys_move_zoom_and_are_kept(page: Any) -> None:
    transform = "document.getElementById('avatar').style.transform"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    assert page.evaluate(transform) == "translate(2%, 0%) scale(1.1)"
    page.reload()
    assert page.evaluate(transform) == "translate(2%, 0%) scale(1.1)"
    page.evaluate("document.getElementById('home').click()")
    assert page.evaluate(transform) == "translate(0%, 0%) scale(1)"


def test_keys_do_not_disturb_typing(page: Any) -> None:
    page.click("#open-settings")
    page.focus("#cameras")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.getElementById('avatar').style.transform") == "translate(0%, 0%) scale(1)"


def test_a_key_shows_an_expression(page: Any) -> None:
    page.click("#start")
    wait_for_moments(page)
    page.keyboard.press("6")  # disgust; the scripted face never sneers
    until(page, "visavisStats.lastMoment.pose.ParamNoseSneer > 0.9")
    page.keyboard.press("0")
    until(page, "visavisStats.lastMoment.pose.ParamNoseSneer < 0.1")
