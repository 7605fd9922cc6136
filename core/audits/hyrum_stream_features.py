"""What of a stream no contract mentions: the list of features, and which responses of two versions may be compared."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

Key = tuple[str, str, str, str]
"""What measured, provider, model asked for, region."""
Row = Mapping[str, object]
FEWEST_PAIRS, FEWEST_SIDE, FEWEST_DAYS = 100, 300, 2
"""Prompts that both versions answered, else responses a side; days a side, because load moves the tempo of a day."""


class Feature(NamedTuple):
    """One behaviour. floor: a change that nobody notices, in the feature's own unit."""

    name: str
    label: str
    unit: str
    floor: float
    yes_no: bool = False


FEATURES = (
    Feature("first_chunk_ms", "time to first chunk", "ms", 20),
    Feature("tokens_per_s", "tokens a second", "score", 0),
    Feature("gap_p50_ms", "gap, median", "ms", 2),
    Feature("gap_p99_ms", "gap, p99", "ms", 10),
    Feature("slow_gap_share", "gaps above 500 ms", "share", 0.01),
    Feature("tool_pause_ms", "pause before a tool call", "ms", 20),
    Feature("preamble", "text before a tool call", "share", 0.10, yes_no=True),
    Feature("preamble_length", "length of that text", "score", 10),
    Feature("unit", "tokens a chunk", "score", 0.1),
    Feature("reasoning_tokens", "reasoning tokens first", "score", 10),
    Feature("sentence_gap_ratio", "gaps at sentence ends", "score", 0.1),
)


class Sides(NamedTuple):
    """Responses of the version before and of the newest, in hours of the day that both have."""

    key: Key
    old: str
    new: str
    before: tuple[Row, ...]
    after: tuple[Row, ...]
    pairs: tuple[str, ...]
    """Prompts that both answered; used where they are enough."""
    dropped: int
    """Responses at hours of the day that only one side has, or beyond the other side's number in that hour."""
    every: int
    """Responses of both versions."""

    @property
    def paired(self) -> bool:
        return len(self.pairs) >= FEWEST_PAIRS

    @property
    def enough(self) -> bool:
        """Whether the two may be compared at all."""
        sides = (self.before, self.after)
        days = min(len({row["day"] for row in side}) for side in sides)
        return days >= FEWEST_DAYS and (self.paired or min(len(side) for side in sides) >= FEWEST_SIDE)

    @property
    def name(self) -> str:
        """Provider, model and region; what measured only where it is no recording."""
        source, provider, model, region = self.key
        told = " ".join(part for part in (provider, model, region) if part) or "unnamed"
        return told if source == "recorder" else f"{told} ({source.replace('_', ' ')})"


def featured(streams: pl.DataFrame) -> pl.DataFrame:
    """Streams with the features that are made of columns."""
    has = pl.col("preamble_chars") > 0
    return streams.with_columns(
        has.cast(pl.Float64).alias("preamble"),
        pl.when(has).then(pl.col("preamble_chars").cast(pl.Float64)).alias("preamble_length"),
        pl.when(pl.col("shown_tokens") > 0)
        .then(pl.col("shown_tokens") / pl.col("chunk_count"))
        .alias("unit"),
        (pl.col("hour") % 24).alias("hour_of_day"),
    )


def versions(rows: pl.DataFrame) -> list[str]:
    """By the first day each was seen, the name among those of one day."""
    first = rows.group_by("version").agg(pl.col("day").min()).sort("day", "version")
    return [str(name) for name in first["version"]]


def sides(key: Key, rows: pl.DataFrame) -> Sides | None:
    """The newest version against the one before it; None where there is one version only."""
    names = versions(rows)
    if len(names) < 2:
        return None
    old, new = names[-2:]
    columns = [
        "version",
        "prompt",
        "stream_key",
        "trace_id",
        "response_id",
        "day",
        "hour_of_day",
        *(f.name for f in FEATURES),
    ]
    ordered = rows.select(columns).sort("stream_key", "day")
    both = [ordered.filter(pl.col("version") == name).to_dicts() for name in (old, new)]
    hours = {row["hour_of_day"] for row in both[0]} & {row["hour_of_day"] for row in both[1]}
    kept = [[row for row in side if row["hour_of_day"] in hours] for side in both]
    prompts = [{str(row["prompt"]) for row in side if row["prompt"]} for side in kept]
    pairs = tuple(sorted(prompts[0] & prompts[1]))
    if len(pairs) >= FEWEST_PAIRS:
        wanted = set(pairs)
        kept = [[row for row in side if row["prompt"] in wanted] for side in kept]
    else:
        kept = _as_many(kept)
    every = sum(len(side) for side in both)
    return Sides(key, old, new, tuple(kept[0]), tuple(kept[1]), pairs, every - sum(map(len, kept)), every)


def _as_many(both: Sequence[Sequence[Row]]) -> list[list[dict[str, object]]]:
    """As many of either side in each hour of the day, by hash of their keys."""
    kept: list[list[dict[str, object]]] = [[], []]
    hours = sorted({int(str(row["hour_of_day"])) for side in both for row in side})
    for hour in hours:
        own = [sorted((row for row in side if row["hour_of_day"] == hour), key=_hash) for side in both]
        fewest = min(len(side) for side in own)
        for side, rows in zip(kept, own, strict=True):
            side += [dict(row) for row in rows[:fewest]]
    return kept


def _hash(row: Row) -> str:
    return hashlib.md5(str(row["stream_key"]).encode(), usedforsecurity=False).hexdigest()


def values(rows: Sequence[Row], name: str) -> list[float]:
    """What is known of a feature, a value a response."""
    return [float(str(row[name])) for row in rows if row[name] is not None]


def by_day(rows: Sequence[Row], name: str) -> dict[dt.date, list[float]]:
    """The same by day."""
    found: dict[dt.date, list[float]] = {}
    for row in rows:
        day = row["day"]
        if row[name] is not None and isinstance(day, dt.date):
            found.setdefault(day, []).append(float(str(row[name])))
    return found
