"""The demo through the real readers and the real ledger: what was planted comes out, to the count and the cent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from data.demo.plan import SERVICES
from tests.demo.conftest import Loaded

CALLS = """
select service_name, grade, count(*) as calls, sum(attempts) as sends, sum(failed_attempts) as failed
from calls
where superseded_by = 9223372036854775807 and removed_rule is null and line_kind = 'inference'
group by service_name, grade
"""


@pytest.mark.parametrize("name", ["loud_ledger", "quiet_ledger"])
def test_attempts_equal_the_sends_or_are_unknown(name: str, request: pytest.FixtureRequest) -> None:
    loaded: Loaded = request.getfixturevalue(name)
    sends, failed, calls = (loaded.by_service(c) for c in ("sends", "failed_sends", "calls"))
    found = {row["service_name"]: row for row in loaded.ask(CALLS).to_dicts()}
    assert set(found) == {service.name for service in SERVICES}
    for service in SERVICES:
        row = found[service.name]
        assert row["grade"] == service.grade
        assert row["calls"] == calls[service.name]
        known = service.grade != "unobservable"
        assert row["sends"] == (sends[service.name] if known else None)
        assert row["failed"] == (failed[service.name] if known else None)


def test_rescues_equal_the_truth_where_no_tool_can_fail_the_step(loud_ledger: Loaded) -> None:
    found = loud_ledger.ask("""
        select service_name, sum(rescued::int) as rescued from attempts
        where superseded_by = 9223372036854775807 and removed_rule is null and line_kind = 'inference'
        group by service_name
    """)
    rescued = dict(found.iter_rows())
    expected = loud_ledger.by_service("rescued_sends")
    for service in SERVICES:
        if service.tool is None and service.grade != "unobservable":
            assert rescued[service.name] == expected[service.name]


def test_double_telling_is_removed(loud_ledger: Loaded) -> None:
    found = loud_ledger.ask("""
        select service_name, count(*) as removed from calls
        where superseded_by = 9223372036854775807 and removed_rule is not null
        group by service_name
    """)
    expected = loud_ledger.by_service("double_counted_calls")
    assert dict(found.iter_rows()) == {name: count for name, count in expected.items() if count}


def test_expected_spend_is_the_bill_without_what_no_span_tells(loud_ledger: Loaded) -> None:
    found = loud_ledger.ask("""
        select sum(expected_usd) as usd from attempts
        where superseded_by = 9223372036854775807 and removed_rule is null
    """)
    totals = {name: Decimal(loud_ledger.truth["totals"][name]) for name in ("billed_usd", "hidden_usd")}
    broken = Decimal(loud_ledger.truth["totals"]["broken_stream_usd"])
    assert found["usd"][0] == totals["billed_usd"] - totals["hidden_usd"] - broken


@pytest.mark.parametrize("name", ["loud_ledger", "quiet_ledger"])
def test_the_newest_lines_of_the_bills_equal_the_truth(name: str, request: pytest.FixtureRequest) -> None:
    loaded: Loaded = request.getfixturevalue(name)
    found = loaded.ask("""
        with lines as (
            select *, row_number() over (partition by line_key order by import_id desc) as age from cost_lines
        )
        select source_format, sum(effective_cost) as usd from lines
        where age = 1 and measure = 'cost' and source_format <> 'litellm' group by source_format
    """)
    expected = {bill: Decimal(usd) for bill, usd in loaded.truth["bills"]["by_bill_usd"].items()}
    assert {kind.replace("_costs", ""): usd for kind, usd in found.iter_rows()} == expected


def test_what_nobody_can_read_is_quarantined_with_a_reason(loud_ledger: Loaded) -> None:
    planted = loud_ledger.truth["planted"]
    reasons = loud_ledger.ask("select reason from quarantine")["reason"]
    assert all(reason.strip() for reason in reasons)
    # three bill formats carry damaged rows
    assert len(reasons) == planted["damaged_spans"] + 3 * planted["damaged_bill_rows"]
    assert sum(receipt.rows_quarantined for receipt in loud_ledger.receipts) == len(reasons)


def test_what_came_twice_is_stored_once(loud_ledger: Loaded) -> None:
    totals = loud_ledger.truth["totals"]
    distinct = loud_ledger.ask("select count(*) as n from (select distinct trace_id, span_id from spans)")
    assert distinct["n"][0] == totals["spans"]
    known = [receipt for receipt in loud_ledger.receipts if receipt.already_known]
    assert len(known) == len(loud_ledger.truth["files"]["resent"])
    exact = loud_ledger.ask(
        "select count(*) as n from duplicates where table_name = 'spans' and kind = 'exact'"
    )
    assert exact["n"][0] == totals["resent_spans"]


def test_outcomes_arrive_on_their_runs(loud_ledger: Loaded) -> None:
    found = loud_ledger.ask("""
        select value, count(*) as n, count(runs.trace_id) as on_runs
        from outcomes left join runs
            on runs.trace_id = outcomes.trace_id and runs.superseded_by = 9223372036854775807
        where name = 'conversion' and source = 'business' group by value order by value
    """)
    totals = loud_ledger.truth["totals"]
    expected = [(0.0, totals["not_converted"]), (1.0, totals["converted"])]
    assert found.rows() == [(value, n, n) for value, n in expected]


def test_roots_that_came_late_are_attached_and_lost_ones_are_not_invented(loud_ledger: Loaded) -> None:
    found = loud_ledger.ask("""
        select count(*) as runs, sum((not root_seen)::int) as without_root
        from runs where superseded_by = 9223372036854775807
    """)
    totals = loud_ledger.truth["totals"]
    assert found.row(0) == (totals["runs"], totals["lost_roots"])


def test_the_quiet_world_is_quiet(quiet_ledger: Loaded) -> None:
    found = quiet_ledger.ask("""
        select count(*) as n, sum((not ok)::int) as failed, sum((retry_kind <> 'first')::int) as retries
        from attempts where superseded_by = 9223372036854775807 and removed_rule is null
    """)
    assert found["n"][0] > 500
    assert found.row(0)[1:] == (0, 0)
    assert sum(r.rows_quarantined + r.rows_duplicate for r in quiet_ledger.receipts) == 0
