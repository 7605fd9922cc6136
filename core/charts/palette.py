"""Colours, text safety and layout that every chart form shares.

Figures are built in the light palette; `themed` recolours one for dark. `finish` leaves the drawn numbers as a
table in `layout.meta`, from which CSV, XLSX and PPTX are written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from core.amounts import Number, is_currency, money_sign
from core.charts.drawing import Drawing

At = dt.date | dt.datetime | int | float | str

COLOURS: Mapping[str, tuple[str, str]] = {
    "useful": ("#C7D4EA", "#2A3A5C"),
    "loss": ("#E2611B", "#FF9C66"),
    "accent": ("#1D4ED8", "#6C9BFF"),
    "muted": ("#94A3B8", "#64748C"),
    "warn": ("#B54708", "#FEC84B"),
    "good": ("#0E9384", "#2ED3B7"),
    "other": ("#7A5AF8", "#BDB4FE"),
    "ink": ("#0F172A", "#E6EAF2"),
    "label": ("#64748B", "#94A3B9"),
    "grid": ("#EEF2F6", "#1E293B"),
    "paper": ("#FFFFFF", "#0B0F19"),
}
"""Role: (light, dark). Every colour stands for one role only, so that themed can swap it."""

PATTERNS = {"loss": "/", "muted": "x", "warn": "\\", "other": "."}
"""Roles that a black-and-white print must still tell from the rest."""

LABEL_LENGTH = 48
LEGEND_LENGTH, TICK_LENGTH = 36, 28
_BAND_OPACITY = 0.16
NOTE_HEIGHT = 18
"""Room above the legend for a note, px."""


def light(role: str) -> str:
    """The light colour of a role; themed knows its dark one."""
    return COLOURS[role][0]


def band(colour: str) -> str:
    """A `#RRGGBB` colour as the see-through fill of an interval band."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{_BAND_OPACITY})"


_DARK = dict(COLOURS.values())
_DARK |= {band(light_one): band(dark_one) for light_one, dark_one in COLOURS.values()}


def literal(at: At) -> At:
    """A place on an axis whose name Plotly shows without reading tags in it; uncut, so that names stay apart.

    >>> literal("<b>x</b>"), literal(3)
    ('&lt;b&gt;x&lt;/b&gt;', 3)
    """
    return _escaped(at) if isinstance(at, str) else at


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain(text: object, length: int = LABEL_LENGTH) -> str:
    """Text as Plotly shows it literally: no tags, one line, of `length` characters its beginning and its end.

    Names of regions, models and services often differ in their end alone.

    >>> plain("<b>x</b> & y"), plain("model-of-the-east", 9)
    ('&lt;b&gt;x&lt;/b&gt; &amp; y', 'mode…east')
    """
    line = " ".join(str(text).split())
    end = (length - 1) // 2
    line = line if len(line) <= length else f"{line[: length - 1 - end]}…{line[len(line) - end :]}"
    return _escaped(line)


def tick_names(names: Sequence[str]) -> list[str]:
    """Names beside an axis: short, because they take their room from the chart, and never two alike.

    Plotly draws rows of equal names as one.

    >>> tick_names(["eu", "a" * 60, "a" * 61])
    ['eu', 'aaaaaaaaaaaaaa…aaaaaaaaaaaaa', 'aaaaaaaaaaaaaa…aaaaaaaaaaaaa (2)']
    """
    cut = [plain(name, TICK_LENGTH) for name in names]
    return [
        f"{name} ({cut[:at].count(name) + 1})" if name in cut[:at] and names[at] not in names[:at] else name
        for at, name in enumerate(cut)
    ]


def short_names(names: Sequence[str]) -> list[str]:
    """Names without what they all begin with, cut where a part of a name begins; left alone when they are short.

    >>> short_names(["northwind-triage-01", "northwind-triage-02"]), short_names(["a-1", "a-2"])
    (['…01', '…02'], ['a-1', 'a-2'])
    """
    shared = min(names, default="")
    while not all(name.startswith(shared) for name in names):
        shared = shared[:-1]
    cut = max(shared.rfind(mark) for mark in "-_/:. ") + 1
    if len(names) < 2 or cut < 6 or max(len(name) for name in names) < 10:
        return list(names)
    return [f"…{name[cut:]}" for name in names]


def floats(values: Iterable[Number | None]) -> list[float | None]:
    """Decimals and integers as Plotly draws them; None stays a hole in the line."""
    return [None if value is None else float(value) for value in values]


