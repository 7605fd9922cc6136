"""What lies along a horizontal axis: change events as marks, and ticks for days and for names.

A line is drawn at every event; only a handful gets a label, laid out so that no two overlap. Hovering names them all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

from core.charts.drawing import Drawing
from core.charts.palette import At, light, literal, plain, short_names

MOST_LABELS = 5
LABEL_ROWS = 4
MOST_NAMES = 7
"""Ticks of an axis of names."""
_LETTER = 0.021
"""Width of a letter as a share of a figure at half the page's width, where labels are tightest."""
_HOVER_AXIS = "yaxis9"


class Mark(NamedTuple):
    """A change event on the time axis."""

    at: At
    title: str
    first: bool = False
    """Labelled before all others: what the figure itself found."""


class Label(NamedTuple):
    """A mark's label: where, in which row from the top, and on which side of its line."""

    at: At
    text: str
    row: int
    side: str


def draw_marks(figure: Drawing, marks: Sequence[Mark], places: Sequence[At]) -> None:
    """Dotted lines, a few labels, and a name for each under the pointer. `places`: what the figure draws along x."""
    if not marks:
        return
    if ends := _ends([*places, *(mark.at for mark in marks)]):
        # Left alone, the axis makes room for the labels and shows days without data.
        figure.update_xaxes(range=ends)
    dot = {"color": light("label"), "width": 1, "dash": "dot"}
    together: dict[str, list[Mark]] = {}
    for mark in marks:
        together.setdefault(str(mark.at), []).append(mark)
    for same in together.values():
        at = literal(same[0].at)
        # add_vline would average date strings to place its label; shapes and annotations do not.
        figure.add_shape(type="line", x0=at, x1=at, yref="paper", y0=0, y1=1, line=dot)
    for label in labels([same[0]._replace(title=_named(same), first=any(m.first for m in same))
                         for same in together.values()], places):  # fmt: skip
        figure.add_annotation(
            text=plain(label.text, 32), x=label.at, yref="paper", y=1 - 0.08 * label.row, showarrow=False,
            xanchor=label.side, yanchor="top", xshift=-4 if label.side == "right" else 4,
            font={"size": 11.5, "color": light("label")},
        )  # fmt: skip
    figure.add_scatter(
        x=[literal(same[0].at) for same in together.values()], y=[1] * len(together), yaxis=_HOVER_AXIS.replace("axis", ""),
        mode="markers", marker={"symbol": "triangle-down", "size": 6, "color": light("label")}, showlegend=False,
        customdata=[plain("; ".join(mark.title for mark in same), 160) for same in together.values()],
        hovertemplate="%{customdata}<extra></extra>", cliponaxis=False,
    )  # fmt: skip
    figure.update_layout(
        {_HOVER_AXIS: {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}}
    )


def _named(same: Sequence[Mark]) -> str:
    lead = next((mark for mark in same if mark.first), same[0])
    more = len(same) - 1
    return f"{_cut(lead.title)} +{more}" if more else lead.title


def _cut(title: str) -> str:
    """A title short enough for a count behind it."""
    return title if len(title) <= 24 else title[:23] + "…"


def labels(marks: Sequence[Mark], places: Sequence[At]) -> list[Label]:
    """Labels of at most MOST_LABELS marks, none over another: what finds no free row has its line and its hover only.

    Which: those named first, then the newest.
    """
    known = [spot for at in (*places, *(mark.at for mark in marks)) if (spot := _spot(at)) is not None]
    if not known:
        return []
    low, size = min(known), (max(known) - min(known)) or 1.0
    order = sorted(marks, key=lambda mark: (not mark.first, -(_spot(mark.at) or 0.0)))
    taken: list[list[tuple[float, float]]] = [[] for _ in range(LABEL_ROWS)]
    found: list[Label] = []
    for mark in order:
        spot = _spot(mark.at)
        if spot is None or len(found) == MOST_LABELS:
            continue
        share, width = (spot - low) / size, _LETTER * min(len(mark.title), 32)
        side = "right" if share >= width else "left"
        span = (share - width, share) if side == "right" else (share, share + width)
        free = next((row for row, used in enumerate(taken) if all(_apart(span, one) for one in used)), None)
        if free is not None:
            taken[free].append(span)
            found.append(Label(mark.at, mark.title, free, side))
    return found


def _apart(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[1] + _LETTER < other[0] or other[1] + _LETTER < one[0]


def _ends(places: Sequence[At]) -> list[At] | None:
    """First and last of days or numbers; None where any is a name."""
    spots = {spot: at for at in places if (spot := _spot(at)) is not None}
    whole = len(spots) > 1 and all(_spot(at) is not None for at in places)
    return [spots[min(spots)], spots[max(spots)]] if whole else None


def _spot(at: At) -> float | None:
    """A place as a number; None for a name, which has none."""
    if isinstance(at, dt.datetime):
        return at.replace(tzinfo=None).timestamp() / 86_400
    if isinstance(at, dt.date):
        return float((at - dt.date(1970, 1, 1)).days)
    if isinstance(at, str):
        try:
            return _spot(dt.date.fromisoformat(at[:10]))
        except ValueError:
            return None
    return float(at)


def ticks_along(places: Sequence[At]) -> dict[str, Any]:
    """Ticks of an axis of days or of names.

    A handful of days gets a tick a day: left alone, plotly.js labels one day with its milliseconds. Names lose what
    they all begin with, or they would stand aslant and take half the figure.
    """
    names = list(dict.fromkeys(place for place in places if isinstance(place, str)))
    if names and len(names) == len(set(places)) and _spot(names[0]) is None:
        shown = names[:: -(-len(names) // MOST_NAMES)]
        short = dict(zip(names, short_names(names), strict=True))
        return {"tickvals": [*map(literal, shown)], "ticktext": [plain(short[name], 24) for name in shown]}
    days = {place for place in places if isinstance(place, dt.date) and not isinstance(place, dt.datetime)}
    if not days or len(days) < len(set(places)) or max(days) - min(days) > dt.timedelta(days=6):
        return {"nticks": 7}
    room = dt.timedelta(days=1)
    return {
        "dtick": 86_400_000,
        "tickformat": "%d %b",
        "range": [str(min(days) - room), str(max(days) + room)],
    }
