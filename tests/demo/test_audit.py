"""The retry audit on the demo: planted effects found, dated and sized; the quiet world raises nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from core.audit import Scope
from core.audits import bill_reconciliation, retry_ledger
from core.ledger.batch import Batch
from data.demo.plan import END_DAY, first_day
from tests.demo.conftest import Loaded

SCOPE = Scope(first_day(90), END_DAY)


def measured(loaded: Loaded) -> Any:
    return retry_ledger.measure(retry_ledger.load(loaded.store.ask, SCOPE), SCOPE)


@pytest.fixture(scope="module")
def loud_retries(loud_ledger: Loaded) -> Any:
    return measured(loud_ledger)


@pytest.fixture(scope="module")
def quiet_retries(quiet_ledger: Loaded) -> Any:
    return measured(quiet_ledger)


def money(retries: Any) -> dict[str, Decimal]:
    return {part.bucket: part.usd for part in retries.bridges if part.bridge == "money"}


def test_the_money_bridge_ends_on_the_invoice(loud_retries: Any, loud_ledger: Loaded) -> None:
    parts = money(loud_retries)
    assert parts["invoice"] == Decimal(loud_ledger.truth["bills"]["total_usd"])
    assert parts["epsilon"] == 0


def test_conversions_equal_the_truth(loud_retries: Any, loud_ledger: Loaded) -> None:
    totals = loud_ledger.truth["totals"]
    assert loud_retries.product.converted == totals["converted"]
    assert loud_retries.product.runs == totals["runs"]


def test_hidden_requests_are_sized_within_what_cannot_be_known(
    loud_retries: Any, loud_ledger: Loaded
) -> None:
    truth = loud_ledger.truth
    planted = truth["totals"]["hidden_requests"] + truth["untraced_requests"]
    # Late booking leaves a few requests on another day: they appear as hidden there and as unbilled here.
    noise = loud_retries.books.settled.unbilled_requests
    # A time-out may be billed, says the rule; here none is, so as many hidden requests can pass for one.
    uncertain = loud_retries.books.settled.maybe_requests - truth["totals"]["broken_streams"]
    assert planted - max(0, uncertain) <= loud_retries.books.settled.hidden_requests <= planted + noise


def test_drift_begins_when_hidden_spend_does(loud_retries: Any, loud_ledger: Loaded) -> None:
    planted = loud_ledger.truth["planted"]
    drift = loud_retries.books.drift
    assert drift.alarm is not None
    assert planted["hidden_from_day"] - 1 <= drift.began <= planted["untraced_from_day"] + 1
    assert drift.alarm <= planted["untraced_from_day"] + 14


def test_the_gap_is_past_the_limit(loud_retries: Any) -> None:
    finding = retry_ledger.judge(loud_retries)
    assert finding.status == "broken"
    assert finding.gap is not None
    assert 0.2 < finding.gap < 0.3


def test_the_quiet_world_holds_without_alarm(quiet_retries: Any, quiet_ledger: Loaded) -> None:
    finding = retry_ledger.judge(quiet_retries)
    assert finding.status == "holds"
    assert quiet_retries.books.drift is None or quiet_retries.books.drift.alarm is None
    parts = money(quiet_retries)
    assert parts["invoice"] == Decimal(quiet_ledger.truth["bills"]["total_usd"])
    assert parts["epsilon"] == 0


CALLERS = (
    ("checkout-agent", "openai", "proj_checkout"), ("support-triage", "openai", "proj_support"),
    ("search-rerank", "openai", "proj_search"), ("kb-answer", "openai", "proj_gateway"),
    ("web-chat", "openai", "proj_web"), ("doc-extract", "anthropic", "wrkspc_documents"),
    ("returns-agent", "anthropic", "wrkspc_returns"),
)  # fmt: skip
"""What the team that runs the demo's services would write down."""


def reconciled(loaded: Loaded) -> Any:
    names = ("service_name", "provider_name", "sub_account_id")
    rows = [dict(zip(names, row, strict=True)) for row in CALLERS]
    loaded.store.submit(Batch("callers", "callers", "callers", len(rows), {"callers": pl.DataFrame(rows)}))
    return bill_reconciliation.measure(bill_reconciliation.load(loaded.store.ask, SCOPE), SCOPE)


def test_the_caller_without_traces_is_named_and_sized_to_the_cent(loud_ledger: Loaded) -> None:
    found = reconciled(loud_ledger)
    truth = loud_ledger.truth
    assert [one.project for one in found.callers if one.traced is False] == ["proj_nightly_evals"]
    closed = found.total.amounts["uninstrumented"] + found.total.amounts["open"]
    assert abs(closed - Decimal(truth["untraced_usd"])) < Decimal("0.01") + abs(found.total.amounts["open"])
    hidden = found.total.amounts["hidden"] + found.total.amounts["failed"]
    planted = Decimal(truth["totals"]["hidden_usd"]) + Decimal(truth["totals"]["broken_stream_usd"])
    # Hidden re-sends cost what their call cost; the estimate takes the mean request of the cell.
    assert abs(hidden - planted) < Decimal("0.35") * planted
    assert bill_reconciliation.judge(found).status == "broken"


def test_the_quiet_books_hold(quiet_ledger: Loaded) -> None:
    found = reconciled(quiet_ledger)
    finding = bill_reconciliation.judge(found)
    assert finding.status == "holds"
    # A late request on a day without any other call of its project, and nothing beside it to cancel with.
    assert found.total.amounts["uninstrumented"] < found.invoice_usd / 1000
    assert found.invoice_usd == Decimal(quiet_ledger.truth["bills"]["total_usd"])


def test_the_scope_is_the_demo(loud_ledger: Loaded) -> None:
    days = loud_ledger.ask("select min(day) as first, max(day) as last from runs")
    assert days.row(0) == (SCOPE.start, SCOPE.end)
