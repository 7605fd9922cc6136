"""The demo's probes: the planted drift is found, dated, sized and told from the release; the quiet world is quiet."""

from __future__ import annotations

import datetime as dt
import gzip
import statistics
from pathlib import Path

import orjson
import pytest

from core.audit import Scope
from core.audits import regional_drift
from core.audits.regional_drift_measure import Drift
from data.demo.plan import END_DAY, REGIONS, first_day
from data.demo.probes import EARLIER, LATER, PROMPTS, generation, probe_plan, write_probes
from tests.demo.conftest import Loaded

SCOPE = Scope(first_day(90), END_DAY)


def measured(loaded: Loaded) -> Drift:
    found = regional_drift.measure(regional_drift.load(loaded.store.ask, SCOPE), SCOPE)
    assert isinstance(found, Drift)
    return found


@pytest.fixture(scope="module")
def loud_drift(loud_ledger: Loaded) -> Drift:
    return measured(loud_ledger)


@pytest.fixture(scope="module")
def quiet_drift(quiet_ledger: Loaded) -> Drift:
    return measured(quiet_ledger)


def planted_day(loaded: Loaded, name: str) -> dt.date:
    number: int = loaded.truth["probes"][name]
    return dt.date.fromisoformat(loaded.truth["first_day"]) + dt.timedelta(days=number)


def test_the_region_that_fell_behind_is_found_dated_and_sized(loud_drift: Drift, loud_ledger: Loaded) -> None:
    assert loud_drift.reference == "us-east-1"
    region = loud_ledger.truth["probes"]["drift_region"]
    (one,) = [one for one in loud_drift.regions if one.verdict == "different generation"]
    assert one.region == region
    assert one.since is not None
    assert one.since.low <= planted_day(loud_ledger, "drift_day") <= one.since.high
    assert (one.since.high - one.since.low).days <= 5
    success = next(signal for signal in one.signals if signal.name == "success")
    assert success.low is not None
    assert success.high is not None
    # A refusal is no success: (0.74 x 0.95) - (0.91 x 0.98) = -0.189, prompts being easier by 0 on average.
    expected = EARLIER.success * (1 - EARLIER.refusal) - LATER.success * (1 - LATER.refusal)
    assert success.low <= expected <= success.high
    assert regional_drift.judge(loud_drift).status == "broken"


def test_only_the_region_that_fell_behind_moved_then(loud_drift: Drift) -> None:
    (one,) = [one for one in loud_drift.regions if one.verdict == "different generation"]
    moved = {move.region: move for move in one.moved}
    assert abs(moved[one.region].change) > 3 * max(
        abs(move.change) for name, move in moved.items() if name != one.region
    )


def test_the_release_is_everybodys_and_the_slow_region_is_infrastructure(
    loud_drift: Drift, loud_ledger: Loaded
) -> None:
    verdicts = {one.region: one.verdict for one in loud_drift.regions}
    assert verdicts["eu-west-1"] == "both changed"
    assert verdicts[loud_ledger.truth["probes"]["slow_region"]] == "infrastructure only"
    release = planted_day(loud_ledger, "release_day")
    moved = [one.day for one in loud_drift.changed if one.p <= 0.01]
    assert abs((statistics.median_low(moved) - release).days) <= 1
    titles = [title for _, title, _ in loud_drift.releases]
    assert sorted(titles) == ["assist-8 answers", "model refresh in every region"]
    slow = next(one for one in loud_drift.regions if one.verdict == "infrastructure only")
    assert abs((slow.shifts[0].day - planted_day(loud_ledger, "slow_day")).days) <= 1


def test_the_quiet_world_holds(quiet_drift: Drift) -> None:
    assert {one.verdict for one in quiet_drift.regions} == {"same"}
    assert regional_drift.judge(quiet_drift).status == "holds"
    assert [one.alarm for one in quiet_drift.regions] == [None, None, None]


def test_the_placebo_is_silent(loud_drift: Drift, quiet_drift: Drift) -> None:
    assert loud_drift.placebo is not None
    assert quiet_drift.placebo is not None
    assert (loud_drift.placebo.fired, quiet_drift.placebo.fired) == (False, False)


def test_the_file_is_small_and_tells_nothing_of_the_generation(tmp_path: Path) -> None:
    plan = probe_plan(90, quiet=False)
    path = write_probes(tmp_path / "probes.jsonl.gz", plan, 7)
    rows = [orjson.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert path.stat().st_size < 1_000_000
    assert len(rows) == 60 * 2 * 2 * len(PROMPTS) * len(REGIONS)
    assert len({row["probe_id"] for row in rows}) == len(rows)
    assert {row["response_model"] for row in rows} == {"gpt-4.1-2025-04-14"}
    assert len({(row["prompt_id"], row["input_tokens"]) for row in rows}) == len(PROMPTS)
    served = {generation(plan, 89, region.name) for region in REGIONS}
    assert served == {EARLIER, LATER}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(11, 21))
def test_ten_more_worlds_are_found_and_dated_and_quiet_when_quiet(tmp_path: Path, seed: int) -> None:
    from core.ingest.files import read_path
    from core.ingest.options import ReadOptions
    from core.ledger.store import Store

    for quiet in (False, True):
        plan = probe_plan(90, quiet)
        path = write_probes(tmp_path / f"probes-{quiet}.jsonl.gz", plan, seed)
        store = Store.open(":memory:")
        store.submit_many(read_path(path, ReadOptions(demo=True)))
        found = regional_drift.measure(regional_drift.load(store.ask, SCOPE), SCOPE)
        store.close()
        assert isinstance(found, Drift)
        differ = [one for one in found.regions if one.verdict == "different generation"]
        assert [one.region for one in differ] == ([] if quiet else ["eu-central-1"])
        for one in differ:
            day = first_day(90) + dt.timedelta(days=plan.drift_day)
            assert one.since is not None
            assert one.since.low <= day <= one.since.high
