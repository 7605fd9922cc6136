"""A typical stream of each side, out of the few whose lists are read: what a staircase is drawn of."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import orjson
import polars as pl

from core.audits.tps_chunking_reader import spread_out

Key = tuple[str, str, str, str]


class Typical(NamedTuple):
    """One stream: when chunks came, and how much had come by then."""

    stream_key: str
    t_ms: tuple[float, ...]
    upto: tuple[int, ...]
    """Tokens or characters that had come."""


def numbers(text: str | None) -> list[float]:
    """A list as the ledger writes it as text; empty where there is none."""
    try:
        found = orjson.loads(text or "[]")
    except orjson.JSONDecodeError:
        return []
    return [float(value) for value in found if value is not None]


def typical(
    lists: pl.DataFrame, key: Key, since: dt.date, before: float | None, now: float | None, of: str
) -> tuple[tuple[str, Typical], ...]:
    """Of each side the stream whose unit is nearest to the side's median, and among equals of middling length."""
    rows = [
        row
        for row in lists.to_dicts()
        if (row["source"], row["provider"], row["model"], row["region"]) == key
    ]
    lengths = sorted(len(numbers(row["arrivals"])) for row in rows)
    found = []
    for name, later, usual in (("before", False, before), ("now", True, now)):
        side = [row for row in rows if (row["day"] >= since) == later]
        if usual is None or not side:
            continue
        made = [one for row in side if (one := _steps(row, of)) is not None]
        middle = lengths[len(lengths) // 2]
        best = min(
            made,
            key=lambda one: (
                round(abs(one.upto[-1] / len(one.upto) / usual - 1), 1), abs(len(one.t_ms) - middle), one.stream_key,
            ),
            default=None,
        )  # fmt: skip
        if best is not None:
            found.append((name, best))
    return tuple(found)


def _steps(row: dict[str, object], of: str) -> Typical | None:
    times = numbers(str(row["arrivals"]))
    whole = row["shown_tokens"] if of == "tokens" else row["char_count"]
    if len(times) < 2 or not isinstance(whole, int) or whole <= 0:
        return None
    sizes = (
        [int(size) for size in numbers(str(row["sizes"]) if row["sizes"] else None)] if of == "tokens" else []
    )
    sizes = sizes if len(sizes) == len(times) else spread_out(whole, len(times))
    upto, total = [], 0
    for size in sizes:
        total += size
        upto.append(total)
    return Typical(str(row["stream_key"]), tuple(times), tuple(upto))
