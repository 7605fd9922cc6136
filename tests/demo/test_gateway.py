"""The demo's streaming gateway: a node that fills up and a p99 above the last bound are found and sized; quiet is quiet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.audit import Scope
from core.audits import streaming_backend as audit
from core.audits.streaming_backend_measure import Load, Streams
from core.ingest.files import read_path
from core.ingest.options import ReadOptions
from core.ledger.store import Store
from data.demo.gateway import GATEWAY, LAST_DAYS, write_gateway
from data.demo.plan import END_DAY, first_day

SCOPE = Scope(first_day(28), END_DAY)
"""The board's own 28 days."""


class Loaded:
    """One of the two worlds through the ordinary readers, with what was planted."""

    def __init__(self, folder: Path, quiet: bool) -> None:
        folder.mkdir()
        files = write_gateway(folder, 90, quiet, 7, folder / "truth")
        self.truth: dict[str, Any] = json.loads((folder / "truth" / "gateway.json").read_text())
        store = Store.open(":memory:")
        for path in files:
            store.submit_many(read_path(path, ReadOptions(demo=True)))
        store.derive()
        found = audit.measure(audit.load(store.ask, SCOPE), SCOPE)
        store.close()
        assert isinstance(found, Streams)
        assert found.load is not None
        self.found, self.load = found, found.load


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return Loaded(tmp_path_factory.mktemp("streams") / "loud", False)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return Loaded(tmp_path_factory.mktemp("streams") / "quiet", True)


def test_a_node_that_fills_up_is_found_and_its_capacity_is_seen(loud: Loaded) -> None:
    finding = audit.judge(loud.found)
    assert finding.status == "broken"
    held: Load = loud.load
    assert held.service.name == GATEWAY
    assert held.capacity.how == "seen to fail"
    assert held.capacity.streams == loud.truth["planted"]["streams"]
    assert held.used[1] > audit.LIMIT
    assert held.service.requests == sum(loud.truth["requests"][-28:])
    assert held.service.failed == sum(loud.truth["refused"][-28:])
    assert held.apart < 0.02


def test_exports_are_counted_once_and_the_p99_is_above_the_last_bound(loud: Loaded) -> None:
    (one,) = loud.found.judged
    assert one.over.n == sum(loud.truth["requests"][-28:])
    assert one.over.k == sum(loud.truth["over_10_s"][-28:])
    assert (one.p99.printed_s, one.p99.high_s, one.p99.trusted) == (10.0, None, "not measured")


def test_the_quiet_node_holds_and_its_p99_is_measured(quiet: Loaded) -> None:
    finding = audit.judge(quiet.found)
    assert (finding.status, finding.missing) == ("holds", "")
    assert (quiet.load.capacity.how, quiet.load.capacity.streams) == ("stated", 24)
    (one,) = quiet.found.judged
    assert one.p99.trusted == "measured"


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_gateway(tmp_path / name, 50, False, 3, None)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == LAST_DAYS + 2
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
