"""Charts of one run and of what became of attempts: the span waterfall and the flow diagram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from core.amounts import Number, number
from core.charts.drawing import Drawing
from core.charts.palette import band, finish, light, plain, role_bars

INDENT = "\N{NO-BREAK SPACE}" * 3


class SpanRow(NamedTuple):
    """One span of a run, in the order it is drawn. Times in ms after the run's first span."""

    label: str
    depth: int
    start_ms: float
    duration_ms: float
    failed: bool
    attempt: str = ""
    """What the span is an attempt of: 'attempt 2, rate_limit'; empty on a span that is none."""


class Flow(NamedTuple):
    """One band of a flow diagram; `colour_role` as in palette.COLOURS."""

    source: str
    target: str
    value: Number
    colour_role: str = "useful"


def span_waterfall(spans: Sequence[SpanRow]) -> go.Figure:
    """A run: one bar a span, attempts outlined and named, failed ones in the loss colour and pattern."""
    places = list(range(len(spans)))
    roles = ["loss" if span.failed else "accent" if span.attempt else "useful" for span in spans]
    longest = max((span.start_ms + span.duration_ms for span in spans), default=0.0) or 1.0
    hover = [
        plain(f"{span.label}: {number(span.duration_ms, 'ms')}{', failed' if span.failed else ''}", 90)
        for span in spans
    ]
    arrays: dict[str, list[Any]] = {
        "x": [max(span.duration_ms, longest * 0.002) for span in spans],
        "base": [span.start_ms for span in spans],
        "y": places,
        "customdata": hover,
    }
    shared = {"orientation": "h", "width": 0.34, "hovertemplate": "%{customdata}<extra></extra>"}
    figure = Drawing(role_bars(roles, arrays, **shared))
    figure.add_scatter(
        x=[0.0] * len(spans),
        y=[place - 0.44 for place in places],
        mode="text",
        textposition="middle right",
        text=[_named(span) for span in spans],
        textfont={"size": 11.5, "color": light("ink")},
        hoverinfo="skip",
        cliponaxis=False,
    )
    figure.update_yaxes(visible=False, range=[len(spans) - 0.5, -0.9])
    figure.update_xaxes(range=[0, longest * 1.02], ticksuffix=" ms", tickformat=",", nticks=5, side="bottom")
    columns = ("span", "depth", "start_ms", "duration_ms", "failed", "attempt")
    return finish(figure, "span_waterfall", "ms", columns, spans, 70 + 40 * len(spans))


def _named(span: SpanRow) -> str:
    """The label stands above its bar: beside it there is no room on a narrow screen."""
    attempt = f" · {plain(span.attempt)}" if span.attempt else ""
    return f"{INDENT * min(span.depth, 8)}{plain(span.label)}{attempt}"


def sankey(flows: Sequence[Flow], unit: str) -> go.Figure:
    """What became of what: bands between named states, widths in the unit."""
    names = list(dict.fromkeys(name for flow in flows for name in (flow.source, flow.target)))
    place = {name: at for at, name in enumerate(names)}
    bands = {
            "type": "sankey", "arrangement": "snap",
            "node": {
                "label": [plain(name, 30) for name in names], "color": [light("muted")] * len(names), "thickness": 12,
                "pad": 16, "line": {"width": 0}, "hoverinfo": "skip",
            },
            "link": {
                "source": [place[flow.source] for flow in flows], "target": [place[flow.target] for flow in flows],
                "value": [float(flow.value) for flow in flows],
                "color": [_link_colour(flow.colour_role) for flow in flows],
                "customdata": [plain(f"{flow.source} → {flow.target}: {number(flow.value, unit)}", 120) for flow in flows],
                "hovertemplate": "%{customdata}<extra></extra>",
            },
            "textfont": {"color": light("ink"), "size": 12},
    }  # fmt: skip
    figure = Drawing([bands])
    rows = [(flow.source, flow.target, float(flow.value)) for flow in flows]
    return finish(figure, "sankey", unit, ("source", "target", "value"), rows, 320)


def _link_colour(role: str) -> str:
    return light(role) if role == "useful" else band(light(role))
