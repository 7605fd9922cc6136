"""What a figure drew, in words: one short phrase a bar, line or point that matters, by the form of the chart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.amounts import number

Rows = Sequence[Sequence[Any]]


def told_of(form: str, unit: str, rows: Rows) -> list[str]:
    """Phrases of a drawn table; a form that is not listed names each row by its first cell, with its second as value."""
    return _FORMS.get(form, _named)(unit, rows)


def _named(unit: str, rows: Rows) -> list[str]:
    return [f"{row[0]} {number(row[1], unit)}" for row in rows if len(row) > 1]


def _first_and_last(unit: str, rows: Rows) -> list[str]:
    """Lines, and panels, which have their unit at the end."""
    ends: dict[str, list[str]] = {}
    for name, at, value, *rest in rows:
        own = rest[2] if len(rest) > 2 else unit
        ends.setdefault(str(name), []).append(f"{number(value, own)} on {at}")
    return [f"{name} from {values[0]} to {values[-1]}" for name, values in ends.items()]


def _worst_cells(unit: str, rows: Rows) -> list[str]:
    known = [row for row in rows if row[2] is not None]
    worst = sorted(known, key=lambda row: -row[2])[:5]
    return [f"{row[0]} on {row[1]} {number(row[2], unit)}" for row in worst]


def _medians(unit: str, rows: Rows) -> list[str]:
    sides: dict[str, list[float]] = {}
    for name, value, _ in rows:
        sides.setdefault(str(name), []).append(value)
    return [f"median of {name} {number(values[len(values) // 2], unit)}" for name, values in sides.items()]


def _sums(unit: str, rows: Rows) -> list[str]:
    """Of stacks: each part over all steps of its panel."""
    sums: dict[str, float] = {}
    for panel, _, part, value in rows:
        sums[f"{panel}, {part}"] = sums.get(f"{panel}, {part}", 0.0) + value
    return [f"{name} {number(value, unit)}" for name, value in sums.items()]


def _points(unit: str, rows: Rows) -> list[str]:
    kinds = [str(row[0]) for row in rows]
    return [f"{kinds.count(name):,} points of {name}" for name in dict.fromkeys(kinds)]


def _spread(unit: str, rows: Rows) -> list[str]:
    """Of a histogram: each group's number, and between which edges it lies."""
    groups: dict[str, list[Sequence[Any]]] = {}
    for row in rows:
        groups.setdefault(str(row[0]), []).append(row)
    return [
        f"{sum(row[3] for row in held):,} {unit} {name}, from {number(min(row[1] for row in held), 'ms')} "
        f"to {number(max(row[2] for row in held), 'ms')}"
        for name, held in groups.items()
    ]


def _edges(_unit: str, rows: Rows) -> list[str]:
    """Of buckets and the quantiles below them: between which edges, and how many observations."""
    return [
        f"{what} {number(low, 's')} to {'no upper edge' if high is None else number(high, 's')}"
        + ("" if value is None else f": {value:,}")
        for what, low, high, value in rows
    ]


_FORMS: Mapping[str, Callable[[str, Rows], list[str]]] = {
    "lines": _first_and_last,
    "panels": _first_and_last,
    "span_waterfall": lambda unit, rows: [f"{len(rows)} spans"],
    "twice": lambda unit, rows: [f"{len(rows)} spans"],
    "barcode": lambda unit, rows: [f"{len(rows)} chunks"],
    "grid": _worst_cells,
    "ecdf": _medians,
    "dumbbell": lambda unit, rows: [
        f"{row[0]} {number(row[1], unit)} → {number(row[4], unit)}" for row in rows
    ],
    "timeline": lambda unit, rows: [f"{lane} {what} on {at}" for lane, at, what in rows],
    "sankey": lambda unit, rows: [f"{row[0]} to {row[1]} {number(row[2], unit)}" for row in rows],
    "stacks": _sums,
    "waits": lambda unit, rows: [f"{bar}, {part} {number(value, unit)}" for bar, part, value, _ in rows],
    "scatter": _points,
    "offsets": _spread,
    "buckets": _edges,
}
