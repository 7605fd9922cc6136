"""The retry audit's billing side: bill read, cells settled, differences per day watched for drift."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from core.audit import Scope
from core.reconcile import ZERO, Billed, Key, Period, Settlement, Traced, settle_all, total
from core.reconcile.bills import TOOLS, Bill, read_bill, traced_cells, under_one_name
from core.reconcile.calls import by_call_providers, settle_calls
from core.stats.sequential import Drift, symmetric_drift

FEWEST_DAYS = 5
"""A running sum of fewer days shows nothing that the two totals do not."""


class Day(NamedTuple):
    """Requests of one UTC day over the providers whose bill counts them."""

    day: dt.date
    billed: int
    traced: int
    """Traced billable attempts, those of uncertain billability included where the bill leaves room for them."""


class Joined(NamedTuple):
    """One source's calls by response id: exact, also for a gateway's log that is not the invoice."""

    source: str
    provider: str
    calls: int
    in_no_trace: int


class Books(NamedTuple):
    """Both sides of the bill, settled."""

    bill: Bill | None
    """None when no bill can be compared with the scope; `why_none` says why."""
    why_none: str
    settled: Settlement
    """Sum over the providers with a bill."""
    by_provider: dict[str, Settlement]
    no_bill: Decimal
    """Expected cost of traced lines whose provider, or tool, sends no bill."""
    no_bill_providers: tuple[str, ...]
    counted_providers: tuple[str, ...]
    """Providers whose bill counts requests or carries response ids: the billing bridge is about these."""
    sure: int
    """Traced billable attempts of the counted providers."""
    counted: Settlement
    billed_requests: int
    days: tuple[Day, ...]
    drift: Drift | None
    by_call: tuple[str, ...]
    """Providers settled call by call."""
    gateway_retries: int
    """Retries that gateways' own logs declare."""
    joined: tuple[Joined, ...]


def settled_books(frames: dict[str, pl.DataFrame], scope: Scope) -> Books:
    """Settle the bill of a scope against its traces."""
    bills, cells = frames["bills"], frames["cells"]
    why_none = _why_none(bills, scope)
    if why_none:
        return _without_bill(cells, why_none)
    bill = read_bill(bills, scope.choice("invoice_source", ""), scope.currency)
    traced, billed = under_one_name(traced_cells(cells, bill), bill.cells)
    matched = by_call_providers(bills, frames["joins"], bill, scope.currency)
    by_call = matched & set(bill.periods)
    by_cell = {provider: period for provider, period in bill.periods.items() if provider not in by_call}
    cell_settlements = settle_all(traced, billed, by_cell)
    joined = {
        provider: settle_calls(
            frames["joins"], traced, provider, bill.sources[provider], bill.periods[provider]
        )
        for provider in by_call
    }
    by_provider = _by_provider(cell_settlements) | joined
    counted = _counted(billed, by_call)
    days = _days(traced, billed, cell_settlements, frames["joins"], bill, by_call, counted)
    unbilled = {key: cell for key, cell in traced.items() if key[0] not in bill.periods}
    return Books(
        bill=bill,
        why_none="",
        settled=total(by_provider[provider] for provider in sorted(by_provider)),
        by_provider=by_provider,
        no_bill=sum((cell.expected_usd for cell in unbilled.values()), ZERO),
        no_bill_providers=tuple(sorted({key[0] for key in unbilled})),
        counted_providers=tuple(sorted(counted)),
        sure=sum(cell.sure for key, cell in traced.items() if key[0] in counted),
        counted=total(by_provider[provider] for provider in sorted(counted)),
        billed_requests=_billed_requests(billed, frames["joins"], bill, by_call, counted),
        days=days,
        drift=_drift(days),
        by_call=tuple(sorted(by_call)),
        gateway_retries=int(bills["attempted_retries"].fill_null(0).sum()),
        joined=_exact(frames["joins"]),
    )


def _exact(joins: pl.DataFrame) -> tuple[Joined, ...]:
    sums = joins.group_by("source_format", "provider").agg(
        calls=pl.col("calls").sum(),
        in_no_trace=pl.col("calls").filter(pl.col("joined") == "billed_only").sum(),
    )
    return tuple(Joined(*row) for row in sums.sort("source_format", "provider").iter_rows())


