"""The retry audit on rows built here: the worked scenario, planted bills, random worlds, real tool calls."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.audit import Scope, TooLittle
from core.audits import retry_ledger
from core.audits.retry_ledger_measure import Retries
from core.ledger.store import Store
from tests.audits.retry_world import (
    DAY,
    Row,
    at_ns,
    call,
    charge,
    line,
    outcome,
    run,
    send,
    tool,
    worked_scenario,
)

D = Decimal
SCOPE = Scope(DAY - dt.timedelta(days=3), DAY + dt.timedelta(days=30))
TAU = Path(__file__).parents[3] / "shared/datasets/headline/tau_airline_gpt4o_toolcalls.parquet"


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store.open(":memory:")
    yield opened
    opened.close()


def measured(store: Store, scope: Scope = SCOPE) -> Retries:
    found = retry_ledger.measure(retry_ledger.load(store.ask, scope), scope)
    assert isinstance(found, Retries)
    return found


def bridge(found: Retries, name: str) -> dict[str, Decimal | int | None]:
    column = "usd" if name == "money" else "count"
    return {row["bucket"]: row[column] for row in retry_ledger.bridge_rows(found) if row["bridge"] == name}


def trace_id(number: int) -> str:
    return f"{number * 2654435761 % 2**128:032x}"


def quiet_runs(n: int, *, failing: int = 0, usd: str = "0.010") -> dict[str, list[Row]]:
    """n converted runs of one call each; the first `failing` of them needed a second attempt at the same price."""
    attempts, calls, runs = [], [], []
    for number in range(n):
        trace, operation = trace_id(number + 1), f"op{number}"
        retried = number < failing
        if retried:
            attempts.append(line(trace, operation, 1, usd, ok=False, rescued=True))
        attempts.append(line(trace, operation, 2 if retried else 1, usd, last_success=True))
        calls.append(call(trace, operation, 2 if retried else 1))
        runs.append(run(trace))
    return {"attempts": attempts, "calls": calls, "runs": runs}


def test_the_worked_scenario_to_the_cent(store: Store) -> None:
    """0.046 = 0.012 converting + 0.010 plan crash + 0.024 two 500s; 4 attempts, 3 failed."""
    send(store, **worked_scenario())
    found = measured(store)
    assert (found.product.converted, found.product.runs) == (1, 1)
    assert (found.grains[0].failed, found.grains[0].n) == (3, 4)
    assert (found.spend.inference_lines, found.spend.tool_lines, found.spend.tool_retries) == (4, 3, 2)
    counts = bridge(found, "count")
    assert (counts["converting"], counts["unrescued"], counts["rescued"]) == (1, 1, 2)
    assert (counts["attempts"], counts["epsilon"]) == (4, 0)
    money = bridge(found, "money")
    assert (money["converting"], money["unrescued"], money["rescued"]) == (D("0.012"), D("0.010"), D("0.024"))
    assert (money["expected"], money["epsilon"]) == (D("0.046"), 0)
    assert found.inference_multiplier == pytest.approx(4.00)
    assert found.all_in_multiplier == pytest.approx(3.83, abs=0.005)
    finding = retry_ledger.judge(found)
    assert (finding.reported, finding.supported) == ("$0.012 per conversion", "$0.046 per conversion")
    assert (finding.status, finding.n) == ("cannot tell", 1)
    assert "1 in scope, 30 are needed" in finding.missing


def test_the_scenario_against_its_bill(store: Store) -> None:
    """The model's bill is $0.050 for 5 requests, 4 traced: one hidden at 0.010; tools ($0.006) send no bill."""
    send(store, **worked_scenario())
    tokens = {"tokens": 550, "token_type": "mixed", "requests": 5}
    send(store, cost_lines=[charge("a", "0.050", **tokens), charge("t", "0.01", charge_category="Tax")])
    found = measured(store)
    money = bridge(found, "money")
    assert money["hidden"] == D("0.010")
    assert money["no_bill"] == D("-0.006")
    assert (money["tax"], money["invoice"], money["epsilon"]) == (D("0.01"), D("0.060"), 0)
    billing = bridge(found, "billing")
    assert (billing["traced"], billing["hidden"], billing["billed"], billing["epsilon"]) == (4, 1, 5, 0)
    assert found.all_in_usd == D("0.056")


