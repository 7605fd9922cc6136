"""Everything the retry page shows, put together from the counts and the settled books."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import polars as pl

from core.amounts import count
from core.audit import Measure, Scope
from core.audits.retry_ledger_books import Books
from core.audits.retry_ledger_counts import (
    Dependence,
    Grain,
    Product,
    Spend,
    Waiting,
    clusters,
    dependence,
    grade_counts,
    grains,
    multiplier,
    product,
    ratio,
    removed_counts,
    spend,
    waiting,
    with_bucket,
)
from core.reconcile import ZERO, Amount, billing_bridge, count_bridge, money_bridge
from core.stats.proportions import clopper_pearson


class Retries(NamedTuple):
    """The measure of the retry audit. Money in `currency`, shares 0 to 1; None where the data cannot carry a number."""

    product: Product
    grains: tuple[Grain, ...]
    """attempt, attempt of a call whose attempts are all known, operation, run."""
    spend: Spend
    books: Books
    bridges: tuple[Amount, ...]
    naive_usd: Decimal
    """Expected cost of successful attempts: every call counted once."""
    all_in_usd: Decimal
    """Expected cost of every traced attempt, plus what the bill has hidden beside traced calls."""
    hidden_usd: Decimal
    gap_value: float | None
    """all_in / naive - 1."""
    gap: Measure | None
    cost_per_conversion: Measure | None
    """Traced attempts, USD per converted run, bootstrap by cluster of runs."""
    inference_multiplier: float | None
    """All inference cost over that of the converting attempts."""
    all_in_multiplier: float | None
    """All traced cost, tools included, over that of the converting attempts."""
    dependence: Dependence
    waiting: Waiting
    grades: dict[str, int]
    removed: dict[str, int]
    double_counting: str
    """'removed' or 'kept': whether calls told twice are counted once."""
    limit: float
    currency: str
    notes: tuple[str, ...]
    """What is missing or set aside, one sentence each."""

    @property
    def attempts_known(self) -> bool:
        """Whether any call shows how often it was sent."""
        return any(n for grade, n in self.grades.items() if grade != "unobservable")

    @property
    def not_known(self) -> str:
        """The notes as one text."""
        return " ".join(f"{note[0].upper()}{note[1:]}." for note in self.notes)


def measured(frames: dict[str, pl.DataFrame], books: Books, scope: Scope, limit: float) -> Retries:
    """Put the measure together; pure, and the same whatever the order of rows."""
    counted = product(frames["runs"])
    attempts = with_bucket(frames["attempts"], counted.definition)
    spent = spend(attempts)
    table = clusters(attempts, frames["runs"], counted.definition)
    hidden = books.settled.hidden
    gap_value = float((spent.total + hidden) / spent.successful) - 1 if spent.successful else None
    return Retries(
        product=counted,
        grains=grains(attempts, counted, frames["runs"]),
        spend=spent,
        books=books,
        bridges=tuple(_bridges(spent, books)),
        naive_usd=spent.successful,
        all_in_usd=spent.total + hidden,
        hidden_usd=hidden,
        gap_value=gap_value,
        gap=_gap(table, spent, hidden),
        cost_per_conversion=ratio(table, "all_usd", "conversions"),
        inference_multiplier=multiplier(spent.inference_by_bucket),
        all_in_multiplier=multiplier(spent.by_bucket),
        dependence=dependence(attempts),
        waiting=waiting(frames["calls"]),
        grades=grade_counts(frames["calls"]),
        removed=removed_counts(frames["calls"]),
        double_counting=scope.choice("double_counting", "removed"),
        limit=limit,
        currency=scope.currency,
        notes=tuple(_notes(counted, spent, books, grade_counts(frames["calls"]))),
    )


def _gap(table: pl.DataFrame, spent: Spend, hidden: Decimal) -> Measure | None:
    """Cost of all attempts over successful ones, minus 1. Hidden spend has no runs to draw, so it shifts the
    interval by a constant."""
    found = ratio(table, "all_usd", "successful_usd")
    if found is None or not spent.successful:
        return None
    shift = float(hidden / spent.successful) - 1
    high, method = found.high, found.method
    if not spent.failed:
        # No failure seen is not "none possible", and a bootstrap of equal clusters has no width.
        bound = clopper_pearson(0, sum(spent.attempts_by_bucket.values())).high
        high = max(high, 1 / (1 - bound))
        method = "0 failed attempts: Clopper-Pearson bound of their share, at the mean price"
    return Measure(found.value + shift, found.low + shift, high + shift, found.n, method)


def _bridges(spent: Spend, books: Books) -> list[Amount]:
    rows = count_bridge(spent.attempts_by_bucket, sum(spent.attempts_by_bucket.values()))
    if books.counted_providers:
        rows += billing_bridge(books.sure, books.counted, books.billed_requests)
    return rows + money_bridge(
        spent.by_bucket,
        spent.attempts_by_bucket,
        books.settled,
        books.no_bill,
        books.bill.adjustments if books.bill else {},
        books.bill.invoice if books.bill else None,
    )


def _notes(counted: Product, spent: Spend, books: Books, grades: dict[str, int]) -> list[str]:
    notes = []
    if counted.definition == "completed":
        notes.append(
            "no outcome named conversion, task_success or resolved in scope: completed runs stand in"
        )
    elif counted.with_outcome < counted.runs:
        notes.append(
            f"{count(counted.runs - counted.with_outcome)} runs have no outcome and count as not converted"
        )
    if grades["unobservable"]:
        notes.append(
            f"attempts are unknown for {count(grades['unobservable'])} of {count(sum(grades.values()))} calls"
        )
    if spent.unpriced:
        lines = spent.inference_lines + spent.tool_lines
        notes.append(f"{count(spent.unpriced)} of {count(lines)} lines that may be billed have no price")
    if books.why_none:
        notes.append(books.why_none)
    elif books.bill:
        notes += books.bill.set_aside
        notes += [
            f"by response id, {count(seen.in_no_trace)} of {count(seen.calls)} {seen.provider} calls in {seen.source} "
            "are in no trace"
            for seen in books.joined
            if seen.in_no_trace
        ]
        if not books.counted_providers:
            notes.append(
                "cost_lines.requests: no bill in scope counts requests, so hidden requests cannot be counted"
            )
        if books.no_bill and books.no_bill != ZERO:
            notes.append(
                f"no bill for {', '.join(name or 'unnamed providers' for name in books.no_bill_providers)}"
            )
    return notes
