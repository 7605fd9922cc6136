"""From the ledger's frames to cells: names matched, tiers and regions priced, projects joined where they are mapped."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from core.reconcile import ZERO
from core.reconcile.differences import BilledCell, Cell, TracedCell
from core.reconcile.names import GEN_AI_PROVIDERS, family

REGION_UPLIFTS = (Decimal("1.10"),)
"""Known regional uplifts of list prices: Azure data zones and regional deployments, Bedrock and Vertex regional
endpoints, OpenAI data residency, Anthropic US-only inference, each 10 % (providers' price pages, checked 2026-11)."""
UPLIFT_TOLERANCE = Decimal("0.005")
STANDARD_TIERS = ("", "default", "standard", "auto")
ROLL_UP = "roll_up"
KINDS = ("input", "cache_read", "cache_write", "output")
Row = dict[str, object]
Unit = tuple[str, str, str]
"""Provider, model family, token type: what has one standard price."""
Standard = dict[Unit, dict[str, Decimal]]
"""The standard price of a token by region as billed."""


class Sides(NamedTuple):
    """Both sides by cell, and what stands beside them."""

    traced: dict[Cell, TracedCell]
    billed: dict[Cell, BilledCell]
    duplicates_usd: Decimal
    roll_ups_usd: Decimal
    with_usage: int
    """Traced lines that may be billed and report usage."""
    unpriced: int
    """Of them, those without a price."""


def day_of(row: Row) -> dt.date:
    """The row's UTC day."""
    day = row["day"]
    assert isinstance(day, dt.date)
    return day


def usd(row: Row, column: str) -> Decimal:
    """An amount; an unknown one is nothing to add."""
    value = row[column]
    return value if isinstance(value, Decimal) else ZERO


def number(row: Row, column: str) -> int:
    """A count; an unknown one is nothing to add."""
    return int(str(row[column] or 0))


def is_mapped(row: Row, named: set[str]) -> bool:
    """Whether a usage line belongs to a model: named, or of a provider that names none and sells nothing else."""
    if row["model"] or row["token_type"] == "tool":
        return True
    sells = row["provider"] in GEN_AI_PROVIDERS or row["tokens"] is not None or row["requests"] is not None
    return row["provider"] not in named and sells


def sides(traced: pl.DataFrame, costs: pl.DataFrame, counts: pl.DataFrame) -> Sides:
    """Fill the cells. `costs`: mapped usage lines of the chosen bills; `counts`: usage exports of their providers.

    `traced` as in bill_reconciliation_sql.TRACED, only of providers with a bill.
    """
    joined = {
        str(row["provider"]) for row in traced.rows(named=True) if row["sub_account_id"] or row["api_key_id"]
    }
    by_hour = _hourly(costs)
    names = _names(traced, costs)
    left, beside = _traced(traced, joined, by_hour, names)
    return Sides(left, _billed(costs, counts, joined, by_hour, names), *beside)


def _hourly(costs: pl.DataFrame) -> set[str]:
    """Providers whose every billed line has an hour: the others are compared by the day."""
    rows = costs.group_by("provider").agg(earliest=pl.col("hour").min())
    return {row["provider"] for row in rows.rows(named=True) if row["earliest"] >= 0}


def _names(traced: pl.DataFrame, costs: pl.DataFrame) -> dict[tuple[str, str], str]:
    """One name for what both sides mean: the exact one where both have it alone, else the family; '' if unbilled."""
    seen: dict[tuple[str, str], tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for place, frame in enumerate((traced, costs)):
        for provider, model in frame.select("provider", "model").unique().iter_rows():
            seen[(provider, family(model))][place].add(model)
    nameless = {provider for (provider, _), (_, billed) in seen.items() if "" in billed}
    named = {provider for (provider, _), (_, billed) in seen.items() if billed - {""}}
    found: dict[tuple[str, str], str] = {}
    for (provider, of), (one, other) in seen.items():
        shared = of if len(one | other) > 1 else next(iter(one | other))
        name = "" if provider in nameless - named else shared
        found |= {(provider, model): name for model in one | other}
    return found


def _cell(row: Row, project: str, by_hour: set[str], names: dict[tuple[str, str], str]) -> Cell:
    provider = str(row["provider"])
    hour = number(row, "hour") if provider in by_hour else None
    return Cell(provider, project, names[(provider, str(row["model"]))], day_of(row), hour)


def _traced(
    traced: pl.DataFrame, joined: set[str], by_hour: set[str], names: dict[tuple[str, str], str]
) -> tuple[dict[Cell, TracedCell], tuple[Decimal, Decimal, int, int]]:
    cells: dict[Cell, TracedCell] = {}
    removed = {True: ZERO, False: ZERO}
    with_usage = unpriced = 0
    for row in traced.rows(named=True):
        if row["removed_rule"]:
            removed[row["removed_rule"] == ROLL_UP] += usd(row, "expected_usd")
            continue
        if row["billable"] != "no":
            with_usage += number(row, "lines") - number(row, "without_usage")
            unpriced += number(row, "unpriced")
        project = (
            (row["sub_account_id"] or row["api_key_id"] or "(no project mapped)")
            if row["provider"] in joined
            else ""
        )
        cell = _cell(row, project, by_hour, names)
        cells[cell] = _with_traced(cells.get(cell, TracedCell(ZERO, 0)), row)
    return cells, (removed[False], removed[True], with_usage, unpriced)


def _with_traced(cell: TracedCell, row: Row) -> TracedCell:
    lines = number(row, "lines")
    unsure = number(row, "without_usage") if row["billable"] != "no" else 0
    sure = lines - unsure if row["billable"] == "yes" else 0
    maybe = lines - unsure if row["billable"] == "maybe" else 0
    return TracedCell(
        cell.expected_usd + usd(row, "expected_usd"),
        cell.sure + sure + maybe,
        cell.unsure + unsure,
        {kind: cell.tokens.get(kind, 0) + number(row, f"{kind}_tokens") for kind in KINDS},
        cell.reasoning_tokens + number(row, "reasoning_tokens"),
    )


def _billed(
    costs: pl.DataFrame,
    counts: pl.DataFrame,
    joined: set[str],
    by_hour: set[str],
    names: dict[tuple[str, str], str],
) -> dict[Cell, BilledCell]:
    standard = _standard_prices(costs)
    gathered: dict[Cell, list[Row]] = defaultdict(list)
    counted: dict[Cell, list[Row]] = defaultdict(list)
    for frame, into in ((costs, gathered), (counts, counted)):
        for row in frame.rows(named=True):
            if (row["provider"], row["model"]) in names:
                project = (row["sub_account_id"] or row["api_key_id"]) if row["provider"] in joined else ""
                into[_cell(row, project, by_hour, names)].append(row)
    return {cell: _billed_cell(rows, counted.get(cell, []), standard) for cell, rows in gathered.items()}


def _billed_cell(rows: list[Row], counted: list[Row], standard: Standard) -> BilledCell:
    """One cell's bill; a usage export fills in the tokens and requests that the bill itself does not state."""
    tokens, costs = _by_type(rows)
    if not tokens:
        tokens, costs = _by_type(counted)[0], {}
    requests = _requests(rows)
    tier, region = ZERO, ZERO
    for row in rows:
        effect = _effect(row, standard)
        tier, region = tier + effect[0], region + effect[1]
    total = sum((usd(row, "usage_usd") for row in rows), ZERO)
    return BilledCell(
        total, _requests(counted) if requests is None else requests, tokens, costs, tier, region
    )


def _by_type(rows: Iterable[Row]) -> tuple[dict[str, int], dict[str, Decimal]]:
    tokens: dict[str, int] = defaultdict(int)
    costs: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for row in rows:
        if row["tokens"] is not None:
            kind = str(row["token_type"] or "mixed")
            tokens[kind] += number(row, "tokens")
            costs[kind] += usd(row, "usage_usd")
    return dict(tokens), dict(costs)


def _requests(rows: list[Row]) -> int | None:
    known = [row for row in rows if row["requests"] is not None]
    return sum(number(row, "requests") for row in known) if known else None


def _unit(row: Row) -> Unit:
    return str(row["provider"]), family(str(row["model"])), str(row["token_type"])


def _is_standard(row: Row) -> bool:
    return not row["batch"] and row["service_tier"] in STANDARD_TIERS


def _standard_prices(costs: pl.DataFrame) -> Standard:
    """Cost of a token at the standard tier, over the whole scope, so that one odd day is none."""
    sums: dict[tuple[Unit, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for row in costs.rows(named=True):
        if _is_standard(row) and number(row, "tokens") > 0:
            pair = sums[(_unit(row), str(row["region"]))]
            pair[0] += usd(row, "usage_usd")
            pair[1] += number(row, "tokens")
    prices: Standard = defaultdict(dict)
    for (unit, region), (cost, tokens) in sums.items():
        if cost > 0:
            prices[unit][region] = cost / tokens
    return prices


def _effect(row: Row, standard: Standard) -> tuple[Decimal, Decimal]:
    """(tier or batch, region) part of a line's cost; nothing where the standard price is not on the bill."""
    prices, tokens = standard.get(_unit(row)), number(row, "tokens")
    if not tokens or not prices:
        return ZERO, ZERO
    base = min(prices.values())
    at = prices.get(str(row["region"]), base)
    tier = ZERO if _is_standard(row) else usd(row, "usage_usd") - _rounded(at * tokens)
    known = any(abs(at / base - uplift) <= UPLIFT_TOLERANCE for uplift in REGION_UPLIFTS)
    return tier, _rounded((at - base) * tokens) if known else ZERO


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("1e-12"))
