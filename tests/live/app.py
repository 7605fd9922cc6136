"""The application as its user starts it: `streamlit run app.py` on a free port with a ledger of its own."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
START_LIMIT_S = 120
"""A cold start takes 3 to 8 s of CPU; a busy machine multiplies that."""


@contextlib.contextmanager
def running_app(
    data_dir: Path, on_port: int = 0, more: Mapping[str, str] | None = None, **settings: str
) -> Iterator[str]:
    """Start the app over `data_dir`, yield its address once it is ready, stop it.

    `on_port` 0 takes a free one; `more` are other variables, TRUEUP_ settings come by keyword.
    """
    port = on_port or free_port()
    environment = {**os.environ, "TRUEUP_DATA_DIR": str(data_dir), "TRUEUP_GRPC_PORT": "0"} | dict(more or {})
    environment |= {f"TRUEUP_{name.upper()}": value for name, value in settings.items()}
    log = data_dir / "app.log"
    data_dir.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(process, address, log)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=240)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the app ended with {process.returncode}:\n{log.read_text()}")
        try:
            get_json(f"{address}/readyz")
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise RuntimeError(f"the app was not ready after {START_LIMIT_S} s:\n{log.read_text()}")


def get_json(url: str) -> Any:
    """The JSON body of a GET; raises URLError on refusal and on a status of 400 or more."""
    with urllib.request.urlopen(url, timeout=120) as answer:
        return json.load(answer)


def wait_for_derived(address: str, imports: int, limit_s: float = 60) -> dict[str, Any]:
    """Wait until the derived version has reached at least `imports`; returns the last /readyz."""
    end = time.monotonic() + limit_s
    while True:
        state: dict[str, Any] = get_json(f"{address}/readyz")
        if state["derived_version"] >= imports:
            return state
        if time.monotonic() > end:
            raise RuntimeError(f"{address} did not derive import {imports} in {limit_s} s: {state}")
        time.sleep(0.2)
