"""The numbers in a chart's XML, and in the workbook behind it, are those of the figure's drawn table."""

from __future__ import annotations

import datetime as dt
from typing import Any

import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from core.charts import (
    Bar,
    Flow,
    Line,
    Mark,
    Step,
    bars,
    lines,
    sankey,
    waterfall,
)
from core.charts.compare import Effect, ecdf, forest
from core.charts.dumbbell import Estimate, Pair, dumbbell
from core.charts.grid import GridCell, grid
from core.charts.panels import Panel, panels
from core.export import Source, drawn_table
from core.export.deck import figure_pptx
from core.export.native_points import MOST_POINTS
from tests.chart_forms import DAYS, FORMS, figure_of
from tests.export.reading import categories, cells_of, charts, refs, series, slides, tables, texts, workbook

SOURCE = Source("A finding.", "A figure", "2026-03-01 to 2026-03-28", "as of import 7", "http://x/?as_of=7")
HOSTILE = '=HYPERLINK("http://evil","x")'
LONG = "a name that goes on and on " * 40


def slide_of(figure: go.Figure) -> Any:
    (slide,) = slides(figure_pptx(figure, SOURCE))
    return slide


def chart_of(figure: go.Figure) -> Any:
    (chart,) = charts(slide_of(figure))
    return chart


def test_one_band_is_an_area_on_a_base_that_is_not_seen() -> None:
    band = Line(
        "rate", DAYS, [0.5, None, 0.3, 0.2, 0.1], [0.4, None, 0.2, 0.1, 0], [0.7, None, 0.4, 0.3, 0.2]
    )
    chart = chart_of(lines([band, Line("plain", DAYS, [0.1] * 5)], "share", limit=0.25))
    drawn = series(chart)
    assert drawn["rate"]["val"] == [0.5, None, 0.3, 0.2, 0.1]
    assert drawn["plain"]["val"] == [0.1] * 5
    assert drawn["limit 25.0%"]["val"] == [0.25] * 5
    assert drawn["rate: low"]["val"] == [
        0.4,
        0.55,
        0.2,
        0.1,
        0,
    ]  # where nothing is known: the neighbour's middle, no width
    tops = [
        low + width
        for low, width in zip(drawn["rate: low"]["val"], drawn["rate: interval"]["val"], strict=True)
    ]  # type: ignore[operator]
    assert tops == pytest.approx([0.7, 0.55, 0.4, 0.3, 0.2])
    areas = chart._chartSpace.xpath(".//c:areaChart[c:grouping/@val='stacked']/c:ser")
    assert [len(area.xpath("./c:spPr/a:noFill")) for area in areas] == [1, 0]


def test_several_bands_are_strips_with_their_ends_in_the_workbook() -> None:
    one = Line("a", DAYS, [1, 2, 3, None, 5], [0.5, 1, 2, None, 4], [2, 4, 6, None, 7])
    two = Line("b", DAYS, [3, 3, 3, 3, 3], [2] * 5, [5] * 5)
    chart = chart_of(lines([one, two], "count"))
    drawn = series(chart)
    assert drawn["a"]["minus"] == [0.5, 1, 1, None, 1]
    assert drawn["a"]["plus"] == [1, 2, 3, None, 2]
    assert (drawn["b"]["minus"], drawn["b"]["plus"]) == ([1] * 5, [2] * 5)


@pytest.mark.parametrize(
    "form", ["lines", "bars", "forest", "dumbbell", "numbers", "ecdf", "waterfall", "panels"]
)
def test_what_the_chart_shows_is_what_its_workbook_holds(form: str) -> None:
    for chart in charts(slide_of(figure_of(form, "x", 3.0))):
        (sheet,) = workbook(chart.part.chart_workbook.xlsx_part.blob).values()
        assert refs(chart)
        for ref, numbers in refs(chart).items():
            assert cells_of(sheet, ref) == numbers, ref


@pytest.mark.parametrize("form", list(FORMS))
def test_no_workbook_holds_a_formula(form: str) -> None:
    slide = slide_of(figure_of(form, HOSTILE))
    for chart in charts(slide):
        sheets = workbook(chart.part.chart_workbook.xlsx_part.blob)
        cells = [cell for sheet in sheets.values() for cell in sheet.values() if isinstance(cell, str)]
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
        assert b"hyperlink" not in chart.part.chart_workbook.xlsx_part.blob.lower()
    for table in tables(slide):
        assert not any(cell.startswith("=") for row in table for cell in row)