def test_call_by_call_where_the_bill_has_ids(store: Store) -> None:
    """r1 matches, r2 costs 0.002 more for the same tokens, r3 is on the bill only, r4 in the traces only."""
    lines = [line(trace_id(n), f"op{n}", 1, response_id=f"r{n}", last_success=True) for n in (1, 2, 4)]
    bill = [
        charge("1", "0.010", source_format="litellm", response_id="r1", tokens=110, requests=1),
        charge("2", "0.012", source_format="litellm", response_id="r2", tokens=110, requests=1),
        charge("3", "0.010", source_format="litellm", response_id="r3", tokens=110, requests=1),
    ]
    send(store, attempts=lines, cost_lines=bill, runs=[run(trace_id(n)) for n in (1, 2, 4)])
    found = measured(store)
    assert found.books.by_call == ("openai",)
    money = bridge(found, "money")
    assert (money["hidden"], money["unbilled"], money["price_variance"]) == (
        D("0.010"),
        D("-0.010"),
        D("0.002"),
    )
    assert (money["invoice"], money["epsilon"]) == (D("0.032"), 0)
    assert bridge(found, "billing") == {
        "traced": 3, "maybe_billed": 0, "hidden": 1, "unbilled": -1, "cut_off": 0, "epsilon": 0, "billed": 3,
    }  # fmt: skip


def test_invented_ids_do_not_make_the_bill_hidden(store: Store) -> None:
    """No id of the gateway is found in the traces: the cells are compared, and nothing is hidden."""
    send(store, **quiet_runs(2))
    bill = [
        charge(str(n), "0.010", source_format="litellm", response_id=f"invented{n}", tokens=110, requests=1)
        for n in (1, 2)
    ]
    send(store, cost_lines=bill)
    found = measured(store)
    assert found.books.by_call == ()
    assert bridge(found, "money")["hidden"] == 0


def test_two_exports_of_one_bill_are_not_added(store: Store) -> None:
    send(store, **quiet_runs(1))
    send(store, cost_lines=[charge("f", "0.010"), charge("l", "0.010", source_format="litellm")])
    found = measured(store)
    assert bridge(found, "money")["invoice"] == D("0.010")
    assert any("litellm also bills openai" in note for note in found.notes)


def test_a_gateway_log_beside_the_invoice_still_joins(store: Store) -> None:
    """The vendor bills $0.010; the gateway's log lists r1, which is traced, and r2, which is not."""
    send(
        store,
        attempts=[line(trace_id(1), "op", 1, response_id="r1", last_success=True)],
        runs=[run(trace_id(1))],
    )
    log = [charge(f"g{n}", "0.010", source_format="litellm", response_id=f"r{n}") for n in (1, 2)]
    send(store, cost_lines=[charge("f", "0.010"), *log])
    found = measured(store)
    assert bridge(found, "money")["invoice"] == D("0.010")
    assert "1 of 2 openai calls in litellm are in no trace" in found.not_known


def test_a_restated_line_counts_once_and_the_past_can_be_reopened(store: Store) -> None:
    """The bill says 0.010, later 0.015: as of the second import it is 0.010, as of the third 0.015."""
    send(store, **quiet_runs(1))
    send(store, cost_lines=[charge("k", "0.010")])
    send(store, cost_lines=[charge("k", "0.015")])
    assert bridge(measured(store, SCOPE._replace(as_of=2)), "money")["invoice"] == D("0.010")
    assert bridge(measured(store), "money")["invoice"] == D("0.015")


def test_prepaid_usage_bills_nothing_and_its_purchase_is_named(store: Store) -> None:
    """Usage effective 0.010 billed 0, purchase billed 5: invoice 5 = 0.010 traced - 0.010 prepaid + 5 purchase."""
    send(store, **quiet_runs(1))
    usage = charge("u", "0.010") | {"billed_cost": D(0)}
    purchase = charge("p", "5", charge_category="Purchase", model=None) | {"effective_cost": D(0)}
    send(store, cost_lines=[usage, purchase])
    money = bridge(measured(store), "money")
    assert (money["prepaid_or_amortised"], money["purchase"]) == (D("-0.010"), D(5))
    assert (money["invoice"], money["epsilon"]) == (D(5), 0)


