"""Stored XSS and Markdown injection: a payload in every text there is, on every page with all of it opened."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from core.findings import standard_scope
from core.ledger.store import Store
from tests.browser.hostile_world import PAYLOADS, shown_payloads, spoil, worked, write_state
from tests.browser.reader import EVERY_PAGE, RETRIES, open_run, visitor, wait_complete
from tests.live.app import running_app

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def spoiled(demo_ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an app over a demo ledger whose every open text column holds payloads."""
    folder = tmp_path_factory.mktemp("spoiled") / "ledger"
    shutil.copytree(demo_ledger, folder)
    written = spoil(folder / "trueup.duckdb")
    assert {
        "spans",
        "calls",
        "cost_lines",
        "eval_runs",
        "outcomes",
        "change_events",
        "probes",
        "files",
        "quarantine",
    } <= set(written)
    store = Store.open(folder / "trueup.duckdb")
    try:
        scope = standard_scope(store.ask, store.version(), "USD")
    finally:
        store.close()
    write_state(folder, scope)
    with running_app(folder) as address:
        yield address


def open_all(page: Page) -> None:
    """Every expander and tab; popovers one after another, because one closes the other."""
    for expander in page.get_by_test_id("stExpander").all():
        if expander.locator("details").get_attribute("open") is None:
            expander.locator("summary").click()
    for tab in page.get_by_role("tab").all():
        tab.click()
    wait_complete(page)


def hover_charts(page: Page) -> None:
    """Plotly writes the hover's text only when something is under the pointer."""
    for chart in page.get_by_test_id("stPlotlyChart").all()[:6]:
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        assert box is not None
        for place in (0.25, 0.5, 0.75):
            page.mouse.move(box["x"] + box["width"] * place, box["y"] + box["height"] * 0.5)


PICTURES = ("/", "/deck", "/timeline", "/data", "/access")
"""Pages whose foreign texts stand in tables and marks, which are pictures to the browser, or only where an audit names them."""
IN_NOTES = {
    "strong: zqbold",
    "li: zqitem",
    "A href=https://evil.example",
    "A href=https://evil.example/zqbare",
}
"""What a note may be: bold, a list, and an http link that shows where it goes (core/markdown.py)."""


def assert_only_text(page: Page, where: str) -> None:
    made = set(worked(page))
    assert made - (IN_NOTES if where.startswith("/reviews") else set()) == set(), where


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_every_text_of_a_page_is_shown_and_does_nothing(path: str, spoiled: str, browser: Browser) -> None:
    """A dialog, an error in the console or a request to another host fails in `visitor`."""
    with visitor(browser) as page:
        page.goto(f"{spoiled}{path}{'?arrival=import-1' if path == '/imports' else ''}")
        wait_complete(page)
        assert_only_text(page, path)
        open_all(page)
        hover_charts(page)
        assert_only_text(page, f"{path}, opened")
        if path not in PICTURES:
            assert shown_payloads(page), "no payload is on the page: what is tested?"
        for button in page.get_by_test_id("stPopover").get_by_role("button").all():
            if button.is_enabled():
                button.click()
                expect(page.get_by_test_id("stPopoverBody")).to_be_visible()
                assert_only_text(page, f"{path}, popover")
                page.keyboard.press("Escape")
                expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)


def test_a_run_and_an_address_are_shown_as_text(spoiled: str, browser: Browser) -> None:
    with visitor(browser) as page:
        page.goto(f"{spoiled}{RETRIES}")
        wait_complete(page)
        open_run(page)
        assert_only_text(page, "run")
        keys = (
            "from",
            "to",
            "region",
            "service",
            "model",
            "as_of",
            "trace",
            "retry_ledger_limit",
            "picture",
            "x",
        )
        for first in range(0, len(PAYLOADS), len(keys)):
            query = dict(zip(keys, PAYLOADS[first:], strict=False))
            page.goto(f"{spoiled}{RETRIES}?{urlencode(query)}")
            wait_complete(page)
            assert shown_payloads(page)
            assert_only_text(page, f"address {query}")
