"""The demo's checkpoints: the decoupling is found, sized and dated; the quiet world is quiet."""

from __future__ import annotations

import pytest

from core.audit import Scope
from core.audits import reward_vs_outcome as audit
from core.audits.reward_vs_outcome import Divergence
from data.demo.checkpoints import CAVEAT_PRICE, COUNT, PLANTED, name_of
from data.demo.plan import END_DAY, first_day
from tests.demo.conftest import Loaded

SCOPE = Scope(first_day(90), END_DAY)


def measured(loaded: Loaded) -> Divergence:
    found = audit.measure(audit.load(loaded.store.ask, SCOPE), SCOPE)
    assert isinstance(found, Divergence)
    return found


@pytest.fixture(scope="module")
def loud_reward(loud_ledger: Loaded) -> Divergence:
    return measured(loud_ledger)


@pytest.fixture(scope="module")
def quiet_reward(quiet_ledger: Loaded) -> Divergence:
    return measured(quiet_ledger)


def test_the_checkpoints_are_read_in_order(loud_reward: Divergence) -> None:
    assert [one.name for one in loud_reward.checkpoints] == [name_of(number) for number in range(COUNT)]


def test_the_rise_and_the_fall_are_sized(loud_reward: Divergence) -> None:
    assert loud_reward.proxy.low <= PLANTED.reward <= loud_reward.proxy.high
    assert loud_reward.proxy.low > 0
    assert loud_reward.outcome.low <= PLANTED.success <= loud_reward.outcome.high
    assert loud_reward.verdict in ("decoupled", "decoupling")


def test_what_the_reward_bought_is_named(loud_reward: Divergence) -> None:
    """Caveats: 3 more an answer at 0.02 each, 6 of the 9 points."""
    assert loud_reward.prices is not None
    parts = {part.feature: part for part in loud_reward.prices.parts}
    assert parts["caveats"].low <= PLANTED.caveats * CAVEAT_PRICE <= parts["caveats"].high
    assert max(parts.values(), key=lambda part: part.value).feature == "caveats"
    first, last = loud_reward.tellings[0].auroc, loud_reward.tellings[-1].auroc
    assert last.value < first.value


def test_the_quiet_world_raises_nothing(quiet_reward: Divergence) -> None:
    assert quiet_reward.verdict in ("coupled", "cannot tell")
    assert quiet_reward.proxy.low <= 0 <= quiet_reward.proxy.high
    assert quiet_reward.outcome.low <= 0 <= quiet_reward.outcome.high
