"""Two clocks: a trace drawn twice on one axis, and offsets on an axis that is logarithmic on both sides of zero."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from core.amounts import number
from core.charts.drawing import Drawing
from core.charts.palette import band, fill, finish, light, plain

ROW_HEIGHT = 34
LINEAR_MS = 1.0
"""Below it the axis is straight: a logarithm has no zero."""
BINS_PER_DECADE = 4
DECADES_A_TICK = 2


class Fringed(NamedTuple):
    """One span in one drawing. Times in ms after the drawing's first instant."""

    panel: str
    label: str
    start_ms: float
    duration_ms: float
    fringe_ms: float | None
    """It may be this much earlier or later; 0 where it is sharp, None where nobody says."""


def twice(spans: Sequence[Fringed]) -> go.Figure:
    """Drawings one above the other on one axis: bars, and around those with a fringe a shade as wide."""
    figure = Drawing()
    rows, ticks, places = [], [], []
    place = 0.0
    for panel in dict.fromkeys(span.panel for span in spans):
        figure.add_annotation(
            text=f"<b>{plain(panel)}</b>", xref="paper", x=0, y=place, showarrow=False, xanchor="left", yanchor="middle",
            font={"size": 12.5, "color": light("ink")},
        )  # fmt: skip
        for span in [one for one in spans if one.panel == panel]:
            place += 1
            _bar(figure, span, place)
            ticks.append(plain(span.label, 30))
            places.append(place)
            rows.append((span.panel, span.label, span.start_ms, span.duration_ms, span.fringe_ms))
        place += 1.4
    figure.update_yaxes(
        tickvals=places, ticktext=ticks, range=[place - 0.6, -0.7], showgrid=False, zeroline=False,
        tickfont={"color": light("ink")},
    )  # fmt: skip
    figure.update_xaxes(ticksuffix=" ms", tickformat=",", nticks=5, tickangle=0, zeroline=False)
    columns = ("drawing", "span", "start_ms", "duration_ms", "fringe_ms")
    return finish(figure, "twice", "ms", columns, rows, 70 + int(ROW_HEIGHT * (place + 1)))


def _bar(figure: Drawing, span: Fringed, place: float) -> None:
    role = "useful" if span.fringe_ms == 0 else "accent"
    fringe = span.fringe_ms or 0.0
    if fringe:
        figure.add_bar(
            x=[span.duration_ms + 2 * fringe], base=[span.start_ms - fringe], y=[place], orientation="h", width=0.72,
            marker={"color": band(light(role)), "line": {"width": 0}}, hoverinfo="skip",
        )  # fmt: skip
    known = "" if span.fringe_ms is None else f", ±{number(fringe, 'ms')}" if fringe else ", sharp"
    figure.add_bar(
        x=[span.duration_ms], base=[span.start_ms], y=[place], orientation="h", width=0.36, marker=fill(role),
        customdata=[plain(f"{span.label}: {number(span.duration_ms, 'ms')}{known}", 120)],
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip


def offsets(groups: Mapping[str, Sequence[float]]) -> go.Figure:
    """How many sessions lie at each offset, ms; groups in the order given, stacked."""
    figure = Drawing()
    rows: list[tuple[object, ...]] = []
    bins = [_bin(value) for values in groups.values() for value in values]
    floor_of: dict[int, float] = {}
    for at, (name, values) in enumerate(groups.items()):
        counts: dict[int, int] = {}
        for value in values:
            counts[_bin(value)] = counts.get(_bin(value), 0) + 1
        held = sorted(counts.items())
        if not held:
            continue
        figure.add_bar(
            x=[one for one, _ in held], y=[n for _, n in held], base=[floor_of.get(one, 0) for one, _ in held], width=0.9,
            name=plain(f"{name} ({len(values):,})"), marker=fill("loss" if at else "useful"),
            customdata=[plain(f"{_range(one)}: {n:,} {name}", 90) for one, n in held],
            hovertemplate="%{customdata}<extra></extra>",
        )  # fmt: skip
        for one, n in held:
            floor_of[one] = floor_of.get(one, 0) + n
            rows.append((name, _edge(one), _edge(one + 1), n))
    furthest = max((max(abs(one), abs(one + 1)) for one in bins), default=1)
    decades = range(1, -(-furthest // BINS_PER_DECADE) + 1, DECADES_A_TICK)
    marks = sorted({sign * (1 + BINS_PER_DECADE * decade) for decade in decades for sign in (-1, 1)} | {0})
    figure.update_xaxes(
        tickvals=[mark - 0.5 if mark > 0 else mark + 0.5 if mark < 0 else 0 for mark in marks],
        ticktext=[_short(mark) for mark in marks], showgrid=False, range=[-furthest - 1, furthest + 1], tickangle=0,
    )  # fmt: skip
    figure.update_yaxes(rangemode="tozero", nticks=5)
    figure.update_layout(showlegend=True)
    return finish(figure, "offsets", "sessions", ("group", "from_ms", "to_ms", "value"), rows)


def _bin(value: float) -> int:
    """Bin 0 is within a millisecond of zero; beyond it BINS_PER_DECADE a decade on either side."""
    size = abs(value)
    if size < LINEAR_MS:
        return 0
    return int(math.copysign(1 + math.floor(BINS_PER_DECADE * math.log10(size / LINEAR_MS)), value))


def _edge(at: int) -> float:
    """Lower edge of a bin, ms; of the bin after it its upper one."""
    if at > 0:
        return float(LINEAR_MS * 10 ** ((at - 1) / BINS_PER_DECADE))
    return -float(LINEAR_MS * 10 ** (-at / BINS_PER_DECADE))


def _range(at: int) -> str:
    return f"{number(_edge(at), 'ms')} to {number(_edge(at + 1), 'ms')}"


def _short(mark: int) -> str:
    if mark == 0:
        return "0"
    size = LINEAR_MS * 10 ** ((abs(mark) - 1) // BINS_PER_DECADE)
    text = f"{size / 1000:g} s" if size >= 1000 else f"{size:g} ms"
    return f"−{text}" if mark < 0 else text
