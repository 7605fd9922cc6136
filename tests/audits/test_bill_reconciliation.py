"""The bill against the traces: statuses at their boundaries, names matched, projects mapped, the invoice closed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audit import Finding, Scope, TooLittle
from core.audits import bill_reconciliation as audit
from core.audits.bill_reconciliation_measure import Reconciliation, bridge
from core.ledger.store import Store
from tests.audits.retry_world import DAY, Row, charge, line, send

D = Decimal
SCOPE = Scope(DAY, DAY + dt.timedelta(days=6))
PROJECT = {"sub_account_id": "proj_shop"}


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store.open(":memory:")
    yield opened
    opened.close()


def calls(count: int, usd: str = "0.010", **more: Any) -> list[Row]:
    """Calls of 100 input and 10 output tokens, a cent each."""
    return [line(f"{more.get('prefix', '')}{n:031d}a", f"op{n}{more.get('prefix', '')}", 1, usd,
                 **{k: v for k, v in more.items() if k != "prefix"}) for n in range(count)]  # fmt: skip


def bill(count: int, key: str = "k", each: str = "0.010", **more: Any) -> Row:
    """The bill of `count` calls: requests and tokens of both kinds in one line, as mixed."""
    row = charge(key, str(D(each) * count), requests=count, tokens=110 * count, token_type="mixed")
    return row | PROJECT | more


def found(store: Store, scope: Scope = SCOPE) -> Reconciliation:
    measure = audit.measure(audit.load(store.ask, scope), scope)
    assert isinstance(measure, Reconciliation), measure
    return measure


def finding(store: Store, scope: Scope = SCOPE) -> Finding:
    return audit.judge(audit.measure(audit.load(store.ask, scope), scope))


def closes(measure: Reconciliation) -> None:
    rows = {name: usd for name, usd, _ in bridge(measure)}
    assert rows["epsilon"] == 0
    assert rows["invoice"] == measure.invoice_usd


def test_equal_books_hold(store: Store) -> None:
    send(store, attempts=calls(10), cost_lines=[bill(10)])
    closes(found(store))
    told = finding(store)
    assert (told.status, told.gap, told.bounds) == ("holds", 0.0, "range")
    assert told.sentence == "$0.00 of $0.10 billed through 2026-03-02 is in no trace."


def test_more_traced_than_billed_is_not_told_as_missing_from_the_traces(store: Store) -> None:
    """Ten calls of 1 cent and a bill of 4 cents without tokens or requests: 6 cents are unexplained, and none untraced."""
    lump = bill(4) | {"requests": None, "tokens": None, "consumed_quantity": None, "token_type": None}
    send(store, attempts=calls(10), cost_lines=[lump])
    assert found(store).unexplained_usd[0] == D("0.06")
    told = finding(store).sentence
    assert (
        told
        == "$0.00 of $0.04 billed through 2026-03-02 is in no trace, and $0.06 more was traced than billed."
    )


@pytest.mark.parametrize(("extra", "status"), [(2, "holds"), (3, "broken")])
def test_just_under_and_over_the_limit(store: Store, extra: int, status: str) -> None:
    """2 of 102 requests hidden are 1.96 %, 3 of 103 are 2.91 %; the limit is 2 %."""
    send(store, attempts=calls(100), cost_lines=[bill(100 + extra)])
    assert finding(store).status == status


def test_across_the_limit_is_watch(store: Store) -> None:
    """A failed attempt without usage may be the excess request, or not: the range crosses the limit."""
    broken = calls(
        3,
        None,
        prefix="f",
        input_tokens=None,
        output_tokens=None,
        billable="maybe",
        ok=False,
        price_source="usage_unknown",
    )  # type: ignore[arg-type]
    send(store, attempts=calls(97) + broken, cost_lines=[bill(100)])
    told = finding(store)
    assert (told.status, told.low) == ("watch", 0.0)
    assert told.high == pytest.approx(0.03)


def test_cannot_tell_names_what_is_missing(store: Store) -> None:
    send(store, attempts=calls(3))
    assert finding(store).missing.startswith("cost_lines: no bill in scope")
    send(store, cost_lines=[bill(3, "e", billing_currency="EUR")])
    assert finding(store).missing.startswith("cost_lines: no bill in USD")
    send(store, cost_lines=[bill(3)])
    assert finding(store, SCOPE._replace(services=("shop",))).missing.endswith(
        "Clear the service and model choices."
    )
    assert "region" in finding(store, SCOPE._replace(regions=("eu-west-1",))).missing


def test_a_bill_alone_cannot_tell(store: Store) -> None:
    send(store, cost_lines=[bill(3)])
    told = finding(store)
    assert (told.status, told.missing.partition(":")[0]) == ("cannot tell", "attempts")


@pytest.mark.parametrize(("unpriced", "status"), [(10, "broken"), (11, "cannot tell")])
def test_a_price_list_without_half_of_the_calls_accuses_nobody(
    store: Store, unpriced: int, status: str
) -> None:
    """10 calls have a price; the bill is of all calls, and only our prices are missing."""
    unknown = calls(unpriced, None, prefix="u")  # type: ignore[arg-type]
    amount = bill(10 + unpriced, requests=None, tokens=None, token_type=None)
    send(store, attempts=calls(10) + unknown, cost_lines=[amount])
    told = finding(store)
    assert told.status == status
    if status == "cannot tell":
        assert told.missing.startswith(
            "attempts.expected_usd: 11 of 21 traced calls with usage have no price"
        )


def test_without_prices_a_bill_that_the_tokens_explain_still_holds(store: Store) -> None:
    unknown = calls(90, None, prefix="u")  # type: ignore[arg-type]
    send(store, attempts=calls(10) + unknown, cost_lines=[bill(100)])
    assert finding(store).status == "holds"


def test_only_open_days_cannot_tell(store: Store) -> None:
    """A bill of today, read today: nothing is final."""
    today = dt.datetime.now(dt.UTC).date()
    send(store, attempts=calls(10, day=today), cost_lines=[bill(10, day=today) | {"day": today}])
    told = finding(store, Scope(today - dt.timedelta(days=6), today))
    assert told.status == "cannot tell"
    assert "no closed day" in told.missing


def test_snapshot_and_alias_are_one_model(store: Store) -> None:
    """Traced as gpt-4o-mini-2024-07-18, billed as gpt-4o-mini."""
    send(store, attempts=calls(5), cost_lines=[bill(5)])
    assert {row.cell.model for row in found(store).cells} == {"gpt-4o-mini"}


def test_calls_told_twice_and_roll_ups_are_taken_off_first(store: Store) -> None:
    """10 calls, 4 of them told twice and a sum on an agent span: 0.10 traced, 0.04 and 0.03 removed."""
    twice = calls(4, prefix="d", removed_rule="response_id")
    rolled = calls(3, prefix="r", removed_rule="roll_up")
    send(store, attempts=calls(10) + twice + rolled, cost_lines=[bill(10)])
    measure = found(store)
    assert (measure.duplicates_usd, measure.roll_ups_usd) == (D("0.04"), D("0.03"))
    assert bridge(measure)[0] == ("spans", D("0.17"), "total")
    closes(measure)
    assert finding(store).status == "holds"


def test_what_is_not_a_model_is_unmapped_with_its_amount(store: Store) -> None:
    """A FOCUS export of a whole account: storage is neither hidden nor unknown."""
    storage = charge("s", "9.00", provider_name="Amazon", model=None, region_id="us-east-1")
    nameless = charge("n", "0.50", model=None)
    send(store, attempts=calls(10), cost_lines=[bill(10), storage, nameless])
    measure = found(store)
    assert measure.apart == {"unmapped": D("9.50")}
    assert [(one.provider, one.usd, one.why) for one in measure.unmapped] == [
        ("amazon", D(9), "no model"), ("openai", D("0.5"), "no model"),
    ]  # fmt: skip
    closes(measure)
    assert finding(store).status == "holds"


def test_credits_tax_corrections_and_purchases_stand_apart(store: Store) -> None:
    others = [
        charge("c", "-0.05", charge_category="Credit"), charge("t", "0.02", charge_category="Tax"),
        charge("x", "-0.01", charge_class="Correction"), charge("p", "5", charge_category="Purchase"),
        charge("a", "0.001", charge_category="Adjustment"),
    ]  # fmt: skip
    send(store, attempts=calls(10), cost_lines=[bill(10), *others])
    measure = found(store)
    assert measure.apart == {
        "credits": D("-0.05"), "tax": D("0.02"), "corrections": D("-0.01"), "purchases": D(5), "adjustments": D("0.001"),
    }  # fmt: skip
    closes(measure)


def test_prepaid_use_bills_nothing_and_costs_its_share(store: Store) -> None:
    send(store, attempts=calls(10), cost_lines=[bill(10) | {"billed_cost": D(0)}])
    measure = found(store)
    assert (measure.apart, measure.closed_usd) == ({"prepaid": D("-0.1")}, D("0.1"))
    closes(measure)


def test_a_callers_file_brings_out_who_has_no_traces(store: Store) -> None:
    """shop calls under proj_shop; proj_evals has no service: without the file its money is hidden requests."""
    lines = [bill(10), bill(40, "e", sub_account_id="proj_evals")]
    send(store, attempts=calls(10), cost_lines=lines)
    assert found(store).total.amounts["hidden"] == D("0.4")
    assert {one.traced for one in found(store).callers} == {None}
    send(store, callers=[{"service_name": "shop", "provider_name": "openai", "sub_account_id": "proj_shop"}])
    measure = found(store)
    assert measure.total.amounts["uninstrumented"] == D("0.4")
    assert measure.total.amounts["hidden"] == 0
    assert {one.project: one.traced for one in measure.callers} == {"proj_evals": False, "proj_shop": True}
    closes(measure)


def test_batch_and_regions_have_terms_of_their_own(store: Store) -> None:
    """Standard 100 tokens a cent; batch at half; a region at 1.10 of the base price."""

    def part(key: str, tokens: int, usd: str, **more: Any) -> Row:
        row = charge(key, usd, tokens=tokens, token_type="input", region_id="base") | PROJECT
        return row | more

    attempts = [line(f"{n:031d}a", f"op{n}", 1, "0.01", input_tokens=100, output_tokens=0) for n in range(30)]
    lines = [
        part("s", 1000, "0.10"), part("b", 1000, "0.05", batch=True), part("r", 1000, "0.11", region_id="zone"),
    ]  # fmt: skip
    send(store, attempts=attempts, cost_lines=lines)
    measure = found(store)
    assert measure.total.amounts["tier"] == D("-0.05")
    assert measure.total.amounts["region"] == D("0.01")
    assert measure.total.amounts["price"] == 0
    assert finding(store).status == "holds"


def test_a_restated_line_is_told_and_an_older_version_stays(store: Store) -> None:
    send(store, attempts=calls(10), cost_lines=[bill(8)])
    then = store.latest_import()
    send(store, cost_lines=[bill(10)])
    assert found(store).restated == (("focus", 1, D("0.02")),)
    assert found(store, SCOPE._replace(as_of=then)).invoice_usd == D("0.08")


def test_hours_are_used_where_every_line_has_one(store: Store) -> None:
    hour = calls(1)[0]["hour"]
    send(store, attempts=calls(10), cost_lines=[bill(10, hour=hour)])
    hourly = found(store, SCOPE._replace(choices=(("grain", "hour"),)))
    assert {row.cell.hour for row in hourly.cells} == {hour}
    assert {row.cell.hour for row in found(store).cells} == {None}
    send(store, cost_lines=[bill(1, "day", day=DAY + dt.timedelta(days=1))])
    assert {row.cell.hour for row in found(store, SCOPE._replace(choices=(("grain", "hour"),))).cells} == {
        None
    }


ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 9), st.integers(0, 3), st.sampled_from(["USD", "EUR"])),
    min_size=1, max_size=8,
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(ROWS, st.integers(0, 12), st.randoms())
def test_random_books_close_in_any_order_and_split(
    rows: list[tuple[str, int, int, str]], n: int, random: Any
) -> None:
    """To the cent: epsilon is 0, and neither the order of rows nor their split into imports changes a number."""
    lines = {
        f"{key}{day}": bill(count, f"{key}{day}", day=DAY + dt.timedelta(days=day), billing_currency=currency)
        for key, count, day, currency in rows
    }
    attempts = calls(n)
    one, other = Store.open(":memory:"), Store.open(":memory:")
    try:
        send(one, attempts=attempts, cost_lines=list(lines.values()))
        shuffled = list(lines.values())
        random.shuffle(shuffled)
        for row in shuffled:
            send(other, cost_lines=[row])
        send(other, attempts=attempts[::-1])
        told = [audit.measure(audit.load(store.ask, SCOPE), SCOPE) for store in (one, other)]
        if isinstance(told[0], TooLittle):
            assert isinstance(told[1], TooLittle)
            return
        closes(told[0])
        assert told[0]._replace(restated=()) == told[1]._replace(restated=())  # type: ignore[union-attr]
    finally:
        one.close()
        other.close()


def test_tables_and_figures_say_the_same_money(store: Store) -> None:
    send(store, attempts=calls(10), cost_lines=[bill(12), bill(3, "k2", day=DAY + dt.timedelta(days=1))])
    measure = found(store)
    cells = audit.tables(measure)["Cells"]
    assert sum(cells["billed"].to_list()) == measure.invoice_usd
    drawn = audit.figures({}, measure)
    assert set(drawn) == {
        "reconciliation_bridge", "reconciliation_cells", "reconciliation_by_provider", "reconciliation_callers",
        "reconciliation_final_days",
    }  # fmt: skip
    steps = {row[0]: row[1] for row in drawn["reconciliation_bridge"].layout.meta["rows"]}
    assert D(str(steps["invoice"])) == measure.invoice_usd
    assert isinstance(audit.tables(measure)["Projects and keys"], pl.DataFrame)
