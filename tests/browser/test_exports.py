"""Every export of a figure opens, and holds the numbers that are drawn."""

from __future__ import annotations

import csv
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Locator, Page, expect
from pptx import Presentation

from core.demo import WHOLLY
from tests.browser.reader import (
    RETRIES,
    card,
    choose,
    export_menu,
    open_page,
    save,
    sentence,
    shared_link,
    wait_complete,
)
from tests.browser.scopes import rows_of

pytestmark = pytest.mark.browser

BRIDGE = "Retry money bridge"
FIGURES = (
    "Retry count bridge",
    BRIDGE,
    "Retry billing bridge",
    "Retry error rate by grain",
    "Retry error rate over time",
    "Retry grades",
    "Retry flow",
    "Retry billed minus traced",
)
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
PNG = b"\x89PNG\r\n\x1a\n"


def csv_rows(path: Path) -> list[list[str]]:
    """A CSV with its byte order mark, without the row that says whose data it is."""
    note, *rows = csv.reader(path.read_text("utf-8-sig").splitlines())
    assert note == [WHOLLY]
    return rows


def bridge_amounts(page: Page) -> list[Decimal]:
    """The money bridge of the page's scope from the JSON API; parts of zero are not drawn, epsilon always."""
    rows = [row for row in rows_of(shared_link(page), "bridge") if row["bridge"] == "money"]
    return [
        Decimal(row["usd"])
        for row in rows
        if Decimal(row["usd"]) or row["bucket"] in ("epsilon", "invoice", "expected")
    ]


def workbook_rows(path: Path, sheet: int) -> list[list[str]]:
    """A worksheet's cells as text; a formula anywhere fails."""
    with zipfile.ZipFile(path) as book:
        strings = [
            "".join(item.itertext()) for item in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        ]
        root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))
    assert root.find(f".//{SHEET}f") is None
    return [[_cell(cell, strings) for cell in row] for row in root.iter(f"{SHEET}row")]


def _cell(cell: ElementTree.Element, strings: list[str]) -> str:
    value = cell.findtext(f"{SHEET}v") or ""
    return strings[int(value)] if cell.get("t") == "s" else value


def test_csv_xlsx_and_pptx_of_a_figure_hold_the_numbers_of_the_ledger(
    demo: str, page: Page, tmp_path: Path
) -> None:
    open_page(page, demo, RETRIES)
    amounts, told = bridge_amounts(page), sentence(page).inner_text()
    with export_menu(page, card(page, BRIDGE)) as menu:
        files = {
            form: save(page, menu.get_by_role("button", name=form), tmp_path)
            for form in ("CSV", "XLSX", "PPTX")
        }
    assert {path.name.partition("_v")[0] for path in files.values()} == {
        "trueup_retry_ledger_retry_money_bridge"
    }
    header, *rows = csv_rows(files["CSV"])
    assert header == ["step", "value", "kind"]
    assert [float(value) for _, value, _ in rows] == pytest.approx([float(amount) for amount in amounts])
    assert rows[-1][0] == "invoice"
    # The bridge closes: parts sum to the invoice, to the cent.
    assert sum(amounts[:-1]) == pytest.approx(amounts[-1], abs=Decimal("0.005"))

    written_header, *written = workbook_rows(files["XLSX"], 1)
    assert written_header == header
    assert [(step, float(value), kind) for step, value, kind in written] == [
        (step, float(value), kind) for step, value, kind in rows
    ]
    source = {row[0]: row[1] for row in workbook_rows(files["XLSX"], 2)}
    assert (source["title"], source["unit"]) == (told, "USD")
    assert "as_of=" in source["link"]
    assert source["note"] == WHOLLY
    _check_slide(files["PPTX"], [float(value) for _, value, _ in rows], told)


def _check_slide(path: Path, amounts: list[float], told: str) -> None:
    """One slide under the finding's sentence, with an editable chart: one bar a step over an invisible base."""
    (slide,) = Presentation(str(path)).slides
    texts = [shape.text_frame.text for shape in slide.shapes if shape.has_text_frame]
    assert texts[0] == told
    assert [text for text in texts if text.startswith(WHOLLY)]
    assert texts[-1] == "DEMO DATA"
    (chart,) = [shape.chart for shape in slide.shapes if shape.has_chart]
    plot = chart.plots[0]
    assert len(plot.categories) == len(amounts)
    bars = [series.values for series in plot.series if series.name != "base"]
    heights = [sum(value or 0.0 for value in column) for column in zip(*bars, strict=True)]
    assert heights == pytest.approx([abs(amount) for amount in amounts])


def test_png_and_svg_are_saved_by_the_chart_itself(demo: str, page: Page, tmp_path: Path) -> None:
    open_page(page, demo, RETRIES)
    picture = save_picture(page, tmp_path)
    content = picture.read_bytes()
    assert (picture.suffix, content[:8]) == (".png", PNG)
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    # 20 cm at 300 dpi are 20 / 2.54 * 300 = 2362.2 pixels; the height is the drawn one's, at the same scale of 3.
    drawn: Any = card(page, BRIDGE).locator(".main-svg").first.bounding_box()
    assert width == pytest.approx(2362, abs=3)
    assert height == pytest.approx(3 * drawn["height"], abs=3)
    choose(page, "Pictures as", "SVG")
    # While the page is drawn anew the old chart stands beside the new one.
    expect(card(page, BRIDGE).locator('[data-title="Download plot as a PNG"]')).to_have_count(0)
    expect(camera(page)).to_have_attribute("data-title", "Download plot")
    wait_complete(page)
    picture = save_picture(page, tmp_path)
    root = ElementTree.fromstring(picture.read_bytes())
    assert (picture.suffix, root.tag) == (".svg", "{http://www.w3.org/2000/svg}svg")
    texts = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"invoice", "converting attempt", WHOLLY} <= {text.strip() for text in texts}


def camera(page: Page) -> Locator:
    """The chart's own button; it shows while the pointer is on the chart."""
    return card(page, BRIDGE).locator(".modebar-btn")


def save_picture(page: Page, folder: Path) -> Path:
    """Point at the chart, click its camera."""
    card(page, BRIDGE).get_by_test_id("stPlotlyChart").hover()
    return save(page, camera(page), folder)


def test_every_figure_has_an_export_with_rows(demo: str, page: Page, tmp_path: Path) -> None:
    open_page(page, demo, RETRIES)
    charts = page.get_by_test_id("stColumn").filter(has=page.get_by_test_id("stPlotlyChart"))
    assert charts.count() == len(FIGURES)
    for title in FIGURES:
        with export_menu(page, card(page, title)) as menu:
            header, *rows = csv_rows(save(page, menu.get_by_role("button", name="CSV"), tmp_path))
        assert rows, title
        assert {len(row) for row in rows} == {len(header)}, title
