"""Files dropped on the data page reach the verdict."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.browser import senders
from tests.browser.reader import follow, numbers, open_page, sentence, step_texts, visitor, wait_complete
from tests.live.app import running_app

pytestmark = pytest.mark.browser

TRACES: FilePayload = {
    "name": "traces.jsonl", "mimeType": "application/jsonl", "buffer": senders.trace_lines(range(40)),
}  # fmt: skip
BILL: FilePayload = {"name": "bill.csv", "mimeType": "text/csv", "buffer": senders.focus_bill("0.05")}
TITLE = "The retry counted three ways"
SPANS = 40 * 2 + 40 + 10
"""40 runs of an agent span and a model call, 40 requests answered 200 and 10 that failed before one."""


def upload(page: Page, *files: FilePayload) -> list[str]:
    """Choose files, have them read in, return the receipts. A new visit, so that no file is left from before."""
    page.locator("input[type=file]").set_input_files(files)
    expect(page.get_by_test_id("stFileChip")).to_have_count(len(files))
    wait_complete(page)
    page.get_by_role("button", name="Read them in").click()
    receipts = page.get_by_test_id("stText").filter(has_text="rows read:")
    expect(receipts).to_have_count(len(files))
    wait_complete(page)
    return receipts.all_inner_texts()


def test_uploaded_traces_and_a_bill_change_the_money_bridge_once(tmp_path: Path, browser: Browser) -> None:
    with running_app(tmp_path) as address:
        with visitor(browser) as page:
            open_page(page, address, "/data")
            assert upload(page, TRACES) == [f"traces.jsonl: {SPANS} rows read: {SPANS} new."]
            follow(page, "Retry ledger", TITLE)
            expect(sentence(page)).to_contain_text("40 of 40 runs completed; 10 of 50 attempts failed")
            bridge = step_texts(page, "Retry money bridge")
            assert (bridge["expected cost"], "invoice" in bridge) == ("$0.0084", False)
        with visitor(browser) as page:
            open_page(page, address, "/data")
            assert upload(page, BILL) == ["bill.csv: 1 rows read: 1 new."]
            follow(page, "Retry ledger", TITLE)
            bridge = step_texts(page, "Retry money bridge")
            assert (bridge["invoice"], "expected cost" in bridge) == ("$0.05", False)
            told = numbers(page)
        with visitor(browser) as page:
            open_page(page, address, "/data")
            assert upload(page, TRACES, BILL) == [
                f"traces.jsonl: {SPANS} rows read: nothing new, all were known before.",
                "bill.csv: 1 rows read: nothing new, all were known before.",
            ]
            follow(page, "Retry ledger", TITLE)
            assert numbers(page) == told
            assert step_texts(page, "Retry money bridge") == bridge
