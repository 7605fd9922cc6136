"""Worker processes: the same answers as here, and nothing lost or left behind when one of the two dies."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from core.ingest.options import ReadOptions
from core.ingest.otlp import BadRequest, decode_traces
from core.ledger.store import Store
from core.workers import Workers
from tests import otlp_bodies

PROTOBUF = "application/x-protobuf"
PATIENCE_S = 240.0


@pytest.fixture
def workers() -> Iterator[Workers]:
    """One worker, ended with the test."""
    one = Workers(1)
    yield one
    one.close()


def test_work_is_done_in_another_process_while_one_is_free(workers: Workers) -> None:
    assert workers.do(os.getpid) != os.getpid()


def test_without_workers_all_is_done_here() -> None:
    assert Workers(0).do(os.getpid) == os.getpid()


def test_while_the_worker_is_busy_work_is_done_here(workers: Workers) -> None:
    first = workers.do(os.getpid)
    gate = threading.Thread(target=workers.do, args=(time.sleep, 3.0))
    gate.start()
    while workers.do(os.getpid) == first:  # until the other thread has taken the worker
        time.sleep(0.001)
    assert workers.do(os.getpid) == os.getpid()
    assert workers.do_patiently(os.getpid) == os.getpid()  # not for ever: half a second
    gate.join()
    assert workers.do(os.getpid) == first


def test_patient_work_waits_for_short_work(workers: Workers) -> None:
    first = workers.do(os.getpid)
    gate = threading.Thread(target=workers.do, args=(time.sleep, 0.1))
    gate.start()
    while workers.do(os.getpid) == first:
        time.sleep(0.001)
    assert workers.do_patiently(os.getpid) == first
    gate.join()


def test_what_cannot_be_sent_is_an_error_and_costs_no_worker(workers: Workers) -> None:
    first = workers.do(os.getpid)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        workers.do(lambda: 1)
    assert workers.do(os.getpid) == first


def test_what_the_work_raises_is_raised(workers: Workers) -> None:
    with pytest.raises(BadRequest, match="not a protobuf"):
        workers.do(decode_traces, b"\xff\xff", PROTOBUF, ReadOptions())


def test_a_killed_worker_costs_no_work_and_the_next_one_is_fresh(workers: Workers) -> None:
    first = workers.do(os.getpid)
    os.kill(first, signal.SIGKILL)
    done = [workers.do(abs, -n) for n in range(50)]
    assert done == list(range(50))
    fresh = workers.do(os.getpid)
    assert fresh not in (first, os.getpid())


def test_a_worker_does_not_outlive_a_killed_app() -> None:
    script = (
        "import os, signal\nfrom core.workers import Workers\n"
        "if __name__ == '__main__':\n"
        "    print(Workers(1).do(os.getpid), flush=True)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[1]
    app = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=root, check=False
    )
    assert app.returncode == -signal.SIGKILL, app.stderr
    worker, until = int(app.stdout), time.monotonic() + PATIENCE_S
    while _lives(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _lives(worker)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def test_decoded_and_derived_by_a_worker_is_what_is_decoded_and_derived_here(workers: Workers) -> None:
    body = otlp_bodies.protobuf(range(1, 2_400))
    one, other = Store.open(":memory:"), Store.open(":memory:")
    one.submit(decode_traces(body, PROTOBUF, ReadOptions()))
    other.submit(workers.do(decode_traces, body, PROTOBUF, ReadOptions()))
    assert one.derive() == other.derive(workers.do) == 1
    for table in ("spans", "span_events", "runs", "calls", "attempts"):
        rows, others = _rows(one, table), _rows(other, table)
        assert rows.height > 0 or table == "span_events"
        assert rows.equals(others), table
    one.close()
    other.close()


def _rows(store: Store, table: str) -> pl.DataFrame:
    return store.ask(f"select * from {table} order by all")
