"""What a reader stumbles over: words that are cut, and paper with a menu on it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.reader import RETRIES, open_page

pytestmark = pytest.mark.browser

CUT = """() => [...document.querySelectorAll('[data-testid=stMain] *')]
    .filter(one => one.children.length === 0 && one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1)
    .filter(one => getComputedStyle(one).overflowX === 'hidden' && !one.closest('.js-plotly-plot, [data-testid=stDataFrame]'))
    .map(one => one.textContent)"""
"""Words that end before they end: what does not fit is hidden."""


@pytest.mark.parametrize("width", [1280, 390])
def test_what_was_counted_is_told_to_the_end(demo: str, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 1000})
    open_page(page, demo, RETRIES)
    expect(page.locator(".verdict-numbers").filter(has_text="Finance counts")).to_be_visible()
    assert page.evaluate(CUT) == []


def test_paper_has_the_page_and_no_menu(demo: str, page: Page) -> None:
    open_page(page, demo, RETRIES)
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    page.emulate_media(media="print")
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    expect(page.get_by_role("button", name="Share")).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
