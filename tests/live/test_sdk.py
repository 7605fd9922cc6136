"""A real OpenTelemetry SDK with the official GenAI instrumentation sends to the running app."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.app import ROOT, get_json, running_app, wait_for_derived
from tests.live.fake_provider import FakeProvider

pytestmark = pytest.mark.browser


def test_calls_of_a_real_client_appear_with_their_attempts(tmp_path: Path) -> None:
    """What the provider received is what the ledger says: 1 ok, 500 then ok, 429 three times, 1 stream."""
    provider = FakeProvider()
    with running_app(tmp_path) as address:
        client = subprocess.run(
            [sys.executable, "-m", "tests.live.client", provider.base_url, f"{address}/v1/traces"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert client.returncode == 0, client.stderr
        wait_for_derived(address, 1)
        rows = get_json(f"{address}/api/attempts")["rows"]
    provider.close()
    names = dict(line.split() for line in client.stdout.splitlines())
    found = {names[row["trace_id"]]: (row["attempts"], row["failed_attempts"], row["grade"]) for row in rows}
    assert {name: len(statuses) for name, statuses in provider.requests.items()} == {
        "ok": 1,
        "retry_500": 2,
        "exhaust_429": 3,
        "stream": 1,
    }
    assert found == {
        "ok": (1, 0, "observed"),
        "retry_500": (2, 1, "observed"),
        "exhaust_429": (3, 3, "observed"),
        "stream": (1, 0, "observed"),
    }
    assert {row["service"] for row in rows} == {"weather-desk"}
