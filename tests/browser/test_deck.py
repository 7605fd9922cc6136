"""Two figures go into a deck, change places, and come out as slides and sheets with the page's numbers."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.audits import every_audit
from tests.browser.reader import (
    RETRIES,
    card,
    export_menu,
    follow,
    open_page,
    save,
    sentence,
    shared_link,
    visitor,
    wait_complete,
)
from tests.browser.test_exports import csv_rows
from tests.export.reading import charts, series, slides, tables, texts, workbook
from tests.live.app import running_app

pytestmark = pytest.mark.browser

BRIDGE, FLOW = "Retry money bridge", "Retry flow"


def test_two_figures_become_a_deck(demo_ledger: Path, browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    shutil.copytree(demo_ledger, folder)
    with running_app(folder) as address, visitor(browser) as page:
        open_page(page, address, RETRIES)
        told, link = sentence(page).inner_text(), shared_link(page)
        with export_menu(page, card(page, BRIDGE)) as menu:
            _, *bridge = csv_rows(save(page, menu.get_by_role("button", name="CSV"), tmp_path))
        add(page, BRIDGE, "Budget", "Say this first.", 1)
        add(page, FLOW, "Budget", "", 2)
        follow(page, "Deck", "Deck")
        swap(page)
        deck = save(page, page.get_by_role("button", name="Slides (PPTX)"), tmp_path).read_bytes()
        book = save(page, page.get_by_role("button", name="Workbook (XLSX)"), tmp_path).read_bytes()

    shown = slides(deck)
    boards = list(
        itertools.takewhile(lambda slide: "audits asked" in slide.shapes.title.text_frame.text, shown)
    )
    flow, money, *methods = shown[len(boards) :]
    assert sum(len(tables(board)[0]) - 1 for board in boards) == len(every_audit())
    assert (flow.shapes.title.text_frame.text, money.shapes.title.text_frame.text) == (told, told)
    assert tables(flow)[0][0] == ["source", "target", "value"]
    (chart,) = charts(money)
    bars = [one["val"] for name, one in series(chart).items() if name != "base"]
    heights = [sum(value or 0.0 for value in column) for column in zip(*bars, strict=True)]
    assert heights == pytest.approx([abs(float(value)) for _, value, _ in bridge])
    assert money.notes_slide.notes_text_frame.text == "Say this first."
    assert any(link.partition("?")[2] in text for text in texts(money))
    assert methods
    assert all("DEMO DATA" in texts(slide) for slide in slides(deck))
    sheets = workbook(book)
    assert [sheets["2 Retry money bridge"][f"B{at}"] for at in range(2, len(bridge) + 2)] == [
        float(row[1]) for row in bridge
    ]
    assert sheets["slides"]["A1"] == "DEMO DATA"


def add(page: Page, figure: str, deck: str, notes: str, count: int) -> None:
    """Add a figure to a deck by its card's button."""
    card(page, figure).get_by_role("button", name="Add to deck").click()
    dialog = page.get_by_role("dialog")
    choice = dialog.get_by_role("combobox", name="Deck")
    choice.fill(deck)
    choice.press("Enter")
    dialog.get_by_label("Notes for the speaker").fill(notes)
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text(f"Slide {count} of the deck {deck}.")).to_be_visible()
    wait_complete(page)


def swap(page: Page) -> None:
    """Give the first slide an order after the second's. The table is a picture; a cell that is edited is a field over it."""
    grid = page.get_by_test_id("stDataFrame").first
    expect(grid.locator("canvas").first).to_be_visible()
    field = page.locator("#portal input")
    grid.dblclick(position={"x": 40, "y": 35 + 17})
    expect(field).to_be_visible()
    field.fill("3")
    field.press("Enter")
    expect(page.get_by_text("Edited and not saved yet: 1 of 2 slides.")).to_be_visible()
    wait_complete(page)
    page.get_by_role("button", name="Save the slides").click()
    expect(page.get_by_text("Saved: edition 2 of this deck.")).to_be_visible()
    wait_complete(page)
