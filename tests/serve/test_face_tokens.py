"""The page's face tokens in headless Chromium: they appear, show their faces, and stop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import tiny_tokenizer
from support.page_host import Host, in_browser, opened_page, until, wait_for_moments

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = in_browser
INKED = """(() => {
  const canvas = document.getElementById("token-face");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let inked = 0;
  for (let i = 3; i < data.length; i += 4) inked += data[i] > 0;
  return inked / (canvas.width * canvas.height);
})()"""
PICTURE = "document.getElementById('token-face').toDataURL()"
NEWEST = "document.querySelector('#token-strip').lastElementChild?.run.number"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with Host(*tiny_tokenizer.write(tmp_path_factory.mktemp("tokenizer"), depth=2)) as running:
        yield running


def switch(page: Any, on: bool) -> None:
    page.click("#open-settings")
    page.locator("dialog [data-setting=showFaceTokens]").set_checked(on)
    page.click("[aria-label='Close settings']")


def test_tokens_appear_show_their_faces_and_stop(page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.click("#start")
    wait_for_moments(page)
    assert page.evaluate("visavisStats.lastMoment.face_token") is None
    playwright.expect(page.locator("#face-tokens")).to_be_hidden()

    switch(page, True)
    until(page, "document.querySelectorAll('.face-token').length >= 4")
    # The scripted face moves its left brow and not its right one: the second token stays.
    names = page.locator(".token-name").all_inner_texts()
    assert all(re.fullmatch(r"\d+·0", name) for name in names)
    assert len(set(names)) > 1
    playwright.expect(page.locator("#token-figures")).to_contain_text("different tokens in the last minute")
    assert not any("/face_tokens/" in url for url in asked)

    strong = "[...document.querySelectorAll('.face-token')].filter(c => parseInt(c.run.name) >= 8)"
    until(page, f"{strong}.length > 0")
    # Under the pointer the stream stands still, and the face of each token is drawn.
    page.locator("#token-strip").hover(position={"x": 2, "y": 2})
    newest = page.evaluate(NEWEST)
    page.locator(".face-token").nth(0).hover()
    until(page, f"{INKED} > 0.2")
    page.evaluate(f"void (window.firstFace = {PICTURE})")
    page.evaluate(f"void {strong}[0].dispatchEvent(new PointerEvent('pointerover', {{bubbles: true}}))")
    until(page, "document.querySelector('#token-shapes').textContent.startsWith('browDownLeft')")
    alike = f"{strong}[0].run.name === document.querySelector('.face-token').run.name"
    until(page, f"{PICTURE} !== firstFace || {alike}")  # The words are there before the picture.
    wait_for_moments(page)
    assert page.evaluate(NEWEST) == newest
    page.mouse.move(2, 2)
    until(page, f"{NEWEST} > {newest}")

    switch(page, False)
    until(page, "visavisStats.lastMoment.face_token === null && visavisStats.lastMoment.faces.length > 0")
    playwright.expect(page.locator("#face-tokens")).to_be_hidden()
    assert page.locator("#token-strip > *").count() == 0


def test_tokens_can_be_read_from_the_keyboard(page: Any) -> None:
    page.click("#start")
    switch(page, True)
    until(page, "document.querySelectorAll('.face-token').length >= 3")
    page.focus("#token-strip")
    chosen = page.locator(".face-token[aria-selected=true]")
    playwright.expect(chosen).to_have_count(1)
    last = chosen.get_attribute("id")
    until(page, f"{INKED} > 0.2")
    page.keyboard.press("ArrowLeft")
    assert chosen.get_attribute("id") != last
    page.keyboard.press("End")
    assert chosen.get_attribute("id") == last
    held = page.evaluate(NEWEST)
    page.keyboard.press("Escape")
    until(page, f"{NEWEST} > {held}")


def test_the_oldest_line_makes_room_and_the_others_stay(page: Any) -> None:
    page.click("#start")
    switch(page, True)
    page.evaluate("document.getElementById('token-strip').style.width = '110px'")  # two tokens a line
    oldest = "document.querySelector('.face-token').run.number"
    until(page, "document.querySelectorAll('.face-token').length > 0")
    first = page.evaluate(oldest)
    until(page, f"{oldest} > {first}")
    lines = "new Set([...document.querySelectorAll('.face-token')].map(chip => chip.offsetTop)).size"
    assert page.evaluate(lines) in (3, 4)  # Four have room; the last may have been alone in its line.


def test_without_a_face_there_is_a_gap(page: Any, dark_clip: Path) -> None:
    page.set_input_files("#file", dark_clip)
    switch(page, True)
    playwright.expect(page.locator(".token-gap")).to_have_count(1)
    playwright.expect(page.locator(".token-gap")).to_have_attribute("title", re.compile("no face in"))
    assert page.locator(".face-token").count() == 0


def test_without_a_tokenizer_the_switch_says_why(browser: Any) -> None:
    with Host() as host, opened_page(browser, host) as page:
        page.evaluate("localStorage.setItem('visavis.settings.v1', '{\"showFaceTokens\": true}')")
        page.reload()
        page.click("#start")
        wait_for_moments(page)
        page.click("#open-settings")
        control = page.locator("dialog [data-setting=showFaceTokens]")
        playwright.expect(control).to_be_disabled()
        playwright.expect(control).to_have_attribute("title", re.compile("no face tokenizer"))
        playwright.expect(page.locator("#face-tokens")).to_be_hidden()
        assert page.evaluate("visavisStats.problems") == 0
