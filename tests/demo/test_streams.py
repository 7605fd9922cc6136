"""The demo's streams: the smaller unit is found under a held rate and sized; the quiet world is quiet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.audit import Scope
from core.audits import tps_chunking
from core.audits.tps_chunking_measure import Chunking
from core.ingest.files import read_path
from core.ingest.options import ReadOptions
from core.ledger.store import Store
from data.demo.plan import END_DAY, first_day
from data.demo.streams import AN_HOUR, CHUNKED_REGION, HOURS, write_streams

SCOPE = Scope(first_day(28), END_DAY)
"""The board's own 28 days."""


class Loaded:
    """One of the two worlds through the ordinary readers, with what was planted."""

    def __init__(self, folder: Path, quiet: bool) -> None:
        folder.mkdir()
        files = write_streams(folder, 90, quiet, 7, folder / "truth")
        self.truth: dict[str, Any] = json.loads((folder / "truth" / "streams.json").read_text())
        self.store = Store.open(":memory:")
        for path in files:
            self.store.submit_many(read_path(path, ReadOptions(demo=True)))


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    loaded = Loaded(tmp_path_factory.mktemp("streams") / "loud", False)
    yield loaded
    loaded.store.close()


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    loaded = Loaded(tmp_path_factory.mktemp("streams") / "quiet", True)
    yield loaded
    loaded.store.close()


def chunking_of(loaded: Loaded) -> Chunking:
    found = tps_chunking.measure(tps_chunking.load(loaded.store.ask, SCOPE), SCOPE)
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


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_streams(tmp_path / name, 50, False, 3, None)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["streams.csv", "streams.jsonl.gz"]
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
