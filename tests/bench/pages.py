"""Pages over large ledgers: time to the first figure, cold and warm, and the app's memory.

A large ledger is the demo of 300,000 spans with its traces repeated under other ids inside DuckDB: the same ninety
days, services and bills, only more runs. What is derived is repeated with it; deriving ten million spans anew takes
ten minutes and is measured by itself.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser

from core.audits import every_audit
from core.ledger.store import Store
from core.view import name_of
from tests.bench.ingest import cpu_s, rss_mib, whole_rss_mib
from tests.browser.reader import visitor, wait_complete
from tests.web.test_process import ROOT, fetch_json, started

DEMO_SPANS = 300_000
LONGEST_BOARD_S = 1_800.0
LOOK_S = 0.05
REPEATED = ("spans", "span_events", "runs", "calls", "attempts", "outcomes")
BOARD_ROW = "[data-testid=stMain] .verdict-numbers"
"""A row of the board with its verdict: rows that wait for one say "not asked yet"."""
KEYS = {"outcomes": ("outcome_key",)}
"""What else must differ: the same key again would be the same outcome, stated anew."""
GAP = "[data-testid=stMain] .verdict-axis"
CHART, ROWS = ".js-plotly-plot .main-svg", "[data-testid=stDataFrame] canvas"
CLOCK = """selectors => {
    window.first_ms = {};
    const look = () => selectors.filter(one => !(one in window.first_ms) && document.querySelector(one)).forEach(one => {
        window.first_ms[one] = null;
        requestAnimationFrame(() => { window.first_ms[one] = performance.now(); });
    });
    new MutationObserver(look).observe(document, {childList: true, subtree: true});
}"""
"""The browser's own clock, from navigation to the frame that draws: whoever asks from outside waits for long scripts to end."""
FIRST = {
    "": (BOARD_ROW, BOARD_ROW),
    **{name_of(audit): (GAP, CHART) for audit in every_audit()},
    "timeline": (CHART, CHART),
    "data": (ROWS, ROWS),
    "imports": (ROWS, ROWS),
    "reviews": ("[data-testid=stMain] h1", "[data-testid=stMain] h1"),
    "deck": ("[data-testid=stMain] h1", "[data-testid=stMain] h1"),
}
"""Page -> the first figure that a visitor waits for (an audit's numbers with the picture of the gap, the board's first row, a
table's first rows, a chart), and the first chart where there is one."""


class Visit(NamedTuple):
    """One visit; seconds from navigation to the first figure, the first chart and the finished page."""

    page: str
    spans: int
    state: str
    figure_s: float
    chart_s: float
    whole_s: float
    rss_mib: int


class Board(NamedTuple):
    """The board of one ledger: how long its findings took when none was kept, and visits once they are."""

    spans: int
    asked_s: float
    """From a ready app until every audit has a kept finding."""
    asked_rss_mib: int
    """Of the app's own process, at its highest."""
    asked_whole_mib: int
    """Of the app and its workers together, at most, as seen every LOOK_S."""
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
    """Each page cold, in an app just started; then, once that rests, warm by a second visitor and again by its open browser."""
    spans, found = _spans(ledger), []
    for page in pages:
        with started(ledger, log) as running:
            timed = dict(zip(("cold",), _visits(browser, running.address, page, 1), strict=True))
            _rested(running.process.pid)
            timed |= zip(("warm", "again"), _visits(browser, running.address, page, 2), strict=True)
            memory = rss_mib(running.process.pid)
            found += [Visit(page or "overview", spans, state, *took, memory) for state, took in timed.items()]
    return found


def board(browser: Browser, ledger: Path, log: Path) -> Board:
    """The board of a ledger without kept findings: they are made by a first app, and read by the app of the visits."""
    with started(ledger, log) as running:
        began, pid, whole = time.perf_counter(), running.process.pid, 0
        while fetch_json(f"{running.address}/api/findings")["not_kept"]:
            assert time.perf_counter() - began < LONGEST_BOARD_S, log.read_text()
            whole = max(whole, _highest(pid, 0.5))
        asked_s, memory = time.perf_counter() - began, rss_mib(pid, peak=True)
    return Board(_spans(ledger), asked_s, memory, whole, visits(browser, ledger, log, ("",)))


def _highest(pid: int, seconds: float) -> int:
    """MiB of the app and its workers together, at most, in the time to come."""
    ends, highest = time.perf_counter() + seconds, 0
    while time.perf_counter() < ends:
        highest = max(highest, whole_rss_mib(pid))
        time.sleep(LOOK_S)
    return highest


def _rested(pid: int) -> None:
    """Wait until the app and its workers have done what follows a start: less than a tenth of a second of CPU in a second."""
    before, used = cpu_s(pid), 1.0
    while used >= 0.1:
        time.sleep(1.0)
        now = cpu_s(pid)
        before, used = now, now - before


def _spans(ledger: Path) -> int:
    store = Store.open(ledger / "trueup.duckdb")
    count = int(store.ask("select count(*) from spans").item())
    store.close()
    return count


def _visits(browser: Browser, address: str, page: str, times: int) -> list[tuple[float, float, float]]:
    """Seconds to the first figure, the first chart and the whole page, of a new browser that opens it `times` times."""
    took = []
    with visitor(browser) as opened:
        opened.add_init_script(f"({CLOCK})({json.dumps(FIRST[page])})")
        for _ in range(times):
            began = time.perf_counter()
            opened.goto(f"{address}/{page}", wait_until="commit")
            for selector in FIRST[page]:
                opened.wait_for_function("one => window.first_ms[one] > 0", arg=selector, timeout=300_000)
            wait_complete(opened)
            whole_s = time.perf_counter() - began
            figure_s, chart_s = (
                opened.evaluate("one => window.first_ms[one]", one) / 1e3 for one in FIRST[page]
            )
            took.append((figure_s, chart_s, whole_s))
    return took
