"""A figure while a chart form draws it: plain dictionaries, which Plotly checks once at the end.

A go.Figure checks, copies and compares at every touch: 40 ms of CPU a figure, a sixth of what a new scope cost. The verbs
are those of go.Figure and mean the same, as far as the forms use them; `figure` ends the drawing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import plotly.graph_objects as go

_WHOLE = ("meta", "template")
"""Of a layout: values that are replaced and never merged."""


class Drawing:
    """Traces and layout, still open for changes. Underscores in keywords are not taken apart."""

    def __init__(self, traces: Iterable[dict[str, Any]] = ()) -> None:
        """Each trace names its `type`."""
        self.traces = list(traces)
        self.layout: dict[str, Any] = {"xaxis": {}, "yaxis": {}}

    def add_scatter(self, **trace: Any) -> None:
        """Points, lines or texts above what is drawn."""
        self.traces.append({"type": "scatter", **trace})

    def add_bar(self, **trace: Any) -> None:
        """Bars above what is drawn."""
        self.traces.append({"type": "bar", **trace})

    def add_shape(self, **shape: Any) -> None:
        """A line or a rectangle."""
        self.layout.setdefault("shapes", []).append(shape)

    def add_annotation(self, **annotation: Any) -> None:
        """A text at a place."""
        self.layout.setdefault("annotations", []).append(annotation)

    def update_layout(self, given: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Merge into the layout."""
        _merge(self.layout, {**(given or {}), **more})

    def update_xaxes(self, **axis: Any) -> None:
        """Merge into every x axis so far."""
        self._update_axes("xaxis", axis)

    def update_yaxes(self, **axis: Any) -> None:
        """Merge into every y axis so far."""
        self._update_axes("yaxis", axis)

    def _update_axes(self, prefix: str, axis: Mapping[str, Any]) -> None:
        for name in [name for name in self.layout if name.startswith(prefix)]:
            _merge(self.layout[name], axis)

    def figure(self) -> go.Figure:
        """What was drawn, checked."""
        return go.Figure({"data": self.traces, "layout": self.layout})


def _merge(into: dict[str, Any], given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if isinstance(value, Mapping) and name not in _WHOLE:
            held = into.get(name)
            into[name] = (
                dict(held) if isinstance(held, Mapping) else {}
            )  # a dictionary of the caller's stays whole
            _merge(into[name], value)
        else:
            into[name] = value