def test_other_currencies_are_named_and_never_converted(store: Store) -> None:
    send(store, **quiet_runs(1))
    send(store, cost_lines=[charge("d", "0.010"), charge("e", "9", billing_currency="EUR")])
    found = measured(store)
    assert bridge(found, "money")["invoice"] == D("0.010")
    assert any("1 lines in EUR" in note for note in found.notes)


@pytest.mark.parametrize("choice", [{"services": ("shop",)}, {"models": ("gpt-4o-mini-2024-07-18",)}])
def test_a_part_of_the_product_is_not_set_against_the_whole_bill(
    store: Store, choice: dict[str, tuple[str, ...]]
) -> None:
    send(store, **quiet_runs(2))
    send(store, cost_lines=[charge("k", "100")])
    found = measured(store, SCOPE._replace(**choice))
    assert "invoice" not in bridge(found, "money")
    assert "clear the" in found.not_known


def test_days_past_the_bill_are_cut_off(store: Store) -> None:
    later = DAY + dt.timedelta(days=1)
    send(store, **quiet_runs(1))
    send(store, attempts=[line(trace_id(9), "late", 1, day=later)], runs=[run(trace_id(9), day=later)])
    send(store, cost_lines=[charge("k", "0.010")])
    money = bridge(measured(store), "money")
    assert (money["cut_off"], money["unbilled"], money["epsilon"]) == (D("-0.010"), 0, 0)


def test_calls_told_twice_are_counted_once_unless_asked(store: Store) -> None:
    send(store, **quiet_runs(1))
    twice = line(trace_id(1), "wrapper", 1, removed_rule="ancestry")
    send(store, attempts=[twice], calls=[call(trace_id(1), "wrapper", removed_rule="ancestry")])
    assert bridge(measured(store), "count")["attempts"] == 1
    assert measured(store).removed == {"ancestry": 1}
    kept = measured(store, SCOPE._replace(choices=(("double_counting", "kept"),)))
    assert bridge(kept, "count")["attempts"] == 2


def test_orphans_come_before_failures(store: Store) -> None:
    send(store, attempts=[line(trace_id(1), "o", 1, ok=False, orphan=True)], runs=[run(trace_id(1))])
    counts = bridge(measured(store), "count")
    assert (counts["orphans"], counts["unrescued"]) == (1, 0)


def test_the_latest_outcome_is_in_force_and_absent_is_not_zero(store: Store) -> None:
    """Run 1 is revised from lost to won, run 2 has a label, run 3 an outcome by conversation, run 4 none."""
    runs = [run(trace_id(n), conversation_id="c3" if n == 3 else None) for n in (1, 2, 3, 4)]
    send(store, runs=runs, attempts=[line(trace_id(1), "op", 1)], outcomes=[outcome(trace_id(1), 0.0)])
    by_conversation = outcome(None, 1.0, outcome_key="c3/conversion", conversation_id="c3")
    by_label = outcome(trace_id(2), None, label="converted")
    send(store, outcomes=[outcome(trace_id(1), 1.0), by_conversation, by_label])
    found = measured(store).product
    assert (found.definition, found.runs, found.converted, found.with_outcome) == ("outcome", 4, 3, 3)


def test_an_outcome_that_moved_to_another_run_left_the_first(store: Store) -> None:
    """One key, first about run 1 and then about run 2, which is a day out of scope: in scope nothing has an outcome."""
    later = DAY + dt.timedelta(days=1)
    runs = [run(trace_id(1)), run(trace_id(2), day=later)]
    attempts = [line(trace_id(1), "op", 1), line(trace_id(2), "op", 1, day=later)]
    send(store, runs=runs, attempts=attempts, outcomes=[outcome(trace_id(1), 1.0, outcome_key="moved")])
    only_first = SCOPE._replace(end=DAY)
    assert measured(store, only_first).product.definition == "outcome"
    send(store, outcomes=[outcome(trace_id(2), 1.0, outcome_key="moved", at_ns=at_ns(later, 12), day=later)])
    found = measured(store, only_first).product
    assert (found.definition, found.runs, found.with_outcome) == ("completed", 1, 0)
    whole = measured(store).product
    assert (whole.definition, whole.runs, whole.with_outcome, whole.converted) == ("outcome", 2, 1, 1)


