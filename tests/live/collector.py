"""A real OpenTelemetry Collector (rotel, in Rust) between senders and the app, started as docs/recipes/rotel says."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.web.over_http import wait_for
from tests.web.test_process import free_port

RECIPE = Path(__file__).resolve().parents[2] / "docs/recipes/rotel/rotel.env"
QUICK = {
    "otlp-exporter-retry-initial-backoff": "100ms",
    "otlp-exporter-retry-max-backoff": "500ms",
}
"""Against the recipe's seconds; how long a batch is tried stays the recipe's day, so that a slow machine loses none."""


def program() -> Path | None:
    """rotel's program inside its wheel, which exists for some systems only. The package is not imported: it would start one."""
    found = importlib.util.find_spec("rotel")
    path = Path(found.origin).parent / "rotel-agent" if found and found.origin else None
    return path if path and path.is_file() else None


LACKING = (
    ""
    if program()
    else "rotel is not installed: `make collector` brings it in where it has a wheel, on Linux, x86-64 and CPython up to 3.13"
)


class Collector(NamedTuple):
    """A running Collector: the ports it takes OTLP on, and what it says."""

    grpc: str
    http: str
    log: Path

    def said(self, *words: str) -> int:
        """Lines of its log that hold all the words."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return sum(all(word in line for word in words) for line in lines)


@contextmanager
def collector(folder: Path, to: str, token: str, **options: str) -> Iterator[Collector]:
    """The recipe's Collector on free ports, sending to `to`; `options` are rotel's own, with _ for -."""
    ports = free_port(), free_port()
    log = folder / "rotel.log"
    given = QUICK | {
        "otlp-grpc-endpoint": f"127.0.0.1:{ports[0]}",
        "otlp-http-endpoint": f"127.0.0.1:{ports[1]}",
        "otlp-exporter-endpoint": to,
        **{name.replace("_", "-"): value for name, value in options.items()},
    }
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ROTEL_")}
    with log.open("ab") as out:
        process = subprocess.Popen(
            ["bash", "-c", 'set -a; . "$0"; exec "$@"', str(RECIPE), str(program()), "start", *words],
            env=environment | {"TRUEUP_INGEST_TOKEN": token, "RUST_LOG": "info", "NO_COLOR": "1"},
            stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip
    try:
        wait_for(lambda: process.poll() is not None or all(map(_answers, ports)), 240)
        assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")
        yield Collector(f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}", log)
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:  # it may still be sending; nothing of it may outlive the test
            process.kill()
            process.wait(timeout=60)


def _answers(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0
