"""How many events was that: one count for product, one for SRE, one for finance, from one ledger?

How: A run is a trace. It converted when its latest outcome named conversion, converted, task_success or resolved
says so; when no run in scope has such an outcome, a completed run stands in, and the page says so. An attempt is one
try of an operation, with its model call and tool calls as lines; agents' attempts, SDK retries and application
retries are joined from spans and graded declared, observed, inferred or unobservable. Every line falls in one
bucket, by precedence: period cut-off, billed but not traced, traced but not billed, orphan, never rescued, rescued,
variance. Money is exact decimals at each call's own date; what is left over is shown as epsilon. The gap is what all
attempts cost over what the successful ones cost. Hidden requests are found call by call where a bill carries
response ids, else from billed minus traced requests per provider, model and day, watched by an e-process.

Assumes: Trace ids end in random digits (their last three form the 4,096 clusters the bootstrap draws). Attempts are
not assumed independent: dependence is measured. The e-process assumes that billed minus traced is as likely +x as -x
when nothing is hidden; it then raises a false alarm on at most 5 % of series, however long they are watched.

Source: Wilson 1927; Newcombe 1998; Efron 1987 (BCa); de la Pena 1999 and Howard et al. 2021 (e-process);
OpenTelemetry GenAI conventions; FinOps FOCUS 1.2; docs/decisions/003-retry-bridges.md.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import plotly.graph_objects as go
import polars as pl

from core.amounts import count, money, share
from core.audit import (
    Ask,
    Choice,
    Count,
    Fact,
    Finding,
    Measure,
    Need,
    Scope,
    TooLittle,
    against_limit,
    limit_choice,
)
from core.audits import retry_ledger_facts, retry_ledger_figures
from core.audits.retry_ledger_bill_sql import BILLS, CELLS, JOINS
from core.audits.retry_ledger_books import settled_books
from core.audits.retry_ledger_evidence_sql import SPAN_TREE, WORST_CALLS
from core.audits.retry_ledger_measure import Retries, measured
from core.audits.retry_ledger_sql import ATTEMPTS, CALLS, RUNS
from core.ledger.change_rows import MARKS
from core.reconcile.bills import INVOICE_SOURCE
from core.stats import resampling

SEED = resampling.SEED
TITLE = "The retry counted three ways"
SECTION = "Counts, money and capacity"
REPORTED = "cost per conversion when every call counts once"
SUPPORTED = "cost per conversion with every attempt"
LIMIT = 0.20
"""A fifth on top of what the work costs is more than the price cuts and discounts that teams negotiate over; past
it, unit economics quoted per call mislead the decision they are quoted for."""
LIMIT_OF_GAP = "above"
FEWEST_RUNS = 30
"""Below it a share's 95 % interval is wider than 35 points and a cost ratio rests on single runs."""
FEWEST_PRICED_SHARE = 0.5
"""When less than half of the billable lines have a price, the ratio speaks of the minority."""

CHOICES = (
    Choice(
        "double_counting", "Calls told twice", ("removed", "kept"), "removed",
        "Overlapping instrumentations tell of one call twice; 'kept' counts every span.",
    ),
    limit_choice(
        "Limit on the gap", ("0.05", "0.10", "0.20", "0.50", "1.00"), LIMIT,
        "Share by which all attempts may cost more than the successful ones.",
    ),
    INVOICE_SOURCE,
)  # fmt: skip

CAPTIONS = {
    "retry_count_bridge": "Every attempt in exactly one bucket; the parts sum to the attempts SRE counts.",
    "retry_money_bridge": "From what converted to what was invoiced, by expected cost; ε is what no bucket explains.",
    "retry_billing_bridge": "From calls traced and billable to the requests the provider billed.",
    "retry_error_rate_by_grain": "What counts as an event decides the error rate. With 95 % Wilson intervals.",
    "retry_error_rate_over_time": "Per UTC day, bands are 95 % Wilson intervals.",
    "retry_grades": "How the attempts of each call are known. Unobservable is not zero retries.",
    "retry_flow": "What happened to first attempts, and to the retries of those that failed.",
    "retry_billed_minus_traced": "Requests billed less requests traced, added up: noise returns to zero, hidden retries do not.",
}

NEEDS = (
    Need("attempts.attempt_ok", "which attempts failed", "Send traces to /v1/traces or ingest a trace file."),
    Need(
        "calls.attempts",
        "how often each call was sent",
        "Instrument the HTTP client beside the GenAI library and capture x-stainless-retry-count.",
        required=False,
    ),
    Need(
        "attempts.expected_usd",
        "what each attempt costs",
        "Report token usage on model spans; add prices of unknown models and of tools as overrides.",
    ),
    Need(
        "outcomes.value",
        "which runs converted",
        "Load outcomes named conversion or task_success with the trace id; else completion stands in.",
        required=False,
    ),
    Need(
        "cost_lines.billed_cost",
        "what was really charged",
        "Drop a FOCUS, OpenAI, Anthropic or LiteLLM export on the data page.",
        required=False,
    ),
    Need(
        "cost_lines.requests",
        "how many calls the provider counted",
        "Load the provider's usage export, or a gateway log with response ids.",
        required=False,
    ),
)

SQL = {
    "runs": RUNS,
    "attempts": ATTEMPTS,
    "cells": CELLS,
    "bills": BILLS,
    "joins": JOINS,
    "calls": CALLS,
    "changes": MARKS,
}


