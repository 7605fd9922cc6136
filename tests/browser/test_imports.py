"""Many files at once, a bad one among them; mended and given again; undone, and an older link that does not move."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.browser import senders
from tests.browser.reader import (
    RETRIES,
    card_of,
    numbers,
    open_page,
    save,
    sentence,
    shared_link,
    visitor,
    wait_complete,
)
from tests.live.app import running_app

pytestmark = pytest.mark.browser

HEADER = b"BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,ProviderName\n"
LINE = b"%s,USD,Usage,2026-03-02T00:00:00Z,2026-03-03T00:00:00Z,OpenAI\n"
TRACES = senders.trace_lines(range(40))
HOSTILE_NAME = "<img src=x onerror=alert(1)> **b** =1+1.csv"


def given(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def upload(page: Page, address: str, *files: FilePayload) -> list[str]:
    """Choose files and have them read in; a sentence each."""
    open_page(page, address, "/data")
    page.locator("input[type=file]").set_input_files(files)
    expect(page.get_by_test_id("stFileChip")).to_have_count(len(files))
    wait_complete(page)
    page.get_by_role("button", name="Read them in").click()
    expect(page.get_by_text(f"{len(files)} files read")).to_be_visible()
    wait_complete(page)
    texts = page.get_by_test_id("stText").all_inner_texts()
    return [text for text in texts if any(text.startswith(file["name"]) for file in files)]


def test_upload_mend_and_undo(tmp_path: Path, browser: Browser) -> None:
    with running_app(tmp_path / "ledger") as address:
        with visitor(browser) as page:
            bad = given(HOSTILE_NAME, HEADER + LINE % b"1.50" + LINE % b"many")
            told = upload(page, address, given("t.jsonl", TRACES), bad, given("odd.bin", b"nothing known"))
            assert told[0] == "t.jsonl: 130 rows read: 130 new."
            assert told[1] == f"{HOSTILE_NAME}: 2 rows read: 1 new, 1 refused (see Imports)."
            assert told[2].startswith("odd.bin: No known format recognises the content.")

            open_page(page, address, "/imports", arrival="import-2")
            assert page.locator("[onerror]").count() == 0
            expect(page.get_by_text(f"{HOSTILE_NAME}: 2 rows read, 1 accepted, 1 refused")).to_be_visible()
            button = card_of(page, "Refused rows").get_by_role("button", name="CSV")
            (row,) = csv.DictReader(save(page, button, tmp_path).read_text("utf-8-sig").splitlines())
            assert (row["row_number"], row["field"], row["source"]) == ("2", "BilledCost", HOSTILE_NAME)
            assert "write a number with a point" in row["reason"]
        with visitor(browser) as page:
            mended = given("mended.csv", HEADER + LINE % b"1.50" + LINE % b"2.50")
            assert upload(page, address, mended) == ["mended.csv: 2 rows read: 1 new, 1 known before."]
        undo_the_traces(browser, address)


def undo_the_traces(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        open_page(page, address, RETRIES, **{"from": "2026-01-01", "to": "2026-12-31"})
        before, link = numbers(page), shared_link(page)
        assert before["n"] == "40"
        open_page(page, address, "/imports", arrival="import-1")
        page.get_by_role("button", name="Undo", exact=True).click()
        page.get_by_role("button", name="Undo this import").click()
        expect(page.get_by_text("130 rows no longer count, from data version 4 on.")).to_be_visible()
        wait_complete(page)
        open_page(page, address, RETRIES)
        expect(sentence(page)).to_contain_text("0 of 0 runs completed")
        page.goto(link)
        wait_complete(page)
        assert numbers(page) == before