def test_an_older_file_that_is_read_later_does_not_take_an_outcome_back(store: Store) -> None:
    """Won at noon; the next import brings what was known at nine: lost."""
    one = trace_id(1)
    send(store, runs=[run(one)], attempts=[line(one, "op", 1)], outcomes=[outcome(one, 1.0)])
    send(store, outcomes=[outcome(one, 0.0, at_ns=at_ns(DAY, 9))])
    assert measured(store).product.converted == 1


def test_without_outcomes_completion_stands_in_and_says_so(store: Store) -> None:
    send(store, runs=[run(trace_id(1)), run(trace_id(2), ok=False)], attempts=[line(trace_id(1), "op", 1)])
    found = measured(store)
    assert (found.product.definition, found.product.converted) == ("completed", 1)
    assert "completed runs stand in" in found.not_known


def test_unknown_attempts_are_shown_and_never_zero(store: Store) -> None:
    world = quiet_runs(3)
    world["attempts"][0]["grade"] = "unobservable"
    world["calls"][0] = call(trace_id(1), "op0", None)
    send(store, **world)
    found = measured(store)
    assert found.grades == {"declared": 0, "observed": 2, "inferred": 0, "unobservable": 1}
    assert (found.grains[0].n, found.grains[1].n) == (3, 2)
    assert "unknown for 1 of 3 calls" in found.not_known


@pytest.mark.parametrize(
    ("runs", "failing", "status"),
    [
        (400, 0, "holds"),
        (400, 20, "holds"),
        (400, 80, "watch"),
        (400, 200, "broken"),
        (29, 20, "cannot tell"),
    ],
)
def test_all_four_statuses(store: Store, runs: int, failing: int, status: str) -> None:
    """One failed attempt of a like price per failing run: the gap is failing / runs, against 20 %."""
    send(store, **quiet_runs(runs, failing=failing))
    finding = retry_ledger.judge(measured(store))
    assert finding.status == status
    assert finding.gap == pytest.approx(failing / runs)


def test_no_failure_seen_still_has_an_upper_bound(store: Store) -> None:
    """0 of 60 attempts failed: at most 5.96 % do (Clopper-Pearson), which cost 0.0596 / 0.9404 = 6.3 % more."""
    send(store, **quiet_runs(60))
    finding = retry_ledger.judge(measured(store))
    assert (finding.gap, finding.low) == (0.0, 0.0)
    assert finding.high == pytest.approx(0.0634, abs=5e-4)


def test_the_limit_comes_from_the_page(store: Store) -> None:
    send(store, **quiet_runs(400, failing=20))
    assert (
        retry_ledger.judge(measured(store, SCOPE._replace(choices=(("limit", "0.01"),)))).status == "broken"
    )
    assert measured(store, SCOPE._replace(choices=(("limit", "much"),))).limit == 0.20


def test_no_prices_is_cannot_tell_and_names_the_column(store: Store) -> None:
    world = quiet_runs(60)
    for row in world["attempts"]:
        row["expected_usd"] = None
    send(store, **world)
    finding = retry_ledger.judge(measured(store))
    assert finding.status == "cannot tell"
    assert "attempts.expected_usd: 60 of 60 lines have no price" in finding.missing


def test_a_bill_alone_is_all_hidden(store: Store) -> None:
    send(store, cost_lines=[charge("k", "7", requests=3)])
    found = measured(store)
    money = bridge(found, "money")
    assert (money["hidden"], money["invoice"], money["epsilon"]) == (D(7), D(7), 0)
    assert retry_ledger.judge(found).status == "cannot tell"


