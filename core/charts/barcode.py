"""Streams as barcodes: a row a stream, a stroke for every chunk that arrived."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from core.charts.drawing import Drawing
from core.charts.palette import finish, light, plain, tick_names

ROW_HEIGHT, TALL = 56, 0.36
ROLES = ("muted", "accent")


def barcode(streams: Sequence[tuple[str, Sequence[float]]]) -> go.Figure:
    """Rows from top to bottom: a name, and ms after the request at which chunks arrived."""
    figure = Drawing()
    rows: list[tuple[object, ...]] = []
    for place, (name, times) in enumerate(streams):
        x: list[float | None] = [at for one in times for at in (one, one, None)]
        y: list[float | None] = [at for _ in times for at in (place - TALL, place + TALL, None)]
        figure.add_scatter(
            x=x, y=y, mode="lines", name=plain(name), line={"color": light(ROLES[min(place, 1)]), "width": 1.4},
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
        rows += [(name, at) for at in times]
    figure.update_yaxes(
        tickvals=list(range(len(streams))), ticktext=tick_names([name for name, _ in streams]), showgrid=False, zeroline=False,
        range=[len(streams) - 0.5, -0.5], tickfont={"color": light("ink")},
    )  # fmt: skip
    figure.update_xaxes(ticksuffix=" ms", tickformat=",", nticks=5, tickangle=0, rangemode="tozero")
    return finish(figure, "barcode", "ms", ("stream", "at_ms"), rows, 70 + ROW_HEIGHT * len(streams))
