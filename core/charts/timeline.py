"""Lanes on one time axis: how long a state held, and what happened when. What moved together stands above each other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from core.charts.drawing import Drawing
from core.charts.palette import finish, light, plain

SHORTEST = dt.timedelta(days=2)
LANE_HEIGHT = 34
ONE_LINE = 20
"""Letters of a lane's name."""
STATES: Mapping[str, tuple[str, str]] = {
    "holds": ("good", "circle"),
    "watch": ("warn", "diamond"),
    "broken": ("loss", "x"),
    "cannot tell": ("muted", "circle-open"),
    "": ("accent", "square"),
}
"""State: colour role and mark, so that colour is never the only difference. The empty one is an event."""
EVENT = "change event"


class Stretch(NamedTuple):
    """A state that held in a lane."""

    lane: str
    start: dt.datetime
    end: dt.datetime
    state: str


class Happening(NamedTuple):
    """A point in a lane. `row` is what a selection gives back."""

    lane: str
    at: dt.datetime
    text: str
    state: str
    row: int


def timeline(
    lanes: Sequence[str], stretches: Sequence[Stretch], happenings: Sequence[Happening]
) -> go.Figure:
    """Lanes from top to bottom in the order given."""
    place = {lane: at for at, lane in enumerate(lanes)}
    figure = Drawing()
    for state, (role, _) in STATES.items():
        own = [one for one in stretches if one.state == state and one.lane in place]
        if not own:
            continue
        x: list[dt.datetime | None] = [at for one in own for at in (one.start, one.end, None)]
        y = [at for one in own for at in (place[one.lane], place[one.lane], None)]
        figure.add_scatter(
            x=x, y=y, mode="lines", line={"color": light(role), "width": 5}, opacity=0.45, hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    for state, (role, symbol) in STATES.items():
        shown = [one for one in happenings if one.state == state and one.lane in place]
        if not shown:
            continue
        figure.add_scatter(
            x=[one.at for one in shown], y=[place[one.lane] for one in shown], mode="markers", name=state or EVENT,
            marker={"symbol": symbol, "size": 11, "color": light(role), "line": {"width": 1.5, "color": light(role)}},
            text=[plain(f"{one.lane}: {one.text}", 140) for one in shown], customdata=[one.row for one in shown],
            hovertemplate="%{x|%Y-%m-%d %H:%M}<br>%{text}<extra></extra>",
        )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(lanes))), ticktext=[_in_two_lines(plain(lane, 40)) for lane in lanes],
        range=[len(lanes) - 0.5, -0.5], zeroline=False, tickfont={"color": light("ink")},
    )  # fmt: skip
    figure.update_xaxes(
        nticks=4,
        tickangle=0,
        tickformat="%d %b<br>%Y",
        showgrid=True,
        range=_days_around(stretches, happenings),
    )
    figure.update_layout(showlegend=True, hovermode="closest")
    rows = [(one.lane, one.at, one.text) for one in happenings]
    return finish(figure, "timeline", "", ("lane", "at", "what"), rows, 80 + LANE_HEIGHT * max(len(lanes), 3))


def _in_two_lines(name: str) -> str:
    """A long name broken at the space nearest to its middle: beside a phone's chart one line would take half of it.

    >>> _in_two_lines("Reward that stopped meaning outcome"), _in_two_lines("deploy")
    ('Reward that stopped<br>meaning outcome', 'deploy')
    """
    spaces = [at for at, letter in enumerate(name) if letter == " "]
    if len(name) <= ONE_LINE or not spaces:
        return name
    middle = min(spaces, key=lambda at: abs(at - len(name) / 2))
    return f"{name[:middle]}<br>{name[middle + 1 :]}"


def _days_around(stretches: Sequence[Stretch], happenings: Sequence[Happening]) -> list[dt.datetime] | None:
    """A range for what lies within two days: around one instant Plotly draws an axis of milliseconds."""
    moments = [at for one in stretches for at in (one.start, one.end)] + [one.at for one in happenings]
    if not moments or max(moments) - min(moments) >= SHORTEST:
        return None
    room = (SHORTEST - (max(moments) - min(moments))) / 2
    return [min(moments) - room, max(moments) + room]
