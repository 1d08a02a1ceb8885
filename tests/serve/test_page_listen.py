"""The page's listen mode in headless Chromium, with a fake camera and a fake microphone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from support import tiny_tokenizer
from support.page_host import Host, in_browser, opened_page, until, wait_for_moments

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = in_browser
HEARS = "visavisStats.lastMoment?.hears === true"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with Host(*tiny_tokenizer.write(tmp_path_factory.mktemp("tokenizer")), listens=True) as running:
        yield running


@pytest.fixture(scope="module")
def talking_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five bright seconds with a tone."""
    path = tmp_path_factory.mktemp("clip") / "talk.webm"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libvpx", rate=25)
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        audio = container.add_stream("libopus", rate=48000, layout="mono")
        for _ in range(125):
            image = np.full((240, 320, 3), 140, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode())
        tone = (0.3 * np.sin(2 * np.pi * 220 * np.arange(5 * 48000) / 48000)).astype(np.float32)
        for start in range(0, len(tone), 960):
            frame = av.AudioFrame.from_ndarray(tone[None, start : start + 960], "flt", "mono")
            frame.sample_rate, frame.pts = 48000, start
            container.mux(audio.encode(frame))
        container.mux(audio.encode())
    return path


def sent(page: Any, name: str) -> str:
    """Where a slider stands in what the page last asked for."""
    return f"visavisStats.listen?.style?.{name}"


def test_it_listens_with_a_microphone_and_mirrors_again(page: Any, host: Host) -> None:
    playwright.expect(page.locator("#mode-listen")).to_have_attribute("aria-disabled", "false")
    playwright.expect(page.locator("#listener")).to_be_hidden()
    page.click("#start")
    wait_for_moments(page)
    assert page.evaluate("visavisStats.lastMoment.hears") is None
    assert page.evaluate("visavisStats.soundPieces") == 0

    page.click("#mode-listen")
    playwright.expect(page.locator("#listener")).to_be_visible()
    until(page, HEARS)
    playwright.expect(page.locator("#listener-ear")).to_have_text("The listener hears your microphone.")
    playwright.expect(page.locator("#mode-listen")).to_have_attribute("aria-pressed", "true")

    # The server that was gone is told again what was wished for.
    host.kill()
    playwright.expect(page.locator("#banner")).to_be_visible()
    playwright.expect(page.locator("#listener-ear")).to_contain_text("No answer from the server")
    host.start()
    wait_for_moments(page)
    until(page, HEARS)

    page.click("#mode-mirror")
    until(page, "visavisStats.lastMoment.hears === null")
    playwright.expect(page.locator("#listener")).to_be_hidden()
    pieces = page.evaluate("visavisStats.soundPieces")
    wait_for_moments(page, 10)
    assert page.evaluate("visavisStats.soundPieces") == pieces, "the microphone stayed open"
    assert page.evaluate("visavisStats.problems") == 0


def test_the_style_is_told_as_it_changes(page: Any) -> None:
    page.click("#mode-listen")
    nodding = page.locator("#control-nodding")
    playwright.expect(nodding).to_be_disabled()
    assert page.evaluate("visavisStats.listen.style") is None
    page.locator("[data-setting=leftToChance]").uncheck()
    playwright.expect(nodding).to_be_enabled()
    nodding.fill("0.9")
    assert page.evaluate(sent(page, "nodding")) == 0.9
    assert page.evaluate(sent(page, "gaze")) == 0.5
    seed, number = page.evaluate("visavisStats.listen.seed"), page.locator("#listener-seed").inner_text()
    assert number == f"No. {seed}"
    page.click("#new-listener")
    assert page.evaluate("visavisStats.listen.seed") != seed
    page.click("#start")
    wait_for_moments(page)
    until(page, "visavisStats.lastMoment.hears !== null")
    assert page.evaluate("visavisStats.problems") == 0
    page.reload()
    page.click("#mode-listen")
    playwright.expect(page.locator("#control-nodding")).to_have_value("0.9")


def test_a_clip_is_heard_with_its_own_sound(page: Any, talking_clip: Path) -> None:
    page.click("#mode-listen")
    page.set_input_files("#file", talking_clip)
    until(page, HEARS)
    playwright.expect(page.locator("#listener-ear")).to_have_text("The listener hears the clip.")
    assert page.evaluate("document.getElementById('video').muted") is False
    page.click("#mode-mirror")
    assert page.evaluate("document.getElementById('video').muted") is True
    assert page.evaluate("visavisStats.problems") == 0


def test_without_a_microphone_it_goes_on_watching(page: Any) -> None:
    page.click("#start")
    wait_for_moments(page)
    page.evaluate(
        "void (navigator.mediaDevices.getUserMedia ="
        " () => Promise.reject(new DOMException('no', 'NotAllowedError')))"
    )
    page.click("#mode-listen")
    playwright.expect(page.locator("#listener-ear")).to_contain_text("The microphone is blocked")
    until(page, "visavisStats.lastMoment?.hears === false")


def test_it_says_when_no_sound_arrives(page: Any) -> None:
    page.evaluate(
        """void (window.AudioContext = class extends AudioContext {
          constructor() { super(); this.suspend(); }
          resume() { return Promise.resolve(); }
        })"""
    )
    page.click("#start")
    wait_for_moments(page)
    page.click("#mode-listen")
    playwright.expect(page.locator("#listener-ear")).to_contain_text("No sound arrives", timeout=20_000)


def test_without_a_listener_the_switch_says_why(browser: Any) -> None:
    with Host() as host, opened_page(browser, host) as page:
        control = page.locator("#mode-listen")
        playwright.expect(control).to_have_attribute("title", re.compile("brings no listener"))
        playwright.expect(control).to_have_attribute("aria-disabled", "true")
        control.click(force=True)
        playwright.expect(page.locator("#listener")).to_be_hidden()
        page.click("#start")
        wait_for_moments(page)
        assert page.evaluate("visavisStats.problems") == 0
