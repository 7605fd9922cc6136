"""Trueup beside Arize Phoenix and MLflow: `python -m bench.peers [--spans 20000] [--home .venvs] [trueup phoenix mlflow]`.

One after the other on this machine: each peer is installed by pip into an environment of its own, started on loopback with
its own defaults and SQLite, sent the same spans by the same senders, and stopped. Queryable: the tool's own store has the
span (peers: a row in their database; Trueup: derived, so that every page counts it). Nothing leaves the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench import load

ROOT = Path(__file__).resolve().parents[1]
STARTS_S, SETTLES_S = 240.0, 1_800.0
TICKS = os.sysconf("SC_CLK_TCK")


class Tool(NamedTuple):
    """How a tool is installed, started, sent to and counted. `folder` is its own; `python` its environment's."""

    name: str
    requirement: str
    command: Callable[[Path, Path, int], list[str]]
    environment: Callable[[Path, int], Mapping[str, str]]
    healthy: str
    headers: Mapping[str, str]
    queryable: Callable[[Path, int, int], int]
    """Of folder, port and spans sent."""


class Result(NamedTuple):
    """One tool under the load."""

    tool: str
    acknowledged_per_s: float
    queryable_per_s: float
    cpu_us_per_span: float
    p50_ms: float
    p95_ms: float
    come_back: int
    memory_mib: int


def _sqlite_count(database: str) -> Callable[[Path, int, int], int]:
    def count(folder: Path, _port: int, _sent: int) -> int:
        with contextlib.closing(
            sqlite3.connect(f"file:{folder / database}?mode=ro", uri=True, timeout=30)
        ) as opened:
            return int(opened.execute("select count(*) from spans").fetchone()[0])

    return count


def _trueup_count(_folder: Path, port: int, sent: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30) as answer:
        state = json.load(answer)
    return sent if state["derived_version"] >= state["latest_import"] > 0 else 0


TOOLS = (
    Tool(
        "trueup", "",
        lambda folder, python, port: [sys.executable, "-m", "core", "serve", "--data", str(folder)],
        lambda folder, port: {"TRUEUP_PORT": str(port), "TRUEUP_GRPC_PORT": "0"},
        "/readyz", {}, _trueup_count,
    ),
    Tool(
        "phoenix", "arize-phoenix",
        lambda folder, python, port: [str(python.parent / "phoenix"), "serve"],
        lambda folder, port: {
            "PHOENIX_HOST": "127.0.0.1", "PHOENIX_PORT": str(port), "PHOENIX_GRPC_PORT": str(free_port()),
            "PHOENIX_WORKING_DIR": str(folder), "PHOENIX_TELEMETRY_ENABLED": "false",
            "PHOENIX_MAX_SPANS_QUEUE_SIZE": str(load.MOST_SPANS),
        },
        "/healthz", {}, _sqlite_count("phoenix.db"),
    ),
    Tool(
        "mlflow", "mlflow",
        lambda folder, python, port: [
            str(python.parent / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port),
            "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder / "artifacts"),
        ],
        lambda folder, port: {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
        "/health", {"x-mlflow-experiment-id": "0"}, _sqlite_count("mlflow.db"),
    ),
)  # fmt: skip


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def installed(tool: Tool, home: Path) -> Path:
    """The Python of the tool's environment, made when it is missing."""
    python = home / tool.name / "bin" / "python"
    if tool.requirement and not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home / tool.name)], check=True)
    if tool.requirement and not (python.parent / tool.name).exists():
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", tool.requirement], check=True)
    return python


@contextmanager
def running(tool: Tool, python: Path, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The tool's server in a process group of its own, ended with all its children."""
    environment = os.environ | dict(tool.environment(folder, port))
    with (folder.parent / f"{tool.name}.log").open("wb") as log:
        process = subprocess.Popen(
            tool.command(folder, python, port), cwd=ROOT if tool.name == "trueup" else folder, env=environment,
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            _await(
                lambda: _answers(port, tool.healthy), STARTS_S, f"{tool.name} did not start: see {log.name}"
            )
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=60)


def _answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _await(true: Callable[[], bool], limit_s: float, or_else: str) -> None:
    ends = time.monotonic() + limit_s
    while not true():
        if time.monotonic() > ends:
            raise TimeoutError(or_else)
        time.sleep(0.2)


def of_group(group: int) -> tuple[float, int]:
    """CPU seconds and resident MiB of a process group's living processes."""
    seconds, memory = 0.0, 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                seconds += sum(map(int, fields[11:15])) / TICKS
                memory += int(fields[21]) * os.sysconf("SC_PAGE_SIZE") // 2**20
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended between the listing and the look
    return seconds, memory


def measured(tool: Tool, home: Path, spans: int) -> Result:
    """Install, start, send, wait until the last span can be queried. The first request pays for whatever a tool loads late."""
    python, requests = installed(tool, home), list(load.bodies(spans))
    with tempfile.TemporaryDirectory(prefix="trueup-peers-") as temporary:
        folder, port = Path(temporary) / tool.name, free_port()
        folder.mkdir()
        with running(tool, python, folder, port) as process:
            before, _ = of_group(process.pid)
            began = time.perf_counter()
            sent = load.send(f"http://127.0.0.1:{port}/v1/traces", requests, spans, tool.headers)
            _await(
                lambda: tool.queryable(folder, port, spans) >= spans,
                SETTLES_S,
                f"{tool.name}: spans are missing",
            )
            queryable_s = time.perf_counter() - began
            after, memory = of_group(process.pid)
    return Result(
        tool.name, spans / sent.seconds, spans / queryable_s, (after - before) / spans * 1e6,
        sent.p50_ms, sent.p95_ms, sent.come_back, memory,
    )  # fmt: skip


def main(arguments: list[str]) -> None:
    """Print a row a tool, as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("tools", nargs="*", default=[tool.name for tool in TOOLS], metavar="tool")
    parser.add_argument("--spans", type=int, default=20_000, help=f"at most {load.MOST_SPANS:,}")
    parser.add_argument(
        "--home", type=Path, default=ROOT / ".venvs", help="where the peers' environments are"
    )
    given = parser.parse_args(arguments)
    known = {tool.name: tool for tool in TOOLS}
    if unknown := set(given.tools) - set(known):
        parser.error(f"there is no tool {min(unknown)}; known: {', '.join(known)}")
    if not 0 < given.spans <= load.MOST_SPANS:
        parser.error(f"--spans takes 1 to {load.MOST_SPANS:,}")
    print(
        "| tool | acknowledged/s | queryable/s | CPU µs/span | request p50 / p95 ms | asked to come back | MiB |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in given.tools:
        one = measured(known[name], given.home.resolve(), given.spans)
        print(
            f"| {one.tool} | {one.acknowledged_per_s:,.0f} | {one.queryable_per_s:,.0f} | {one.cpu_us_per_span:,.0f} | "
            f"{one.p50_ms:,.0f} / {one.p95_ms:,.0f} | {one.come_back} | {one.memory_mib:,} |", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
