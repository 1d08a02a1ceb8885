"""The page's guided calibration in headless Chromium: led through, kept, deleted, refused in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import tiny_tokenizer
from support.page_host import Host, in_browser, opened_page, wait_for_moments
from visavis.avatar.profile import Profile

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = in_browser


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Host(obeys=True) as running:
        yield running


def test_it_is_led_through_remembered_and_forgotten(page: Any, host: Host) -> None:
    expect = playwright.expect
    expect(page.locator(".calibrate")).to_be_hidden()
    page.click("#start")
    wait_for_moments(page)
    # A slow computer may see no single step in time: the page itself remembers what it told.
    page.evaluate(
        "void (window.told = [], guide = document.getElementById('guide'),"
        " new MutationObserver(() => told.push(guide.innerText))"
        ".observe(guide, {childList: true, characterData: true, subtree: true}))"
    )
    page.click(".calibrate")
    expect(page.locator("#guide-title")).to_have_text("Calibrated")
    told = "\n".join(page.evaluate("told"))
    assert "relaxed face" in told
    assert re.search(r"Calibration, step 2 of 5\s+.*Smile", told)
    kept = Path(host.config) / "profile.json"
    assert not kept.exists()  # Only on request.
    page.click("#guide-keep")
    expect(page.locator("#guide-note")).to_contain_text("Remembered on this computer")
    assert Profile.load(kept).reach["smile"] > 0.5
    page.click("#guide-close")

    page.reload()
    page.click("#start")
    wait_for_moments(page)
    page.click("#open-settings")
    expect(page.locator("#remember")).to_be_checked()
    page.click("#remember")
    expect(page.locator("#remember-note")).to_contain_text("Forgotten")
    expect(page.locator("#remember")).not_to_be_checked()
    assert not kept.exists()
    page.click("#remember")
    expect(page.locator("#remember-note")).to_contain_text("calibrate first")
    expect(page.locator("#remember")).not_to_be_checked()


def test_the_panel_closes_when_the_avatar_listens(browser: Any, tmp_path: Path) -> None:
    expect = playwright.expect
    with (
        Host(*tiny_tokenizer.write(tmp_path), obeys=True, listens=True) as host,
        opened_page(browser, host) as page,
    ):
        page.click("#start")
        wait_for_moments(page)
        page.click(".calibrate")
        expect(page.locator("#guide")).to_be_visible()
        page.click("#mode-listen")
        expect(page.locator("#guide")).to_be_hidden()
        page.click("#mode-mirror")
        page.click(".calibrate")
        # A slow computer may be at a later step, or at the end, when the page is read.
        expect(page.locator("#guide-title")).to_have_text(re.compile("step . of 5|alibrated"))


def test_who_talks_is_told_so_and_nothing_is_changed(browser: Any) -> None:
    with Host(talks=True) as talking, opened_page(browser, talking) as page:
        page.click("#start")
        wait_for_moments(page)
        page.click(".calibrate")
        playwright.expect(page.locator("#guide-title")).to_have_text("Not calibrated")
        playwright.expect(page.locator("#guide-problem")).to_contain_text("do not talk")
        playwright.expect(page.locator("#guide-keep")).to_be_hidden()
        page.click("#guide-close")
        playwright.expect(page.locator("#guide")).to_be_hidden()


def test_it_ends_in_words_when_the_server_goes(browser: Any) -> None:
    leaving = Host(obeys=True)
    with opened_page(browser, leaving) as page:
        page.click("#open-settings")
        page.click("#calibrate")
        playwright.expect(page.locator("#guide-says")).to_have_text("Start the camera first.")
        page.click("#guide-close")
        page.click("#start")
        wait_for_moments(page)
        page.click(".calibrate")
        leaving.kill()
        playwright.expect(page.locator("#guide-says")).to_contain_text("went away")
