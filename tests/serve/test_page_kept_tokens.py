"""The page in headless Chromium, which shows the expression network's kept tokens on request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import scripted_server as scripted
from support.page_host import Host, in_browser, opened_page, until, wait_for_moments
from visavis.types import FloatArray

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = in_browser
OPACITY = """(points) => {
  const canvas = document.getElementById("overlay");
  const { sent } = visavisStats.lastMoment;
  const context = canvas.getContext("2d");
  const at = ([x, y]) => [x * canvas.width / sent.width, y * canvas.height / sent.height].map(Math.round);
  return points.map((point) => context.getImageData(...at(point), 1, 1).data[3] / 255);
}"""
COUNT = """(() => {
  const canvas = document.getElementById("overlay");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) found += CONDITION;
  return found;
})()"""
INKED = COUNT.replace("CONDITION", "data[i + 3] > 0")
LANDMARKS = COUNT.replace("CONDITION", "data[i + 1] > data[i] + 50")  # their green


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Host(sparse=True) as running:
        yield running


def switch(page: Any) -> Any:
    return page.get_by_role("switch", name="Show kept tokens")


def start(page: Any, landmarks: bool) -> None:
    page.click("#open-settings")
    page.locator("dialog [data-setting=showLandmarks]").set_checked(landmarks)
    page.keyboard.press("Escape")
    page.click("#start")
    wait_for_moments(page)


def opacity(page: Any, grid: int) -> FloatArray:
    """What lies over the middle of each cell of the crop (grid, grid), 0 nothing to 1."""
    corners = np.asarray(page.evaluate("visavisStats.lastMoment.kept_tokens.corners"))
    row, column = (np.mgrid[:grid, :grid] + 0.5) / grid
    across, down = corners[1] - corners[0], corners[3] - corners[0]
    middles = corners[0] + column[..., None] * across + row[..., None] * down
    seen = page.evaluate(OPACITY, middles.reshape(-1, 2).tolist())
    return np.asarray(seen, np.float32).reshape(grid, grid)


def test_dropped_tokens_are_dark_and_kept_ones_clear(page: Any) -> None:
    kept, grid = scripted.kept(), scripted.GRID
    start(page, landmarks=False)
    playwright.expect(switch(page)).not_to_be_checked()
    playwright.expect(page.locator("#kept-tokens-caption")).to_have_text("")
    assert page.evaluate(INKED) == 0

    switch(page).check()
    playwright.expect(page.locator("#kept-tokens-caption")).to_have_text(
        f"keeps {kept.sum()} of {grid**2} tokens"
    )
    wait_for_moments(page, 2)
    seen = opacity(page, grid)
    assert (seen[kept] == 0).all()
    assert ((seen[~kept] > 0.5) & (seen[~kept] < 0.8)).all()
    assert page.evaluate(LANDMARKS) == 0
    corner = page.evaluate("visavisStats.lastMoment.kept_tokens.corners")[0]
    assert page.evaluate(OPACITY, [[corner[0] - 8, corner[1]], [2, 2]]) == [0, 0]

    switch(page).uncheck()
    playwright.expect(page.locator("#kept-tokens-caption")).to_have_text("")
    until(page, f"{INKED} === 0")


def test_landmarks_and_tokens_are_shown_apart_and_together(page: Any) -> None:
    dropped = ~scripted.kept()
    start(page, landmarks=True)
    assert (opacity(page, scripted.GRID)[dropped] == 0).any()
    switch(page).check()
    wait_for_moments(page, 2)
    assert (opacity(page, scripted.GRID)[dropped] > 0.5).all()
    assert page.evaluate(LANDMARKS) > 100
    switch(page).uncheck()
    wait_for_moments(page, 2)
    assert (opacity(page, scripted.GRID)[dropped] == 0).any()
    assert page.evaluate(LANDMARKS) > 100


def test_it_goes_with_the_expressions_the_face_and_the_server(page: Any, host: Host, dark_clip: Path) -> None:
    start(page, landmarks=False)
    switch(page).check()
    until(page, f"{INKED} > 0")
    page.click("#expressions-switch")
    playwright.expect(switch(page)).to_be_hidden()
    until(page, f"{INKED} === 0")
    page.click("#expressions-switch")
    until(page, f"{INKED} > 0")

    host.kill()
    playwright.expect(page.locator("#banner")).to_be_visible()
    assert page.evaluate(INKED) == 0
    playwright.expect(page.locator("#kept-tokens-caption")).to_have_text("")
    host.start()
    wait_for_moments(page)
    until(page, f"{INKED} > 0")

    page.set_input_files("#file", dark_clip)
    until(page, "visavisStats.lastMoment?.faces.length === 0")
    until(page, f"{INKED} === 0")
    playwright.expect(page.locator("#kept-tokens-caption")).to_have_text("")


def test_the_switch_is_remembered(page: Any) -> None:
    switch(page).check()
    page.reload()
    playwright.expect(switch(page)).to_be_checked()
    page.click("#open-settings")
    page.click("#reset")
    page.keyboard.press("Escape")
    playwright.expect(switch(page)).not_to_be_checked()


def test_where_no_tokens_are_dropped_there_is_no_switch(browser: Any) -> None:
    with Host() as dense, opened_page(browser, dense) as page:
        page.evaluate("localStorage.setItem('visavis.settings.v1', '{\"showKeptTokens\": true}')")
        page.reload()
        start(page, landmarks=False)
        playwright.expect(page.locator(".bar.strongest")).to_have_count(1)
        playwright.expect(page.locator("#kept-tokens")).to_be_hidden()
        assert page.evaluate(INKED) == 0
