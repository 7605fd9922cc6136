"""Axes of a still picture: where a value lies, which ticks it gets, how they read. As plotly.js does, but fewer."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable, Sequence
from html import unescape
from typing import Any, Literal, NamedTuple

from core.amounts import MINUS

DAY_S = 86_400.0
_PREFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_DATE_STEPS_DAYS = (1, 2, 3, 7, 14, 28, 61, 91, 182, 365)


class Scale(NamedTuple):
    """From a value to px: `first` lies at `start`, `last` at `end`."""

    kind: Literal["number", "date", "name"]
    names: tuple[str, ...]
    first: float
    last: float
    start: float
    end: float

    def at(self, value: object) -> float | None:
        """Where a value lies; None for what is no place on this axis."""
        number = self.number(value)
        if number is None:
            return None
        return self.start + (number - self.first) / ((self.last - self.first) or 1.0) * (
            self.end - self.start
        )

    def number(self, value: object) -> float | None:
        """The value as a number of this axis: itself, seconds after 1970, or the place of a name."""
        if self.kind == "name" and isinstance(value, str):
            return float(self.names.index(value)) if value in self.names else None
        return seconds(value) if self.kind == "date" else as_number(value)


def as_number(value: object) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def seconds(value: object) -> float | None:
    """Seconds after 1970 of a day, an instant or their ISO text; None for anything else."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp()
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC).timestamp()
    return None


def scale_of(
    values: Sequence[object], axis: dict[str, Any], start: float, end: float, also: Iterable[float]
) -> Scale:
    """The scale an axis needs for its values; `also` are numbers it must reach, such as the ends of intervals."""
    known = [value for value in values if value is not None]
    kind: Literal["number", "date", "name"] = "number"
    if known and all(seconds(value) is not None for value in known):
        kind = "date"
    elif any(isinstance(value, str) for value in known):
        kind = "name"
    names = tuple(dict.fromkeys(str(value) for value in known)) if kind == "name" else ()
    plain = Scale(kind, names, 0, 1, 0, 1)
    if axis.get("range") is not None:
        ends = [plain.number(at) for at in axis["range"]]
        if None not in ends:
            return Scale(kind, names, float(ends[0] or 0), float(ends[1] or 0), start, end)
    numbers = [at for at in map(plain.number, known) if at is not None] + [
        at for at in also if math.isfinite(at)
    ]
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    if kind == "name":
        low, high = low - 0.5, high + 0.5
    elif kind == "date":
        room = 0.02 * (high - low) or DAY_S
        low, high = low - room, high + room
    else:
        low = min(low, 0.0) if axis.get("rangemode") == "tozero" else low
        room = 0.06 * (high - low) or abs(high) or 1.0
        low, high = (low if low == 0 else low - room), high + room
    return (
        Scale(kind, names, high, low, start, end)
        if axis.get("autorange") == "reversed"
        else Scale(kind, names, low, high, start, end)
    )


def ticks_of(scale: Scale, axis: dict[str, Any], most: int) -> list[tuple[float, str]]:
    """(px, text) of each tick."""
    if axis.get("tickvals") is not None:
        texts = axis.get("ticktext") or [tick_text(value, axis) for value in axis["tickvals"]]
        pairs = [(scale.at(value), text) for value, text in zip(axis["tickvals"], texts, strict=False)]
    elif scale.kind == "name":
        step = max(1, math.ceil(len(scale.names) / max(most, 1))) if most < len(scale.names) else 1
        pairs = [(scale.at(name), name) for name in scale.names[::step]]
    elif scale.kind == "date":
        pairs = [
            (scale.at(day), f"{day:%d %b %Y}" if long else f"{day:%d %b}") for day, long in _days(scale, most)
        ]
    else:
        pairs = [
            (scale.at(value), tick_text(value, axis))
            for value in _round_numbers(scale.first, scale.last, most)
        ]
    return [(place, text) for place, text in pairs if place is not None]


def _days(scale: Scale, most: int) -> list[tuple[dt.date, bool]]:
    low, high = sorted((scale.first, scale.last))
    first = dt.datetime.fromtimestamp(math.ceil(low / DAY_S) * DAY_S, dt.UTC).date()
    last = dt.datetime.fromtimestamp(math.floor(high / DAY_S) * DAY_S, dt.UTC).date()
    length = max((last - first).days, 0)
    step = next((days for days in _DATE_STEPS_DAYS if length / days < most), _DATE_STEPS_DAYS[-1])
    return [(first + dt.timedelta(days=at), length > 300) for at in range(0, length + 1, step)]


def _round_numbers(first: float, last: float, most: int) -> list[float]:
    low, high = sorted((first, last))
    rough = (high - low) / max(most, 1)
    if not math.isfinite(rough) or rough <= 0:
        return [low]
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * by for by in (1, 2, 2.5, 5, 10) if size * by >= rough)
    places = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [round(place * step, 12) for place in places]


def tick_text(value: object, axis: dict[str, Any]) -> str:
    """A number as the axis writes it: the few forms of d3 that charts use.

    >>> tick_text(0.25, {"tickformat": ".0%"}), tick_text(1500, {"exponentformat": "B", "tickprefix": "$"})
    ('25%', '$1.5k')
    >>> tick_text(-0.05, {"tickformat": "+.1%"}), tick_text(3, {"ticksuffix": "×"})
    ('−5.0%', '3×')
    """
    number = as_number(value)
    if number is None:
        return str(value)
    form, size = axis.get("tickformat") or "", abs(number)
    sign = MINUS if number < 0 else "+" if form.startswith("+") and number > 0 else ""
    if percent := re.fullmatch(r"\+?\.(\d)%", form):
        body = f"{size * 100:.{percent[1]}f}%"
    elif not form and (size >= 10_000 or axis.get("exponentformat") == "B"):
        by, prefix = next(((by, prefix) for by, prefix in _PREFIXES if size >= by), (1.0, ""))
        body = f"{size / by:.4g}{prefix}"
    else:
        body = f"{size:,.6g}"
    return f"{sign}{plain_text(axis.get('tickprefix'))}{body}{plain_text(axis.get('ticksuffix'))}"


def plain_text(text: object) -> str:
    """What Plotly would show of a text: its few tags gone, its escapes undone."""
    return unescape(re.sub(r"</?[a-z]+/?>", "", str(text or "")))


def text_lines(text: object) -> list[str]:
    """A tick's or a note's lines."""
    return [plain_text(part) for part in str(text or "").split("<br>")]
