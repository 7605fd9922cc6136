"""Pictures of the retry audit. Keys of `figures` are the names of the exports."""

from __future__ import annotations

from decimal import Decimal

import plotly.graph_objects as go
import polars as pl

from core.audits.retry_ledger_measure import Retries
from core.charts import (
    Bar,
    Flow,
    Line,
    Mark,
    Step,
    bars,
    lines,
    sankey,
    stacked_share,
    step_cumulative,
    waterfall,
)
from core.reconcile import Amount
from core.stats.proportions import wilson

LABELS = {
    "converting": "converting attempt",
    "other_successful": "other successful",
    "rescued": "failed, then rescued",
    "unrescued": "failed, never rescued",
    "orphans": "orphans",
    "hidden": "billed, not traced",
    "unbilled": "traced, not billed",
    "maybe_billed": "billed, billability uncertain",
    "cut_off": "outside the bill's period",
    "price_variance": "price variance",
    "token_variance": "token variance",
    "undivided_variance": "variance, not divisible",
    "no_bill": "no bill for it",
    "epsilon": "ε, unexplained",
    "traced": "traced and billable",
    "prepaid_or_amortised": "prepaid or amortised usage",
    "unmapped_model": "lines without a known model",
    "expected": "expected cost",
}
LOSS = ("rescued", "unrescued", "hidden")
GRADES = {"declared": "good", "observed": "accent", "inferred": "other", "unobservable": "warn"}


def figures(frames: dict[str, pl.DataFrame], retries: Retries) -> dict[str, go.Figure]:
    """Every picture the data can carry; one that cannot be drawn is absent, never empty."""
    marks = [Mark(row["day"], row["title"]) for row in frames["changes"].rows(named=True)]
    drawn = {
        "retry_count_bridge": bridge(retries, "count"),
        "retry_money_bridge": bridge(retries, "money"),
    }
    if any(row.bridge == "billing" for row in retries.bridges):
        drawn["retry_billing_bridge"] = bridge(retries, "billing")
    drawn["retry_error_rate_by_grain"] = bars(
        [Bar(f"{g.grain} ({g.n:,})", g.failed / g.n, g.low, g.high) for g in retries.grains if g.n], "share"
    )
    drawn["retry_error_rate_over_time"] = _over_time(frames, marks)
    if sum(retries.grades.values()):
        parts = [Bar(grade, n, colour_role=GRADES[grade]) for grade, n in retries.grades.items()]
        drawn["retry_grades"] = stacked_share(parts, "count")
    flows = _flows(frames["attempts"])
    if flows:
        drawn["retry_flow"] = sankey(flows, "attempts")
    if len(retries.books.days) > 1:
        drawn["retry_billed_minus_traced"] = _cumulative(retries, marks)
    return drawn


def bridge(retries: Retries, name: str) -> go.Figure:
    """One bridge as a waterfall; a part of zero is left out, epsilon never is."""
    rows = [row for row in retries.bridges if row.bridge == name]
    shown = [row for row in rows if row.kind == "total" or row.bucket == "epsilon" or _value(row)]
    return waterfall([_step(row) for row in shown], retries.currency if name == "money" else "count")


def _value(row: Amount) -> int | Decimal:
    if row.bridge == "money":
        return row.usd or Decimal(0)
    return row.n or 0


def _step(row: Amount) -> Step:
    label = LABELS.get(row.bucket, row.bucket.replace("_", " "))
    if row.kind == "total":
        return Step(label, _value(row), "total")
    if row.bucket == "epsilon":
        return Step(label, _value(row), "rest")
    kind = "plus" if _value(row) >= 0 else "minus"
    return Step(label, _value(row), kind, "loss" if row.bucket in LOSS else "")  # type: ignore[arg-type]


def _over_time(frames: dict[str, pl.DataFrame], marks: list[Mark]) -> go.Figure:
    """Error rate of attempts, operations and runs by UTC day with Wilson intervals."""
    attempts = frames["attempts"].filter(pl.col("cluster").is_null())
    failed = pl.col("attempts").filter(pl.col("failed") == 1).sum()
    by_day = {
        "attempts": attempts.group_by("day").agg(n=pl.col("attempts").sum(), failed=failed),
        "operations": attempts.filter(pl.col("is_last") == 1)
        .group_by("day")
        .agg(n=pl.col("attempts").sum(), failed=failed),
        "runs": frames["runs"]
        .filter(pl.col("cluster").is_null())
        .group_by("day")
        .agg(n=pl.col("runs").sum(), failed=pl.col("runs").filter(pl.col("run_ok") == 0).sum()),
    }
    roles = {"attempts": "loss", "operations": "accent", "runs": "other"}
    return lines([_daily(name, days, roles[name]) for name, days in by_day.items()], "share", marks)


def _daily(name: str, days: pl.DataFrame, role: str) -> Line:
    rows = days.sort("day").rows(named=True)
    bounds = [wilson(row["failed"], row["n"]) for row in rows]
    return Line(
        name,
        [row["day"] for row in rows],
        [row["failed"] / row["n"] for row in rows],
        [bound.low for bound in bounds],
        [bound.high for bound in bounds],
        role,
    )


def _flows(attempts: pl.DataFrame) -> list[Flow]:
    """First attempts to success or failure, failures to a retry or the end, retries to success or failure."""
    days = attempts.filter(pl.col("cluster").is_null())

    def n(*conditions: pl.Expr) -> int:
        return int(days.filter(*conditions)["attempts"].sum())

    first, retry = pl.col("before") == -1, pl.col("before") != -1
    bad, good, last = pl.col("failed") == 1, pl.col("failed") == 0, pl.col("is_last") == 1
    flows = [
        Flow("first attempt", "succeeded at once", n(first, good), "useful"),
        Flow("first attempt", "first attempt failed", n(first, bad), "loss"),
        Flow("first attempt failed", "gave up", n(first, bad, last), "loss"),
        Flow("first attempt failed", "retried", n(first, bad, ~last), "warn"),
        Flow("retried", "rescued", n(retry, good), "good"),
        Flow("retried", "retry failed, gave up", n(retry, bad, last), "loss"),
    ]
    return [flow for flow in flows if flow.value]


def _cumulative(retries: Retries, marks: list[Mark]) -> go.Figure:
    days = retries.books.days
    sums = []
    running = 0
    for day in days:
        running += day.billed - day.traced
        sums.append(running)
    drift = retries.books.drift
    if drift is not None and drift.alarm is not None:
        marks = [*marks, Mark(days[drift.alarm].day, f"alarm, {drift.alpha:.0%} false", True)]
    return step_cumulative(
        "billed − traced requests, running sum", [day.day for day in days], sums, "count", None, marks
    )
