"""The real process, as `python -m core serve` starts it: pages, OTLP, API and command line on one ledger."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from core.ledger.store import Store
from tests import otlp_bodies

ROOT = Path(__file__).resolve().parents[2]
START_S = 240.0
"""Patience on a loaded machine; 5 s is usual."""


class Running(NamedTuple):
    """A started app: its process, address and where its output goes."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def fetch(address: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(address, data=body, headers=named)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def fetch_json(address: str) -> Any:
    return json.loads(fetch(address)[1])


@contextmanager
def started(ledger: Path, log: Path) -> Iterator[Running]:
    port = free_port()
    environment = os.environ | {"TRUEUP_PORT": str(port), "TRUEUP_GRPC_PORT": "0"}
    command = [sys.executable, "-m", "core", "serve", "--data", str(ledger)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env=environment)
    running = Running(process, f"http://127.0.0.1:{port}", log)
    try:
        wait_until_ready(running)
        yield running
    finally:
        process.kill()
        process.wait(timeout=120)


def wait_until_ready(running: Running) -> None:
    ends = time.monotonic() + START_S
    while time.monotonic() < ends:
        assert running.process.poll() is None, running.log.read_text()
        try:
            if fetch(f"{running.address}/readyz")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"not ready in {START_S} s:\n{running.log.read_text()}")


def send(running: Running, calls: range) -> int:
    return send_body(running, otlp_bodies.protobuf(calls))


def send_body(running: Running, body: bytes) -> int:
    return fetch(f"{running.address}/v1/traces", body, Content_Type="application/x-protobuf")[0]


def command_line(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "core", *arguments], cwd=ROOT, check=False, capture_output=True, text=True
    )


def test_one_process_serves_everything_and_the_command_line_asks_it(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with started(ledger, tmp_path / "log") as running:
        assert send(running, range(1, 4)) == 200
        status, page = fetch(f"{running.address}/retry_ledger")
        assert (status, b"<html" in page) == (200, True)

        line = tmp_path / "more.jsonl"
        line.write_bytes(otlp_bodies.json_body(range(4, 6)) + b"\n")
        ingested = command_line("ingest", str(line), "--data", str(ledger))
        assert (ingested.returncode, "2 rows accepted" in ingested.stdout) == (0, True), ingested.stderr
        assert f"(process {running.process.pid}) owns the ledger" in ingested.stderr
        while fetch_json(f"{running.address}/readyz")["derived_version"] < 2:
            time.sleep(0.05)
        listed = command_line("attempts", "--format", "csv", "--data", str(ledger))
        assert len(listed.stdout.splitlines()) == 1 + 5, listed.stderr
        checked = command_line("check", "--format", "json", "--data", str(ledger))
        assert json.loads(checked.stdout) == fetch_json(f"{running.address}/api/findings?fresh=true")["rows"]
        bridged = command_line("bridge", "--data", str(ledger))
        assert bridged.stdout.startswith("bridge,bucket,count,usd\n"), bridged.stderr

        running.process.send_signal(signal.SIGTERM)
        running.process.wait(timeout=120)
        assert not (ledger / "trueup.duckdb.app.json").exists()
    closed = command_line("attempts", "--format", "csv", "--data", str(ledger))
    assert closed.stdout == listed.stdout  # the file itself now gives the same answer


def test_starting_the_app_twice_gives_its_address(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with started(ledger, tmp_path / "log") as running:
        second = command_line("serve", "--data", str(ledger))
        assert second.returncode == 1
        assert f"already runs at {running.address} (process {running.process.pid})" in second.stderr


def test_an_app_on_a_ledger_somebody_else_holds_says_who(tmp_path: Path) -> None:
    """This test's own process holds the file; no note tells of an app."""
    ledger = tmp_path / "ledger"
    with closing(Store.open(ledger / "trueup.duckdb")):
        environment = os.environ | {"TRUEUP_PORT": str(free_port())}
        second = subprocess.run(
            [sys.executable, "-m", "core", "serve", "--data", str(ledger)],
            cwd=ROOT, check=False, capture_output=True, text=True, env=environment, timeout=START_S,
        )  # fmt: skip
        assert second.returncode != 0
        assert f"process {os.getpid()}" in second.stderr
        assert "Traceback" not in second.stderr


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with started(ledger, tmp_path / "log") as running:
        acknowledged = [number for number in range(1, 40) if send(running, range(number, number + 1)) == 200]
        running.process.kill()
        running.process.wait(timeout=120)
    store = Store.open(ledger / "trueup.duckdb")
    kept = store.ask("select span_id from spans")["span_id"].to_list()
    store.close()
    assert sorted(kept) == [otlp_bodies.ids(number)[1] for number in acknowledged]
