"""Named differences: each by hand, in its own term and no other, adding up whatever the numbers."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.reconcile.differences import (
    TERMS,
    BilledCell,
    Cell,
    Terms,
    TracedCell,
    added,
    slipped,
    split,
    unexplained,
)

D = Decimal
DAY = dt.date(2026, 3, 2)


def traced(usd: str = "3", sure: int = 10, **more: object) -> TracedCell:
    """10 calls: 1,000 fresh input tokens at $1 the thousand, 200 output at $10: 1 + 2 = $3."""
    cell = TracedCell(D(usd), sure, tokens={"input": 1000, "output": 200})
    return cell._replace(**more)


def billed(usd: str = "3", requests: int | None = 10, **more: object) -> BilledCell:
    """The same on the bill."""
    cell = BilledCell(D(usd), requests, {"input": 1000, "output": 200}, {"input": D(1), "output": D(2)})
    return cell._replace(**more)


def terms(
    one: TracedCell | None, other: BilledCell | None, is_open: bool = False, within: bool = True
) -> dict[str, Decimal]:
    found = split(one, other, is_open, within)
    assert found.total == (other.cost_usd if other else 0) - (one.expected_usd if one else 0)
    return {name: amount for name, amount in found.amounts.items() if amount}


def test_equal_sides_have_no_difference() -> None:
    assert terms(traced(), billed()) == {}


def test_an_open_day_is_never_a_saving() -> None:
    assert terms(traced(), billed("1"), is_open=True) == {"open": D(-2)}


def test_outside_the_bill_is_cut_off() -> None:
    assert terms(traced(), None, within=False) == {"cut_off": D(-3)}


def test_no_traced_call_is_a_caller_without_traces() -> None:
    assert terms(None, billed()) == {"uninstrumented": D(3)}


def test_no_bill_for_traced_calls_is_unbilled() -> None:
    assert terms(traced(), None) == {"unbilled": D(-3)}


def test_another_price_is_price() -> None:
    """Twice the price of everything: 1000 x 2/1000 + 200 x 4/200 = 6; 6 - 3 = 3."""
    assert terms(traced(), billed("6", costs={"input": D(2), "output": D(4)})) == {"price": D(3)}


def test_batch_below_the_standard_price_is_tier() -> None:
    """Half of everything at half price: cost 2.25 = 3 - 0.75, and the tier effect says -0.75."""
    cell = billed("2.25", costs={"input": D("0.75"), "output": D("1.5")}, tier_usd=D("-0.75"))
    assert terms(traced(), cell) == {"tier": D("-0.75")}


def test_a_regional_uplift_is_region() -> None:
    """10 % on 3 dollars."""
    cell = billed("3.3", costs={"input": D("1.1"), "output": D("2.2")}, region_usd=D("0.3"))
    assert terms(traced(), cell) == {"region": D("0.3")}


def test_tokens_billed_fresh_that_traces_say_were_cached_is_cache() -> None:
    """1,000 input tokens on both sides; traced 600 fresh and 400 cached at a tenth: 0.6 + 0.04 + 2 = 2.64.

    Billed 1,000 - 100 = 900 fresh (0.9) and 100 cached (0.01): 2.91. The mix alone: 300 x (0.001 - 0.0001) = 0.27.
    """
    one = traced("2.64", tokens={"input": 600, "cache_read": 400, "output": 200})
    other = billed(
        "2.91",
        tokens={"input": 900, "cache_read": 100, "output": 200},
        costs={"input": D("0.9"), "cache_read": D("0.01"), "output": D(2)},
    )
    assert terms(one, other) == {"cache": D("0.27")}


def test_output_billed_as_reasoning_that_traces_leave_out_is_reasoning() -> None:
    """50 reasoning tokens more, at the output's price of 0.01: 0.5."""
    other = billed(
        "3.5",
        tokens={"input": 1000, "output": 200, "reasoning": 50},
        costs={"input": D(1), "output": D(2), "reasoning": D("0.5")},
    )
    assert terms(traced(), other) == {"reasoning": D("0.5")}


def test_failed_attempts_without_usage_are_an_estimate_with_a_bound() -> None:
    """11 requests billed, 10 traced and sure, 1 without usage: the eleventh's 0.3 = 3.3 / 11."""
    other = billed(
        "3.3", 11, tokens={"input": 1100, "output": 220}, costs={"input": D("1.1"), "output": D("2.2")}
    )
    found = split(traced(unsure=1), other, False, True)
    assert {name: usd for name, usd in found.amounts.items() if usd} == {"failed": D("0.3")}
    assert found.failed_at_most == D("0.3")
    assert unexplained(added([found])) == (D(0), D("0.3"))


