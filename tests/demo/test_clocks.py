"""The demo's calls across machines: the tax and the wrong clocks are found and sized; the quiet world is quiet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.audits import mcp_cold_start, trace_clock
from core.audits.mcp_cold_start_measure import Tax
from core.audits.trace_clock_measure import Clocks
from data.demo.clocks import AGENT, HANDBOOK, LAST_DAYS, ORDERS, TURNS_A_DAY, write_clocks
from data.demo.plan import first_day
from tests.demo.beside import SCOPE, Loaded, loaded


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    world = loaded(tmp_path_factory.mktemp("clocks") / "loud", write_clocks, False)
    yield world
    world.store.close()


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    world = loaded(tmp_path_factory.mktemp("clocks") / "quiet", write_clocks, True)
    yield world
    world.store.close()


def tax_of(world: Loaded) -> Tax:
    found = mcp_cold_start.measure(mcp_cold_start.load(world.store.ask, SCOPE), SCOPE)
    assert isinstance(found, Tax)
    return found


def clocks_of(world: Loaded) -> Clocks:
    found = trace_clock.measure(trace_clock.load(world.store.ask, SCOPE), SCOPE)
    assert isinstance(found, Clocks)
    return found


def test_start_up_paid_again_is_found_dated_and_sized(loud: Loaded) -> None:
    tax = tax_of(loud)
    assert mcp_cold_start.judge(tax).status == "broken"
    planted = loud.truth["again_s"][-28 * TURNS_A_DAY :]
    assert len(tax.turns) == len(planted)
    assert tax.per_turn.low <= sum(planted) / len(planted) <= tax.per_turn.high
    began = first_day(90).toordinal() + loud.truth["planted"]["unpooled_from_day"]
    assert {turn.day.toordinal() >= began for turn in tax.turns if turn.cold_again} == {True}
    assert [title for _, title in tax.changes] == [f"{AGENT} 2.4.0"]
    assert {one.name: one.grade for one in tax.servers} == {HANDBOOK: "measured", ORDERS: "measured"}
    idle = {one.name: one.idle for one in tax.servers}
    assert idle[ORDERS] is None
    assert idle[HANDBOOK] is not None
    assert 20 < idle[HANDBOOK].after_s < 1800  # asleep after half an hour; within a turn pauses are seconds


def test_servers_that_stay_up_hold(quiet: Loaded) -> None:
    tax = tax_of(quiet)
    finding = mcp_cold_start.judge(tax)
    assert (finding.status, finding.missing) == ("holds", "")
    assert not any(turn.cold_again for turn in tax.turns)
    assert tax.share.high < 0.01
    assert [one.idle for one in tax.servers] == [None, None]


def test_clocks_that_are_off_are_found_and_sized(loud: Loaded) -> None:
    found = clocks_of(loud)
    assert trace_clock.judge(found).status == "broken"
    browsers = [one for one in found.sessions if "session" in one.key]
    off = sum(any(held and held.skewed for held in one.bounds) for one in browsers)
    planted = [a or b for a, b in zip(loud.truth["skewed"], loud.truth["stepped"], strict=True)][
        -len(browsers) :
    ]
    assert off == sum(planted)
    stepped = [one for one in browsers if one.state == "stepped"]
    assert len(stepped) == sum(loud.truth["stepped"][-len(browsers) :])
    assert found.same_clock.looked_at > 200
    assert found.same_clock.fired == 0
    assert found.halves.fired == 0


def test_right_clocks_hold(quiet: Loaded) -> None:
    found = clocks_of(quiet)
    assert trace_clock.judge(found).status == "holds"
    assert found.share("proven") == 1.0


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_clocks(tmp_path / name, 50, False, 3, None)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == LAST_DAYS + 1
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
