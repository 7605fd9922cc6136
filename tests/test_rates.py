"""Rates and times on this machine, printed for docs and decisions: `make bench`. Nothing here asserts a speed."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from core import answers
from core.cli import main
from core.ledger.store import Store
from tests import otlp_bodies
from tests.web.test_process import Running, fetch_json, send_body, started

pytestmark = pytest.mark.bench
BATCH = 512
BATCHES = 60
SENDERS = 4


def timed_send(running: Running, body: bytes) -> float:
    began = time.perf_counter()
    assert send_body(running, body) == 200
    return time.perf_counter() - began


def test_otlp_over_http(tmp_path: Path) -> None:
    """Acknowledged spans a second, four senders of 512-span protobuf bodies, and the lag until calls are derived."""
    bodies = [otlp_bodies.protobuf(range(1 + n * BATCH, 1 + (n + 1) * BATCH)) for n in range(BATCHES)]
    with started(tmp_path / "ledger", tmp_path / "log") as running, ThreadPoolExecutor(SENDERS) as senders:
        began = time.perf_counter()
        waits = sorted(senders.map(partial(timed_send, running), bodies))
        took = time.perf_counter() - began
        while fetch_json(f"{running.address}/readyz")["derived_version"] < BATCHES:
            time.sleep(0.02)
        lag = time.perf_counter() - began - took
    print(
        f"\nOTLP/HTTP: {BATCHES * BATCH / took:,.0f} spans/s acknowledged, "
        f"p50 {statistics.median(waits) * 1000:.0f} ms, p95 {waits[int(len(waits) * 0.95)] * 1000:.0f} ms; "
        f"derived {lag:.1f} s later"
    )


def test_demo_and_questions(tmp_path: Path) -> None:
    """Loading the demo of `make run`, and each question over all of it."""
    ledger = tmp_path / "ledger"
    began = time.perf_counter()
    assert main(["demo", "--size", "small", "--data", str(ledger)]) == 0
    print(f"\ndemo made and read: {time.perf_counter() - began:.0f} s")
    store = Store.open(ledger / "trueup.duckdb")
    try:
        scope = answers.whole_ledger(store.ask, store.version())
        for question in (answers.attempts, answers.findings, answers.bridge):
            began = time.perf_counter()
            rows = question(store.ask, scope)
            print(f"{question.__name__}: {len(rows)} rows in {time.perf_counter() - began:.2f} s")
    finally:
        store.close()
