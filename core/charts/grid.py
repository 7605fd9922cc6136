"""A grid of cells coloured by a value: days along, names down. What is not final is crossed, what is unknown hollow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import plotly.graph_objects as go

from core.amounts import number
from core.charts.drawing import Drawing
from core.charts.marks import Mark, labels
from core.charts.palette import SHORT, finish, light, plain, tick_names

State = Literal["", "open", "unknown"]
ROW_HEIGHT = 30
GAPS_UP_TO_DAYS = 40
"""More cells are narrower than the gap between them can be."""


class GridCell(NamedTuple):
    """One cell. `value` None: nothing is known; `state` open: it may still change."""

    row: str
    at: dt.date | int
    """A day, or an hour of the day."""
    value: float | None
    state: State = ""
    note: str = ""
    """Said on hovering, before the value."""


class DayMark(NamedTuple):
    """An event over the whole grid; `short` is written above it, `title` on hovering."""

    at: dt.date
    short: str
    title: str


def grid(
    cells: Sequence[GridCell], unit: str, top: float | None = None, marks: Sequence[DayMark] = ()
) -> go.Figure:
    """Cells by row and day, darker for more; the colour ends at `top` (default: the largest value).

    Readable without colour: the scale runs from light to dark, open cells have a cross and unknown ones are empty.
    """
    names = list(dict.fromkeys(cell.row for cell in cells))
    days = sorted({cell.at for cell in cells})
    at = {(cell.row, cell.at): cell for cell in cells}
    shown = [[at.get((name, day)) for day in days] for name in names]
    labels = dict(zip(names, tick_names(names), strict=True))
    values = [[None if cell is None else cell.value for cell in row] for row in shown]
    known = [value for row in values for value in row if value is not None]
    gap = 2 if len(days) <= GAPS_UP_TO_DAYS else 0
    heat = {
            "type": "heatmap", "z": values, "x": days, "y": list(labels.values()),
        "zmin": 0, "zmax": top or max(known, default=1.0) or 1.0,
            "colorscale": [[0, light("useful")], [0.5, light("loss")], [1, light("warn")]], "xgap": gap, "ygap": 2,
            "customdata": [[plain(_told(cell, unit), 120) for cell in row] for row in shown],
            "hovertemplate": "%{customdata}<extra></extra>", "hoverongaps": False,
            "colorbar": {"thickness": 10, "outlinewidth": 0, **({"tickformat": ".0%"} if unit == "share" else SHORT)},
    }  # fmt: skip
    figure = Drawing([heat])
    _mark(figure, [cell for cell in cells if cell.state == "open"], "x-thin", unit, labels)
    _mark(figure, [cell for cell in cells if cell.state == "unknown"], "square-open", unit, labels)
    _events(figure, marks, days)
    figure.update_yaxes(autorange="reversed", showgrid=False, tickfont={"color": light("ink")})
    _along(figure, days)
    rows = [(cell.row, cell.at, cell.value, cell.state, cell.note) for cell in cells]
    return finish(
        figure,
        "grid",
        unit,
        ("row", "day", "value", "state", "note"),
        rows,
        90 + ROW_HEIGHT * max(len(names), 2),
        top=top,
        marks=[[str(mark.at), mark.title] for mark in marks],
    )


def _along(figure: Drawing, days: Sequence[dt.date | int]) -> None:
    """The axis of days or of hours."""
    by_hour = bool(days) and not isinstance(days[0], dt.date)
    figure.update_xaxes(showgrid=False, **({"dtick": 3, "ticksuffix": ":00"} if by_hour else {"nticks": 8}))


def _mark(
    figure: Drawing, marked: Sequence[GridCell], symbol: str, unit: str, labels: Mapping[str, str]
) -> None:
    if marked:
        figure.add_scatter(
            x=[cell.at for cell in marked], y=[labels[cell.row] for cell in marked], mode="markers",
            marker={"symbol": symbol, "size": 8, "color": light("ink"), "line": {"width": 1.4, "color": light("ink")}},
            customdata=[plain(_told(cell, unit), 120) for cell in marked],
            hovertemplate="%{customdata}<extra></extra>",
        )  # fmt: skip


def _events(figure: Drawing, marks: Sequence[DayMark], days: Sequence[dt.date | int]) -> None:
    line = {"color": light("ink"), "width": 1.4, "dash": "dot"}
    if marks and isinstance(days[0], dt.date) and isinstance(days[-1], dt.date):  # see marks.draw_marks
        half = dt.timedelta(hours=12)
        first, last = (dt.datetime.combine(day, dt.time()) for day in (days[0], days[-1]))
        figure.update_xaxes(range=[first - half, last + half])
    named = {str(label.at) for label in labels([Mark(mark.at, mark.short) for mark in marks], days)}
    for mark in marks:
        figure.add_shape(type="line", x0=mark.at, x1=mark.at, yref="paper", y0=0, y1=1.02, line=line)
        text = plain(mark.short, 32) if str(mark.at) in named else "▾"
        figure.add_annotation(
            text=text, hovertext=plain(mark.title, 120), x=mark.at, yref="paper", y=1.02, showarrow=False,
            xanchor="center", yanchor="bottom", font={"size": 11.5, "color": light("ink")},
        )  # fmt: skip


def _told(cell: GridCell | None, unit: str) -> str:
    if cell is None:
        return ""
    value = "not known" if cell.value is None else number(cell.value, unit)
    state = {"open": ", still open", "unknown": ", too little to tell"}.get(cell.state, "")
    at = f"{cell.at:%d %b}" if isinstance(cell.at, dt.date) else f"{cell.at}:00"
    return f"{cell.row}, {at}: {cell.note + ', ' if cell.note else ''}{value}{state}"
