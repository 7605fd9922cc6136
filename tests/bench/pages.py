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
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser

from core.ledger.store import Store
from tests.bench.ingest import rss_mib
from tests.browser.reader import visitor, wait_complete
from tests.web.test_process import ROOT, fetch_json, started

DEMO_SPANS = 300_000
LONGEST_BOARD_S = 1_800.0
REPEATED = ("spans", "span_events", "runs", "calls", "attempts", "outcomes")
BOARD_ROW = "[data-testid=stMain] .stMarkdownBadge:text-matches('^(holds|watch|broken|cannot tell)$')"
"""A row of the board with its verdict: rows that wait for one say "not asked yet"."""
KEYS = {"outcomes": ("outcome_key",)}
"""What else must differ: the same key again would be the same outcome, stated anew."""
FIRST = {
    "": BOARD_ROW,
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


class Board(NamedTuple):
    """The board of one ledger: how long its findings took when none was kept, and visits once they are."""

    spans: int
    asked_s: float
    """From a ready app until every audit has a kept finding."""
    asked_rss_mib: int
    visits: list[Visit]


def demo_ledger(folder: Path) -> Path:
    """The demo of `make run`; its files are removed after reading."""
    command = [sys.executable, "-m", "core", "demo", "--data", str(folder), "--size", str(DEMO_SPANS)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return folder


def grown(demo: Path, folder: Path, times: int) -> Path:
    """A copy of the demo's ledger with every trace `times` times, under ids of its own."""
    shutil.copytree(demo, folder)
    store = Store.open(folder / "trueup.duckdb")
    cursor = store._file.connection.cursor()
    for table in REPEATED:
        renewed = ["concat(printf('%02x', again.n), substr(trace_id, 3)) as trace_id"]
        renewed += [f"concat(printf('%02x', again.n), {key}) as {key}" for key in KEYS.get(table, ())]
        cursor.execute(
            f"insert into {table} by name select {table}.* replace ({', '.join(renewed)}) "
            f"from {table}, range(1, {times}) as again(n) where trace_id is not null"
        )
    cursor.close()
    store.rebuild_rollups()
    store.close()
    return folder


def visits(browser: Browser, ledger: Path, log: Path, pages: Iterable[str] = tuple(FIRST)) -> list[Visit]:
    """Each page cold, in an app of its own, and warm, by a second visitor."""
    spans, found = _spans(ledger), []
    for page in pages:
        with started(ledger, log) as running:
            for state in ("cold", "warm"):
                first_s, whole_s = _visit(browser, running.address, page)
                memory = rss_mib(running.process.pid)
                found.append(Visit(page or "overview", spans, state, first_s, whole_s, memory))
    return found


def board(browser: Browser, ledger: Path, log: Path) -> Board:
    """The board of a ledger without kept findings: they are made by a first app, and read by the app of the visits."""
    with started(ledger, log) as running:
        began = time.perf_counter()
        while fetch_json(f"{running.address}/api/findings")["not_kept"]:
            assert time.perf_counter() - began < LONGEST_BOARD_S, log.read_text()
            time.sleep(0.5)
        asked_s, memory = time.perf_counter() - began, rss_mib(running.process.pid, peak=True)
    return Board(_spans(ledger), asked_s, memory, visits(browser, ledger, log, ("",)))


def _spans(ledger: Path) -> int:
    store = Store.open(ledger / "trueup.duckdb")
    count = int(store.ask("select count(*) from spans").item())
    store.close()
    return count


def _visit(browser: Browser, address: str, page: str) -> tuple[float, float]:
    with visitor(browser) as opened:
        began = time.perf_counter()
        opened.goto(f"{address}/{page}")
        opened.wait_for_selector(FIRST[page], timeout=300_000)
        first_s = time.perf_counter() - began
        wait_complete(opened)
        return first_s, time.perf_counter() - began
