"""Charts: bridges close, intervals are drawn, text from telemetry stays text, dark swaps colours and nothing else."""

from __future__ import annotations

import datetime as dt
import doctest
import json
from decimal import Decimal

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as some

import core.amounts
import core.charts.palette
from core.amounts import money, share
from core.charts import (
    COLOURS,
    STANDING_STEPS,
    Bar,
    Line,
    Mark,
    Step,
    bars,
    lines,
    span_waterfall,
    stacked_share,
    themed,
    waterfall,
)  # fmt: skip
from core.charts.compare import Effect, ecdf, forest
from core.charts.grid import GridCell, grid
from core.charts.timeline import Happening, timeline
from core.export import alt_text
from tests.chart_forms import DAYS, FORMS, figure_of

HOSTILE = '<img src=x onerror="alert(1)"> & %{x}'
# 4 attempts = 1 converting + 0 other + 3 failed, nothing left over
STEPS = [
    Step("converting", 1, "plus"),
    Step("failed, rescued", 3, "plus", "loss"),
    Step("rest", 0, "rest"),
    Step("attempts", 4, "total"),
]


def drawn_bars(figure: go.Figure) -> list[tuple[float, float, float]]:
    """(place, base, length) of every standing bar, left to right."""
    found = [
        bar
        for trace in figure.data
        if trace.type == "bar"
        for bar in zip(trace.x, trace.base, trace.y, strict=True)
    ]
    return sorted(found)


