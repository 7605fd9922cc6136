"""Scope, address and Share: what a link shows stays what it showed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.links import AS_OF, FROM
from tests.browser import senders
from tests.browser.reader import (
    RETRIES,
    follow,
    numbers,
    open_page,
    pick,
    post,
    sentence,
    shared_link,
    step_texts,
    visitor,
    wait_complete,
)
from tests.browser.scopes import cells_of
from tests.live.app import running_app, wait_for_derived

pytestmark = pytest.mark.browser

NEWEST = re.compile("^80 of 80 runs completed; 20 of 100 attempts failed")


def test_a_region_filter_changes_numbers_and_address_and_survives_a_reload(demo: str, page: Page) -> None:
    open_page(page, demo, RETRIES)
    all_regions, told = numbers(page), sentence(page).inner_text()
    pick(page, "Regions", "eu-west-1")
    page.wait_for_url(f"{demo}{RETRIES}?region=eu-west-1")
    expect(sentence(page)).not_to_have_text(told)
    wait_complete(page)
    one_region = numbers(page)
    assert one_region == cells_of(shared_link(page))
    assert int(one_region["n"].replace(",", "")) < int(all_regions["n"].replace(",", ""))
    page.reload()
    wait_complete(page)
    assert numbers(page) == one_region
    assert page.url == f"{demo}{RETRIES}?region=eu-west-1"


def test_unusable_values_in_an_address_fall_back_and_are_told(demo: str, page: Page) -> None:
    open_page(page, demo, RETRIES)
    usual = numbers(page)
    open_page(page, demo, RETRIES, region="moon", **{FROM: "banana", AS_OF: "999999"}, retry_ledger_limit="7")
    complaints = [
        'The link names the region "moon", which is not in the ledger. It is left out of the filter.',
        'The link\'s from "banana" is not a day (YYYY-MM-DD). Showing the default one.',
        "The link asks for data version 999999; the newest here is",
        'Limit on the gap: "7" is not one of 0.05, 0.10, 0.20, 0.50, 1.00. Using 0.20.',
    ]
    for complaint in complaints:
        expect(page.get_by_text(complaint)).to_be_visible()
    assert numbers(page) == usual
    page.wait_for_url(f"{demo}{RETRIES}")


def test_a_shared_link_shows_the_same_after_more_data_arrived(tmp_path: Path, browser: Browser) -> None:
    """40 runs, then 40 more and a bill: the link keeps to the 40, an address without a version follows."""
    with running_app(tmp_path) as address:
        post(f"{address}/v1/traces", senders.traces(range(40)), "application/json")
        wait_for_derived(address, 1)
        with visitor(browser) as page:
            open_page(page, address, RETRIES)
            link, before = shared_link(page), numbers(page)
            told, steps = sentence(page).inner_text(), step_texts(page, "Retry money bridge")
        assert told.startswith("40 of 40 runs completed; 10 of 50 attempts failed")
        assert steps["converting attempt"] == "+$0.0084"  # 40 x (1000 x $0.15/M + 100 x $0.60/M)
        assert link == f"{address}{RETRIES}?from=2026-10-22&to={senders.DAY}&as_of=1"
        post(f"{address}/v1/traces", senders.traces(range(40, 80)), "application/json")
        post(f"{address}/api/ingest?name=bill.csv", senders.focus_bill("0.05"), "application/octet-stream")
        wait_for_derived(address, 3)
        with visitor(browser) as page:
            page.goto(link)
            wait_complete(page)
            expect(page.get_by_text("Pinned to data version 1; the newest is 3.")).to_be_visible()
            assert (sentence(page).inner_text(), numbers(page)) == (told, before)
            assert step_texts(page, "Retry money bridge") == steps
            follow(page, "Overview", "Overview")
            assert (sentence(page).inner_text(), numbers(page)) == (told, before)
            page.get_by_role("button", name="Show the newest data").click()
            expect(sentence(page)).to_have_text(NEWEST)
            assert AS_OF not in page.url
            follow(page, "Retry ledger", "The retry counted three ways")
            expect(sentence(page)).to_have_text(NEWEST)
            assert numbers(page)["n"] == "80"
            assert step_texts(page, "Retry money bridge")["invoice"] == "$0.05"
