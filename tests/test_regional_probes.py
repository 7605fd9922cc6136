"""The probe runner of docs/recipes against a local provider of two regions, read back and judged by the audit."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from core.audit import Scope
from core.audits import regional_drift
from core.ingest.files import read_path
from core.ingest.options import ReadOptions
from core.ledger.store import Store

RECIPE = Path(__file__).parents[1] / "docs/recipes/regional_probes"
LATER, EARLIER = (
    "It is the sum of both rows. Answer: 7",
    "Sure, happy to help you with this one! I count and find 8",
)


class Provider:
    """Streams OpenAI's chat completions and Anthropic's messages; `answers` maps a path's first part to its text."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        self.seen: list[tuple[str, str]] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the standard library's name
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                region = self.path.split("/")[1]
                provider.seen.append((region, body["messages"][0]["content"]))
                text = provider.answers[region]
                made = anthropic(text) if self.path.endswith("/messages") else openai(text)
                self.send_response(500 if text == "down" else 200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("X-Request-Id", "r1")
                self.end_headers()
                self.wfile.write("".join(f"data: {json.dumps(event)}\n\n" for event in made).encode())
                if not self.path.endswith("/messages"):
                    self.wfile.write(b"data: [DONE]\n\n")

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: the test's output is the report."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def openai(text: str) -> list[dict[str, Any]]:
    """A role, the words, the finish and the usage, as chat completions stream them; a broken one stops early."""
    base = {"model": "m-1", "system_fingerprint": "fp_1"}
    words = [
        {"choices": [{"delta": {"content": f"{word} "}, "finish_reason": None}]} for word in text.split()
    ]
    if text == "broken":
        return [base | word for word in words]
    last = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 21, "completion_tokens": len(words)}}
    return [base | event for event in ({"choices": [{"delta": {"role": "assistant"}}]}, *words, last, usage)]


def anthropic(text: str) -> list[dict[str, Any]]:
    """The events of a message."""
    words = [{"type": "content_block_delta", "delta": {"text": f"{word} "}} for word in text.split()]
    start = {"type": "message_start", "message": {"model": "m-1", "usage": {"input_tokens": 21}}}
    end = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": len(words)},
    }
    return [start, *words, end, {"type": "message_stop"}]


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider({"us": LATER, "eu": LATER})
    yield made
    made.server.shutdown()
    made.server.server_close()


def config(provider: Provider, folder: Path, prompts: int = 8, completions: int = 10) -> Path:
    """A config of two regions, one an OpenAI-like endpoint and one Anthropic's."""
    text = f"""
out = "{folder / "probes.jsonl"}"
completions = {completions}
pattern = 'Answer:\\s*(\\S+)'
[[region]]
name = "us-east-1"
api = "openai"
url = "{provider.url}/us/v1/chat/completions"
model = "m"
key_env = "PROBE_TEST_KEY"
[[region]]
name = "eu-central-1"
api = "anthropic"
url = "{provider.url}/eu/v1/messages"
model = "m"
"""
    text += "".join(
        f'[[prompt]]\nid = "p{n}"\ntext = "What is {n}?"\nanswer = "7"\nformat = \'Answer:\\s*\\d+\\s*$\'\n'
        for n in range(prompts)
    )
    path = folder / "probes.toml"
    path.write_text(text)
    return path


def run(path: Path, key: str = "secret-key") -> subprocess.CompletedProcess[str]:
    environment = {"PROBE_TEST_KEY": key} if key else {}
    return subprocess.run(
        [sys.executable, str(RECIPE / "probe.py"), str(path)],
        capture_output=True, text=True, check=False, env=environment, timeout=120,
    )  # fmt: skip


def verdict(folder: Path) -> tuple[str, str]:
    """The audit's word for eu-central-1 and its status."""
    store = Store.open(":memory:")
    try:
        receipts = store.submit_many(read_path(folder / "probes.jsonl", ReadOptions()))
        assert [one.rows_quarantined for one in receipts] == [0]
        (day,) = set(store.ask("select day from probes")["day"])
        scope = Scope(day, day)
        found = regional_drift.measure(regional_drift.load(store.ask, scope), scope)
        return found.regions[0].verdict, regional_drift.judge(found).status  # type: ignore[union-attr]
    finally:
        store.close()


def test_equal_regions_are_the_same(provider: Provider, tmp_path: Path) -> None:
    done = run(config(provider, tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "us-east-1 80 answers, eu-central-1 80 answers\n"
    # Each prompt goes to both regions before the next, and who goes first changes.
    assert [text for _, text in provider.seen[:4]] == ["What is 0?"] * 2 + ["What is 1?"] * 2
    assert {region for region, _ in provider.seen[::2]} == {"us", "eu"}
    assert verdict(tmp_path) == ("same", "holds")


def test_a_region_of_another_generation_is_told(provider: Provider, tmp_path: Path) -> None:
    provider.answers["eu"] = EARLIER
    assert run(config(provider, tmp_path, completions=2)).returncode == 0
    assert verdict(tmp_path) == ("different generation", "broken")


def test_a_row_says_everything_that_is_known(provider: Provider, tmp_path: Path) -> None:
    run(config(provider, tmp_path, prompts=1, completions=1))
    text = (tmp_path / "probes.jsonl").read_text()
    assert "secret-key" not in text
    us, eu = sorted(map(json.loads, text.splitlines()), key=lambda row: -len(row["region"]))[::-1]
    for row in (us, eu):
        assert (row["prompt_id"], row["request_model"], row["response_model"]) == ("p0", "m", "m-1")
        assert (row["input_tokens"], row["output_tokens"], row["text"]) == (21, 9, LATER + " ")
        assert (row["score"], row["format_ok"], row["refusal"], row["scorer"]) == (
            1,
            True,
            False,
            "probe.py 1",
        )
        assert 0 <= row["first_chunk_ms"] <= row["last_chunk_ms"]
        assert "x-request-id" in row["header_names"]
    assert (us["finish_reason"], eu["finish_reason"]) == ("stop", "end_turn")
    assert us["system_fingerprint"] == "fp_1"


@pytest.mark.parametrize("fate", ["down", "broken"])
def test_a_failed_call_is_no_answer(provider: Provider, tmp_path: Path, fate: str) -> None:
    provider.answers["us"] = fate
    done = run(config(provider, tmp_path, prompts=2, completions=1))
    assert done.returncode == 1
    assert done.stderr.count("us-east-1 p") == 2
    assert done.stdout == "us-east-1 0 answers, eu-central-1 2 answers\n"


def test_a_config_that_cannot_be_used_says_why(provider: Provider, tmp_path: Path) -> None:
    path = config(provider, tmp_path)
    assert "has no PROBE_TEST_KEY" in run(path, key="").stderr
    path.write_text(path.read_text().replace('api = "anthropic"', 'api = "other"'))
    assert "write openai or anthropic" in run(path).stderr
    path.write_text("completions = 1\n")
    done = run(path)
    assert (done.returncode, done.stderr) == (2, f"{path}: there is no [[region]]\n")


def test_the_example_is_a_config_but_for_its_keys() -> None:
    done = run(RECIPE / "probes.toml")
    assert (done.returncode, done.stderr.partition(": ")[2]) == (
        2, "region us-east-1: the environment has no US_API_KEY\n",
    )  # fmt: skip