@pytest.mark.parametrize("form", list(FORMS))
def test_a_long_name_and_a_million_are_drawn(form: str) -> None:
    figure = figure_of(form, LONG, 1_000_000.0)
    slide = slide_of(figure)
    shown = [
        number
        for chart in charts(slide)
        for parts in series(chart).values()
        for numbers in parts.values()
        for number in numbers
    ]
    shown_texts = [cell for table in tables(slide) for row in table for cell in row]
    if form == "stacked_share":  # its bars are shares of 1,000,001
        assert 1_000_000 / 1_000_001 in shown
    elif form == "offsets":  # its columns count values
        assert shown.count(1.0) == 4
    else:
        assert 1_000_000.0 in shown or any(
            "1.00M" in text or "1.0M" in text or "1,000,000" in text for text in shown_texts
        )
    names = [name for chart in charts(slide) for name in series(chart)]
    assert all(len(text) <= 400 for text in [*names, *shown_texts])
    for shape in slide.shapes:
        assert shape.left >= 0
        assert shape.left + shape.width <= 12_192_000 + 10


def test_one_day_is_drawn_as_a_point_with_its_interval() -> None:
    chart = chart_of(lines([Line("a", DAYS[:1], [3], [2], [5])], "count"))
    assert series(chart)["a"] == {"val": [3], "minus": [1], "plus": [2]}
    assert not chart._chartSpace.xpath(".//c:areaChart | .//c:dateAx")


def test_a_side_nobody_knows_is_no_series() -> None:
    chart = chart_of(dumbbell([Pair("a", Estimate(1, 0, 2), None)], "count", "before", "after"))
    assert list(series(chart)) == ["before: interval", "before", "names", "numbers", "zero"]
    hidden = chart._chartSpace.xpath(".//c:legendEntry/c:idx/@val")
    assert sorted(hidden) == ["0", "2", "3", "4"]


def test_every_row_of_forest_and_dumbbell_has_its_point_and_interval() -> None:
    drawn = series(
        chart_of(forest([Effect("g", "s", 0.1, -0.1, 0.2), Effect("h", "s", 0.3, 0.2, 0.6)], "share", 0.05))
    )
    assert drawn["difference"]["xVal"] == [0.1, 0.3]
    assert drawn["difference: interval"]["xVal"] == [-0.1, 0.2, 0.2, 0.2, 0.6, 0.6]
    assert drawn["difference: interval"]["yVal"] == [2, 2, None, 1, 1, None]  # the line ends after each row
    assert {"zero", "limit −5.0%", "limit 5.0%"} <= set(drawn)
    pairs = [Pair("a", Estimate(1, 0, 2), Estimate(3, 2, 5)), Pair("b", None, Estimate(4, 3, 5))]
    drawn = series(chart_of(dumbbell(pairs, "count", "before", "after")))
    assert (drawn["before"]["xVal"], drawn["after"]["xVal"]) == ([1], [3, 4])
    assert drawn["after: interval"]["xVal"] == [2, 5, 5, 3, 5, 5]


def test_points_of_a_forest_are_named_with_their_numbers() -> None:
    chart = chart_of(forest([Effect("g", "s", 0.1, -0.1, 0.2)], "share"))
    labels = [
        label.text
        for label in chart._chartSpace.iter("{http://schemas.openxmlformats.org/drawingml/2006/main}t")
    ]
    assert {"s, g", "10.0% [−10.0%, 20.0%]"} <= set(labels)


def test_a_distribution_is_stepped_and_thinned_to_what_can_be_seen() -> None:
    drawn = series(chart_of(ecdf([("a", [1.0, 3.0])], "ms", "ms")))
    assert drawn["a (n 2)"] == {"xVal": [1, 1, 3, 3], "yVal": [0, 0.5, 0.5, 1]}
    many = series(chart_of(ecdf([("a", [float(at) for at in range(20_000)])], "ms", "ms")))["a (n 20,000)"]
    assert len(many["xVal"]) == 2 * MOST_POINTS
    assert (many["xVal"][0], many["xVal"][-1], many["yVal"][-1]) == (0, 19_999, 1)


def test_a_heat_map_is_a_table_of_shaded_cells() -> None:
    cells = [
        GridCell("eu", DAYS[0], 0.25),
        GridCell("eu", DAYS[1], 1.0, "open"),
        GridCell("us", DAYS[0], None, "unknown"),
    ]
    slide = slide_of(grid(cells, "share"))
    (table,) = tables(slide)
    assert table == [["", "01.03.", "02.03."], ["eu", "25%", "100%×"], ["us", "○", ""]]
    (frame,) = [shape.table for shape in slide.shapes if shape.has_table]
    fills = [str(frame.cell(1, at).fill.fore_color.rgb) for at in (1, 2)]
    # a quarter of the way from useful C7D4EA to loss E2611B is half of the first part: (C7+E2)/2 = D4, (D4+61)/2 = 9A
    assert fills == ["D49A82", "B54708"]
    assert frame.cell(2, 1).fill.type == 5  # background: no colour for what is not known


def test_a_grid_of_many_days_says_what_it_leaves_out() -> None:
    cells = [GridCell("eu", dt.date(2026, 1, 1) + dt.timedelta(days=at), 1.0) for at in range(100)]
    slide = slide_of(grid(cells, "count"))
    assert any("The oldest 38 columns are in the workbook." in text for text in texts(slide))