def test_hidden_retries_raise_the_alarm_and_are_dated(store: Store) -> None:
    """30 days of 100 calls; from day 10 the bill has 5 requests more a day. Quiet days differ by one at most."""
    rows, bill = [], []
    for number in range(30):
        day = DAY + dt.timedelta(days=number)
        rows += [line(trace_id(number * 100 + n), f"op{number}-{n}", 1, day=day) for n in range(100)]
        billed = 100 + (5 if number >= 10 else (-1) ** number)
        bill.append(charge(f"d{number}", str(D("0.010") * billed), day=day, requests=billed))
    send(store, attempts=rows, cost_lines=bill)
    found = measured(store)
    assert found.books.drift is not None
    assert found.books.drift.alarm is not None
    assert found.books.drift.began == 10
    assert found.books.days[found.books.drift.alarm].day < DAY + dt.timedelta(days=25)
    assert "retry_billed_minus_traced" in retry_ledger.figures(retry_ledger.load(store.ask, SCOPE), found)


def test_the_drill_down_lists_the_dearest_failures_first(store: Store) -> None:
    send(store, **worked_scenario())
    rows = retry_ledger.evidence(store.ask, SCOPE)
    assert rows["wasted_usd"].to_list() == [D("0.024"), D("0.010")]
    assert rows["failed_attempts"].to_list() == [2, 1]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Row], list[Row], list[Row], list[Row]]:
    """Runs of operations of attempts with outcomes, and a bill that has little to do with them."""
    attempts, runs, outcomes = [], [], []
    price = st.decimals(0, 1, places=6).map(str)
    day = st.integers(0, 3).map(lambda n: DAY + dt.timedelta(days=n))
    for number in range(draw(st.integers(1, 6))):
        trace, on = trace_id(number + 1), draw(day)
        runs.append(run(trace, ok=draw(st.booleans()), day=on))
        if draw(st.booleans()):
            outcomes.append(outcome(trace, float(draw(st.booleans()))))
        rows: list[Row] = []
        for operation in range(draw(st.integers(0, 3))):
            fates = draw(st.lists(st.booleans(), min_size=1, max_size=4))
            for at, ok in enumerate(fates):
                fate = {
                    "attempt_ok": ok, "rescued": not ok and any(fates[at + 1 :]), "orphan": draw(st.booleans()),
                    "day": on, "model": draw(st.sampled_from(["gpt-4o", "gpt-4o-mini-2024-07-18"])),
                    "billable": draw(st.sampled_from(["yes", "no", "maybe"])),
                }  # fmt: skip
                name = f"{number}-{operation}"
                rows.append(line(trace, name, at + 1, draw(price), ok=ok, **fate))
                if draw(st.booleans()):
                    orphan = {"orphan": fate["orphan"]}
                    rows.append(tool(trace, name, at + 1, draw(price), ok=ok, **(fate | orphan)))
        good = [row for row in rows if row["attempt_ok"]]
        for row in rows:
            key = (row["operation_id"], row["attempt_number"])
            row["last_success"] = bool(good) and key == (good[-1]["operation_id"], good[-1]["attempt_number"])
        attempts += rows
    bill = [
        charge(
            str(n), draw(price), day=draw(day), model=draw(st.sampled_from(["gpt-4o", "gpt-4o-mini", None])),
            charge_category=draw(st.sampled_from(["Usage", "Usage", "Tax", "Credit"])),
            tokens=draw(st.none() | st.integers(0, 500)), requests=draw(st.none() | st.integers(0, 9)),
            token_type=draw(st.sampled_from(["input", "output", "mixed"])),
        )
        for n in range(draw(st.integers(0, 6)))
    ]  # fmt: skip
    return attempts, runs, outcomes, bill


