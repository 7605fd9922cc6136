"""What the reconciliation measures: cells split into named differences, what stands apart, and until when it is final."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from core.audit import Scope
from core.audits.bill_reconciliation_cells import Sides, day_of, is_mapped, number, sides, usd
from core.reconcile import ZERO
from core.reconcile.bills import choose_sources
from core.reconcile.completeness import Completeness, DayHistory, completeness
from core.reconcile.differences import TERMS, Cell, Terms, added, slipped, split, unexplained

APART = {"Credit": "credits", "Tax": "tax", "Purchase": "purchases", "Adjustment": "adjustments"}


class CellRow(NamedTuple):
    """One compared cell."""

    cell: Cell
    traced_usd: Decimal
    billed_usd: Decimal
    terms: Terms
    is_open: bool


class Unmapped(NamedTuple):
    """Billed usage that belongs to no model, or to no kind of token, with its amount."""

    source_format: str
    provider: str
    what: str
    """The model where it is known, else the region or project that is all the bill says."""
    why: str
    usd: Decimal
    lines: int


class Caller(NamedTuple):
    """What one project or key of the bill costs. `traced`: None when nothing maps it to a service."""

    provider: str
    project: str
    usd: Decimal
    requests: int | None
    traced: bool | None


class Reconciliation(NamedTuple):
    """Bill against traces; money in `currency`."""

    currency: str
    grain: str
    limit: float
    sources: dict[str, str]
    set_aside: tuple[str, ...]
    completeness: tuple[Completeness, ...]
    cells: tuple[CellRow, ...]
    total: Terms
    """Over all cells, open ones in their own term."""
    closed_usd: Decimal
    """Usage billed on closed days: what the verdict is about."""
    unexplained_usd: tuple[Decimal, Decimal]
    """At least, at most: the part of closed_usd that no trace explains."""
    traced_usd: Decimal
    duplicates_usd: Decimal
    """What calls told twice would add where spans are summed without looking: in dashboards, not in traced_usd."""
    roll_ups_usd: Decimal
    no_bill_usd: Decimal
    apart: dict[str, Decimal]
    """On the invoice and not usage of a model: corrections, credits, tax, purchases, prepaid, unmapped."""
    invoice_usd: Decimal
    unmapped: tuple[Unmapped, ...]
    callers: tuple[Caller, ...]
    restated: tuple[tuple[str, int, Decimal], ...]
    """Source, lines, amount by which later imports changed lines billed before."""
    with_usage: int
    """Traced lines that may be billed and report usage."""
    unpriced: int
    """Of them, those without a price."""
    lines: int
    """Bill lines read."""


class _Chosen(NamedTuple):
    """The lines of the bills that are compared, cut as the differences need them."""

    sources: dict[str, str]
    costs: pl.DataFrame
    """Every line of the chosen sources in the scope's currency."""
    usage: pl.DataFrame
    """Of them, use that corrects nothing."""
    mapped: pl.DataFrame
    """Of that, what belongs to a model or a tool."""
    unmapped: pl.DataFrame
    models: pl.DataFrame
    """Of what is mapped, models."""
    counts: pl.DataFrame
    """Lines of usage exports, without money, of the same providers."""
    set_aside: tuple[str, ...]


def _chosen(billed: pl.DataFrame, scope: Scope) -> _Chosen:
    in_currency = billed.filter(
        (pl.col("billing_currency") == scope.currency) | (pl.col("measure") == "usage")
    )
    sources = choose_sources(in_currency, scope.choice("invoice_source", ""))
    label = pl.concat_str("provider", "source_format", separator="\x1f")
    labels = [f"{provider}\x1f{source}" for provider, source in sources.items()]
    is_cost = pl.col("measure") == "cost"
    costs = in_currency.filter(is_cost & label.is_in(labels))
    usage = costs.filter((pl.col("charge_category") == "Usage") & (pl.col("charge_class") == ""))
    named = set(usage.filter(pl.col("model") != "")["provider"])
    keep = pl.Series([is_mapped(row, named) for row in usage.rows(named=True)], dtype=pl.Boolean)
    mapped = usage.filter(keep)
    return _Chosen(
        sources,
        costs,
        usage,
        mapped,
        usage.filter(~keep),
        mapped.filter(pl.col("token_type") != "tool"),
        in_currency.filter(~is_cost & pl.col("provider").is_in(list(sources))),
        _set_aside(billed, in_currency, sources, scope.currency),
    )