def fill(role: str) -> dict[str, Any]:
    """Marker of a role's bars: colour, pattern, and an outline that keeps a bar of zero visible."""
    pattern = {"shape": PATTERNS.get(role, ""), "fillmode": "overlay", "fgcolor": light("paper"), "size": 7}
    return {
        "color": light(role),
        "pattern": pattern | {"solidity": 0.14},
        "line": {"color": light(role), "width": 1.5},
    }


def role_bars(
    roles: Sequence[str], arrays: Mapping[str, Sequence[Any]], **shared: Any
) -> list[dict[str, Any]]:
    """One bar trace a role: plotly.js warns in the console about patterns over a list of colours."""
    traces = []
    for role in dict.fromkeys(roles):
        places = [place for place, at in enumerate(roles) if at == role]
        own = {name: [values[place] for place in places] for name, values in arrays.items()}
        traces.append({"type": "bar", "marker": fill(role), **own, **shared})
    return traces


SHORT: dict[str, Any] = {
    "exponentformat": "B",
    "minexponent": 2,  # from a thousand on
    "tickformatstops": [{"dtickrange": [None, 0.99], "value": ".4~r"}],
}
"""Thousands, millions and billions by the letters that texts use; ticks less than 1 apart in full, not "$500m"."""


def ticks(unit: str) -> dict[str, Any]:
    """Axis ticks in a unit."""
    if is_currency(unit):
        return {"tickprefix": money_sign(unit), **SHORT}
    if unit in ("share", "points"):
        return {"tickformat": ".0%" if unit == "share" else "+.1%"}
    suffix = {"count": "", "": "", "score": "", "ratio": "×"}.get(unit, f" {plain(unit, 12)}")
    return {"ticksuffix": suffix, **(SHORT if unit in ("count", "", "tokens") else {"tickformat": ""})}


_LEGEND = {
    "orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0, "traceorder": "normal", "font": {"color": light("ink")},
    "maxheight": 1.0,  # by default half the figure: on a phone, where names stand under each other, it would scroll
}  # fmt: skip


def finish(
    figure: Drawing,
    form: str,
    unit: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    height: int = 310,
    **also: object,
) -> go.Figure:
    """House layout, and the drawn table in `layout.meta` as {form, unit, columns, rows}.

    `also` goes with it: what a native chart draws beside the rows (limit, marks, roles by name, top of a scale).
    """
    axis = {
        "gridcolor": light("grid"),
        "linecolor": light("grid"),
        "zerolinecolor": light("grid"),
        "automargin": True,
    }
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    figure.update_layout(
        template=go.layout.Template(),
        height=height,
        margin={"l": 8, "r": 8, "t": 30, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "Inter, sans-serif", "size": 12, "color": light("label")},
        legend=_LEGEND,
        hoverlabel={"bgcolor": light("paper"), "font": {"color": light("ink")}, "bordercolor": light("grid")},
        dragmode=False,
        barmode="stack" if form == "stacked_share" else "overlay",
        meta={"form": form, "unit": unit, "columns": list(columns), "rows": [_jsonable(row) for row in rows]}
        | also,
    )
    figure.layout.setdefault("showlegend", False)
    return figure.figure()


def noted(figure: go.Figure, note: str) -> go.Figure:
    """The figure with a note at its upper right, which pictures and every other export take along."""
    if not note or note == (figure.layout.meta or {}).get("note"):
        return figure
    layout = figure.layout  # one by one: update_layout takes ten times as long
    layout.title = {
        "text": plain(note, 90), "x": 1, "xanchor": "right", "xref": "paper", "y": 1, "yanchor": "top",
        "yref": "container", "automargin": True, "pad": {"t": 3}, "font": {"size": 11.5, "color": light("other")},
    }  # fmt: skip
    layout.margin.t += NOTE_HEIGHT
    layout.height += NOTE_HEIGHT
    layout.meta = dict(layout.meta) | {"note": note}
    return figure


def _jsonable(row: Sequence[object]) -> list[object]:
    return [str(cell) if isinstance(cell, dt.date) else cell for cell in row]


def themed(figure: go.Figure, dark: bool) -> go.Figure:
    """The figure itself in light; in dark a copy with every palette colour swapped for its dark one."""
    return go.Figure(_recoloured(figure.to_plotly_json(), False), skip_invalid=False) if dark else figure


def _recoloured(part: Any, is_colour: bool) -> Any:
    """Only values under a key that names a colour are swapped: a label may read '#1D4ED8' and stay."""
    if isinstance(part, dict):
        return {
            key: value if key == "meta" else _recoloured(value, is_colour or "color" in key.lower())
            for key, value in part.items()
        }
    if isinstance(part, (list, tuple)):
        return [_recoloured(value, is_colour) for value in part]
    return _DARK.get(part, part) if is_colour and isinstance(part, str) else part
