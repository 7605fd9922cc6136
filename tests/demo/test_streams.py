"""The demo's streams: the smaller unit and the lost pause are found and sized; the quiet world is quiet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.audits import hyrum_stream, tps_chunking
from core.audits.hyrum_stream_measure import Streams
from core.audits.tps_chunking_measure import Chunking
from data.demo.plan import first_day
from data.demo.streams import AN_HOUR, CHUNKED_REGION, HOURS, NEW, OLD, PROMPTS, write_streams
from tests.demo.beside import SCOPE, Loaded, loaded


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    world = loaded(tmp_path_factory.mktemp("streams") / "loud", write_streams, False)
    yield world
    world.store.close()


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    world = loaded(tmp_path_factory.mktemp("streams") / "quiet", write_streams, True)
    yield world
    world.store.close()


def chunking_of(world: Loaded) -> Chunking:
    found = tps_chunking.measure(tps_chunking.load(world.store.ask, SCOPE), SCOPE)
    assert isinstance(found, Chunking)
    return found


def test_a_stream_cut_smaller_is_found_and_sized(loud: Loaded) -> None:
    found = chunking_of(loud)
    finding = tps_chunking.judge(found)
    assert (finding.status, found.kinds[0].key[3]) == ("broken", CHUNKED_REGION)
    assert finding.gap == pytest.approx(0.25, rel=0.05)  # the last chunk of four is seldom full
    assert found.since.toordinal() == first_day(90).toordinal() + loud.truth["planted"]["cut_from_day"]
    assert found.kinds[0].now.streams == 7 * len(HOURS) * AN_HOUR
    assert found.streams == loud.truth["streams"]
    assert [one.placebo.fired for one in found.kinds if one.placebo.splits] == [0]


def test_a_stream_left_alone_holds(quiet: Loaded) -> None:
    finding = tps_chunking.judge(chunking_of(quiet))
    assert (finding.status, finding.missing) == ("holds", "")


def upgrade_of(world: Loaded) -> Streams:
    found = hyrum_stream.measure(hyrum_stream.load(world.store.ask, SCOPE), SCOPE)
    assert isinstance(found, Streams)
    return found


def test_an_upgrade_without_its_pause_is_found_and_sized(loud: Loaded) -> None:
    found = upgrade_of(loud)
    assert hyrum_stream.judge(found).status == "broken"
    (lead,) = found.upgrades
    assert (lead.sides.old, lead.sides.new, len(lead.sides.pairs)) == (OLD, NEW, PROMPTS)
    told = {one.found.feature.name: one for one in lead.features}
    pause, preamble = told["tool_pause_ms"].found, told["preamble"].found
    chunk_ms = 3 / 70 * 1000  # the gap that is there without a pause
    before, after = (one + chunk_ms for one in loud.truth["planted"]["pause_ms"])
    assert pause.old == pytest.approx(before, rel=0.06)
    assert pause.low <= after <= pause.high
    assert preamble.low <= loud.truth["planted"]["preamble_share"][1] <= preamble.high
    outside = {name for name, one in told.items() if one.state == "outside"}
    # without the pause the rate is higher and the longest gaps are gone: the same change by other names
    assert outside == {"tool_pause_ms", "preamble", "tokens_per_s", "gap_p99_ms", "slow_gap_share"}
    assert hyrum_stream.pictures.leading(lead).feature.name == "tool_pause_ms"
    assert lead.placebo.features == 0


def test_an_upgrade_that_changes_nothing_holds(quiet: Loaded) -> None:
    found = upgrade_of(quiet)
    assert hyrum_stream.judge(found).status == "holds"
    assert found.upgrades[0].placebo.fired == 0


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_streams(tmp_path / name, 50, False, 3, None)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["streams.csv", "streams.jsonl.gz"]
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
