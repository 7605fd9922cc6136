"""Pages over large ledgers: time to the first figure, cold and warm, and the app's memory.

A large ledger is the demo of 300,000 spans with its traces repeated under other ids inside DuckDB: the same ninety
days, services and bills, only more runs. What is derived is repeated with it; deriving ten million spans anew takes
ten minutes and is measured by itself.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser

from core.ledger.store import Store
from tests.bench.ingest import rss_mib
from tests.browser.reader import visitor, wait_complete
from tests.web.test_process import ROOT, started

DEMO_SPANS = 300_000
REPEATED = ("spans", "span_events", "runs", "calls", "attempts", "outcomes")
FIRST = {
    "": "[data-testid=stMetricValue]",
    "retry_ledger": ".js-plotly-plot .main-svg",
    "bill_reconciliation": ".js-plotly-plot .main-svg",
    "imports": "[data-testid=stDataFrame] canvas",
}
"""Page -> what a visitor waits for: the first figure, or the first number or row where a page has none."""


class Visit(NamedTuple):
    """One visit; seconds from navigation to the first figure and to the finished page."""

    page: str
    spans: int
    state: str
    first_s: float
    whole_s: float
    rss_mib: int


def demo_ledger(folder: Path) -> Path:
    """The demo of `make run`; its files are removed after reading."""
    command = [sys.executable, "-m", "core", "demo", "--data", str(folder), "--size", str(DEMO_SPANS)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return folder


def grown(demo: Path, folder: Path, times: int) -> Path:
    """A copy of the demo's ledger with every trace `times` times, under ids of its own."""
    shutil.copytree(demo, folder)
    store = Store.open(folder / "trueup.duckdb")
    cursor = store._connection.cursor()
    for table in REPEATED:
        cursor.execute(
            f"insert into {table} by name select {table}.* replace (concat(printf('%02x', again.n), substr(trace_id, 3)) "
            f"as trace_id) from {table}, range(1, {times}) as again(n) where trace_id is not null"
        )
    cursor.execute("checkpoint")
    cursor.close()
    store.close()
    return folder


def visits(browser: Browser, ledger: Path, log: Path) -> list[Visit]:
    """Each page cold, in an app of its own, and warm, by a second visitor."""
    store = Store.open(ledger / "trueup.duckdb")
    spans = int(store.ask("select count(*) from spans").item())
    store.close()
    found = []
    for page in FIRST:
        with started(ledger, log) as running:
            for state in ("cold", "warm"):
                first_s, whole_s = _visit(browser, running.address, page)
                memory = rss_mib(running.process.pid)
                found.append(Visit(page or "overview", spans, state, first_s, whole_s, memory))
    return found


def _visit(browser: Browser, address: str, page: str) -> tuple[float, float]:
    with visitor(browser) as opened:
        began = time.perf_counter()
        opened.goto(f"{address}/{page}")
        opened.wait_for_selector(FIRST[page], timeout=300_000)
        first_s = time.perf_counter() - began
        wait_complete(opened)
        return first_s, time.perf_counter() - began
