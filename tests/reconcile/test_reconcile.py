"""The bridges' arithmetic: worked cells, the identity on random worlds, names and sources."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ingest.bills import (
    anthropic_billing,
    aws_cur,
    azure_costs,
    focus,
    gcp_billing,
    litellm,
    openai_billing,
    openrouter,
)
from core.ingest.platforms import langfuse
from core.reconcile import (
    ZERO,
    Billed,
    Key,
    Period,
    Settlement,
    Traced,
    billing_bridge,
    count_bridge,
    money_bridge,
    settle,
    settle_all,
    total,
)
from core.reconcile.bills import INVOICE_SOURCE, choose_sources, family, under_one_name

DAY = dt.date(2026, 3, 2)
PERIOD = Period(DAY, DAY + dt.timedelta(days=9))
D = Decimal


def test_a_bill_that_agrees_leaves_nothing() -> None:
    traced = Traced(D("1.00"), 10, tokens={"input": 1_000})
    billed = Billed(D("1.00"), 10, {"input": 1_000}, {"input": D("1.00")})
    assert settle(traced, billed, DAY, PERIOD) == Settlement()


def test_price_and_token_variance_by_token_type() -> None:
    """Input 1,000 at $0.001, output 100 at $0.01 billed; 1,000 and 90 traced, expected $1.70.

    At billed prices the traced tokens cost 1.00 + 0.90 = 1.90: price variance 0.20.
    Billed 2.00 - 1.90 = 0.10 for ten tokens more: token variance.
    """
    traced = Traced(D("1.70"), 10, tokens={"input": 1_000, "output": 90})
    billed = Billed(D("2.00"), 10, {"input": 1_000, "output": 100}, {"input": D("1.00"), "output": D("1.00")})
    found = settle(traced, billed, DAY, PERIOD)
    assert (found.price, found.token, found.hidden) == (D("0.20"), D("0.10"), ZERO)


def test_hidden_requests_cost_the_mean_of_their_cell() -> None:
    """12 billed, 10 traced, 1,200 tokens at $0.001 against 1,000: 2 x 1.20 / 12 = $0.20, all of the variance."""
    traced = Traced(D("1.00"), 10, tokens={"input": 1_000})
    billed = Billed(D("1.20"), 12, {"input": 1_200}, {"input": D("1.20")})
    found = settle(traced, billed, DAY, PERIOD)
    assert (found.hidden, found.token, found.price, found.hidden_requests) == (D("0.20"), ZERO, ZERO, 2)


def test_hidden_never_exceeds_the_quantity_that_is_left() -> None:
    """2 of 12 requests more but only $0.05 more: hidden is 0.05, not the mean 0.175."""
    traced = Traced(D("1.00"), 10, tokens={"input": 1_000})
    billed = Billed(D("1.05"), 12, {"input": 1_050}, {"input": D("1.05")})
    assert settle(traced, billed, DAY, PERIOD).hidden == D("0.05")


def test_attempts_of_uncertain_billability_are_used_up_first() -> None:
    """13 billed, 10 sure, 2 maybe: 2 of uncertain billability were billed and 1 is hidden."""
    found = settle(Traced(D(1), 10, 2), Billed(D("1.3"), 13), DAY, PERIOD)
    assert (found.maybe_requests, found.hidden_requests, found.unbilled_requests) == (2, 1, 0)


def test_a_cell_without_traces_is_hidden_and_one_without_bill_unbilled() -> None:
    assert settle(None, Billed(D(3), 5), DAY, PERIOD) == Settlement(untraced=D(3), hidden_requests=5)
    assert settle(Traced(D(2), 4), None, DAY, PERIOD) == Settlement(unbilled=D(2), unbilled_requests=4)


@pytest.mark.parametrize("days", [-1, 10])
def test_the_cut_off_comes_before_everything_else(days: int) -> None:
    """A day outside the bill's period is not unbilled: the bill does not speak of it."""
    found = settle(Traced(D(2), 4), None, DAY + dt.timedelta(days=days), PERIOD)
    assert found == Settlement(cut_off=D(-2), cut_off_requests=-4)


def test_a_bill_without_tokens_and_requests_cannot_be_divided() -> None:
    assert settle(Traced(D(2), 4), Billed(D(3)), DAY, PERIOD) == Settlement(undivided=D(1))


def test_a_call_billed_on_the_other_side_of_midnight_is_cut_off() -> None:
    """11 and 9 billed, 10 and 10 traced at $0.10: one request slipped, nothing is hidden or unbilled."""
    days = [DAY, DAY + dt.timedelta(days=1)]
    traced = {("openai", "m", day): Traced(D("1.00"), 10, tokens={"input": 1_000}) for day in days}
    costs = {days[0]: (11, 1_100, D("1.10")), days[1]: (9, 900, D("0.90"))}
    billed = {
        ("openai", "m", day): Billed(usd, requests, {"input": tokens}, {"input": usd})
        for day, (requests, tokens, usd) in costs.items()
    }
    sums = total(settle_all(traced, billed, {"openai": PERIOD}).values())
    assert sums == Settlement()


MONEY = st.decimals(0, 10_000, places=12)
COUNT = st.integers(0, 1_000)
TOKENS = st.dictionaries(st.sampled_from(["input", "cache_read", "output"]), st.integers(0, 10**7))
DAYS = st.integers(-2, 12).map(lambda n: DAY + dt.timedelta(days=n))
KEYS = st.tuples(st.sampled_from(["openai", "anthropic"]), st.sampled_from(["a", "b-2024-07-18"]), DAYS)
TRACED = st.builds(Traced, MONEY, COUNT, COUNT, TOKENS)


