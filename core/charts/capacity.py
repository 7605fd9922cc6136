"""What a node holds: open requests over time against its capacity, and a histogram whose last bucket has no upper end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from core.amounts import number
from core.charts.drawing import Drawing
from core.charts.marks import Mark, draw_marks
from core.charts.palette import LEGEND_LENGTH, fill, finish, light, plain, ticks


class Moment(NamedTuple):
    """A stretch of time: open requests a node (mean, most) and requests a second and node."""

    at: dt.datetime
    mean: float
    most: float
    per_second: float


class Bucket(NamedTuple):
    """Observations up to an edge; `high` is None in the last bucket, which has none."""

    low: float
    high: float | None
    value: int


class Band(NamedTuple):
    """A quantile drawn from edge to edge; `high` None: open-ended."""

    name: str
    low: float
    high: float | None


def over_time(
    moments: Sequence[Moment], limit: float, limit_name: str, marks: Sequence[Mark] = ()
) -> go.Figure:
    """Open requests with the capacity as a line above, requests a second below, on one axis of time.

    A gap between stretches is a hole in the lines: where no process ran nothing was held.
    """
    figure = Drawing()
    lines = (
        ("most at a time", [one.most for one in moments], "y", "accent", 1.6),
        ("mean", [one.mean for one in moments], "y", "muted", 1.6),
        ("requests a second", [one.per_second for one in moments], "y2", "other", 1.6),
    )
    for name, values, axis, role, width in lines:
        unit = "requests/s" if axis == "y2" else "streams"
        figure.add_scatter(
            x=[one.at for one in moments], y=values, yaxis=axis, mode="lines+markers", name=name,
            line={"color": light(role), "width": width}, marker={"size": 3},
            customdata=[plain(f"{name}: {number(round(value, 2), unit)}") for value in values],
            hovertemplate="%{x}: %{customdata}<extra></extra>",
        )  # fmt: skip
    dash = {"color": light("loss"), "width": 1.6, "dash": "dash"}
    figure.add_shape(type="line", xref="paper", x0=0, x1=1, yref="y", y0=limit, y1=limit, line=dash)
    figure.add_annotation(
        text=plain(limit_name), xref="paper", x=0, yref="y", y=limit, showarrow=False, xanchor="left", yanchor="bottom",
        font={"size": 11.5, "color": light("loss")},
    )  # fmt: skip
    top = max([limit, *(one.most for one in moments)]) * 1.45
    figure.update_layout(
        yaxis={"domain": [0.4, 1], "range": [0, top], "nticks": 5, "title": {"text": "open a node", "font": {"size": 11.5}}},
        yaxis2={"domain": [0, 0.28], "rangemode": "tozero", "nticks": 3, "title": {"text": "requests/s", "font": {"size": 11.5}}},
        showlegend=True,
    )  # fmt: skip
    draw_marks(figure, marks, [one.at for one in moments])
    figure.update_xaxes(anchor="y2", nticks=6, showgrid=False)
    figure.update_yaxes(gridcolor=light("grid"))
    rows = [(str(one.at), one.mean, one.most, one.per_second) for one in moments]
    columns = ("at", "mean", "most", "requests_per_second")
    return finish(figure, "capacity", "streams", columns, rows, 420, limit=limit)


def buckets(bars: Sequence[Bucket], bands: Sequence[Band], unit: str) -> go.Figure:
    """Bars by bucket, the one above the last bound in another colour, and below them each quantile from edge to edge.

    Buckets have equal widths: their bounds grow so fast that a straight axis would show two of them.
    """
    figure = Drawing()
    total = sum(one.value for one in bars) or 1
    for part, role in ((bars[:-1], "useful"), (bars[-1:], "loss")):
        at = list(range(len(bars) - 1)) if role == "useful" else [len(bars) - 1]
        figure.add_bar(
            x=[place + 0.5 for place in at], y=[one.value / total for one in part], width=0.92, marker=fill(role),
            name="above the last bound" if role == "loss" else "within bounds",
            customdata=[plain(f"{_named(one, unit)}: {one.value:,} ({one.value / total:.1%})") for one in part],
            hovertemplate="%{customdata}<extra></extra>",
        )  # fmt: skip
    for row, band in enumerate(bands):
        _band(figure, band, bars, row, unit)
    shown = [*range(0, len(bars) - 1, -(-len(bars) // 9)), len(bars) - 1]
    edges = ["0" if not place else f"{bars[place].low:g}" for place in shown]
    figure.update_layout(
        xaxis={"tickvals": shown, "ticktext": edges, "ticksuffix": "", "range": [0, len(bars) + 0.15], "showgrid": False,
               "title": {"text": plain(f"lower edge of the bucket ({unit})"), "font": {"size": 11.5}}, "anchor": "y2",
               "tickangle": 0},
        yaxis={"domain": [0.36, 1], "rangemode": "tozero", "nticks": 5, **ticks("share")},
        yaxis2={"domain": [0, 0.28], "range": [len(bands) - 0.4, -0.6], "tickvals": list(range(len(bands))), "showgrid": False,
                "ticktext": [plain(band.name) for band in bands], "zeroline": False},
        showlegend=True,
    )  # fmt: skip
    rows: list[tuple[object, ...]] = [("bucket", one.low, one.high, one.value) for one in bars]
    rows += [(band.name, band.low, band.high, None) for band in bands]
    return finish(figure, "buckets", "count", ("what", f"from_{unit}", f"to_{unit}", "value"), rows, 380)


def _named(one: Bucket, unit: str) -> str:
    if one.high is None:
        return f"over {number(one.low, unit)}"
    return f"{number(one.low, unit)} to {number(one.high, unit)}"


def _band(figure: Drawing, band: Band, bars: Sequence[Bucket], row: int, unit: str) -> None:
    """From edge to edge; one without an upper edge ends in an arrow at the end of the axis."""
    lows = [one.low for one in bars]
    first = lows.index(band.low) if band.low in lows else 0
    last = len(bars) if band.high is None else first + 1
    role = "loss" if band.high is None else "accent"
    what = (
        f"over {number(band.low, unit)}"
        if band.high is None
        else f"{number(band.low, unit)} to {number(band.high, unit)}"
    )
    figure.add_scatter(
        x=[first, last], y=[row, row], yaxis="y2", mode="lines+markers+text", showlegend=False,
        line={"color": light(role), "width": 7}, cliponaxis=False,
        marker={"symbol": ["line-ns", "triangle-right" if band.high is None else "line-ns"], "size": [1, 15],
                "color": light(role)},
        text=[plain(what, LEGEND_LENGTH) + " ", ""],
        textposition="middle left" if first > len(bars) / 2 else "top right",
        textfont={"size": 11.5, "color": light("ink")}, hoverinfo="skip",
    )  # fmt: skip
