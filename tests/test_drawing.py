"""A drawing's verbs mean what go.Figure's mean: the same calls on both give the same figure."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import plotly.graph_objects as go
import plotly.io
import pytest

from core.charts.drawing import Drawing

DAY = dt.date(2026, 3, 1)
LINE = {"color": "#1D4ED8", "width": 1}


def draw(figure: Any) -> None:
    """Every verb, with values set twice, an axis made between two updates, and names that end like other ones."""
    figure.add_scatter(x=[DAY, None], y=[1, 2], line_shape="hv", line=LINE, yaxis="y2")
    figure.add_bar(x=[1], y=["a"], orientation="h")
    figure.update_yaxes(nticks=5, title={"text": "first", "font": {"size": 11}})
    figure.update_layout({"yaxis2": {"domain": [0, 0.3]}}, margin={"l": 8, "t": 30})
    figure.update_yaxes(title={"font": {"size": 12}}, tickfont={"color": "#1D4ED8"})
    figure.update_xaxes(range=[DAY, DAY], showgrid=False)
    figure.update_xaxes(title="named", showgrid=True)
    figure.add_shape(type="line", x0=DAY, x1=DAY, yref="paper", y0=0, y1=1, line=LINE)
    figure.add_annotation(text="one", x=DAY, y=1)
    figure.add_annotation(text="two", x=DAY, y=2, font={"size": 11})
    figure.update_layout(
        meta={"rows": [1], "more": {"a": 1}}, margin={"t": 40}, template=go.layout.Template()
    )
    figure.update_layout(meta={"rows": [2]}, showlegend=False)


def as_json(figure: go.Figure) -> Any:
    return json.loads(plotly.io.to_json(figure, validate=False))


def test_drawing_equals_a_figure_of_the_same_calls() -> None:
    plain, drawing = go.Figure(), Drawing()
    draw(plain)
    draw(drawing)
    assert as_json(drawing.figure()) == as_json(plain)


def test_dictionaries_of_the_caller_are_left_alone() -> None:
    axis, drawing = {"font": {"size": 11}}, Drawing()
    drawing.update_xaxes(title=axis)
    drawing.update_xaxes(title={"font": {"size": 12}})
    assert axis == {"font": {"size": 11}}


def test_what_plotly_does_not_know_is_refused() -> None:
    drawing = Drawing()
    drawing.add_scatter(colour="#1D4ED8")
    with pytest.raises(ValueError, match="colour"):
        drawing.figure()
