"""Exports: the numbers that were drawn, no formula from telemetry, charts that can be edited."""

from __future__ import annotations

import io
import zipfile
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from pptx import Presentation

from core.charts import Bar, Flow, Line, Step, bars, lines, sankey, stacked_share, waterfall
from core.charts.dumbbell import Estimate, Pair, dumbbell
from core.charts.panels import Panel, panels
from core.export import Source, alt_text, csv_bytes, figure_csv, figure_xlsx
from core.export.cells import FORMULA_STARTS, safe_cell
from core.export.deck import figure_pptx

SOURCE = Source(
    "3 of 4 attempts failed.",
    "Money bridge",
    "2026-03-01 to 2026-03-28",
    "as of import 7",
    "http://x/?as_of=7",
)
BRIDGE = waterfall(
    [
        Step("=converting", 0.012, "plus"),
        Step("rescued", 0.034, "plus", "loss"),
        Step("invoice", 0.046, "total"),
    ],
    "USD",
)
TREND = lines([Line("attempt", ["2026-03-01", "2026-03-02"], [0.5, 0.75], [0.4, 0.6], [0.6, 0.9])], "share")


def test_csv_holds_what_is_drawn() -> None:
    assert figure_csv(BRIDGE).decode("utf-8-sig").splitlines() == [
        "step,value,kind",
        "'=converting,0.012,plus",
        "rescued,0.034,plus",
        "invoice,0.046,total",
    ]
    assert figure_csv(TREND).decode("utf-8-sig").splitlines() == [
        "line,at,value,low,high",
        "attempt,2026-03-01,0.5,0.4,0.6",
        "attempt,2026-03-02,0.75,0.6,0.9",
    ]


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_no_cell_starts_a_formula(start: str) -> None:
    assert str(safe_cell(f"{start}cmd|' /C calc'!A0")).startswith("'")
    assert csv_bytes(["a"], [[f"  {start}1"]]).decode("utf-8-sig").splitlines()[1].lstrip('"').startswith("'")


def test_negative_numbers_stay_numbers() -> None:
    assert csv_bytes(["a", "b"], [[-3.5, None]]) == b"\xef\xbb\xbfa,b\r\n-3.5,\r\n"


def test_workbook_has_no_formula_and_is_the_same_twice() -> None:
    book = figure_xlsx(BRIDGE, SOURCE)
    assert book == figure_xlsx(BRIDGE, SOURCE)
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
        texts = parts.read("xl/sharedStrings.xml").decode()
    assert "<f>" not in sheet
    assert "<v>0.034</v>" in sheet
    assert "'=converting" in texts
    assert SOURCE.title in texts


def number_formats(book: bytes) -> dict[str, str]:
    """By cell of the first sheet: the format Excel shows its number in."""
    main = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        styles = ElementTree.fromstring(parts.read("xl/styles.xml"))
        sheet = ElementTree.fromstring(parts.read("xl/worksheets/sheet1.xml"))
    own = {one.get("numFmtId"): one.get("formatCode") or "" for one in styles.iter(f"{main}numFmt")}
    own |= {"0": "General", "10": "0.00%"}  # Excel's built-in ones
    (styled,) = styles.iter(f"{main}cellXfs")
    codes = [own[one.get("numFmtId")] for one in styled]
    cells = [one for one in sheet.iter(f"{main}c") if one.get("t") != "s"]
    return {cell.get("r") or "": codes[int(cell.get("s") or 0)] for cell in cells}


