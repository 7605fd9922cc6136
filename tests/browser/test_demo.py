"""Demo data (test_access: said on every page): five stories that open, and one button that empties the ledger."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.audits import every_audit
from core.demo import STORIES, WHOLLY
from core.view import name_of
from tests.browser import senders
from tests.browser.reader import open_page, post, visitor, wait_complete
from tests.live.app import get_json, running_app

pytestmark = pytest.mark.browser

EMPTY = "Empty the demo"


def test_the_stories_open_their_pages_with_their_scope(demo: str, page: Page) -> None:
    for story in STORIES:
        open_page(page, demo)
        address = page.get_by_role("link", name=story.title).evaluate("link => link.href")
        assert address == f"{demo}{story.address}"
        page.goto(address)
        audit = next(one for one in every_audit() if name_of(one) == story.page)
        expect(page.get_by_role("heading", level=1)).to_have_text(audit.TITLE)
        wait_complete(page)
        expect(page.get_by_text(re.compile("^The link"))).to_have_count(0)
        footer = page.get_by_text(re.compile("As of import"))
        query = dict(story.query)
        expect(footer).to_contain_text(f"{query['from']} to {query['to']} (UTC days)")
        for key in ("region", "service"):
            if key in query:
                expect(footer).to_contain_text(f"{key}s: {query[key]}")


def test_one_button_empties_the_demo_while_the_app_runs(
    demo_ledger: Path, tmp_path: Path, browser: Browser
) -> None:
    folder = tmp_path / "ledger"
    shutil.copytree(demo_ledger, folder)
    with running_app(folder) as address, visitor(browser) as page:
        open_page(page, address, "/data")
        before = get_json(f"{address}/readyz")["latest_import"]
        page.get_by_role("button", name=EMPTY).click()
        expect(page.get_by_text("It cannot be undone")).to_be_visible()
        assert get_json(f"{address}/readyz")["latest_import"] == before  # asked first
        page.get_by_role("button", name="Delete the demo data").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        expect(page.get_by_text("rows of demo data were deleted")).to_be_visible()
        expect(page.get_by_text("Send the first trace")).to_be_visible()
        expect(page.get_by_text(WHOLLY)).to_have_count(0)
        post(f"{address}/v1/traces", senders.traces(range(40)), "application/json")
        expect(page.get_by_text("40 of 40 runs completed")).to_be_visible()
        open_page(page, address, "/data")
        expect(page.get_by_role("button", name=EMPTY)).to_have_count(0)  # real rows are never deleted
        open_page(page, address, "/retry_ledger", as_of=str(before))
        expect(page.get_by_text("The demo data this link shows was deleted at data version")).to_be_visible()
