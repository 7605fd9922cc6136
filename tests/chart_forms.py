"""One figure of every chart form, with a name and a value in it: whoever tests all forms takes them from here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import plotly.graph_objects as go

from core.charts import (
    Bar,
    Flow,
    Line,
    Mark,
    SpanRow,
    Step,
    bars,
    lines,
    sankey,
    span_waterfall,
    stacked_share,
    step_cumulative,
    waterfall,
)
from core.charts.barcode import barcode
from core.charts.capacity import Band, Bucket, Moment, buckets, over_time
from core.charts.clocks import Fringed, offsets, twice
from core.charts.compare import Effect, ecdf, forest
from core.charts.dumbbell import Estimate, Pair, dumbbell
from core.charts.grid import DayMark, GridCell, grid
from core.charts.panels import Panel, panels
from core.charts.scatter import Cloud, scatter
from core.charts.stacks import Part, stacks
from core.charts.waits import Piece, waits

AT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
DAYS = [dt.date(2026, 3, day) for day in range(1, 6)]


FORMS: dict[str, Callable[[str, float], go.Figure]] = {
    "waterfall": lambda name, value: waterfall([Step(name, value, "plus"), Step("sum", value, "total")], "USD"),
    "lying waterfall": lambda name, value: waterfall([Step(name, value, "plus")] * 9, "USD"),
    "lines": lambda name, value: (
        lines([Line(name, DAYS, [value] * 5, [0] * 5, [2 * value] * 5)], "tokens", [Mark(DAYS[1], name)], limit=value)
    ),
    "names": lambda name, value: lines([Line("a", [name, "b"], [value, 1])], "ratio"),
    "numbers": lambda name, value: lines([Line(name, [0.5, 1.5], [value, 1], [0, 0], [2 * value, 2])], "points"),
    "steps": lambda name, value: step_cumulative(name, DAYS[:3], [0, 1, value], "count", [1, 1, 1]),
    "panels": lambda name, value: panels([Panel(name, "share", [value, 1], [0, 0], [value, 2])], [name, "b"], 1, name),
    "bars": lambda name, value: bars([Bar(name, value, 0, 2 * value)], "count", limit=value),
    "stacked_share": lambda name, value: stacked_share([Bar(name, value), Bar("rest", 1)], "count"),
    "forest": lambda name, value: (
        forest([Effect(name, name, value, -value, 2 * value, name), Effect(name, "b", 0, 0, 0)], "USD", limit=1)
    ),
    "dumbbell": lambda name, value: dumbbell([Pair(name, Estimate(value, 0, 2 * value), None)], "ms", name, "after"),
    "ecdf": lambda name, value: ecdf([(name, [value, 1.0]), ("b", [1.0])], "ms", name),
    "grid": lambda name, value: (
        grid([GridCell(name, day, value, "", name) for day in DAYS[:2]], "count", None, [DayMark(DAYS[0], name, name)])
    ),
    "scatter": lambda name, value: scatter([Cloud(name, [1.0, 9.0], [value, 1.0])], ("s", "ms"), (name, "b"), [3.0]),
    "stacks": lambda name, value: stacks([Part(name, "1", name, value, "loss"), Part(name, "1", "b", 1.0, "useful")], "s"),
    "capacity": lambda name, value: (
        over_time([Moment(AT + dt.timedelta(hours=at), value, 2 * value, 1.0) for at in (0, 1)], 9.0, name)
    ),
    "buckets": lambda name, value: buckets([Bucket(0.0, 1.0, round(value)), Bucket(1.0, 5.0, 2), Bucket(5.0, None, 1)],
                       [Band(name, 5.0, None)], "s"),
    "waits": lambda name, value: waits([Piece(name, name, value, "accent", True), Piece(name, "b", 1.0, "loss")], "ms", 2.0),
    "twice": lambda name, value: twice([Fringed(name, name, 0.0, value, 0.5), Fringed("b", name, value, 1.0, None)]),
    "barcode": lambda name, value: barcode([(name, [0.0, value]), ("b", [value])]),
    "offsets": lambda name, value: offsets({name: [0.0, value, -20.0], "b": [9e5]}),
    "sankey": lambda name, value: sankey([Flow(name, f"{name}2", value)], "count"),
    "span_waterfall": lambda name, value: span_waterfall([SpanRow(name, 0, 0.0, value, True, name)]),
}  # fmt: skip
"""By form; where a form has several looks (lying bridges, lines over names or numbers), each of them."""


def figure_of(form: str, name: str, value: float = 1.0) -> go.Figure:
    """One form. A figure costs tens of milliseconds: no test of one form makes them all."""
    return FORMS[form](name, value)
