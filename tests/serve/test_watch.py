"""The list of outputs, and the viewer page, in headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.cubism_core import write_core, write_web_model
from support.page_host import TOKEN, Host, in_browser, opened_page, until, wait_for_moments
from support.vrm_file import vrm_file

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = in_browser


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    (model := tmp_path_factory.mktemp("vrm") / "box.vrm").write_bytes(vrm_file())
    with Host(sends=True, guarded=True, model=model) as running:
        yield running


def test_a_viewer_page_follows_without_a_camera(page: Any, host: Host) -> None:
    playwright.expect(page.locator(".outputs")).to_be_hidden()
    page.click("#start")
    wait_for_moments(page)
    row = page.locator("#outputs li")
    playwright.expect(row).to_have_attribute("data-light", "sending")
    playwright.expect(row).to_contain_text("shelf://")
    row.locator("input").click()
    playwright.expect(row).to_have_attribute("data-light", "off")

    strangers = page.context.browser.new_context()  # The viewer has no token; it has the session's name.
    viewer = strangers.new_page()
    viewer.goto(host.url + page.locator("#watch").get_attribute("href"))
    picture = "document.getElementById('avatar').toDataURL()"
    until(viewer, f"{picture}.length > 5000")
    before = viewer.evaluate(picture)
    until(viewer, f"{picture} !== {before!r}")
    assert viewer.evaluate("document.querySelectorAll('video').length") == 0
    playwright.expect(viewer.locator("#problem")).to_be_hidden()

    errors: list[Any] = []
    viewer.on("pageerror", lambda error: errors.append(error))
    viewer.goto(host.url + "watch?session=short")
    playwright.expect(viewer.locator("#problem")).to_contain_text("16 to 64 letters")
    viewer.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert errors == []  # The server's error is no pose to draw.
    until(page, "visavisStats.server === 'open'")
    strangers.close()


def test_what_is_wrong_with_an_output_can_be_read_on_a_phone(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.click("#start")
    wait_for_moments(page)
    says = page.locator(".output-says")
    playwright.expect(says).to_be_visible()
    row = "document.querySelector('#outputs li')"
    page.evaluate(f"{row}.querySelector('b').textContent = 'vts://localhost:8123?map=my_retarget_file.toml'")
    page.evaluate(
        f"{row}.querySelector('.output-says').textContent = 'one two three four five six '.repeat(5)"
    )
    assert says.bounding_box()["width"] > 200
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_token_leaves_the_address_and_the_page_gets_in(page: Any, host: Host) -> None:
    assert host.address != host.url == page.url
    assert page.evaluate("document.cookie") == ""
    page.reload()
    page.click("#start")
    wait_for_moments(page)


def expect_the_same_model_on_both(page: Any, kind: str) -> None:
    """The page and a viewer that has nothing but the address, such as OBS, draw the server's model."""
    page.click("#start")
    wait_for_moments(page)
    until(page, f"!document.getElementById('{kind}').hidden")
    other = page.context.browser.new_context(viewport={"width": 300, "height": 300})
    viewer = other.new_page()
    address = page.evaluate("document.getElementById('watch').href")
    viewer.goto(f"{address}&background=green&token={TOKEN}")
    until(viewer, f"!document.getElementById('{kind}').hidden")
    playwright.expect(viewer.locator("#avatar")).to_have_css("visibility", "hidden")
    assert viewer.locator(".hint:visible").count() == 0
    first = viewer.screenshot()
    for _ in range(100):
        if viewer.screenshot() != first:
            break
    else:
        pytest.fail("the model does not move")
    other.close()


def test_a_viewer_shows_the_servers_vrm_model(page: Any) -> None:
    expect_the_same_model_on_both(page, "vrm")


def test_a_viewer_shows_the_servers_live2d_model(browser: Any, tmp_path: Path) -> None:
    model, core = write_web_model(tmp_path / "box"), write_core(tmp_path)
    with Host(model=model, core=core) as running, opened_page(browser, running) as page:
        expect_the_same_model_on_both(page, "live2d")