@pytest.mark.parametrize("module", [core.amounts, core.charts.palette])
def test_examples_in_docstrings(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_bridge_stands_where_it_should() -> None:
    # levels 0 → 1 → 4 → 4, then the total from the floor
    assert drawn_bars(waterfall(STEPS, "count")) == [(0, 0, 1), (1, 1, 3), (2, 4, 0), (3, 0, 4)]


def test_rest_of_nothing_is_drawn_and_labelled() -> None:
    figure = waterfall(STEPS, "count")
    rest = next(trace for trace in figure.data if trace.type == "bar" and 2 in trace.x)
    texts = next(trace.text for trace in figure.data if trace.type == "scatter" and trace.mode == "text")
    assert rest.marker.line.width > 0
    assert list(texts) == ["+1", "+3", "0", "4"]


@given(some.lists(some.integers(-1000, 1000), min_size=1, max_size=4))
def test_bridge_ends_at_the_sum_of_its_steps(changes: list[int]) -> None:
    steps = [Step(str(place), change, "plus") for place, change in enumerate(changes)]
    figure = waterfall([*steps, Step("sum", sum(changes), "total")], "count")
    *moves, total = drawn_bars(figure)
    assert moves[-1][1] + moves[-1][2] == total[2]


@given(some.lists(some.floats(0.001, 1e6), min_size=2, max_size=12))
def test_no_value_axis_is_cut(values: list[float]) -> None:
    figure = waterfall([Step(str(place), value, "total") for place, value in enumerate(values)], "USD")
    axis = figure.layout.yaxis if len(values) <= STANDING_STEPS else figure.layout.xaxis
    assert axis.range[0] == 0
    assert axis.range[1] > max(values)


@pytest.mark.parametrize("form", list(FORMS))
def test_telemetry_stays_text(form: str) -> None:
    figure = figure_of(form, HOSTILE)
    drawn = json.loads(figure.to_json())
    del drawn["layout"]["meta"]  # the raw table, which no chart draws
    assert "<img" not in json.dumps(drawn)
    templates = [trace.hovertemplate for trace in figure.data if getattr(trace, "hovertemplate", None)]
    assert not any("onerror" in template for template in templates)


@pytest.mark.parametrize("form", list(FORMS))
def test_dark_swaps_every_palette_colour(form: str) -> None:
    figure = figure_of(form, "#1D4ED8")
    dark = json.loads(themed(figure, True).to_json())
    assert dark["layout"]["meta"] == json.loads(figure.to_json())["layout"]["meta"]
    del dark["layout"]["meta"]
    text = json.dumps(dark)
    assert "#1D4ED8" in text  # the label kept its text
    assert COLOURS["ink"][0] not in text
    assert themed(figure, False) is figure


def test_loss_is_told_apart_without_colour() -> None:
    figure = waterfall(STEPS, "count")
    shapes = {trace.marker.color: trace.marker.pattern.shape for trace in figure.data if trace.type == "bar"}
    assert shapes[COLOURS["loss"][0]] == "/"
    assert shapes[COLOURS["useful"][0]] == ""


def test_bands_limit_and_marks_are_drawn() -> None:
    line = Line("rate", DAYS[:3], [0.1, None, 0.3], [0.0, 0.1, 0.2], [0.2, 0.3, 0.4])
    figure = lines([line], "share", [Mark(DAYS[1], "release")], limit=0.25)
    upper, lower, middle, _ = figure.data
    assert (list(upper.y), list(lower.y)) == ([0.2, 0.3, 0.4], [0.0, 0.1, 0.2])
    assert lower.fill == "tonexty"
    assert list(middle.y) == [0.1, None, 0.3]
    assert [note.text for note in figure.layout.annotations] == ["limit 25.0%", "release"]
    assert figure.layout.yaxis.rangemode == "tozero"


def test_shares_add_to_the_whole() -> None:
    figure = stacked_share([Bar("declared", 1), Bar("observed", 2), Bar("unobservable", 5)], "count")
    assert sum(trace.x[0] for trace in figure.data) == pytest.approx(1)
    assert [row[2] for row in figure.layout.meta["rows"]] == [0.125, 0.25, 0.625]


def test_nothing_to_draw_is_no_error() -> None:
    for figure in (
        waterfall([], "USD"),
        lines([], "USD"),
        bars([], "USD"),
        stacked_share([], "count"),
        span_waterfall([]),
    ):
        assert figure.layout.meta["rows"] == []


@given(some.decimals(allow_nan=False, allow_infinity=False, min_value="0.000000000001", max_value="1e12"))
def test_money_that_is_there_is_never_printed_as_nothing(amount: Decimal) -> None:
    assert any(digit in "123456789" for digit in money(amount))
    assert money(-amount) == f"−{money(amount)}"


@given(some.floats(0, 1, exclude_min=True, exclude_max=True))
def test_a_share_inside_is_never_printed_as_an_end(part: float) -> None:
    assert share(part) not in ("0%", "100%", "0.00%", "100.00%", "100.0%")


def test_a_forest_draws_every_interval_and_names_a_series_by_mark_too() -> None:
    figure = forest(
        [Effect("success", "a", 0.1, 0.05, 0.2), Effect("success", "b", -0.1, -0.3, 0.0)], "points", 0.1
    )
    assert [trace.marker.symbol for trace in figure.data] == ["circle", "square"]
    assert figure.data[0].error_x.array[0] == pytest.approx(0.1)
    assert figure.data[1].error_x.arrayminus[0] == pytest.approx(0.2)
    assert sorted(shape.x0 for shape in figure.layout.shapes) == [-0.1, 0, 0.1]


def test_a_forest_of_one_series_needs_no_name_for_it_and_is_no_loss() -> None:
    figure = forest([Effect("length", "", 0.1, 0.05, 0.2, "chosen by human")], "score")
    assert figure.layout.meta["rows"] == [["length", 0.1, 0.05, 0.2, "chosen by human"]]
    assert figure.data[0].marker.color == COLOURS["accent"][0]
    assert figure.layout.showlegend is False


def test_an_ecdf_ends_at_one_and_tells_sides_by_dash() -> None:
    figure = ecdf([("a", [3.0, 1.0, 2.0]), ("b", [5.0])], "", "length")
    assert list(figure.data[0].y) == pytest.approx([1 / 3, 2 / 3, 1])
    assert [trace.line.dash for trace in figure.data] == ["solid", "dash"]
    assert alt_text("Lengths", figure) == "Lengths: median of a 2; median of b 5"


def test_names_that_differ_in_their_end_stay_apart_on_every_axis() -> None:
    """Plotly draws rows of equal names as one: four regions with a long name in common were one row."""
    names = [
        f"{'northwind-inference-production-' * 3}{region}"
        for region in ("us-east-1", "eu-west-1", "eu-west-2")
    ]
    day = dt.date(2026, 11, 22)
    cells = [GridCell(name, day, value) for value, name in enumerate(names)]
    drawn = {
        "grid": [*grid(cells, "count").data[0].y],
        "bars": [*bars([Bar(name, 1.0) for name in names], "count").layout.yaxis.ticktext],
    }
    for form, labels in drawn.items():
        assert len(set(labels)) == 3, form
        assert [label[-9:] for label in labels] == ["us-east-1", "eu-west-1", "eu-west-2"], form
    alike = ["a" * 60 + "b" + "a" * 60, "a" * 61 + "b" + "a" * 60]
    twins = [GridCell(name, day, value) for value, name in enumerate(alike)]
    assert len(set(grid(twins, "count").data[0].y)) == 2


def test_a_timeline_of_one_instant_shows_days() -> None:
    """Around a single instant Plotly's own axis has ticks of half a millisecond."""
    noon = dt.datetime(2026, 11, 18, 12, tzinfo=dt.UTC)
    one = timeline(["a"], [], [Happening("a", noon, "first found: holds", "holds", 0)])
    assert [*one.layout.xaxis.range] == [noon - dt.timedelta(days=1), noon + dt.timedelta(days=1)]
    far = [Happening("a", noon + dt.timedelta(days=day), "x", "holds", day) for day in (0, 3)]
    assert timeline(["a"], [], far).layout.xaxis.range is None


@pytest.mark.parametrize(("n", "drawn"), [(1, 1), (2_000, 2_000), (2_001, 1_001), (15_000, 1_875)])
def test_an_ecdf_of_many_draws_every_nth_step_to_its_end_and_keeps_every_row(n: int, drawn: int) -> None:
    figure = ecdf([("a", [float(at) for at in range(n)])], "ms", "wait")
    (line,) = figure.data
    assert (len(line.x), line.x[-1], line.y[-1]) == (drawn, n - 1, 1.0)
    assert f"n {n:,}" in line.name
    assert len(figure.layout.meta["rows"]) == n