def _by_provider(settled: dict[Key, Settlement]) -> dict[str, Settlement]:
    return {
        provider: total(cell for key, cell in settled.items() if key[0] == provider)
        for provider in sorted({key[0] for key in settled})
    }


def _why_none(bills: pl.DataFrame, scope: Scope) -> str:
    """Why no bill can be compared with this scope, or '' when one can."""
    costs = bills.filter(pl.col("measure") == "cost")
    if not costs.height:
        return "no bill in scope: drop a FOCUS, OpenAI or LiteLLM export on the data page"
    if not costs.filter(pl.col("billing_currency") == scope.currency).height:
        return f"no bill in {scope.currency}: amounts in other currencies are not converted"
    if scope.services:
        return "bills do not name services: clear the service choice to compare with the invoice"
    if scope.models:
        return "invoices are not per model: clear the model choice to compare with the invoice"
    if scope.regions and int(costs["without_region"].sum()):
        return "the bill has lines without a region: clear the region choice to compare with the invoice"
    return ""


def _without_bill(cells: pl.DataFrame, why_none: str) -> Books:
    expected = sum(cells["expected_usd"].to_list(), ZERO)
    providers = {TOOLS if row["line_kind"] == "tool" else row["provider"] for row in cells.rows(named=True)}
    return Books(
        None, why_none, Settlement(), {}, expected, tuple(sorted(providers)), (), 0, Settlement(), 0, (), None, (), 0, ()
    )  # fmt: skip


def _counted(billed: dict[Key, Billed], by_call: set[str]) -> set[str]:
    """Providers for which every cell of the bill counts its requests, or which are settled call by call."""
    known: dict[str, bool] = defaultdict(lambda: True)
    for (provider, _, _), line in billed.items():
        known[provider] &= line.requests is not None
    return {provider for provider, every in known.items() if every and provider != TOOLS} | by_call


def _billed_requests(
    billed: dict[Key, Billed], joins: pl.DataFrame, bill: Bill, by_call: set[str], counted: set[str]
) -> int:
    cells = sum(
        line.requests or 0
        for (provider, _, day), line in billed.items()
        if provider in counted - by_call and _within(bill.periods, provider, day)
    )
    return cells + int(_joined(joins, bill, by_call)["calls"].sum())


def _within(periods: dict[str, Period], provider: str, day: dt.date) -> bool:
    return provider in periods and periods[provider].first <= day <= periods[provider].last


def _joined(joins: pl.DataFrame, bill: Bill, by_call: set[str]) -> pl.DataFrame:
    """The joined calls of the sources that were chosen."""
    chosen = [provider + "\x1f" + bill.sources[provider] for provider in sorted(by_call)]
    return joins.filter(pl.concat_str("provider", "source_format", separator="\x1f").is_in(chosen))


def _days(
    traced: dict[Key, Traced],
    billed: dict[Key, Billed],
    settled: dict[Key, Settlement],
    joins: pl.DataFrame,
    bill: Bill,
    by_call: set[str],
    counted: set[str],
) -> tuple[Day, ...]:
    """Requests per day on both sides, inside the bill's period; uncertain attempts count where they were billed."""
    requests: dict[dt.date, int] = defaultdict(int)
    sure: dict[dt.date, int] = defaultdict(int)
    maybe: dict[dt.date, int] = defaultdict(int)
    for (provider, _, day), line in billed.items():
        if provider in counted - by_call and _within(bill.periods, provider, day):
            requests[day] += line.requests or 0
    for row in _joined(joins, bill, by_call).rows(named=True):
        requests[row["day"]] += row["calls"]
    for (provider, _, day), cell in traced.items():
        if provider in counted and _within(bill.periods, provider, day):
            sure[day] += cell.sure
            maybe[day] += cell.maybe if provider in by_call else 0
    for (provider, _, day), cell_settled in settled.items():
        if provider in counted:
            maybe[day] += cell_settled.maybe_requests
    return tuple(
        Day(day, requests[day], sure[day] + min(maybe[day], max(requests[day] - sure[day], 0)))
        for day in sorted({*requests, *sure})
    )


def _drift(days: tuple[Day, ...]) -> Drift | None:
    if len(days) < FEWEST_DAYS:
        return None
    differences = [float(day.billed - day.traced) for day in days]
    return symmetric_drift(differences, [float(day.billed + day.traced) for day in days])
