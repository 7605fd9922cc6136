"""One side of the chunking audit's comparison: streams with unit and rate, medians of hours, what a reader lived through."""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from core.audits.tps_chunking_compare import FEWEST_STREAMS
from core.audits.tps_chunking_reader import fluidity, quality, spread_out
from core.audits.tps_chunking_typical import numbers

METRICS = ("unit", "rate", "chunks_per_s", "gap_p95_ms", "longest_gap_ms")
"""Tokens (or characters) a chunk, the same a second, chunks a second, 95th percentile of gaps, longest gap."""
Key = tuple[str, str, str, str]
"""What measured, provider, model, region: streams of one kind are compared with each other and no others."""


Read = tuple[float | None, float]
"""Fluidity and quality of one stream."""


class Side(NamedTuple):
    """Medians of one kind of stream, before or now."""

    streams: int
    """In hours with enough streams or not."""
    hours: int
    """With at least FEWEST_STREAMS streams: what the comparison is made of."""
    unit: float | None
    rate: float | None
    chunks_per_s: float | None
    whole_rate: float | None
    """Tokens a second from the request to the last chunk, waiting included: what a benchmark calls throughput."""
    chunk_rate: float | None
    """The same if every chunk were one token."""
    fluidity: float | None
    quality: float | None


def full_hours(hours: pl.DataFrame) -> dict[Key, frozenset[int]]:
    full = hours.filter(pl.col("streams") >= FEWEST_STREAMS)
    out: dict[Key, set[int]] = {}
    for source, provider, model, region, hour in full.select(
        "source", "provider", "model", "region", "hour"
    ).rows():
        out.setdefault((source, provider, model, region), set()).add(hour)
    return {key: frozenset(found) for key, found in out.items()}


def sized(rows: pl.DataFrame) -> tuple[pl.DataFrame, str] | None:
    """Rows with unit and rate (none of one chunk), in tokens where nine of ten have them, else in characters."""
    for of, size, rate in (
        ("tokens", "shown_tokens", "tokens_per_s"),
        ("characters", "char_count", "chars_per_s"),
    ):
        known = rows.filter(pl.col(size) > 0)
        if known.height >= 0.9 * rows.height and known.height:
            between = pl.col("last_chunk_ms") - pl.col("first_chunk_ms")
            seconds = pl.when(between > 0).then(between / 1000)
            return known.with_columns(
                (pl.col(size) / pl.col("chunk_count")).alias("unit"),
                pl.col(rate).alias("rate"),
                ((pl.col("chunk_count") - 1) / seconds).alias("chunks_per_s"),
                (pl.col(size) / (pl.col("last_chunk_ms") / 1000)).alias("whole_rate"),
                (pl.col("chunk_count") / (pl.col("last_chunk_ms") / 1000)).alias("chunk_rate"),
            ), of
    return None


Hours = Sequence[Mapping[str, float]]


def hours(rows: pl.DataFrame, full: frozenset[int], since: dt.date) -> tuple[Hours, Hours]:
    """Medians of METRICS by hour, before and now, of hours with enough streams; in order of the hours."""
    kept = rows.filter(pl.col("hour").is_in(sorted(full)))
    medians = kept.group_by("day", "hour").agg(pl.col(name).median() for name in METRICS).sort("hour")
    return (
        medians.filter(pl.col("day") < since).to_dicts(),
        medians.filter(pl.col("day") >= since).to_dicts(),
    )


def side(rows: pl.DataFrame, hours: int, read: Sequence[Read]) -> Side:
    def median(name: str) -> float | None:
        value = rows[name].median()
        return float(value) if isinstance(value, int | float) else None

    smooth = [one for one, _ in read if one is not None]
    return Side(
        rows.height, hours, median("unit"), median("rate"), median("chunks_per_s"), median("whole_rate"), median("chunk_rate"),
        statistics.median(smooth) if smooth else None, statistics.median([one for _, one in read]) if read else None,
    )  # fmt: skip


def read(lists: pl.DataFrame, since: dt.date) -> dict[tuple[Key, bool], list[Read]]:
    """Fluidity and quality of the sampled streams that have tokens, by kind and side."""
    found: dict[tuple[Key, bool], list[Read]] = {}
    for row in lists.sort("stream_key").to_dicts():
        times, sizes = numbers(row["arrivals"]), [int(size) for size in numbers(row["sizes"])]
        if not row["shown_tokens"] or len(times) < 2:
            continue
        sizes = sizes if len(sizes) == len(times) else spread_out(int(row["shown_tokens"]), len(times))
        key = (row["source"], row["provider"], row["model"], row["region"])
        found.setdefault((key, row["day"] >= since), []).append(
            (fluidity(times, sizes), quality(times, sizes))
        )
    return found
