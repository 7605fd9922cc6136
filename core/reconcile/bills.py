"""Which bill is compared with which traces: sources chosen, names matched, cells filled.

Two exports of one provider (a vendor's bill and a gateway's log) are the same money seen twice: one is the
invoice, the others are listed as set aside. Usage lines (tokens, no money) and cost lines are never added.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from core.audit import Choice
from core.reconcile import ZERO, Billed, Key, Period, Traced
from core.reconcile.names import GEN_AI_PROVIDERS, family

GATEWAYS = ("litellm", "langfuse", "openrouter", "helicone", "portkey")
"""Sources that compute a price instead of charging one: used as the invoice only when nothing else bills."""

INVOICE_SOURCE = Choice(
    "invoice_source", "Invoice taken from",
    (
        "", "focus", "openai_costs", "anthropic_costs", "aws_cur", "aws_cur_legacy", "azure_costs", "gcp_billing",
        "openrouter_costs", "litellm", "langfuse",
    ), "",
    "Empty: a vendor's or FOCUS bill before a gateway's log. Two sources are never added.",
)  # fmt: skip
"""The setting of every audit that compares with an invoice; its options are values of cost_lines.source_format."""

TOOLS = "(tools)"
"""Provider name of the cell in which billed tools meet traced tool lines."""


class Bill(NamedTuple):
    """The bill of a scope, ready to be settled against the traces."""

    cells: dict[Key, Billed]
    periods: dict[str, Period]
    invoice: Decimal | None
    """Sum of billed cost of the chosen sources; None without any."""
    adjustments: dict[str, Decimal]
    """What is on the invoice and is not usage of a known model, by name."""
    sources: dict[str, str]
    """Provider -> the source taken as its invoice."""
    set_aside: tuple[str, ...]
    """Sources, currencies and lines left out, each as one sentence."""


def choose_sources(bills: pl.DataFrame, preferred: str = "") -> dict[str, str]:
    """Provider -> source of its invoice: the preferred one, a vendor's or FOCUS bill, then a gateway's log.

    Among equals the one that covers more days wins, then the first by name.
    """
    costs = bills.filter(pl.col("measure") == "cost")
    found = costs.group_by("provider", "source_format").agg(days=pl.col("day").n_unique())
    ranked = sorted(
        found.rows(named=True),
        key=lambda row: (
            row["source_format"] != preferred,
            row["source_format"].startswith(GATEWAYS),
            -row["days"],
            row["source_format"],
        ),
    )
    chosen: dict[str, str] = {}
    for row in ranked:
        chosen.setdefault(row["provider"], row["source_format"])
    return chosen


def read_bill(bills: pl.DataFrame, preferred: str = "", currency: str = "USD") -> Bill:
    """Choose sources and fill the billed cells; `bills` as in retry_ledger_bill_sql.BILLS."""
    in_currency = (pl.col("billing_currency") == currency) | (pl.col("measure") == "usage")
    sources = choose_sources(bills.filter(in_currency), preferred)
    chosen = [provider + "\x1f" + source for provider, source in sources.items()]
    label = pl.concat_str("provider", "source_format", separator="\x1f")
    is_cost = pl.col("measure") == "cost"
    costs = bills.filter(in_currency & is_cost & label.is_in(chosen))
    is_usage = (pl.col("charge_category") == "Usage") & (pl.col("charge_class") == "")
    usage = costs.filter(is_usage)
    mapped = _with_models(usage)
    counted = bills.filter(~is_cost & pl.col("provider").is_in(list(sources)))
    return Bill(
        cells=_cells(mapped, _with_models(counted, mapped)),
        periods=_periods(costs),
        invoice=_total(costs, "billed_usd") if costs.height else None,
        adjustments=_adjustments(costs.filter(~is_usage), usage, mapped),
        sources=sources,
        set_aside=(
            *_other_sources(bills, sources),
            *_other_currencies(bills.filter(~in_currency)),
            *_estimates(costs),
        ),
    )


def _total(rows: pl.DataFrame, column: str) -> Decimal:
    return sum((value for value in rows[column].to_list() if value is not None), ZERO)


def _with_models(usage: pl.DataFrame, billed: pl.DataFrame | None = None) -> pl.DataFrame:
    """Usage of a known model, and tools. A provider that names no model at all is kept as one nameless model if it
    sells models or counts tokens or requests, as are lines that carry a response id: those are settled call by
    call. What is left sells no model use, or does not say which: unmapped. `billed` decides for a usage export."""
    tool = pl.col("token_type").fill_null("") == "tool"
    named = (
        usage.filter(pl.col("model").is_not_null() & ~tool)
        if billed is None
        else billed.filter(pl.col("model") != "")
    )
    counts = pl.col("tokens").is_not_null() | pl.col("requests").is_not_null()
    sells_models = {*GEN_AI_PROVIDERS, *(usage if billed is None else billed).filter(counts)["provider"]}
    unnamed = ~pl.col("provider").is_in(named["provider"].unique().to_list())
    nameless = unnamed & pl.col("provider").is_in(sorted(sells_models))
    by_call = pl.col("with_id") == pl.col("lines")
    keep = tool | by_call | pl.col("model").is_not_null() | nameless
    model = (
        pl.when(tool)
        .then(pl.lit("tool"))
        .when(nameless)
        .then(pl.lit(""))
        .otherwise(pl.col("model").fill_null(""))
    )
    provider = pl.when(tool).then(pl.lit(TOOLS)).otherwise(pl.col("provider"))
    return usage.filter(keep).with_columns(provider=provider, model=model)


def _estimates(costs: pl.DataFrame) -> list[str]:
    """Sources that state no billed cost: their own estimate stands in for the invoice."""
    rows = (
        costs.filter(pl.col("without_invoice") > 0)
        .select("provider", "source_format")
        .unique()
        .sort(pl.all())
    )
    return [
        f"{row['source_format']} states no billed cost for {row['provider']}: its own estimate stands in"
        for row in rows.rows(named=True)
    ]


def _periods(costs: pl.DataFrame) -> dict[str, Period]:
    usage = costs.filter(pl.col("charge_category") == "Usage")
    days = usage.group_by("provider").agg(first=pl.col("day").min(), last=pl.col("day").max())
    periods = {row["provider"]: Period(row["first"], row["last"]) for row in days.rows(named=True)}
    if usage.filter(pl.col("token_type") == "tool").height:
        periods[TOOLS] = Period(usage["day"].min(), usage["day"].max())  # type: ignore[arg-type]
    return periods


def _cells(costs: pl.DataFrame, counted: pl.DataFrame) -> dict[Key, Billed]:
    """Cost, requests and tokens per cell. Counts of a usage export fill in only what the bill does not say."""
    cells: dict[Key, Billed] = {}
    keys = ["provider", "model", "day"]
    extra = dict(counted.group_by(keys))
    for key, rows in costs.sort(keys).group_by(keys, maintain_order=True):
        usage = extra.get(key, counted.clear())
        tokens, spent = _by_type(rows)
        if not tokens:
            tokens, spent = _by_type(usage)[0], {}
        requests = _requests(rows)
        requests = _requests(usage) if requests is None else requests
        provider, model, day = key
        cells[(str(provider), str(model), _day(day))] = Billed(
            _total(rows, "usage_usd"), requests, tokens, spent
        )
    return cells


def _day(value: object) -> dt.date:
    assert isinstance(value, dt.date)
    return value


def _requests(rows: pl.DataFrame) -> int | None:
    """Sum of the requests lines state; one source only, because two sources state the same requests twice."""
    known = rows.filter(pl.col("requests").is_not_null())
    if not known.height:
        return None
    first = known["source_format"].sort()[0]
    return int(known.filter(pl.col("source_format") == first)["requests"].sum())


def _by_type(rows: pl.DataFrame) -> tuple[dict[str, int], dict[str, Decimal]]:
    """Tokens and money by token type; reasoning counts as output, as it does in the traces."""
    tokens: dict[str, int] = defaultdict(int)
    spent: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for row in rows.filter(pl.col("tokens").is_not_null()).rows(named=True):
        kind = "output" if row["token_type"] == "reasoning" else row["token_type"] or "mixed"
        tokens[kind] += row["tokens"]
        spent[kind] += row["usage_usd"] or ZERO
    return dict(tokens), dict(spent)


def _adjustments(others: pl.DataFrame, usage: pl.DataFrame, mapped: pl.DataFrame) -> dict[str, Decimal]:
    """What separates usage from the invoice, by name; an amount of 0 is left out."""
    named: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for row in others.rows(named=True):
        name = "corrections" if row["charge_class"] else str(row["charge_category"]).lower()
        named[name] += row["billed_usd"] or ZERO
    # Prepaid usage is billed at 0 and costs its amortised share; the purchase that paid for it is its own row.
    named["prepaid_or_amortised"] = _total(usage, "billed_usd") - _total(usage, "usage_usd")
    named["unmapped_model"] = _total(usage, "usage_usd") - _total(mapped, "usage_usd")
    return {name: amount for name, amount in named.items() if amount}


def _other_sources(bills: pl.DataFrame, sources: dict[str, str]) -> list[str]:
    costs = (
        bills.filter(pl.col("measure") == "cost").select("provider", "source_format").unique().sort(pl.all())
    )
    return [
        f"{row['source_format']} also bills {row['provider'] or 'an unnamed provider'}: the same money as "
        f"{sources[row['provider']]}, not added"
        for row in costs.rows(named=True)
        if row["provider"] in sources and sources[row["provider"]] != row["source_format"]
    ]


def _other_currencies(rows: pl.DataFrame) -> list[str]:
    sums = rows.group_by("billing_currency").agg(pl.col("billed_usd").sum(), pl.col("lines").sum())
    return [
        f"{row['lines']} lines in {row['billing_currency'] or 'no stated currency'} "
        f"({row['billed_usd']}) are not converted and not compared"
        for row in sums.sort("billing_currency").rows(named=True)
    ]


def traced_cells(cells: pl.DataFrame, bill: Bill) -> dict[Key, Traced]:
    """The traced side under the names the bill uses; `cells` as in retry_ledger_bill_sql.CELLS."""
    nameless = {key[0] for key in bill.cells} - {key[0] for key in bill.cells if key[1]}
    gathered: dict[Key, Traced] = {}
    for row in cells.rows(named=True):
        tool = row["line_kind"] == "tool"
        provider = TOOLS if tool else row["provider"]
        model = "tool" if tool else "" if provider in nameless else row["model"]
        key = (provider, model, row["day"])
        gathered[key] = _added(gathered.get(key, Traced(ZERO, 0)), row)
    return gathered


def _added(cell: Traced, row: dict[str, object]) -> Traced:
    lines = int(str(row["lines"]))
    kinds = ("input", "cache_read", "cache_write", "output")
    return Traced(
        cell.expected_usd + Decimal(str(row["expected_usd"])),
        cell.sure + (lines if row["billable"] == "yes" else 0),
        cell.maybe + (lines if row["billable"] == "maybe" else 0),
        {kind: cell.tokens.get(kind, 0) + int(str(row[f"{kind}_tokens"])) for kind in kinds},
    )


def under_one_name(
    traced: dict[Key, Traced], billed: dict[Key, Billed]
) -> tuple[dict[Key, Traced], dict[Key, Billed]]:
    """Give both sides the same model names: exact names where a family has the same set on both, else families."""
    seen: dict[tuple[str, str], tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for provider, model, _ in traced:
        seen[(provider, family(model))][0].add(model)
    for provider, model, _ in billed:
        seen[(provider, family(model))][1].add(model)
    same = {key for key, (one, other) in seen.items() if one == other}

    def named(key: Key) -> Key:
        provider, model, day = key
        return key if (provider, family(model)) in same else (provider, family(model), day)

    left: dict[Key, Traced] = {}
    for key, cell in traced.items():
        left[named(key)] = _merged_traced(left[named(key)], cell) if named(key) in left else cell
    right: dict[Key, Billed] = {}
    for key, line in billed.items():
        right[named(key)] = _merged_billed(right[named(key)], line) if named(key) in right else line
    return left, right


def _merged_traced(one: Traced, other: Traced) -> Traced:
    kinds = {*one.tokens, *other.tokens}
    tokens = {kind: one.tokens.get(kind, 0) + other.tokens.get(kind, 0) for kind in kinds}
    return Traced(
        one.expected_usd + other.expected_usd, one.sure + other.sure, one.maybe + other.maybe, tokens
    )


def _merged_billed(one: Billed, other: Billed) -> Billed:
    kinds = {*one.tokens, *other.tokens}
    requests = None if one.requests is None or other.requests is None else one.requests + other.requests
    priced = bool(one.costs) and bool(other.costs)
    return Billed(
        one.cost_usd + other.cost_usd,
        requests,
        {kind: one.tokens.get(kind, 0) + other.tokens.get(kind, 0) for kind in kinds},
        {k: one.costs.get(k, ZERO) + other.costs.get(k, ZERO) for k in kinds} if priced else {},
    )
