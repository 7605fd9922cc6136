"""How much each model was called, how often it failed and how long it took: a first look to hold other dashboards against.

It comes from the hourly sums, so it costs the same whatever the number of spans. Durations are counted in buckets 2 %
wide and reported by their middle: quantiles are at most 1 % off.
"""

from __future__ import annotations

import polars as pl

from core.audit import Ask
from core.stats.quantiles import bucket_middle_ms, of_histogram

TRAFFIC = """
select
    line_kind,
    coalesce(model, '') as model,
    ok,
    duration_bucket,
    cast(sum(calls) as bigint) as calls
from call_hours
where import_id <= $as_of
group by line_kind, coalesce(model, ''), ok, duration_bucket
having sum(calls) <> 0
"""
"""Counted calls by model, success and duration bucket, as of a data version."""

SHARES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
SCHEMA: dict[str, type[pl.DataType]] = {
    "line_kind": pl.String,
    "model": pl.String,
    "calls": pl.Int64,
    "failed_share": pl.Float64,
    **dict.fromkeys(SHARES, pl.Float64),
}


def traffic(ask: Ask, as_of: int) -> pl.DataFrame:
    """A row a kind and model, most calls first; durations are of calls that succeeded, null where none did."""
    rows = []
    counted = ask(TRAFFIC, as_of=as_of)
    for (kind, model), part in counted.group_by("line_kind", "model"):
        fine = part.filter("ok")
        calls = int(part["calls"].sum())
        rows.append((kind, model, calls, 1 - int(fine["calls"].sum()) / calls, *_quantiles(fine)))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").sort("calls", "model", descending=[True, False])


def _quantiles(fine: pl.DataFrame) -> list[float | None]:
    if fine.is_empty():
        return [None] * len(SHARES)
    middles = [bucket_middle_ms(bucket) for bucket in fine["duration_bucket"]]
    return [of_histogram(middles, fine["calls"].to_list(), share).value for share in SHARES.values()]
