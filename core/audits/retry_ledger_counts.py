"""The retry audit's numbers from its frames: three counts, rates by grain, costs, dependence. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from core.audit import Measure
from core.reconcile import ZERO
from core.stats.proportions import newcombe, wilson
from core.stats.quantiles import QuantileInterval, bucket_middle_ms, of_histogram
from core.stats.resampling import ratio_interval

FEWEST_CLUSTERS = 20
"""Below it the bootstrap's tails rest on a handful of runs, and no interval is given."""


class Product(NamedTuple):
    """Runs in scope. `definition` says what 'converted' means; `with_outcome` runs have a recorded outcome."""

    definition: str
    runs: int
    converted: int
    with_outcome: int


class Grain(NamedTuple):
    """Failures at one grain with the 95 % Wilson interval of the share; n 0 leaves low and high at 0 and 1."""

    grain: str
    failed: int
    n: int
    low: float
    high: float


class Spend(NamedTuple):
    """Expected cost of traced attempts in USD, by bucket, and how many attempts have no price."""

    by_bucket: dict[str, Decimal]
    inference_by_bucket: dict[str, Decimal]
    attempts_by_bucket: dict[str, int]
    inference_lines: int
    tool_lines: int
    tool_retries: int
    unpriced: int
    """Lines that may be billed and have no expected cost: unknown model or usage not reported."""

    @property
    def total(self) -> Decimal:
        """All traced attempts."""
        return sum(self.by_bucket.values(), ZERO)

    @property
    def successful(self) -> Decimal:
        """Converting and other successful attempts: what the work costs when every call works at once."""
        return self.by_bucket.get("converting", ZERO) + self.by_bucket.get("other_successful", ZERO)

    @property
    def failed(self) -> int:
        """Failed attempts, rescued or not."""
        return self.attempts_by_bucket.get("rescued", 0) + self.attempts_by_bucket.get("unrescued", 0)

    @property
    def wasted(self) -> Decimal:
        """Failed attempts, rescued or not; orphans are not in it, because nobody knows what they led to."""
        return self.by_bucket.get("rescued", ZERO) + self.by_bucket.get("unrescued", ZERO)


class Dependence(NamedTuple):
    """Does a failure make the next attempt likelier to fail? Counts, and the Newcombe interval of the rise."""

    failed_after_failure: int
    after_failure: int
    failed_first: int
    first: int
    low: float | None
    high: float | None


class Waiting(NamedTuple):
    """Time calls spent outside their last attempt. Quantiles over calls that waited, in ms."""

    total_ms: float
    calls: int
    p50: QuantileInterval | None
    p95: QuantileInterval | None


def product(runs: pl.DataFrame) -> Product:
    """Converted runs by recorded outcome if there is any in scope, else by completion as a declared proxy."""
    days = runs.filter(pl.col("cluster").is_null())
    n = int(days["runs"].sum())
    stated = int(days.filter(pl.col("outcome") >= 0)["runs"].sum())
    if stated:
        return Product("outcome", n, int(days.filter(pl.col("outcome") == 1)["runs"].sum()), stated)
    return Product("completed", n, int(days.filter(pl.col("run_ok") == 1)["runs"].sum()), 0)


def with_bucket(attempts: pl.DataFrame, definition: str) -> pl.DataFrame:
    """Attempts with the final bucket: the last success converts if its run did, and is otherwise one of many."""
    converted = pl.col("outcome") == 1 if definition == "outcome" else pl.col("run_ok") == 1
    last = pl.col("bucket") == "last_success"
    bucket = (
        pl.when(last & converted)
        .then(pl.lit("converting"))
        .when(last)
        .then(pl.lit("other_successful"))
        .otherwise(pl.col("bucket"))
    )
    return attempts.with_columns(bucket=bucket)


def grain(name: str, failed: int, n: int) -> Grain:
    """A grain's counts with the interval of their share."""
    low, high = wilson(failed, n) if n else (0.0, 1.0)
    return Grain(name, failed, n, low, high)


def grains(attempts: pl.DataFrame, counted: Product, runs: pl.DataFrame) -> tuple[Grain, ...]:
    """Error rate by attempt seen, attempt of a call whose attempts are all known, operation and run.

    A run fails when it did not complete, whatever its outcome: that is SRE's count, not product's.
    """
    days = attempts.filter(pl.col("cluster").is_null())
    known = days.filter(pl.col("grade") != "unobservable")
    last = days.filter(pl.col("is_last") == 1)
    completed = int(runs.filter(pl.col("cluster").is_null() & (pl.col("run_ok") == 1))["runs"].sum())
    return (
        grain("attempt", _failed(days), int(days["attempts"].sum())),
        grain("attempt, all known", _failed(known), int(known["attempts"].sum())),
        grain("operation", _failed(last), int(last["attempts"].sum())),
        grain("run", counted.runs - completed, counted.runs),
    )


def _failed(attempts: pl.DataFrame) -> int:
    return int(attempts.filter(pl.col("failed") == 1)["attempts"].sum())


