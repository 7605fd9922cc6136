"""Does the bill match what was traced, and where it does not, which difference is it?

How: Bill lines and traced attempts meet in cells: provider, model, UTC day (or hour, where the bill has hours), and
project or key where a callers file says which service calls under which. In each cell billed minus expected is split
in a fixed order into named differences that add up exactly: days still open, cut-off, callers without traces, tier
and batch, region uplift, price, cache, reasoning, failed attempts, hidden requests, unbilled requests, and what is
left as unknown. Corrections, credits, tax, purchases, prepaid use, tools and lines that belong to no model stand
apart, each with its amount. Calls told twice and sums on agent spans are taken off first. A day is final once its
source has stopped changing such days: learned from the source's own imports, else by the vendor's documentation.

Assumes: One invoice a provider; prices at each call's own date. Failed attempts without usage are an estimate by the
mean request, between nothing and all of it. The interval is of that estimate: a bill is a sum, not a sample, so
there is no sampling error to draw.

Source: variance analysis (price before quantity, mix before volume); FinOps FOCUS 1.2; vendors' documentation of
when bills are final (docs/formats.md); docs/decisions/011-reconciliation.md.
"""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl

from core.amounts import count, money, share
from core.audit import Ask, Choice, Fact, Finding, Need, Scope, TooLittle, against_limit, limit_choice
from core.audits import bill_reconciliation_figures as pictures
from core.audits.bill_reconciliation_measure import Reconciliation, measured
from core.audits.bill_reconciliation_sql import BILLED, HISTORY, RESTATED, TRACED
from core.ledger.change_rows import MARKS
from core.reconcile import ZERO
from core.reconcile.bills import INVOICE_SOURCE

TITLE = "The bill against the traces"
SECTION = "Counts, money and capacity"
REPORTED = "what the provider bills for use on closed days"
SUPPORTED = "the part of it that traced calls explain"
LIMIT = 0.02
"""Cut-off and rounding of a month stay below one percent of it; two percent is somebody's work to find."""
LIMIT_OF_GAP = "above"
FEWEST_PRICED_SHARE = 0.5
"""When less than half of the traced lines with usage have a price, what is unknown is mostly our own price list, and
nobody is accused of it. A bill that the tokens explain holds all the same."""
CHOICES = (
    Choice("grain", "Grain of the cells", ("day", "hour"), "day", "Hours are used where every line of a bill has one."),
    limit_choice(
        "Limit on what is unexplained", ("0.01", "0.02", "0.05", "0.10", "0.20"), LIMIT,
        "Share of the closed bill that no trace may leave unexplained.",
    ),
    INVOICE_SOURCE,
)  # fmt: skip

CAPTIONS = {
    "reconciliation_bridge": "From the sum of every span to the invoice; each step is one named difference, ε what is left.",
    "reconciliation_cells": "Share of each day's bill that no trace explains; crossed days may still change.",
    "reconciliation_by_provider": "The part of each provider's closed bill that no trace explains.",
    "reconciliation_callers": "What each project or key costs. Striped: no traced service is mapped to it.",
    "reconciliation_final_days": "How many days of each bill are final and how many still open.",
}

NEEDS = (
    Need("cost_lines.billed_cost", "what was charged", "Give a bill on the data page: docs/formats.md has how to export it."),
    Need("attempts.expected_usd", "what traced calls should cost", "Send traces with token usage to /v1/traces."),
    Need("cost_lines.tokens", "which kind of token differs", "Export usage beside the costs, with token counts.", False),
    Need("cost_lines.requests", "how many calls were billed", "Export the usage report, or a gateway's log.", False),
    Need("cost_lines.hour", "hours instead of days", "Export hourly buckets where the vendor has them.", False),
    Need(
        "callers.service_name", "which service calls under which project or key",
        "Give a callers.csv: service_name,provider_name,sub_account_id,api_key_id.", False,
    ),
)  # fmt: skip

SQL = {"traced": TRACED, "billed": BILLED, "history": HISTORY, "restated": RESTATED, "changes": MARKS}


def load(ask: Ask, scope: Scope) -> dict[str, pl.DataFrame]:
    """One frame a question of SQL, all aggregated in the database."""
    parameters = scope.parameters() | {"grain": scope.choice("grain", "day")}
    return {name: ask(text, **parameters) for name, text in SQL.items()}


def measure(frames: dict[str, pl.DataFrame], scope: Scope) -> Reconciliation | TooLittle:
    """Every cell split and added up; too little without a bill, without traces, or where they cannot be compared."""
    costs = frames["billed"].filter(pl.col("measure") == "cost")
    in_currency = costs.filter(pl.col("billing_currency") == scope.currency)
    n = int(costs["lines"].sum())
    if not in_currency.height:
        what = f"no bill in {scope.currency}" if costs.height else "no bill in scope"
        return TooLittle(f"cost_lines: {what}", NEEDS[0].how, n)
    why = _cannot_compare(in_currency, scope)
    if why:
        return TooLittle(why[0], why[1], n)
    if not frames["traced"].height:
        return TooLittle("attempts: no traced model call in scope", NEEDS[1].how, n)
    return measured(frames, scope, scope.limit(LIMIT))


