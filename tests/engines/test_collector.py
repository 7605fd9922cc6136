"""OTLP → a real Collector → the app → the lake → a Spark cluster: no row is lost, and every audit's frames are the ledger's."""

from __future__ import annotations

import importlib.util
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import answers
from core.ingest.files import read_path
from core.ingest.options import ReadOptions
from core.ledger.engine import OnSpark
from core.ledger.spark import Cluster
from core.ledger.store import Store
from core.setting_values import token_hashes
from data.demo import generate
from tests.engines import cluster
from tests.engines.conftest import Exported
from tests.engines.frames import assert_same
from tests.engines.test_spark import COLD_S
from tests.engines.texts import asked
from tests.live.collector import LACKING, collector
from tests.live.test_collector import TOKEN, rows
from tests.web.over_http import over_http, wait_for
from tests.web.test_process import free_port

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(LACKING), reason=LACKING)]
SPANS = 5_000


def traces_of(files: list[Path]) -> list[Path]:
    """The demo's OTLP traces in protobuf, each file one request."""
    return [path for path in files if path.name.startswith("traces") and path.suffix == ".pb"]


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Exported, Store]]:
    """The demo's traces through the Collector and its other files as they are, exported; and a ledger that read all as files."""
    folder = tmp_path_factory.mktemp("collector")
    files = generate(folder / "files", SPANS, 7, False, 90)
    direct = Store.open(folder / "direct.duckdb")
    for path in traces_of(files):
        direct.submit_many(read_path(path, ReadOptions()))
    _send_through_collector(folder, traces_of(files), direct)
    through = Store.open(folder / "app" / "trueup.duckdb")
    for path in sorted(set(files) - set(traces_of(files))):
        for store in (direct, through):
            store.submit_many(read_path(path, ReadOptions()))
    through.derive()
    through.export_lake(folder / "lake")
    yield Exported(through, folder / "lake"), direct
    through.close()
    direct.close()


def _send_through_collector(folder: Path, traces: list[Path], direct: Store) -> None:
    """Every file to the Collector's HTTP receiver; returns when the app has as much as was read directly."""
    (folder / "app").mkdir()
    counts = ("select count(distinct (trace_id, span_id)) from spans", "select count(*) from quarantine")
    settings = {"grpc_port": free_port(), "ingest_tokens": token_hashes([TOKEN])}
    with (
        over_http(folder / "app", **settings) as process,
        collector(folder, f"http://127.0.0.1:{settings['grpc_port']}", TOKEN) as between,
    ):
        for path in traces:
            request = urllib.request.Request(
                f"{between.http}/v1/traces", path.read_bytes(), {"Content-Type": "application/x-protobuf"}
            )
            with urllib.request.urlopen(request, timeout=240) as answer:
                assert answer.status == 200
        wait_for(lambda: all(process.ledger().ask(n).item() >= direct.ask(n).item() for n in counts), 600)


@pytest.fixture(scope="module", autouse=True)
def _client() -> None:
    if importlib.util.find_spec("pyspark") is None:
        cluster.bring_in("spark-client")


def test_the_collector_changed_no_row(ledgers: tuple[Exported, Store]) -> None:
    """Every dialect of the demo, spans told twice and damaged ones too."""
    through, direct = ledgers
    found, expected = rows(through.store), rows(direct)
    assert len(expected["spans"]) > SPANS / 2
    for name in sorted(set(expected) | set(found)):
        assert found.get(name) == expected.get(name), name


def test_every_audit_on_the_cluster_is_the_ledger_s(
    running: cluster.Cluster, ledgers: tuple[Exported, Store]
) -> None:
    through, _ = ledgers
    scope = answers.whole_ledger(through.store.ask, through.store.version())
    connected = Cluster(running.address, running.token, str(through.lake), first_answer_s=COLD_S)
    spark = OnSpark(connected, through.store.engine, Store.without_rows())
    told = set()
    try:
        for audit, sql, values in asked(through.store.ask, scope):
            expected = through.store.ask(sql, **values)
            assert_same(spark.ask(sql, values), expected, sql, f"{audit} {values}")
            told |= {audit} if len(expected) else set()
    finally:
        connected.close()
    assert {"retry_ledger", "bill_reconciliation", "regional_drift", "mcp_cold_start"} <= told, told
