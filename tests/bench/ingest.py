"""OTLP over HTTP into a running app: spans a second until committed and until queryable, CPU and bytes a span."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from core.ledger.store import Store
from tests import otlp_bodies
from tests.web.test_process import Running, fetch_json, send_body, started

BATCH, SENDERS = 512, 4
LOAD_TOOL = Path(__file__).parents[3] / "shared" / "tools" / "otlp_load.py"
"""The generator by which peers were compared: agent traces of 5.4 spans, 1.3 kB a span."""
TICKS = os.sysconf("SC_CLK_TCK")


class Ingest(NamedTuple):
    """One run. Seconds are wall clock, CPU is of the whole app process."""

    load: str
    spans: int
    committed_per_s: float
    queryable_per_s: float
    cpu_us_per_span: float
    bytes_per_span: float
    p50_ms: float
    p95_ms: float
    rss_mib: int


def cpu_s(pid: int) -> float:
    """User and system seconds so far of a process and those it started."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS + sum(map(cpu_s, children(pid)))


def children(pid: int) -> list[int]:
    """Processes started by a process: the app's workers."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def rss_mib(pid: int, peak: bool = False) -> int:
    """Resident memory of a process, now or at its highest."""
    name = "VmHWM" if peak else "VmRSS"
    line = next(
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(name)
    )
    return int(line.split()[1]) // 1024


def whole_rss_mib(pid: int) -> int:
    """Resident memory now of a process and those it started; what they share is counted in each."""
    return rss_mib(pid) + sum(map(whole_rss_mib, children(pid)))


def measure(spans: int) -> Ingest:
    """Send `spans` to a fresh app from four senders in bodies of 512."""
    with tempfile.TemporaryDirectory(prefix="trueup-bench-") as folder:
        return measure_into(Path(folder) / "ledger", spans, Path(folder) / "log")


def measure_into(ledger: Path, spans: int, log: Path) -> Ingest:
    """The same into the ledger of a folder, which may hold spans already."""
    with started(ledger, log) as running:
        pid = running.process.pid
        _warm(running)
        before, imports = cpu_s(pid), _readyz(running)["latest_import"]
        load, took, waits = _send(running, spans)
        acknowledged = time.perf_counter()
        _wait_derived(running, imports)
        # The generator makes its bodies before it sends: that time is not the app's.
        queryable, cpu = took + time.perf_counter() - acknowledged, cpu_s(pid) - before
        rss = rss_mib(pid, peak=True)
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(timeout=120)
    store = Store.open(ledger / "trueup.duckdb")
    sent = int(store.ask("select count(*) from spans where import_id > $imports", imports=imports).item())
    kept = int(store.ask("select count(*) from spans").item())
    store.close()
    size = (ledger / "trueup.duckdb").stat().st_size
    return Ingest(load, sent, sent / took, sent / queryable, cpu / sent * 1e6, size / kept, *waits, rss)


def _warm(running: Running) -> None:
    """One body before the clock starts: the first pays for imports and for the file."""
    assert send_body(running, otlp_bodies.protobuf(range(10**9, 10**9 + BATCH))) == 200
    _wait_derived(running, 0)


def _wait_derived(running: Running, imports: int) -> None:
    """Until everything that was taken in since import `imports` is derived."""
    while True:
        state = _readyz(running)
        if state["derived_version"] >= state["latest_import"] > imports:
            return
        time.sleep(0.05)


def _readyz(running: Running) -> dict[str, int]:
    state: dict[str, int] = fetch_json(f"{running.address}/readyz")
    return state


def _send(running: Running, spans: int) -> tuple[str, float, tuple[float, float]]:
    """(what was sent, seconds until the last was acknowledged, p50 and p95 of a request in ms)."""
    if LOAD_TOOL.is_file():
        command = [
            sys.executable, str(LOAD_TOOL), "--url", f"{running.address}/v1/traces", "--spans", str(spans), "--batch",
            str(BATCH), "--concurrency", str(SENDERS), "--flavor", "genai", "--max-seconds", "600",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        told = json.loads(done.stdout)
        seconds, waits = float(told["ack_s"]), told["req_ms"]
        p50, p95 = float(waits["p50"]), float(waits["p95"])
        return "agent traces, 1.3 kB a span", seconds, (p50, p95)
    bodies = [otlp_bodies.protobuf(range(1 + n, 1 + n + BATCH)) for n in range(0, spans, BATCH)]
    began = time.perf_counter()
    with ThreadPoolExecutor(SENDERS) as senders:
        waits = sorted(senders.map(partial(_timed, running), bodies))
    took = time.perf_counter() - began
    return (
        "single calls, 0.2 kB a span",
        took,
        (waits[len(waits) // 2] * 1e3, waits[int(len(waits) * 0.95)] * 1e3),
    )


def _timed(running: Running, body: bytes) -> float:
    began = time.perf_counter()
    assert send_body(running, body) == 200
    return time.perf_counter() - began