def test_each_number_of_a_workbook_is_shown_in_its_own_unit() -> None:
    """Dollars under a panel of shares are no percentages, nor is a place on an axis."""
    mixed = panels([Panel("p", "share", [0.5], [0.4], [0.6]), Panel("q", "USD", [5], [4], [6])], ["a"])
    dollars = '"$"#,##0.00####'
    assert number_formats(figure_xlsx(mixed, SOURCE)) == {
        "C2": "0.00%", "D2": "0.00%", "E2": "0.00%", "C3": dollars, "D3": dollars, "E3": dollars,
    }  # fmt: skip
    over_numbers = lines([Line("by divergence", [0.5], [0.75])], "share")
    assert number_formats(figure_xlsx(over_numbers, SOURCE)) == {"B2": "General", "C2": "0.00%"}
    parts = stacked_share([Bar("declared", 3)], "count")
    assert number_formats(figure_xlsx(parts, SOURCE)) == {"B2": "#,##0.##", "C2": "0.00%"}


def test_slide_has_the_sentence_and_an_editable_bridge() -> None:
    slide = Presentation(io.BytesIO(figure_pptx(BRIDGE, SOURCE))).slides[0]
    texts = [shape.text_frame.text for shape in slide.shapes if shape.has_text_frame]
    assert texts == [SOURCE.title, SOURCE.figure, f"{SOURCE.scope} · {SOURCE.as_of} · {SOURCE.link}"]
    chart = next(shape.chart for shape in slide.shapes if shape.has_chart)
    series = {one.name: list(one.values) for one in chart.plots[0].series}
    # 0.012 from the floor, 0.034 on top of it, the invoice from the floor again
    assert series["base"] == [0.0, 0.012, 0.0]
    assert series["plus"] == [0.012, 0.034, None]
    assert series["total"] == [None, None, 0.046]
    assert not any(str(name).startswith("=") for name in chart.plots[0].categories)


def test_slide_draws_intervals_of_lines() -> None:
    slide = Presentation(io.BytesIO(figure_pptx(TREND, SOURCE))).slides[0]
    chart = next(shape.chart for shape in slide.shapes if shape.has_chart)
    series = {one.name: list(one.values) for plot in chart.plots for one in plot.series}
    assert series["attempt"] == [0.5, 0.75]
    assert series["attempt: low"] == [0.4, 0.6]
    tops = [
        low + width for low, width in zip(series["attempt: low"], series["attempt: interval"], strict=True)
    ]
    assert tops == pytest.approx([0.6, 0.9])


@pytest.mark.parametrize(
    "figure", [bars([Bar("a", 1, 0, 2)], "count"), stacked_share([Bar("a", 1)], "count")]
)
def test_other_native_forms_open(figure: object) -> None:
    deck = Presentation(io.BytesIO(figure_pptx(figure, SOURCE)))  # type: ignore[arg-type]
    assert any(shape.has_chart for shape in deck.slides[0].shapes)


def test_a_form_without_editable_chart_is_a_table() -> None:
    slide = Presentation(io.BytesIO(figure_pptx(sankey([Flow("a", "b", 1)], "count"), SOURCE))).slides[0]
    (table,) = [shape.table for shape in slide.shapes if shape.has_table]
    assert [cell.text_frame.text for cell in table.rows[1].cells] == ["a", "b", "1"]


@settings(max_examples=15, deadline=None)
@given(some.lists(some.floats(-1e6, 1e6), min_size=1, max_size=9))
def test_any_bridge_becomes_a_slide(changes: list[float]) -> None:
    figure = waterfall([Step(str(place), change, "plus") for place, change in enumerate(changes)], "USD")
    assert figure_pptx(figure, SOURCE).startswith(b"PK")


def test_alt_text_tells_the_numbers() -> None:
    assert (
        alt_text("Money bridge", BRIDGE) == "Money bridge: =converting $0.012; rescued $0.034; invoice $0.046"
    )
    assert alt_text("Rate", TREND) == "Rate: attempt from 50.0% on 2026-03-01 to 75.0% on 2026-03-02"
    pairs = dumbbell(
        [Pair("length", Estimate(1, 0, 2), Estimate(3, 2, 4)), Pair("new", None, Estimate(1, 0, 2))],
        "count",
        "a",
        "b",
    )
    assert alt_text("Prices", pairs) == "Prices: length 1 → 3; new unknown → 1"
