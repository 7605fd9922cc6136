"""An incident review from the first look to a link that ends, as a person makes it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.reader import card_of, export_menu, open_page, post, save, visitor, wait_complete
from tests.browser.senders import DAY, traces
from tests.live.app import running_app, wait_for_derived

pytestmark = pytest.mark.browser

JSON, FILE = "application/json", "application/octet-stream"
CHANGE = f"ts,kind,title,service\n{DAY}T10:00:00Z,deploy,retry budget raised,shop\n".encode()
RUNS = 40


def test_a_view_becomes_a_review_a_file_and_a_link_that_ends(browser: Browser, tmp_path: Path) -> None:
    with running_app(tmp_path / "ledger") as address:
        post(f"{address}/v1/traces", traces(range(RUNS)), JSON)
        wait_for_derived(address, 1)
        with visitor(browser, accept_downloads=True) as page:
            save_view(page, address)
            begin_review(page, address)
            post(f"{address}/v1/traces", traces(range(RUNS, 2 * RUNS)), JSON)
            post(f"{address}/api/ingest?name=changes.csv", CHANGE, FILE)
            wait_for_derived(address, 3)
            open_page(page, address, "/reviews")
            told = page.get_by_test_id("stText").filter(has_text="Changed since, as of import 3")
            expect(told).to_contain_text(f"rows (n): {RUNS} → {2 * RUNS}")
            add_note(page)
            files = {form: take_away(page, form, tmp_path) for form in ("HTML", "PDF")}
            link = make_link(page)
        check_offline(browser, files["HTML"])
        assert files["PDF"].read_bytes().startswith(b"%PDF-")
        with visitor(browser) as reader:
            answer = reader.goto(link)
            assert answer is not None
            assert answer.status == 200
            expect(reader.get_by_role("heading", level=1)).to_have_text("Incident 7")
            expect(reader.locator("svg").first).to_be_visible()
        with visitor(browser) as page:
            open_page(page, address, "/reviews")
            revoke(page)
            assert page.request.get(link).status == 410
            look_at_timeline(page, address)


def save_view(page: Page, address: str) -> None:
    open_page(page, address, "/retry_ledger")
    page.get_by_role("button", name="Share").click()
    menu = page.get_by_test_id("stPopoverBody")
    menu.get_by_label("Name", exact=True).fill("Retries at noon")
    menu.get_by_label("Your name").fill("Ana")
    menu.get_by_role("textbox", name="Note").fill("**Doubled** since the deploy")
    menu.get_by_role("button", name="Save view").click()
    expect(menu.get_by_text("Saved. It can be put into a review")).to_be_visible()


def begin_review(page: Page, address: str) -> None:
    open_page(page, address, "/reviews")
    page.get_by_role("button", name="New review").click()
    menu = page.get_by_test_id("stPopoverBody")
    menu.get_by_label("Name", exact=True).fill("Incident 7")
    menu.get_by_role("button", name="Begin it").click()
    expect(page.get_by_text("No view is in this review yet")).to_be_visible()
    wait_complete(page)
    page.get_by_role("button", name="Add a view").click()
    menu = page.get_by_test_id("stPopoverBody")
    menu.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_test_id("stText").filter(has_text="1. Retries at noon")).to_be_visible()
    expect(page.get_by_test_id("stHtml").locator("strong")).to_have_text("Doubled")


def add_note(page: Page) -> None:
    """A note on the review; what it may not say stays text."""
    page.get_by_role("button", name="Add a note").first.click()
    menu = page.get_by_test_id("stPopoverBody")
    menu.get_by_role("textbox", name="Note").fill(
        '<img src=x onerror="alert(1)"> see [the log](https://log.example/7)'
    )
    menu.get_by_role("button", name="Add the note").click()
    note = page.get_by_test_id("stHtml").filter(has_text="<img src=x")
    expect(note).to_contain_text("the log (https://log.example/7)")
    expect(note.locator("img")).to_have_count(0)
    wait_complete(page)


def take_away(page: Page, form: str, folder: Path) -> Path:
    with export_menu(page, page.get_by_test_id("stMain")) as menu:
        return save(page, menu.get_by_role("button", name=form), folder)


def make_link(page: Page) -> str:
    page.get_by_role("button", name="Links").click()
    menu = page.get_by_test_id("stPopoverBody")
    menu.get_by_role("button", name="Make a link").click()
    link = menu.get_by_test_id("stCode").inner_text().strip()
    assert re.search(r"/shared/[A-Za-z0-9_-]{43}$", link)
    return link


def revoke(page: Page) -> None:
    page.get_by_role("button", name="Links").click()
    menu = page.get_by_test_id("stPopoverBody")
    menu.get_by_role("button", name="Revoke").click()
    expect(menu.get_by_text("revoked")).to_be_visible()


def check_offline(browser: Browser, file: Path) -> None:
    """The copy opens from disk with the network cut off: all figures, no request but for itself, no complaint."""
    context = browser.new_context(offline=True)
    page, asked, complaints = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(file.as_uri())
    expect(page.get_by_role("heading", level=1)).to_have_text("Incident 7")
    assert page.locator("svg").count() > 3
    expect(page.get_by_text(f"rows (n): {RUNS} → {2 * RUNS}")).to_be_visible()
    expect(page.get_by_text("<img src=x", exact=False)).to_be_visible()
    assert (
        page.locator("h1").evaluate("one => getComputedStyle(one).fontSize") == "26px"
    )  # its style is allowed
    assert (asked, complaints) == ([file.as_uri()], [])
    context.close()


def look_at_timeline(page: Page, address: str) -> None:
    """The event is the newest row and the last trace's point; either way it leads to the audits around it.

    Verdicts stand at the day's beginning, the event at ten o'clock.
    """
    for select in (tick_newest_row, click_last_point):
        open_page(page, address, "/timeline")
        select(page)
        told = page.get_by_test_id("stText").filter(has_text="deploy: retry budget raised")
        expect(told).to_be_visible()
        opened = page.get_by_role("link", name="The retry counted three ways")
        expect(opened).to_have_attribute(
            "href", re.compile(r"/retry_ledger\?from=2026-11-04&to=2026-12-01&as_of=3")
        )
        wait_complete(page)


def tick_newest_row(page: Page) -> None:
    grid = card_of(page, "The same as a table").get_by_test_id("stDataFrame")
    grid.scroll_into_view_if_needed()
    expect(grid.locator("canvas").first).to_be_visible()
    grid.click(position={"x": 16, "y": 35 + 17})


def click_last_point(page: Page) -> None:
    """A layer for the pointer lies over the points: the click goes to their place."""
    point = page.locator(".scatterlayer .trace").last.locator(".point").last
    expect(point).to_be_visible()
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2 - 3, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
