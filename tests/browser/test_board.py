"""The board: it fills in by itself, its filters are in its address, and pinned links keep their numbers."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.audits import every_audit
from core.view import STATUS_COLOURS
from tests.browser import senders
from tests.browser.reader import numbers, open_page, pick, post, shared_link, visitor, wait_complete
from tests.live.app import get_json, running_app, wait_for_derived

pytestmark = pytest.mark.browser

FORTY, EIGHTY = "40 of 40 runs completed; 10 of 50 attempts failed", "80 of 80 runs completed"
WAITS = "not asked yet"


def statuses(page: Page) -> list[str]:
    """The rows' badges, from top to bottom."""
    texts = page.get_by_test_id("stMain").locator(".stMarkdownBadge").all_inner_texts()
    return [text for text in texts if text in STATUS_COLOURS or text == WAITS]


def test_the_first_trace_and_every_later_finding_appear_without_a_reload(
    tmp_path: Path, browser: Browser
) -> None:
    """One visit: an empty ledger, then 40 runs, then 40 more. The page is never loaded again."""
    with running_app(tmp_path) as address, visitor(browser) as page:
        open_page(page, address)
        expect(page.get_by_text("The ledger holds no data yet")).to_be_visible()
        page.evaluate("window.same_visit = true")
        post(f"{address}/v1/traces", senders.traces(range(40)), "application/json")
        expect(
            page.get_by_text(FORTY)
        ).to_be_visible()  # two rows for a moment: the stale one and its successor
        expect(page.get_by_text(WAITS)).to_have_count(0)
        wait_complete(page)
        assert len(statuses(page)) == len(every_audit())
        post(f"{address}/v1/traces", senders.traces(range(40, 80)), "application/json")
        expect(page.get_by_text(EIGHTY)).to_be_visible()
        wait_complete(page)
        expect(page.get_by_text(FORTY)).to_have_count(0)
        assert len(statuses(page)) == len(every_audit())
        assert page.evaluate("window.same_visit") is True


def test_filters_by_status_and_section_narrow_the_rows_and_are_in_the_link(demo: str, page: Page) -> None:
    open_page(page, demo)
    expect(page.get_by_text(re.compile("^Asking the audits"))).to_have_count(0)
    wait_complete(page)
    everything = statuses(page)
    assert len(everything) == len(every_audit())
    wanted = everything[0]
    pick(page, "Statuses", wanted)
    page.wait_for_url(re.compile(rf"[?&]status={wanted.replace(' ', '(%20|[+])')}"))
    expect(page.get_by_test_id("stMain").locator(".stMarkdownBadge").filter(has_text=wanted)).to_have_count(
        everything.count(wanted)
    )
    for other in {*everything} - {wanted}:  # the wanted ones stood there before the page was drawn anew
        badges = page.get_by_test_id("stMain").locator(".stMarkdownBadge")
        expect(badges.filter(has_text=re.compile(f"^{other}$"))).to_have_count(0)
    wait_complete(page)
    assert statuses(page) == [wanted] * everything.count(wanted)
    page.reload()
    wait_complete(page)
    assert statuses(page) == [wanted] * everything.count(wanted)
    section = every_audit()[0].SECTION
    open_page(page, demo, section=section)
    assert len(statuses(page)) == sum(section == audit.SECTION for audit in every_audit())
    open_page(page, demo, status="nonsense")
    assert statuses(page) == everything


def of_format(address: str, form: str) -> int:
    """The newest import of a format."""
    rows = get_json(f"{address}/api/imports")["rows"]
    return max(int(row["import_id"]) for row in rows if row["format"] == form)


def told(page: Page) -> tuple[str, dict[str, str]]:
    """The verdict's sentence and its four numbers."""
    first = page.get_by_test_id("stMain").get_by_test_id("stText").first
    return first.inner_text(), numbers(page)


def test_a_pinned_link_to_forecast_and_reward_keeps_its_numbers(
    demo_ledger: Path, tmp_path: Path, browser: Browser
) -> None:
    """Then 400 runs come and a log of answers is undone: the newest numbers move, the link's do not."""
    folder = tmp_path / "ledger"
    shutil.copytree(demo_ledger, folder)
    with running_app(folder) as address:
        links, before = {}, {}
        with visitor(browser) as page:
            for path in ("/token_forecast", "/reward_vs_outcome"):
                open_page(page, address, path)
                links[path], before[path] = shared_link(page), told(page)
        post(f"{address}/v1/traces", senders.traces(range(400)), "application/json")
        undone = of_format(address, "inspect")
        answer = post(f"{address}/api/undo?import={undone}", b"", "application/octet-stream")
        wait_for_derived(address, answer["undone_by"])
        with visitor(browser) as page:
            for path, link in links.items():
                open_page(page, address, path)
                assert told(page) != before[path], path
                page.goto(link)
                wait_complete(page)
                expect(page.get_by_text(re.compile("^Pinned to data version"))).to_be_visible()
                assert told(page) == before[path]