def spend(attempts: pl.DataFrame) -> Spend:
    """Counts and expected money by bucket; `attempts` with final buckets."""
    days = attempts.filter(pl.col("cluster").is_null())
    sums = days.group_by("bucket").agg(
        pl.col("attempts").sum(),
        inference=pl.col("inference_usd").sum(),
        tool=pl.col("tool_usd").sum(),
    )
    rows = {row["bucket"]: row for row in sums.sort("bucket").rows(named=True)}
    return Spend(
        {bucket: row["inference"] + row["tool"] for bucket, row in rows.items()},
        {bucket: row["inference"] for bucket, row in rows.items()},
        {bucket: row["attempts"] for bucket, row in rows.items()},
        int(days["inference_lines"].sum()),
        int(days["tool_lines"].sum()),
        int(days["tool_retries"].sum()),
        int(days["unpriced"].sum()),
    )


def multiplier(by_bucket: Mapping[str, Decimal]) -> float | None:
    """All attempts over the converting ones: 4.00 means that one conversion paid for four; None without one."""
    converting = by_bucket.get("converting", ZERO)
    return float(sum(by_bucket.values(), ZERO) / converting) if converting else None


def clusters(attempts: pl.DataFrame, runs: pl.DataFrame, definition: str) -> pl.DataFrame:
    """Per cluster of runs: all_usd, successful_usd, conversions. The unit that the bootstrap draws."""
    good = pl.col("bucket").is_in(["converting", "other_successful"])
    # Summed as decimals, so that the order of rows cannot matter; a ratio's interval needs no more than doubles.
    usd = pl.col("inference_usd") + pl.col("tool_usd")
    costs = (
        attempts.filter(pl.col("cluster").is_not_null())
        .group_by("cluster")
        .agg(all_usd=usd.sum().cast(pl.Float64), successful_usd=usd.filter(good).sum().cast(pl.Float64))
    )
    converted = pl.col("outcome") == 1 if definition == "outcome" else pl.col("run_ok") == 1
    counted = (
        runs.filter(pl.col("cluster").is_not_null())
        .group_by("cluster")
        .agg(conversions=pl.col("runs").filter(converted).sum())
    )
    joined = costs.join(counted, on="cluster", how="full", coalesce=True)
    return joined.fill_null(0).sort("cluster")


def ratio(table: pl.DataFrame, numerator: str, denominator: str) -> Measure | None:
    """sum / sum with its cluster bootstrap interval; None when there is nothing to divide by or to draw."""
    if table.height < FEWEST_CLUSTERS or not float(table[denominator].sum()) > 0:
        return None
    found = ratio_interval(table[numerator].to_numpy(), table[denominator].to_numpy())
    return Measure(found.value, found.low, found.high, found.n, found.method)


def dependence(attempts: pl.DataFrame) -> Dependence:
    """P(fail | the attempt before it failed) beside P(a first attempt fails): measured, never assumed equal."""
    days = attempts.filter(pl.col("cluster").is_null())
    after, first = days.filter(pl.col("before") == 1), days.filter(pl.col("before") == -1)
    k1, n1, k2, n2 = (
        _failed(after),
        int(after["attempts"].sum()),
        _failed(first),
        int(first["attempts"].sum()),
    )
    low, high = newcombe(k1, n1, k2, n2) if n1 and n2 else (None, None)
    return Dependence(k1, n1, k2, n2, low, high)


def waiting(calls: pl.DataFrame) -> Waiting:
    """Added latency from the log-spaced buckets of the calls that waited (1 % wide)."""
    kept = calls.filter(pl.col("removed_rule") == "")
    total_ms = int(kept["waiting_ns"].sum()) / 1e6
    waited = kept.filter(pl.col("waiting_bucket").is_not_null())
    n = int(waited["calls"].sum())
    if not n:
        return Waiting(total_ms, 0, None, None)
    middles = [bucket_middle_ms(bucket) for bucket in waited["waiting_bucket"].to_list()]
    counts = waited["calls"].to_list()
    return Waiting(total_ms, n, of_histogram(middles, counts, 0.5), of_histogram(middles, counts, 0.95))


def grade_counts(calls: pl.DataFrame) -> dict[str, int]:
    """Logical calls by grade, every grade present."""
    kept = calls.filter(pl.col("removed_rule") == "")
    sums = {
        row["grade"]: row["calls"]
        for row in kept.group_by("grade").agg(pl.col("calls").sum()).rows(named=True)
    }
    return {grade: sums.get(grade, 0) for grade in ("declared", "observed", "inferred", "unobservable")}


def removed_counts(calls: pl.DataFrame) -> dict[str, int]:
    """Calls not counted because another span tells of them, by rule."""
    gone = calls.filter(pl.col("removed_rule") != "").group_by("removed_rule").agg(pl.col("calls").sum())
    return {row["removed_rule"]: row["calls"] for row in gone.sort("removed_rule").rows(named=True)}
