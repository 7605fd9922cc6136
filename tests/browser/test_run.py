"""From a row of the evidence to the run behind it."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.reader import RETRIES, card_of, open_page, open_run, save, shared_link, wait_complete

pytestmark = pytest.mark.browser


def test_a_ticked_row_opens_its_run_with_attempts_marked_and_the_link_opens_it_again(
    demo: str, page: Page, tmp_path: Path
) -> None:
    open_page(page, demo, RETRIES)
    button = card_of(page, "The rows behind it").get_by_role("button", name="CSV")
    note, *lines = save(page, button, tmp_path).read_text("utf-8-sig").splitlines()
    assert note.startswith("Demo data")
    evidence = list(csv.DictReader(lines))
    wanted = evidence[1]
    run = open_run(page, row=1)
    assert parse_qs(urlsplit(page.url).query)["trace"] == [wanted["trace_id"]]
    expect(run.get_by_test_id("stCode")).to_have_text(wanted["trace_id"])
    labels = run.locator(".main-svg text").all_text_contents()
    marked = {int(number) for text in labels for number in re.findall(r"attempt (\d+)", text)}
    assert set(range(1, int(wanted["attempts"]) + 1)) <= marked
    failed = [text for text in labels if "failed" in text]
    assert len(failed) >= int(wanted["failed_attempts"])
    spans = int(re.findall(r"^(\d+) spans", run.get_by_test_id("stCaptionContainer").first.inner_text())[0])
    expect(run.locator(".bars path")).to_have_count(spans)

    link = shared_link(page)
    assert link.endswith(f"&trace={wanted['trace_id']}")
    page.goto(link)
    wait_complete(page)
    opened = card_of(page, "The run")
    expect(opened.get_by_test_id("stCode")).to_have_text(wanted["trace_id"])
    assert opened.locator(".main-svg text").all_text_contents() == labels


def test_a_run_that_is_not_in_the_ledger_is_said_to_be_missing(demo: str, page: Page) -> None:
    open_page(page, demo, RETRIES, trace="0" * 31 + "1")
    expect(page.get_by_text("This run is not in the ledger at this data version.")).to_be_visible()
