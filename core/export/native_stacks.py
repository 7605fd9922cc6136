"""Stacked columns on a slide: steps of turns, or their wait, by what time went to, and a histogram of two groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pptx.enum.chart import XL_CHART_TYPE

from core.amounts import number
from core.export import Table
from core.export.chart_data import CategoryNumbers, safe_name
from core.export.native import chart, chart_format, legend
from core.export.slide import SlideDeck, paint
from core.export.template import Box


def stacks(deck: SlideDeck, slide: Any, table: Table, box: Box, alt: str) -> None:
    """The panels of the page beside each other, a column a step, a series a part."""
    cells = {(f"{panel}: {step}", str(part)): float(value) for panel, step, part, value in table.rows}
    _columns(deck, slide, table, cells, table.also.get("roles") or {}, box, alt)


def waits(deck: SlideDeck, slide: Any, table: Table, box: Box, alt: str) -> None:
    """A column a group of turns, a series a part; what is below zero is left out, as on the page."""
    cells = {(str(bar), str(part)): max(float(value), 0.0) for bar, part, value, _ in table.rows}
    _columns(deck, slide, table, cells, table.also.get("roles") or {}, box, alt)


def histogram(deck: SlideDeck, slide: Any, table: Table, box: Box, alt: str) -> None:
    """A column a bin from left to right, a series a group."""
    placed = sorted(table.rows, key=lambda row: row[1])
    cells = {
        (f"{number(low, 'ms')} to {number(high, 'ms')}", str(name)): float(n) for name, low, high, n in placed
    }
    names = list(dict.fromkeys(str(row[0]) for row in table.rows))
    roles = dict(zip(names, ("useful", "loss"), strict=False))
    _columns(deck, slide, table, cells, roles, box, alt)


def _columns(
    deck: SlideDeck,
    slide: Any,
    table: Table,
    cells: Mapping[tuple[str, str], float],
    roles: Mapping[str, str],
    box: Box,
    alt: str,
) -> None:
    places = list(dict.fromkeys(place for place, _ in cells))
    parts: Sequence[str] = list(dict.fromkeys(part for _, part in cells))
    numbers = CategoryNumbers(chart_format(table.unit))
    numbers.categories = [safe_name(place, 60) for place in places]
    for part in parts:
        numbers.add_series(safe_name(part, 60), [cells.get((place, part)) for place in places])
    drawn = chart(deck, slide, XL_CHART_TYPE.COLUMN_STACKED, numbers, table.unit, box, alt)
    drawn.plots[0].gap_width, drawn.plots[0].overlap = 45, 100
    for part, series in zip(parts, drawn.plots[0].series, strict=True):
        paint(series.format, roles.get(part, "useful"))
    legend(deck, drawn)
