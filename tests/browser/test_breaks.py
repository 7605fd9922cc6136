"""A proposed break is accepted on the page: the forecast changes, and the link keeps showing what it showed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.reader import card_of, numbers, open_page, shared_link, visitor, wait_complete
from tests.live.app import running_app

pytestmark = pytest.mark.browser

FORECAST = "/token_forecast"
WAITS = re.compile("1 proposed break waits for a yes or no")


def verdict(page: Page) -> Locator:
    return page.get_by_test_id("stText").filter(has_text=re.compile("^The next 28 days take"))


def tick_first_row(page: Page) -> None:
    """The table is a picture to the browser: the box of the first row is found by place, 35 px under the header."""
    grid = card_of(page, "Breaks: days that are not normal demand").get_by_test_id("stDataFrame")
    grid.scroll_into_view_if_needed()
    expect(grid.locator("canvas").first).to_be_visible()
    grid.click(position={"x": 66, "y": 35 + 17})


def test_accepting_a_proposed_break_changes_the_forecast_and_the_link(
    demo_ledger: Path, tmp_path: Path, browser: Browser
) -> None:
    shutil.copytree(demo_ledger, tmp_path / "ledger")
    with running_app(tmp_path / "ledger") as address:
        with visitor(browser) as page:
            open_page(page, address, FORECAST, region="eu-central-1")
            expect(verdict(page)).to_have_text(WAITS)
            before, old_link = numbers(page), shared_link(page)
            assert "token_forecast_breaks=0" in old_link
            tick_first_row(page)
            page.get_by_role("button", name="Save with 1 breaks").click()
            page.wait_for_url(re.compile("token_forecast_breaks=1"))
            expect(verdict(page)).not_to_have_text(WAITS)
            wait_complete(page)
            after, new_link = numbers(page), shared_link(page)
        assert "token_forecast_breaks=1" in new_link
        assert before["Reported"] == after["Reported"]
        assert before["Supported"] != after["Supported"]
        for link, shown in ((old_link, before), (new_link, after)):
            with visitor(browser) as page:
                page.goto(link)
                wait_complete(page)
                assert numbers(page) == shown
                older = page.get_by_text(re.compile("This link shows break calendar 0; the newest is 1"))
                expect(older).to_have_count(1 if link == old_link else 0)
