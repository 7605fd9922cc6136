"""The full backtest takes minutes: the page says how far it is, and the reader may leave."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.reader import open_page

pytestmark = pytest.mark.browser

TOLD = re.compile(r"Region (\d+) of (\d+): past forecast (\d+) of (\d+) \(")


def test_the_full_backtest_counts_its_forecasts_while_they_are_made(demo: str, page: Page) -> None:
    page.goto(f"{demo}/token_forecast?token_forecast_backtest=full&region=eu-central-1")
    bar = page.get_by_test_id("stProgress")
    expect(bar).to_contain_text(TOLD, timeout=240_000)
    first = TOLD.search(bar.inner_text())
    assert first is not None
    region, regions, done, of = map(int, first.groups())
    assert region <= regions
    assert done < of
    expect(bar).not_to_contain_text(f"past forecast {done} of {of} ", timeout=240_000)
    later = TOLD.search(bar.inner_text())
    assert later is not None
    assert (int(later[1]), int(later[3])) > (region, done)
    open_page(page, demo, "/token_forecast", region="eu-central-1")
    expect(bar).to_have_count(0)
