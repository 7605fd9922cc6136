"""Every audit on a real Spark cluster gives DuckDB's frames, also after an executor was killed; what goes wrong is told soon."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.ledger.current import attach_engine
from core.ledger.engine import EngineProblem, OnSpark
from core.ledger.spark import Cluster
from core.ledger.store import Store
from core.settings import Settings
from tests.engines import cluster
from tests.engines.conftest import Exported
from tests.engines.frames import assert_same
from tests.engines.texts import Asked, asked

pytestmark = pytest.mark.slow
COLD_S = 300.0
"""The first answer of a cluster on a busy machine; a wrong address must be told far sooner."""


@pytest.fixture(scope="module", autouse=True)
def _client() -> None:
    """The client alone, as an installation has it; Spark itself is only run, never imported."""
    if importlib.util.find_spec("pyspark") is None:
        cluster.bring_in("spark-client")


@pytest.fixture(scope="module")
def spark(running: cluster.Cluster, exported: Exported) -> Iterator[OnSpark]:
    connected = Cluster(running.address, running.token, str(exported.lake), first_answer_s=COLD_S)
    yield OnSpark(connected, exported.store.engine, Store.without_rows())
    connected.close()


def questions(exported: Exported) -> dict[tuple[str, str], Asked]:
    """Every question of these scopes once: even a small one costs a cluster seconds on two busy cores."""
    found: dict[tuple[str, str], Asked] = {}
    scopes = exported.scopes()
    for name in ("whole", "literal week", "switched", "two regions"):
        for one in asked(exported.store.ask, scopes[name]):
            found.setdefault((one.sql, repr(sorted(one.values.items()))), one)
    return found


def test_every_frame_of_every_audit_is_duckdb_s(spark: OnSpark, exported: Exported) -> None:
    rows = 0
    for audit, sql, values in questions(exported).values():
        expected = exported.store.ask(sql, **values)
        found = spark.ask(sql, values)
        assert found.schema == expected.schema, audit
        assert_same(found, expected, sql, f"{audit} {values}")
        rows += len(expected)
    assert rows > 10_000


def test_an_audit_says_the_same(spark: OnSpark, exported: Exported) -> None:
    from core.audits import retry_ledger

    scope = exported.scopes()["newest 28 days"]
    here = retry_ledger.measure(retry_ledger.load(exported.store.ask, scope), scope)
    there = retry_ledger.measure(
        retry_ledger.load(lambda sql, **values: spark.ask(sql, values), scope), scope
    )
    assert retry_ledger.judge(there) == retry_ledger.judge(here)


def test_a_killed_executor_changes_no_number(
    running: cluster.Cluster, spark: OnSpark, exported: Exported
) -> None:
    """The executor dies while the question runs; its tasks are done again by the other, and a new one is started."""
    from core.audits.retry_ledger_sql import ATTEMPTS

    values = exported.scopes()["whole"].parameters() | {"double_counting": "kept"}
    before = running.executors()
    assert len(before) == 2
    killer = threading.Timer(0.5, os.kill, (before[0], signal.SIGKILL))
    killer.start()
    found = spark.ask(ATTEMPTS, values)
    killer.join()
    assert_same(found, exported.store.ask(ATTEMPTS, **values), ATTEMPTS, "after the executor was killed")
    deadline = time.monotonic() + COLD_S
    while time.monotonic() < deadline and set(running.executors()) in ({before[1]}, set(before)):
        time.sleep(0.5)
    assert len(set(running.executors()) - set(before)) == 1
    assert_same(spark.ask(ATTEMPTS, values), found, ATTEMPTS, "with the new executor")


def test_a_parameter_is_a_value_and_no_text(spark: OnSpark) -> None:
    hostile = "x' or 1 = 1 -- \\ \x1f é"
    found = spark.ask("select $name as told, count(*) as n from spans where name = $name", {"name": hostile})
    assert found.row(0) == (hostile, 0)


def test_a_wrong_token_is_refused(running: cluster.Cluster, exported: Exported) -> None:
    with pytest.raises(EngineProblem, match="refuses the token: engine_token must be"):
        Cluster(running.address, "another-token-than-its", str(exported.lake), first_answer_s=COLD_S)


def test_a_folder_without_a_lake_is_told(running: cluster.Cluster, tmp_path: Path) -> None:
    connected = Cluster(running.address, running.token, str(tmp_path), first_answer_s=COLD_S)
    with pytest.raises(EngineProblem, match=r"see no lake at .* export-lake PATH"):
        connected.open_newest()
    connected.close()


def test_another_ledger_s_lake_is_refused(running: cluster.Cluster, exported: Exported, store: Store) -> None:
    connected = Cluster(running.address, running.token, str(exported.lake), first_answer_s=COLD_S)
    with pytest.raises(EngineProblem, match="written from another one"):
        OnSpark(connected, store.engine, Store.without_rows())
    connected.close()


def test_a_session_the_server_lost_is_opened_anew(running: cluster.Cluster, exported: Exported) -> None:
    connected = Cluster(running.address, running.token, str(exported.lake), first_answer_s=COLD_S)
    engine = OnSpark(connected, exported.store.engine, Store.without_rows())
    connected._session.client.release_session()
    found = engine.ask("select count(*) as n from spans", {})
    assert found.item() == exported.store.ask("select count(*) as n from spans").item()
    connected.close()


def test_settings_lead_to_the_cluster(running: cluster.Cluster, exported: Exported) -> None:
    """127.0.0.1 with a token: the client itself would speak TLS to it and wait for minutes."""
    assert "127.0.0.1" in running.address
    settings = Settings(engine=running.address, engine_token=running.token, lake=str(exported.lake))
    embedded = exported.store.engine
    try:
        attach_engine(exported.store, settings)
        assert isinstance(exported.store.engine, OnSpark)
        assert exported.store.version() == exported.store.derived_version()
        assert exported.store.ask("select count(*) as n from calls").item() > 0
    finally:
        exported.store.engine = embedded


def test_nothing_at_the_address_is_told_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(
        EngineProblem, match=r"Nothing answers at 127\.0\.0\.1:\d+ .*Start the Spark Connect server"
    ):
        Cluster(f"sc://127.0.0.1:{cluster.free_port()}", "a-token-of-some-length", "/nowhere")
    assert time.monotonic() - began < 30


def test_something_else_at_the_address_is_told_within_the_deadline() -> None:
    """A server that takes connections and never answers, and one whose answer is no gRPC."""
    for answer in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"):
        with socket.create_server(("127.0.0.1", 0)) as server:
            thread = threading.Thread(target=_serve, args=(server, answer), daemon=True)
            thread.start()
            began = time.monotonic()
            with pytest.raises(EngineProblem) as told:
                Cluster(
                    f"sc://127.0.0.1:{server.getsockname()[1]}",
                    "a-token-of-some-length",
                    "/nowhere",
                    first_answer_s=4.0,
                )
            assert time.monotonic() - began < 60
            assert re.search("gave no answer in 4 s|did not answer", str(told.value)), told.value


def test_a_process_that_was_told_can_end(tmp_path: Path) -> None:
    """The client asks the server once more at exit and waits for it, for ever where nothing answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server, b""), daemon=True).start()
        script = (
            "import importlib.util\nfrom tests.engines import cluster\n"
            "if importlib.util.find_spec('pyspark') is None: cluster.bring_in('spark-client')\n"
            "from core.ledger.spark import Cluster\n"
            f"Cluster('sc://127.0.0.1:{server.getsockname()[1]}', 'a-token-of-some-length', '/nowhere', first_answer_s=2.0)\n"
        )
        file = tmp_path / "asks.py"  # a file: the client does not work in what `python -c` runs
        file.write_text(script)
        done = subprocess.run(
            [sys.executable, str(file)], cwd=cluster.ROOT, env=os.environ | {"PYTHONPATH": str(cluster.ROOT)},
            capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "gave no answer in 2 s" in done.stderr


def _serve(server: socket.socket, answer: bytes) -> None:
    held = []
    try:
        while True:
            connection, _ = server.accept()
            held.append(connection)
            if answer:
                connection.sendall(answer)
                connection.close()
    except OSError:  # the test is over
        return