def test_requests_in_no_trace_are_hidden() -> None:
    """12 requests billed, 10 traced: 2 x 3.6 / 12 = 0.6."""
    other = billed(
        "3.6", 12, tokens={"input": 1200, "output": 240}, costs={"input": D("1.2"), "output": D("2.4")}
    )
    assert terms(traced(), other) == {"hidden": D("0.6")}


def test_fewer_requests_than_traced_are_unbilled() -> None:
    """9 of 10 requests billed: one traced call's 0.3 is missing."""
    other = billed(
        "2.7", 9, tokens={"input": 900, "output": 180}, costs={"input": D("0.9"), "output": D("1.8")}
    )
    assert terms(traced(), other) == {"unbilled": D("-0.3")}


def test_more_tokens_in_as_many_requests_is_unknown() -> None:
    other = billed(
        "3.3", 10, tokens={"input": 1100, "output": 220}, costs={"input": D("1.1"), "output": D("2.2")}
    )
    assert terms(traced(), other) == {"unknown": D("0.3")}


def test_a_bill_with_neither_tokens_nor_requests_is_unknown_as_a_whole() -> None:
    assert terms(traced(), billed("5", None, tokens={}, costs={})) == {"unknown": D(2)}


def test_without_traced_tokens_a_request_has_a_price() -> None:
    """10 requests for 4 dollars: the traced 10 cost 4 at that price, expected 3: price 1."""
    assert terms(traced(tokens={}), billed("4", 10, tokens={}, costs={})) == {"price": D(1)}


amounts = st.decimals(0, 50, places=4)
counts = st.integers(0, 2_000)
tokens = st.dictionaries(st.sampled_from(["input", "cache_read", "cache_write", "output"]), counts)


@given(
    st.none() | st.builds(TracedCell, amounts, st.integers(0, 20), st.integers(0, 5), tokens, counts),
    st.none()
    | st.builds(
        BilledCell, amounts, st.none() | st.integers(0, 25),
        st.dictionaries(st.sampled_from(["input", "cache_read", "output", "reasoning", "mixed"]), counts),
        st.dictionaries(st.sampled_from(["input", "cache_read", "output", "reasoning", "mixed"]), amounts),
        st.decimals(-1, 1, places=3), st.decimals(0, 1, places=3),
    ),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_terms_add_up_whatever_the_numbers(
    one: TracedCell | None, other: BilledCell | None, is_open: bool, within: bool
) -> None:
    found = split(one, other, is_open, within)
    assert set(found.amounts) <= set(TERMS)
    assert found.total == (other.cost_usd if other else D(0)) - (one.expected_usd if one else D(0))
    assert found.amounts.get("hidden", D(0)) >= 0
    assert found.amounts.get("unbilled", D(0)) <= 0
    assert found.failed_at_most >= 0


def cell(day: int, hour: int | None = None) -> Cell:
    return Cell("openai", "", "m", DAY + dt.timedelta(days=day), hour)


def both(**amounts: str) -> Terms:
    return Terms({"price": D(0)} | {name: D(text) for name, text in amounts.items()})


def test_money_on_the_other_side_of_midnight_is_cut_off_and_cancels() -> None:
    """0.5 hidden on Monday, 0.4 unbilled on Tuesday: 0.1 stays hidden, the cut-offs add up to nothing."""
    found = slipped({cell(0): both(hidden="0.5"), cell(1): both(unbilled="-0.4"), cell(9): both(hidden="1")})
    assert found[cell(0)].amounts["hidden"] == D("0.1")
    assert found[cell(1)].amounts["unbilled"] == 0
    assert found[cell(9)].amounts["hidden"] == 1
    assert added(found.values()).amounts["cut_off"] == 0


def test_hours_slip_into_the_hour_beside_them_also_over_midnight() -> None:
    late = (DAY - dt.date(1970, 1, 1)).days * 24 + 23
    found = slipped({cell(0, late): both(hidden="0.5"), cell(1, late + 1): both(unbilled="-0.5")})
    assert found[cell(0, late)].amounts["hidden"] == 0
    assert added(found.values()).amounts["cut_off"] == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.decimals(-2, 2, places=2)), max_size=6))
def test_slipping_moves_and_never_makes_money(rows: list[tuple[int, Decimal]]) -> None:
    cells = {cell(day): both(**{"hidden" if usd > 0 else "unbilled": str(usd)}) for day, usd in rows}
    before, after = added(cells.values()).total, added(slipped(cells).values()).total
    assert before == after


def test_too_little_billed_is_as_unexplained_as_too_much() -> None:
    assert unexplained(added([both(unknown="-2")])) == (D(2), D(2))


@pytest.mark.parametrize("name", TERMS)
def test_every_term_has_a_name_on_the_page(name: str) -> None:
    from core.audits.bill_reconciliation_figures import LABELS

    assert LABELS[name]
