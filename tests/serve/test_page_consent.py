"""The consent that a person gives on the full page, in headless Chromium."""

from __future__ import annotations

from typing import Any

import pytest

from support.page_host import Host, in_browser, until, wait_for_moments

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = in_browser


def test_consent_on_the_full_page_holds_for_the_avatar_alone(page: Any, host: Host) -> None:
    page.goto(f"{host.url}?avatar=only")
    page.wait_for_timeout(300)
    assert page.evaluate("visavisStats.phase") == "notice"
    page.goto(host.url)
    page.wait_for_timeout(300)
    assert page.evaluate("visavisStats.phase") == "notice"
    page.click("#start")
    wait_for_moments(page)
    page.goto(f"{host.url}?avatar=only")
    until(page, "visavisStats.phase === 'live'")
    wait_for_moments(page)
    # The full page asks again.
    page.goto(host.url)
    page.wait_for_timeout(300)
    assert page.evaluate("visavisStats.phase") == "notice"