@st.composite
def bills(draw: st.DrawFn) -> Billed:
    """A billed cell whose costs by token type sum to its cost, or that has none."""
    tokens = draw(TOKENS)
    costs = {kind: draw(MONEY) for kind in tokens} if draw(st.booleans()) else {}
    cost = sum(costs.values(), ZERO) if costs else draw(MONEY)
    return Billed(cost, draw(st.none() | COUNT), tokens, costs)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(KEYS, TRACED, max_size=12),
    st.dictionaries(KEYS, bills(), max_size=12),
    st.randoms(use_true_random=False),
)
def test_any_world_closes_exactly(
    traced: dict[Key, Traced], billed: dict[Key, Billed], mixed: random.Random
) -> None:
    """Billed - expected is the sum of the terms, cell by cell and in total, to the last decimal; in any order."""
    periods = {"openai": PERIOD, "anthropic": PERIOD}
    inside = {key: line for key, line in billed.items() if PERIOD.first <= key[2] <= PERIOD.last}
    settled = settle_all(traced, inside, periods)
    for key, found in settled.items():
        expected = traced[key].expected_usd if key in traced else ZERO
        cost = inside[key].cost_usd if key in inside else ZERO
        assert found.difference == cost - expected
    sums = total(settled.values())
    invoice = sum((line.cost_usd for line in inside.values()), ZERO)
    traced_usd = {"converting": sum((cell.expected_usd for cell in traced.values()), ZERO)}
    rows = money_bridge(traced_usd, {"converting": 1}, sums, ZERO, {}, invoice)
    assert {row.bucket: row.usd for row in rows}["epsilon"] == 0
    keys = list(traced)
    mixed.shuffle(keys)
    assert total(settle_all({key: traced[key] for key in keys}, inside, periods).values()) == sums


@given(COUNT, COUNT, COUNT)
def test_requests_close_in_every_cell(sure: int, maybe: int, requests: int) -> None:
    """billed = sure + maybe billed + hidden - unbilled."""
    found = settle(Traced(D(1), sure, maybe), Billed(D(1), requests), DAY, PERIOD)
    rows = {row.bucket: row.n for row in billing_bridge(sure, found, requests)}
    assert rows["epsilon"] == 0
    assert found.hidden_requests * found.unbilled_requests == 0


def test_epsilon_is_shown_when_a_line_falls_through() -> None:
    """An invoice of 1.00 with 0.90 accounted for has an epsilon of 0.10; 5 attempts in 4 buckets, of 1."""
    rows = money_bridge({"converting": D("0.90")}, {"converting": 1}, Settlement(), ZERO, {}, D("1.00"))
    assert [(row.bucket, row.usd) for row in rows[-2:]] == [("epsilon", D("0.10")), ("invoice", D("1.00"))]
    assert {row.bucket: row.n for row in count_bridge({"converting": 4}, 5)}["epsilon"] == 1


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("openai/gpt-4o-mini", "gpt-4o-mini"),
        ("claude-3-5-haiku-20241022", "claude-3-5-haiku"),
        ("claude-3-5-haiku@20241022", "claude-3-5-haiku"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku"),
        ("us.anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku"),
        ("gpt-4.1", "gpt-4.1"),
        ("gpt-5", "gpt-5"),
    ],
)
def test_alias_and_snapshot_are_one_family(model: str, name: str) -> None:
    assert family(model) == name


def test_snapshots_stay_apart_when_both_sides_name_them() -> None:
    """Two snapshots with different prices on both sides are not merged; an alias on the bill merges both."""
    old, new = ("openai", "gpt-4o-2024-05-13", DAY), ("openai", "gpt-4o-2024-08-06", DAY)
    traced = {old: Traced(D(2), 1), new: Traced(D(1), 1)}
    exact = {old: Billed(D(2)), new: Billed(D(1))}
    assert under_one_name(traced, exact) == (traced, exact)
    alias = ("openai", "gpt-4o", DAY)
    left, right = under_one_name(traced, {alias: Billed(D(3))})
    assert left == {alias: Traced(D(3), 2)}
    assert right == {alias: Billed(D(3))}


def test_a_vendor_bill_comes_before_a_gateway_log() -> None:
    rows = [
        {"measure": "cost", "provider": "openai", "source_format": source, "day": DAY}
        for source in ("litellm", "focus")
    ]
    rows.append({"measure": "usage", "provider": "anthropic", "source_format": "anthropic_usage", "day": DAY})
    seen = pl.DataFrame(rows)
    assert choose_sources(seen) == {"openai": "focus"}
    assert choose_sources(seen, preferred="litellm") == {"openai": "litellm"}


def test_every_reader_of_money_can_be_chosen_as_the_invoice() -> None:
    """The settings' options are the source_format of each reader whose lines cost something."""
    written = {
        focus.NAME, openai_billing.COSTS, anthropic_billing.COSTS, aws_cur.NAME, aws_cur.LEGACY, azure_costs.NAME,
        gcp_billing.NAME, openrouter.COSTS, litellm.NAME, langfuse.NAME,
    }  # fmt: skip
    assert {*INVOICE_SOURCE.options} == {"", *written}