def measured(frames: dict[str, pl.DataFrame], scope: Scope, limit: float) -> Reconciliation:
    """Split every cell of the chosen bills; `frames` as in bill_reconciliation.load."""
    bill = _chosen(frames["billed"], scope)
    traced = frames["traced"]
    has_bill = pl.col("provider").is_in(bill.models["provider"].unique().to_list())
    both = sides(traced.filter(has_bill), bill.models, bill.counts)
    final = _completeness(frames["history"], bill.sources)
    cells = _cells(both, final)
    total = added(row.terms for row in cells)
    closed = [row for row in cells if not row.is_open]
    return Reconciliation(
        currency=scope.currency,
        grain=scope.choice("grain", "day"),
        limit=limit,
        sources=bill.sources,
        set_aside=bill.set_aside,
        completeness=final,
        cells=cells,
        total=total,
        closed_usd=sum((row.billed_usd for row in closed), ZERO),
        unexplained_usd=unexplained(added(row.terms for row in closed)),
        traced_usd=sum((row.traced_usd for row in cells), ZERO),
        duplicates_usd=both.duplicates_usd,
        roll_ups_usd=both.roll_ups_usd,
        no_bill_usd=_sum(traced.filter(~has_bill & (pl.col("removed_rule") == "")), "expected_usd"),
        apart=_apart(bill),
        invoice_usd=_sum(bill.costs, "billed_usd"),
        unmapped=_unmapped(bill.unmapped, bill.models),
        callers=_callers(bill.models, traced),
        restated=_restated(frames["restated"], scope.currency),
        with_usage=both.with_usage,
        unpriced=both.unpriced,
        lines=int(bill.costs["lines"].sum()),
    )


def _sum(rows: pl.DataFrame, column: str) -> Decimal:
    return sum((value for value in rows[column].to_list() if value is not None), ZERO)


