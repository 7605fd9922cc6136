"""The forecast audit on the demo: the planted trough is proposed, dated and sized; the quiet world proposes nothing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from core.audit import Scope
from core.audits import token_forecast
from core.breaks import read_rows
from data.demo.plan import END_DAY, first_day
from tests.demo.conftest import Loaded, make

SCOPE = Scope(END_DAY - dt.timedelta(days=27), END_DAY)


def measured(loaded: Loaded, **changes: Any) -> Any:
    within = SCOPE._replace(**changes)
    return token_forecast.measure(token_forecast.load(loaded.store.ask, within), within)


@pytest.fixture(scope="module")
def forecast(loud_ledger: Loaded) -> Any:
    return measured(loud_ledger)


def planted_days(loaded: Loaded) -> tuple[str, dt.date, dt.date]:
    planted = loaded.truth["planted"]
    start, stop = (first_day(90) + dt.timedelta(days=day) for day in planted["trough_days"])
    return planted["trough_region"], start, stop - dt.timedelta(days=1)


def test_the_trough_covers_three_of_the_last_four_weeks(loud_ledger: Loaded) -> None:
    _, start, end = planted_days(loud_ledger)
    assert (end - start).days + 1 == 21
    assert SCOPE.start <= start
    assert end <= SCOPE.end
    region, *_ = planted_days(loud_ledger)
    runs: dict[bool, int] = {True: 0, False: 0}
    for row in loud_ledger.truth["rows"]:
        if row["region"] == region:
            day = first_day(90) + dt.timedelta(days=row["day"])
            runs[start <= day <= end] += row["runs"]
    # 21 days at 60 % against 69 at 100 %, with the slow rise of 25 % in 90 days: about 0.66 a day.
    assert runs[True] / 21 / (runs[False] / 69) == pytest.approx(0.66, abs=0.07)


def test_the_planted_trough_is_proposed_dated_and_sized(forecast: Any, loud_ledger: Loaded) -> None:
    region, start, end = planted_days(loud_ledger)
    found = [(one.region, proposal) for one in forecast.regions for proposal in one.proposals]
    assert [name for name, _ in found] == [region]
    (_, proposal) = found[0]
    # The small world has twelve runs a day in this region: a week either way.
    assert abs((proposal.start - start).days) <= 7
    assert abs((proposal.end - end).days) <= 7
    assert proposal.low <= -loud_ledger.truth["planted"]["trough_share"] <= proposal.high
    assert token_forecast.judge(forecast).status in ("watch", "broken", "cannot tell")


def test_accepting_it_finds_the_average_of_the_region_too_low(forecast: Any, loud_ledger: Loaded) -> None:
    region, *_ = planted_days(loud_ledger)
    rows = [
        {"accept": True, "region": one.region, "start": one.start, "end": one.end, "name": "holiday",
         "effect_share": None, "known_from": one.end + dt.timedelta(days=1)}
        for one in token_forecast.proposed(forecast)
    ]  # fmt: skip
    found = measured(loud_ledger, regions=(region,), made=(("breaks", read_rows(rows)),))
    finding = token_forecast.judge(found)
    assert finding.status in ("broken", "watch")
    assert finding.gap is not None
    # (7 + 21 × 0.6) / 28 = 70 % of normal, and the rise of 25 % in 90 days takes a little more.
    assert finding.gap == pytest.approx(-0.32, abs=0.12)
    assert 0.5 <= found.regions[0].window.share <= 0.9


def test_the_quiet_world_proposes_nothing(quiet_ledger: Loaded) -> None:
    found = measured(quiet_ledger)
    assert [one.region for one in found.regions if one.proposals] == []
    assert token_forecast.judge(found).status != "broken"


@pytest.mark.slow
def test_a_world_of_sixty_thousand_spans_dates_it_to_the_day(tmp_path: Path) -> None:
    loaded = Loaded(make(tmp_path, 60_000))
    region, start, end = planted_days(loaded)
    found = measured(loaded)
    loaded.store.close()
    ((name, proposal),) = [(one.region, proposal) for one in found.regions for proposal in one.proposals]
    assert name == region
    assert abs((proposal.start - start).days) <= 1
    assert abs((proposal.end - end).days) <= 1
    assert proposal.low < -0.4 < proposal.high