def _cannot_compare(costs: pl.DataFrame, scope: Scope) -> tuple[str, str] | None:
    if scope.services or scope.models:
        return (
            "a bill names neither services nor the models of an invoice",
            "Clear the service and model choices.",
        )
    if scope.regions and int(costs["without_region"].sum()):
        return "the bill has lines without a region", "Clear the region choice to compare with the invoice."
    return None


def judge(found: Reconciliation | TooLittle) -> Finding:
    """The whole range of what is unexplained, as a share of the closed bill, against the limit."""
    if isinstance(found, TooLittle):
        return Finding(
            "bill-reconciliation", "cannot tell", "unknown", "unknown", None, None, None, "share", found.n,
            "The bill cannot be compared with the traces.", f"{found.missing}. {found.how}",
        )  # fmt: skip
    missing = _missing(found)
    least, most = found.unexplained_usd
    reported = f"{money(found.closed_usd, found.currency)} billed"
    supported = f"{money(max(found.closed_usd - least, ZERO), found.currency)} explained"
    if missing:
        return Finding(
            "bill-reconciliation", "cannot tell", reported, supported, None, None, None, "share", found.lines,
            sentence(found), missing,
        )  # fmt: skip
    low, high = (float(amount / found.closed_usd) for amount in (least, most))
    return Finding(
        "bill-reconciliation", against_limit(low, high, found.limit), reported, supported, low, low, high, "share",
        found.lines, sentence(found), _not_known(found), "range",
    )  # fmt: skip


def _missing(found: Reconciliation) -> str:
    if found.closed_usd <= 0:
        return (
            "no closed day with billed use in scope: the bill's last days may still change. "
            "Widen the range, or import the bill again in a few days."
        )
    how = "Report token usage, and add price overrides for unknown models."
    if not any(row.traced_usd for row in found.cells):
        return f"attempts.expected_usd: no traced call of a billed provider has a price. {how}"
    past = float(found.unexplained_usd[1] / found.closed_usd) > found.limit
    if past and found.unpriced > (1 - FEWEST_PRICED_SHARE) * found.with_usage:
        of = f"{count(found.unpriced)} of {count(found.with_usage)} traced calls with usage have no price"
        return f"attempts.expected_usd: {of}, so what no trace explains is mostly our own price list. {how}"
    return ""


def sentence(found: Reconciliation) -> str:
    """What is unexplained, by name, and through which day the books are closed; too much traced is in no bill."""
    amounts = {
        name: sum((row.terms.amounts.get(name, ZERO) for row in found.cells if not row.is_open), ZERO)
        for name in ("uninstrumented", "hidden", "unknown")
    }
    named = (
        ("uninstrumented", "by callers without traces"),
        ("hidden", "requests in no trace"),
        ("unknown", "unknown"),
    )
    over = max(-amounts["unknown"], ZERO)
    amounts["unknown"] = max(amounts["unknown"], ZERO)
    told = [f"{money(amounts[key], found.currency)} {text}" for key, text in named if amounts[key]]
    closed = min((one.closed_through for one in found.completeness), default=None)
    through = f" through {closed}" if closed else ""
    part = f" ({', '.join(told)})" if told else ""
    beside = f", and {money(over, found.currency)} more was traced than billed" if over else ""
    return (
        f"{money(found.unexplained_usd[0] - over, found.currency)} of {money(found.closed_usd, found.currency)} "
        f"billed{through} is in no trace{part}{beside}."
    )


def _not_known(found: Reconciliation) -> str:
    told = []
    open_usd = sum((row.billed_usd for row in found.cells if row.is_open), ZERO)
    if any(row.is_open for row in found.cells):
        told.append(f"{money(open_usd, found.currency)} on open days is not judged")
    if found.unpriced:
        told.append(f"{count(found.unpriced)} traced lines have no price")
    if found.no_bill_usd:
        told.append(f"{money(found.no_bill_usd, found.currency)} was traced at providers without a bill")
    if not any(caller.traced is not None for caller in found.callers):
        told.append("no callers file says which service calls under which project")
    told += found.set_aside[:2]
    return ". ".join(text[:1].upper() + text[1:] for text in told)


def figures(frames: dict[str, pl.DataFrame], found: Reconciliation) -> dict[str, go.Figure]:
    """The bridge, the cells by day, the share by provider, callers, final days; keys name the exports."""
    return pictures.figures(found)


def facts(found: Reconciliation) -> list[Fact]:
    """Every measured number that no figure shows."""
    rows = [
        Fact(
            one.provider, f"final through {one.closed_through} ({one.source_format})", f"{one.lag_days} days", "", None,
            one.basis,
        )
        for one in found.completeness
    ]  # fmt: skip
    for source, lines, amount in found.restated:
        rows.append(
            Fact(
                source, "changed by later imports", money(amount, found.currency), "", lines, "restated lines"
            )
        )
    least, most = found.unexplained_usd
    if found.closed_usd > 0:
        shares = [share(float(amount / found.closed_usd)) for amount in (least, most)]
        note = "range of an estimate (failed attempts without usage), not a sampling interval"
        rows.append(
            Fact("closed bill", "unexplained", shares[0], f"[{shares[0]}, {shares[1]}]", found.lines, note)
        )
    return rows


def tables(found: Reconciliation) -> dict[str, pl.DataFrame]:
    """The worst cells, what is not mapped, and what each project costs, as rows to read and to download."""
    return pictures.tables(found)