def _completeness(history: pl.DataFrame, sources: dict[str, str]) -> tuple[Completeness, ...]:
    epoch, day_ns = dt.date(1970, 1, 1), 86_400 * 10**9
    newest: dict[str, int] = defaultdict(int)
    days: dict[tuple[str, str], list[DayHistory]] = defaultdict(list)
    for row in history.rows(named=True):
        source, changed_ns = str(row["source_format"]), number(row, "changed_ns")
        newest[source] = max(newest[source], changed_ns)
        changed_on = epoch + dt.timedelta(days=changed_ns // day_ns)
        days[(str(row["provider"]), source)].append(
            DayHistory(day_of(row), number(row, "imports"), changed_on)
        )
    return tuple(
        completeness(
            source, provider, sorted(days[(provider, source)]), epoch + dt.timedelta(days=newest[source] // day_ns)
        )
        for provider, source in sorted(sources.items())
        if (provider, source) in days
    )  # fmt: skip


def _cells(both: Sides, final: tuple[Completeness, ...]) -> tuple[CellRow, ...]:
    periods = {one.provider: one for one in final}
    terms: dict[Cell, Terms] = {}
    open_cells = set()
    for cell in {*both.traced, *both.billed}:
        period = periods[cell.provider]
        is_open = period.closed_through < cell.day <= period.last
        within = period.first <= cell.day <= period.last
        if is_open:
            open_cells.add(cell)
        terms[cell] = split(both.traced.get(cell), both.billed.get(cell), is_open, within)
    settled = slipped(terms)
    return tuple(
        CellRow(
            cell,
            both.traced[cell].expected_usd if cell in both.traced else ZERO,
            both.billed[cell].cost_usd if cell in both.billed else ZERO,
            settled[cell],
            cell in open_cells,
        )
        for cell in sorted(settled, key=lambda one: (one.provider, one.project, one.model, one.day, one.hour or 0))
    )  # fmt: skip


def _apart(bill: _Chosen) -> dict[str, Decimal]:
    """What separates the cells from the invoice, by name; amounts of 0 are left out."""
    named: dict[str, Decimal] = defaultdict(lambda: ZERO)
    others = bill.costs.filter((pl.col("charge_category") != "Usage") | (pl.col("charge_class") != ""))
    for row in others.rows(named=True):
        name = "corrections" if row["charge_class"] else APART.get(row["charge_category"], "adjustments")
        named[name] += usd(row, "billed_usd")
    named["prepaid"] = _sum(bill.usage, "billed_usd") - _sum(bill.usage, "usage_usd")
    named["unmapped"] = _sum(bill.unmapped, "usage_usd")
    named["tools"] = _sum(bill.mapped, "usage_usd") - _sum(bill.models, "usage_usd")
    return {name: amount for name, amount in sorted(named.items()) if amount}


def _unmapped(without_model: pl.DataFrame, models: pl.DataFrame) -> tuple[Unmapped, ...]:
    sums: dict[tuple[str, str, str, str], list[Decimal | int]] = defaultdict(lambda: [ZERO, 0])
    no_kind = models.filter((pl.col("token_type") == "") & (pl.col("model") != ""))
    for frame, why in ((without_model, "no model"), (no_kind, "no kind of token")):
        for row in frame.rows(named=True):
            what = str(row["model"] or row["region"] or row["sub_account_id"])
            pair = sums[(str(row["source_format"]), str(row["provider"]), what, why)]
            pair[0] += usd(row, "usage_usd")
            pair[1] += number(row, "lines")
    found = [Unmapped(*key, Decimal(pair[0]), int(pair[1])) for key, pair in sums.items()]
    return tuple(sorted(found, key=lambda one: (-abs(one.usd), one)))


def _callers(models: pl.DataFrame, traced: pl.DataFrame) -> tuple[Caller, ...]:
    """What each project or key costs; whether a traced service is mapped to it, where any is."""
    mapped = {
        (str(row["provider"]), str(row["sub_account_id"] or row["api_key_id"]))
        for row in traced.rows(named=True)
    }
    providers = {provider for provider, project in mapped if project}
    sums: dict[tuple[str, str], list[Decimal | int | None]] = {}
    for row in models.rows(named=True):
        key = (str(row["provider"]), str(row["sub_account_id"] or row["api_key_id"]))
        pair = sums.setdefault(key, [ZERO, None])
        pair[0] = (pair[0] or ZERO) + usd(row, "usage_usd")
        if row["requests"] is not None:
            pair[1] = int(pair[1] or 0) + number(row, "requests")
    found = [
        Caller(*key, Decimal(pair[0] or 0), None if pair[1] is None else int(pair[1]),
               key in mapped if key[0] in providers else None)
        for key, pair in sums.items()
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: (-one.usd, one.provider, one.project)))


def _restated(rows: pl.DataFrame, currency: str) -> tuple[tuple[str, int, Decimal], ...]:
    kept = rows.filter((pl.col("billing_currency") == currency) & (pl.col("changed_usd") != 0))
    return tuple(
        (str(row["source_format"]), number(row, "lines"), usd(row, "changed_usd"))
        for row in kept.sort("source_format").rows(named=True)
    )


def _set_aside(
    billed: pl.DataFrame, in_currency: pl.DataFrame, sources: dict[str, str], currency: str
) -> tuple[str, ...]:
    told = []
    costs = in_currency.filter(pl.col("measure") == "cost").select("provider", "source_format").unique()
    for row in costs.sort("provider", "source_format").rows(named=True):
        if sources.get(row["provider"]) != row["source_format"]:
            told.append(
                f"{row['source_format']} also bills {row['provider'] or 'an unnamed provider'}: the same money, not added"
            )
    foreign = (pl.col("measure") == "cost") & (pl.col("billing_currency") != currency)
    sums = billed.filter(foreign).group_by("billing_currency").agg(pl.col("billed_usd").sum())
    for code, amount in sums.sort("billing_currency").iter_rows():
        told.append(f"{amount} in {code or 'no stated currency'} is not converted and not compared")
    return tuple(told)


def bridge(found: Reconciliation) -> list[tuple[str, Decimal, str]]:
    """(name, amount, kind) from what summing every span gives to the invoice; epsilon is what does not close."""
    reported = found.traced_usd + found.duplicates_usd + found.roll_ups_usd
    parts = [("duplicates", -found.duplicates_usd), ("roll_ups", -found.roll_ups_usd)]
    rows = [("spans", reported, "total"), *((name, usd, "part") for name, usd in parts if usd)]
    rows.append(("traced", found.traced_usd, "total"))
    rows += [(name, found.total.amounts[name], "part") for name in TERMS if found.total.amounts[name]]
    rows += [(name, amount, "part") for name, amount in found.apart.items()]
    explained = sum((amount for _, amount, kind in rows if kind == "part"), ZERO)
    epsilon = found.invoice_usd - reported - explained
    return [*rows, ("epsilon", epsilon, "part"), ("invoice", found.invoice_usd, "total")]
