"""The demo's streaming gateway: a node that fills up and a p99 above the last bound are found and sized; quiet is quiet."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from core.audits import streaming_backend as audit
from core.audits.streaming_backend_measure import Load, Streams
from data.demo.gateway import GATEWAY, LAST_DAYS, write_gateway
from tests.demo.beside import SCOPE, loaded


class Gateway(NamedTuple):
    """What was measured of one of the two worlds, with what was planted."""

    found: Streams
    load: Load
    truth: dict[str, Any]


def gateway(folder: Path, quiet: bool) -> Gateway:
    world = loaded(folder, write_gateway, quiet)
    found = audit.measure(audit.load(world.store.ask, SCOPE), SCOPE)
    world.store.close()
    assert isinstance(found, Streams)
    assert found.load is not None
    return Gateway(found, found.load, world.truth)


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    return gateway(tmp_path_factory.mktemp("streams") / "loud", False)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    return gateway(tmp_path_factory.mktemp("streams") / "quiet", True)


def test_a_node_that_fills_up_is_found_and_its_capacity_is_seen(loud: Gateway) -> None:
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


def test_exports_are_counted_once_and_the_p99_is_above_the_last_bound(loud: Gateway) -> None:
    (one,) = loud.found.judged
    assert one.over.n == sum(loud.truth["requests"][-28:])
    assert one.over.k == sum(loud.truth["over_10_s"][-28:])
    assert (one.p99.printed_s, one.p99.high_s, one.p99.trusted) == (10.0, None, "not measured")


def test_the_quiet_node_holds_and_its_p99_is_measured(quiet: Gateway) -> None:
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
