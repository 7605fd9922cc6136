"""Why a bill differs from what was traced, cell by cell: named terms that add up to the difference exactly.

A cell is one provider, project, model and hour or day. Billed minus expected is split in a fixed order, each term
taking from what the ones before it left:

open, cut off, no traced call (a caller without traces), not billed; then for cells with both sides: service tier and
batch (billed below or above the standard price of the same model), region uplift, price (the traced tokens at the
bill's standard prices less the catalogue's), cache (the same input tokens, otherwise split between fresh and
cached), reasoning (output the bill counts as reasoning and the traces do not), failed attempts (an estimate with
bounds), hidden requests, unbilled requests, and what is left: unknown. Nothing is folded into another term.

Source: variance analysis of accounting (price before quantity, mix before volume); docs/decisions/011.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from core.reconcile import ZERO, rounded

TERMS = (
    "open", "cut_off", "uninstrumented", "tier", "region", "price", "cache", "reasoning", "failed", "hidden",
    "unbilled", "unknown",
)  # fmt: skip
"""In the order in which they are taken. Money, billed minus expected: unbilled is negative."""
REQUEST = "request"
INPUT_SIDE = ("input", "cache_read", "cache_write")


class Cell(NamedTuple):
    """What is compared. `project` is '' unless callers are mapped; `hour` is None where the bill has days only."""

    provider: str
    project: str
    model: str
    day: dt.date
    hour: int | None = None


class TracedCell(NamedTuple):
    """What traces say of one cell. Tokens by bill type: input (uncached), cache_read, cache_write, output."""

    expected_usd: Decimal
    sure: int
    """Attempts the provider bills."""
    unsure: int = 0
    """Attempts it may bill and that carry no usage: broken streams, time-outs."""
    tokens: Mapping[str, int] = {}
    reasoning_tokens: int = 0


class BilledCell(NamedTuple):
    """What the bill says of one cell. Costs and tokens by token type; reasoning is a type of its own."""

    cost_usd: Decimal
    requests: int | None = None
    tokens: Mapping[str, int] = {}
    costs: Mapping[str, Decimal] = {}
    tier_usd: Decimal = ZERO
    """Part of the cost by which other tiers and batch differ from the standard price; negative for a discount."""
    region_usd: Decimal = ZERO
    """Part of the cost that is a known regional uplift."""


class Terms(NamedTuple):
    """The named differences of one cell or of many; they add up to billed minus expected."""

    amounts: dict[str, Decimal]
    failed_at_most: Decimal = ZERO
    """`failed` is an estimate: between 0 and this."""

    @property
    def total(self) -> Decimal:
        """Billed minus expected."""
        return sum(self.amounts.values(), ZERO)


def split(traced: TracedCell | None, billed: BilledCell | None, is_open: bool, within: bool) -> Terms:
    """Name the difference of one cell. `is_open`: its day may still change; `within`: the bill covers its day."""
    expected = traced.expected_usd if traced else ZERO
    cost = billed.cost_usd if billed else ZERO
    if is_open or not within:
        return Terms({"open" if is_open else "cut_off": cost - expected})
    if traced is None or (traced.sure == 0 and traced.unsure == 0):
        return Terms({"uninstrumented": cost - expected})
    if billed is None:
        return Terms({"unbilled": -expected})
    return _both(traced, billed)


def _both(traced: TracedCell, billed: BilledCell) -> Terms:
    standard = billed.cost_usd - billed.tier_usd - billed.region_usd
    prices = _unit_prices(traced, billed, standard)
    amounts = {"tier": billed.tier_usd, "region": billed.region_usd}
    if prices is None:
        amounts["unknown"] = standard - traced.expected_usd
        return Terms(amounts)
    counted = {REQUEST: traced.sure} if REQUEST in prices and not _used(traced) else _used(traced)
    repriced = rounded(sum((prices[kind] * n for kind, n in counted.items()), ZERO))
    amounts["price"] = repriced - traced.expected_usd
    rest = standard - repriced
    amounts["cache"] = _cache(traced, billed, prices)
    amounts["reasoning"] = _reasoning(traced, billed, prices)
    rest -= amounts["cache"] + amounts["reasoning"]
    failed, at_most, hidden, unbilled = _by_requests(traced, billed, standard, rest)
    amounts |= {"failed": failed, "hidden": hidden, "unbilled": unbilled}
    amounts["unknown"] = rest - failed - hidden - unbilled
    return Terms(amounts, at_most)


def _unit_prices(traced: TracedCell, billed: BilledCell, standard: Decimal) -> dict[str, Decimal] | None:
    """The bill's standard price of a token by traced kind; None where neither tokens nor requests divide the cost.

    Kinds the bill does not tell apart share the price of all its tokens; without traced tokens a request has a price.
    """
    used = set(_used(traced))
    share = standard / billed.cost_usd if billed.cost_usd else Decimal(1)
    costs, tokens = dict(billed.costs), dict(billed.tokens)
    if "reasoning" in tokens:
        tokens["output"] = tokens.get("output", 0) + tokens.pop("reasoning")
        costs["output"] = costs.get("output", ZERO) + costs.pop("reasoning", ZERO)
    if used and all(tokens.get(kind, 0) > 0 and kind in costs for kind in used):
        return {
            kind: costs[kind] * share / tokens[kind] for kind in tokens if tokens[kind] > 0 and kind in costs
        }
    counted = sum(tokens.values())
    if used and counted > 0:
        return dict.fromkeys({*used, *tokens}, standard / counted)
    return {REQUEST: standard / billed.requests} if billed.requests and traced.sure and not used else None


def _used(traced: TracedCell) -> dict[str, int]:
    return {kind: n for kind, n in traced.tokens.items() if n}


def _cache(traced: TracedCell, billed: BilledCell, prices: Mapping[str, Decimal]) -> Decimal:
    """The mix of the input side at its own total: the same tokens, fresh on one side and cached on the other."""
    there = sum(billed.tokens.get(kind, 0) for kind in INPUT_SIDE)
    here = sum(traced.tokens.get(kind, 0) for kind in INPUT_SIDE)
    cached = any(counts.get(kind) for counts in (traced.tokens, billed.tokens) for kind in INPUT_SIDE[1:])
    if not cached or not there or not here or not billed.costs:
        return ZERO
    scale = Decimal(there) / here
    parts = (
        (billed.tokens.get(kind, 0) - scale * traced.tokens.get(kind, 0)) * prices[kind]
        for kind in INPUT_SIDE
        if kind in prices
    )
    return rounded(sum(parts, ZERO))


def _reasoning(traced: TracedCell, billed: BilledCell, prices: Mapping[str, Decimal]) -> Decimal:
    """Output that the bill counts as reasoning and the traces leave out."""
    told = billed.tokens.get("reasoning", 0) - traced.reasoning_tokens
    excess = (
        billed.tokens.get("output", 0) + billed.tokens.get("reasoning", 0) - traced.tokens.get("output", 0)
    )
    missing = min(told, excess)
    return rounded(missing * prices["output"]) if missing > 0 and "output" in prices else ZERO


def _by_requests(
    traced: TracedCell, billed: BilledCell, standard: Decimal, rest: Decimal
) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """(failed, at most failed, hidden, unbilled) of what is left, by counts of requests and their mean cost."""
    standard = max(standard, ZERO)
    if billed.requests is None:
        mean = standard / (traced.sure + traced.unsure)
        at_most = rounded(min(max(rest, ZERO), mean * traced.unsure))
        return at_most, at_most, ZERO, ZERO
    mean = standard / billed.requests if billed.requests else ZERO
    over = billed.requests - traced.sure
    if over < 0:
        each = traced.expected_usd / traced.sure
        return ZERO, ZERO, ZERO, rounded(max(min(rest, ZERO), each * over))
    positive = max(rest, ZERO)
    failed = rounded(min(positive, mean * min(over, traced.unsure)))
    hidden = rounded(min(positive - failed, mean * max(over - traced.unsure, 0)))
    return failed, failed, hidden, ZERO


def slipped(cells: dict[Cell, Terms], step: dt.timedelta = dt.timedelta(days=1)) -> dict[Cell, Terms]:
    """Money that one day has too much of and its neighbour too little: booked on the other side of midnight.

    It is cut-off on both days and adds up to nothing; hours are compared with the hours beside them.
    """
    found = dict(cells)
    for cell in sorted(found, key=_order):
        for beside in _neighbours(cell, step):
            if beside in found:
                found[cell], found[beside] = _moved(found[cell], found[beside])
    return found


def _order(cell: Cell) -> tuple[str, str, str, dt.date, int]:
    return (cell.provider, cell.project, cell.model, cell.day, cell.hour or 0)


def _neighbours(cell: Cell, step: dt.timedelta) -> tuple[Cell, Cell]:
    if cell.hour is None:
        return cell._replace(day=cell.day - step), cell._replace(day=cell.day + step)
    epoch = dt.date(1970, 1, 1)
    before, after = (
        cell._replace(hour=hour, day=epoch + dt.timedelta(days=hour // 24))
        for hour in (cell.hour - 1, cell.hour + 1)
    )
    return before, after


def _moved(over: Terms, short: Terms) -> tuple[Terms, Terms]:
    """Take the same amount from the excess of one cell and from what the other misses."""
    one, other = dict(over.amounts), dict(short.amounts)
    for plus in ("hidden", "uninstrumented", "unknown"):
        for minus in ("unbilled", "unknown"):
            usd = min(max(one.get(plus, ZERO), ZERO), max(-other.get(minus, ZERO), ZERO))
            if usd:
                one[plus] -= usd
                one["cut_off"] = one.get("cut_off", ZERO) + usd
                other[minus] += usd
                other["cut_off"] = other.get("cut_off", ZERO) - usd
    return over._replace(amounts=one), short._replace(amounts=other)


def added(terms: Iterable[Terms]) -> Terms:
    """Term by term sum; every term of TERMS is there."""
    sums, at_most = dict.fromkeys(TERMS, ZERO), ZERO
    for one in terms:
        for name, amount in one.amounts.items():
            sums[name] += amount
        at_most += one.failed_at_most
    return Terms(sums, at_most)


def unexplained(terms: Terms) -> tuple[Decimal, Decimal]:
    """(at least, at most) of the money that no trace explains; failed attempts may be some of it.

    What is unknown counts by its size: too little billed is as unexplained as too much.
    """
    least = terms.amounts["uninstrumented"] + terms.amounts["hidden"] + abs(terms.amounts["unknown"])
    return least, least + terms.failed_at_most
