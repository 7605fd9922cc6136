"""Settling call by call, where a bill carries response ids: no estimate, only an anti-join in both directions."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

import polars as pl

from core.reconcile import ZERO, Key, Period, Settlement, Traced
from core.reconcile.bills import Bill

FEWEST_MATCHED_SHARE = 0.5
"""Gateways invent ids for some providers (LiteLLM for Anthropic): then nothing matches, and an anti-join would call
the whole bill hidden. Below this share of matched calls the cells are compared instead."""


def by_call_providers(
    bills: pl.DataFrame, joins: pl.DataFrame, bill: Bill, currency: str = "USD"
) -> set[str]:
    """Providers whose invoice carries a response id on every usage line, most of them found in the traces."""
    usage = bills.filter(
        (pl.col("measure") == "cost")
        & (pl.col("charge_category") == "Usage")
        & (pl.col("charge_class") == "")
        & (pl.col("billing_currency") == currency)
        & (pl.col("token_type").fill_null("") != "tool")
    )
    keys = ["provider", "source_format"]
    sums = usage.group_by(keys).agg(pl.col("lines").sum(), pl.col("with_id").sum())
    matched = joins.group_by(keys).agg(
        calls=pl.col("calls").sum(), matched=pl.col("calls").filter(pl.col("joined") != "billed_only").sum()
    )
    return {
        row["provider"]
        for row in sums.join(matched, on=keys).rows(named=True)
        if bill.sources.get(row["provider"]) == row["source_format"]
        and row["lines"] == row["with_id"]
        and row["matched"] >= FEWEST_MATCHED_SHARE * row["calls"]
    }


def settle_calls(
    joins: pl.DataFrame, traced: Mapping[Key, Traced], provider: str, source: str, period: Period
) -> Settlement:
    """One provider's settlement; `joins` as in retry_ledger_bill_sql.JOINS.

    A matched call whose token counts agree differs in price, one whose counts differ in tokens. A traced call
    without a billed one is unbilled, or cut off when its day is outside the bill's period.
    """
    chosen = (pl.col("provider") == provider) & (pl.col("source_format") == source)
    expected: dict[dt.date, Decimal] = defaultdict(lambda: ZERO)
    sure: dict[dt.date, int] = defaultdict(int)
    for (of, _, day), cell in traced.items():
        if of == provider:
            expected[day] += cell.expected_usd
            sure[day] += cell.sure
    matched: dict[dt.date, int] = defaultdict(int)
    differences = {"same_tokens": ZERO, "other_tokens": ZERO, "billed_only": ZERO}
    hidden_calls = 0
    for row in joins.filter(chosen).rows(named=True):
        differences[row["joined"]] += row["usage_usd"] - row["expected_usd"]
        if row["joined"] == "billed_only":
            hidden_calls += row["calls"]
        else:
            expected[row["day"]] -= row["expected_usd"]
            matched[row["day"]] += row["calls"]
    days = {*expected, *sure, *matched}
    inside = {day for day in days if period.first <= day <= period.last}
    outside = days - inside
    return Settlement(
        hidden=differences["billed_only"],
        unbilled=sum((expected[day] for day in inside), ZERO),
        price=differences["same_tokens"],
        token=differences["other_tokens"],
        cut_off=-sum((expected[day] for day in outside), ZERO),
        hidden_requests=hidden_calls,
        unbilled_requests=sum(max(sure[day] - matched[day], 0) for day in inside),
        maybe_requests=sum(max(matched[day] - sure[day], 0) for day in days),
        cut_off_requests=-sum(max(sure[day] - matched[day], 0) for day in outside),
    )