def test_forms_without_a_chart_are_tables_of_their_rows() -> None:
    (table,) = tables(slide_of(sankey([Flow("a", "b", 3), Flow("b", "c", 2)], "count")))
    assert table == [["source", "target", "value"], ["a", "b", "3"], ["b", "c", "2"]]
    many = slide_of(sankey([Flow(f"a{at}", "b", 1) for at in range(40)], "count"))
    assert len(tables(many)[0]) == 16
    assert any("25 more rows are in the workbook." in text for text in texts(many))


def test_panels_are_one_chart_a_line_with_its_own_scale() -> None:
    drawn = panels(
        [Panel("p", "share", [0.5, 0.6], [0.4, 0.5], [0.6, 0.7]), Panel("q", "USD", [5, 6], [4, 5], [6, 7])],
        ["a", "b"],
    )
    first, second = charts(slide_of(drawn))
    assert series(first)["p"]["val"] == [0.5, 0.6]
    assert series(second)["q"]["val"] == [5, 6]
    assert (first.value_axis.minimum_scale, second.value_axis.minimum_scale) == (0.4, 4)


def test_intervals_are_inside_the_axis() -> None:
    axis = chart_of(bars([Bar("a", -0.05, -0.13, 0.04), Bar("b", 0.02, -0.1, 0.17)], "share")).value_axis
    assert (axis.minimum_scale, axis.maximum_scale) == pytest.approx((-0.15, 0.2))


@pytest.mark.parametrize(
    ("value", "unit", "form"),
    [
        (77e6, "tokens", '0.0,,"M"'), (900, "tokens", "#,##0"), (2e6, "ms", '0.0,,"M"'), (20, "ms", "General"),
        (125, "USD", '"$"#,##0'), (0.9, "USD", '"$"0.00'), (0.012, "EUR", '"EUR "0.0000'), (0.5, "share", "0.0%"),
    ],
)  # fmt: skip
def test_an_axis_has_as_many_digits_as_it_needs(value: float, unit: str, form: str) -> None:
    assert chart_of(bars([Bar("a", value)], unit)).value_axis.tick_labels.number_format == form


def test_change_events_and_units_are_told_in_the_caption() -> None:
    slide = slide_of(lines([Line("a", DAYS, [1] * 5)], "tokens", [Mark(DAYS[1], "release")]))
    assert "A figure. In tokens. Changes: 2026-03-02 release." in texts(slide)


def ends(steps: list[tuple[float, str]]) -> list[tuple[float, float]]:
    """Low and high end of each bar of a bridge, worked out one after the other."""
    found, level = [], 0.0
    for change, kind in steps:
        before = 0.0 if kind == "total" else level
        level = before + change
        found.append((min(before, level), max(before, level)))
    return found


@settings(max_examples=40)
@given(
    some.lists(
        some.tuples(some.floats(-1e6, 1e6), some.sampled_from(("plus", "minus", "rest", "total"))),
        min_size=1,
        max_size=9,
    )
)
def test_a_bridge_floats_where_the_page_draws_it(steps: list[tuple[float, str]]) -> None:
    figure = waterfall([Step(str(at), change, kind) for at, (change, kind) in enumerate(steps)], "USD")  # type: ignore[arg-type]
    chart = chart_of(figure)
    drawn = series(chart)
    base = drawn.pop("base")["val"]
    for at, (low, high) in enumerate(ends(steps)):
        parts = [numbers["val"][at] for numbers in drawn.values() if numbers["val"][at] is not None]
        above, below = (sum(part for part in parts if (part > 0) is up) for up in (True, False))  # type: ignore[misc, operator]
        floor = base[at] or 0.0
        assert (max(floor, 0.0) + above if high > 0 else floor) == pytest.approx(high, abs=1e-6)
        assert (min(floor, 0.0) + below if low < 0 else floor) == pytest.approx(low, abs=1e-6)
    assert len(categories(chart)) == len(drawn_table(figure).rows)


@pytest.mark.parametrize("form", list(FORMS))
def test_the_same_figure_gives_the_same_file(form: str) -> None:
    figure = figure_of(form, "x")
    assert figure_pptx(figure, SOURCE) == figure_pptx(figure, SOURCE)


def test_nothing_to_draw_is_said() -> None:
    for figure in (waterfall([], "USD"), lines([], "USD"), bars([], "USD"), sankey([], "count")):
        assert any(text.startswith("There is nothing to draw") for text in texts(slide_of(figure)))


def test_demo_data_says_so_twice() -> None:
    (slide,) = slides(figure_pptx(bars([Bar("a", 1)], "count"), SOURCE, demo=True))
    assert "DEMO DATA" in texts(slide)
    assert any(text.startswith("DEMO DATA · 2026-03-01") for text in texts(slide))