def by_hand(
    attempts: list[Row], runs: list[Row], outcomes: list[Row]
) -> tuple[Counter[str], dict[str, Decimal]]:
    """The count and money buckets by the plainest loop: one attempt at a time."""
    stated = {row["trace_id"]: row["value"] >= 0.5 for row in outcomes}
    completed = {row["trace_id"]: row["ok"] for row in runs}
    converted = stated if stated else completed
    counts: Counter[str] = Counter()
    usd: dict[str, Decimal] = {}
    seen = set()
    for row in attempts:
        if row["orphan"]:
            bucket = "orphans"
        elif not row["attempt_ok"]:
            bucket = "rescued" if row["rescued"] else "unrescued"
        else:
            won = row["last_success"] and converted.get(row["trace_id"], False)
            bucket = "converting" if won else "other_successful"
        key = (row["trace_id"], row["operation_id"], row["attempt_number"])
        counts[bucket] += key not in seen
        seen.add(key)
        usd[bucket] = usd.get(bucket, D(0)) + row["expected_usd"]
    return counts, usd


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.randoms(use_true_random=False))
def test_any_world_closes_to_the_row_and_to_the_cent(
    world: tuple[list[Row], list[Row], list[Row], list[Row]], mixed: random.Random
) -> None:
    """Through SQL on a real store: buckets as by hand, epsilon 0 in every bridge, and the order of rows is nothing."""
    attempts, runs, outcomes, bill = world
    answers = []
    for _ in range(2):
        store = Store.open(":memory:")
        send(store, attempts=attempts, runs=runs, outcomes=outcomes, cost_lines=bill)
        found = retry_ledger.measure(retry_ledger.load(store.ask, SCOPE), SCOPE)
        store.close()
        answers.append(found)
        for rows in (attempts, runs, outcomes, bill):
            mixed.shuffle(rows)
    assert answers[0] == answers[1]
    if isinstance(answers[0], TooLittle):
        assert not attempts
        assert not bill
        return
    counts, usd = by_hand(attempts, runs, outcomes)
    assert isinstance(answers[0], Retries)
    for name in ("count", "money", "billing"):
        assert bridge(answers[0], name).get("epsilon", 0) == 0
    found_counts, money = bridge(answers[0], "count"), bridge(answers[0], "money")
    for bucket in ("converting", "other_successful", "rescued", "unrescued", "orphans"):
        assert found_counts[bucket] == counts[bucket]
        assert money[bucket] == usd.get(bucket, 0)
    if bill:
        assert money["invoice"] == sum(row["billed_cost"] for row in bill)


def tau_rows() -> tuple[list[Row], list[Row], list[Row]]:
    """Tool calls of 182 runs; a call of a tool whose last call in the run failed is its next attempt."""
    if not TAU.exists():
        pytest.skip(f"needs {TAU.name} from the shared data folder")
    attempts: list[Row] = []
    rewards: dict[str, float] = {}
    open_failures: dict[tuple[str, str], Row] = {}
    for row in pl.read_parquet(TAU).sort("task", "trial", "msg_index").rows(named=True):
        trace = trace_id(row["task"] * 100 + row["trial"] + 1)
        rewards[trace] = row["reward"]
        before = open_failures.pop((trace, row["tool"]), None)
        name = before["operation_id"] if before else f"{trace}-{row['msg_index']}"
        number = before["attempt_number"] + 1 if before else 1
        made = tool(trace, name, number, ok=not row["err"])
        attempts.append(made)
        if row["err"]:
            open_failures[(trace, row["tool"])] = made
    for row in attempts:
        later = [other for other in attempts if other["operation_id"] == row["operation_id"]]
        row["rescued"] = not row["ok"] and any(
            other["ok"] and other["attempt_number"] > row["attempt_number"] for other in later
        )
    last = {row["trace_id"]: row for row in attempts if row["ok"]}
    for row in last.values():
        row["last_success"] = True
    return (
        attempts,
        [run(trace) for trace in rewards],
        [outcome(trace, value) for trace, value in rewards.items()],
    )


def test_tau_bench_airline(store: Store) -> None:
    """182 runs, 80 converted; 1,164 calls = 334 + 13 in converted runs, 757 + 60 in others; 63 re-calls, 28 good."""
    attempts, runs, outcomes = tau_rows()
    send(store, attempts=attempts, runs=runs, outcomes=outcomes)
    found = measured(store)
    assert (found.product.runs, found.product.converted) == (182, 80)
    assert (found.grains[0].n, found.grains[0].failed) == (1_164, 13 + 60)
    assert (found.dependence.after_failure, found.dependence.failed_after_failure) == (63, 63 - 28)
    frame = retry_ledger.load(store.ask, SCOPE)["attempts"].filter(pl.col("cluster").is_null())
    by = {
        (row["outcome"], row["failed"]): row["attempts"]
        for row in frame.group_by("outcome", "failed").agg(pl.col("attempts").sum()).rows(named=True)
    }
    assert by == {(1, 0): 334, (1, 1): 13, (0, 0): 757, (0, 1): 60}
    assert bridge(found, "count")["converting"] == 80
    assert bridge(found, "count")["epsilon"] == 0