def load(ask: Ask, scope: Scope) -> dict[str, pl.DataFrame]:
    """One frame a question of SQL, all aggregated in the database."""
    parameters = _parameters(scope)
    return {name: ask(text, **parameters) for name, text in SQL.items()}


def _parameters(scope: Scope) -> dict[str, object]:
    return scope.parameters() | {"double_counting": scope.choice("double_counting", "removed")}


def measure(frames: dict[str, pl.DataFrame], scope: Scope) -> Retries | TooLittle:
    """The three counts, their bridges and what is not known; also for a single run, then without intervals."""
    if not frames["attempts"].height and not frames["bills"].height:
        return TooLittle("attempts: no traced call in scope", NEEDS[0].how)
    return measured(frames, settled_books(frames, scope), scope, scope.limit(LIMIT))


def judge(retries: Retries | TooLittle) -> Finding:
    """The gap's whole interval against the limit; cannot tell below 30 runs or without prices, saying which."""
    if isinstance(retries, TooLittle):
        return Finding(
            "retry-ledger", "cannot tell", "unknown", "unknown", None, None, None, "share", retries.n,
            "No traced call in scope.", f"{retries.missing}. {retries.how}",
        )  # fmt: skip
    missing = _missing(retries)
    gap = retries.gap
    if missing or gap is None:
        return Finding(
            "retry-ledger", "cannot tell", _per(retries, retries.naive_usd), _per(retries, retries.all_in_usd),
            retries.gap_value, None, None, "share", retries.product.runs, _sentence(retries), missing,
        )  # fmt: skip
    status = against_limit(gap.low, gap.high, retries.limit)
    return Finding(
        "retry-ledger", status, _per(retries, retries.naive_usd), _per(retries, retries.all_in_usd),
        gap.value, gap.low, gap.high, "share", retries.product.runs, _sentence(retries), retries.not_known,
    )  # fmt: skip


def figures(frames: dict[str, pl.DataFrame], retries: Retries) -> dict[str, go.Figure]:
    """The bridges, error rate by grain, grades, flow of attempts, billed minus traced; keys name the exports."""
    return retry_ledger_figures.figures(frames, retries)


def counts(retries: Retries) -> tuple[Count, Count, Count]:
    """Product's, SRE's and finance's count, side by side."""
    return retry_ledger_facts.counts(retries)


def facts(retries: Retries) -> list[Fact]:
    """Every measured number that no figure shows."""
    return retry_ledger_facts.facts(retries)


def bridge_rows(retries: Retries) -> list[dict[str, Any]]:
    """The bridges as rows bridge, bucket, count, usd: the parts sum to the last row of their bridge."""
    return [
        {"bridge": row.bridge, "bucket": row.bucket, "count": row.n, "usd": row.usd}
        for row in retries.bridges
    ]


def evidence(ask: Ask, scope: Scope) -> pl.DataFrame:
    """At most 500 operations with a failed attempt, the dearest first: the way into a run's span tree."""
    return ask(WORST_CALLS, **_parameters(scope))


def span_tree(ask: Ask, trace_id: str, as_of: int) -> pl.DataFrame:
    """Spans of one run in order of start, attempts marked; empty when the run is not in the ledger."""
    return ask(SPAN_TREE, trace_id=trace_id, as_of=as_of)


def _missing(retries: Retries) -> str:
    if retries.product.runs < FEWEST_RUNS:
        return (
            f"runs: {count(retries.product.runs)} in scope, {FEWEST_RUNS} are needed. "
            f"Widen the range or send more traces. {retries.not_known}"
        ).strip()
    lines = retries.spend.inference_lines + retries.spend.tool_lines
    if not retries.spend.successful or retries.spend.unpriced > (1 - FEWEST_PRICED_SHARE) * lines:
        return (
            f"attempts.expected_usd: {count(retries.spend.unpriced)} of {count(lines)} lines have no price. "
            "Report token usage and add price overrides for unknown models and tools."
        )
    if not retries.attempts_known:
        return "calls.attempts: no call in scope shows how often it was sent. " + NEEDS[1].how
    if retries.gap is None:
        return (
            "attempts.trace_id: too few distinct clusters of runs for an interval. Trace ids must be random."
        )
    return ""


def _per(retries: Retries, amount: Decimal) -> str:
    conversions = retries.product.converted
    if not conversions:
        return f"{money(amount, retries.currency)} for 0 conversions"
    return f"{money(amount / conversions, retries.currency)} per conversion"


def _sentence(retries: Retries) -> str:
    attempts = retries.grains[0]
    counts = (
        f"{count(retries.product.converted)} of {count(retries.product.runs)} runs "
        f"{'converted' if retries.product.definition == 'outcome' else 'completed'}; "
        f"{count(attempts.failed)} of {count(attempts.n)} attempts failed"
    )
    gap: Measure | None = retries.gap
    if gap is None:
        return f"{counts}."
    told = f"{counts}; all attempts cost {share(gap.value)} ({share(gap.low)} to {share(gap.high)}) more"
    hidden = (
        f", of which {money(retries.hidden_usd, retries.currency)} is on the bill and in no trace"
        if retries.hidden_usd
        else ""
    )
    return f"{told} than the successful ones{hidden}."
