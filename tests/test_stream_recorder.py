"""The recorders of docs/recipes, in Python and JavaScript, around clients of a local streaming provider, read back as streams."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
import subprocess
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.ingest.files import read_path
from core.ingest.options import ReadOptions

RECIPE = Path(__file__).parents[1] / "docs/recipes/stream_recorder"
PAUSE_S = 0.5
CHAT: list[Any] = [
    {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
    {"choices": [{"delta": {"reasoning_content": "Hm"}}]},
    {"choices": [{"delta": {"content": "Let me"}}]},
    {"choices": [{"delta": {"content": " check."}}]},
    PAUSE_S,
    {"choices": [{"delta": {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}}]},
    {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
    {"choices": [], "usage": {"completion_tokens": 30, "completion_tokens_details": {"reasoning_tokens": 4}}},
]
CHAT = [one | {"id": "chatcmpl-1", "model": "m-1"} if isinstance(one, dict) else one for one in CHAT]
MESSAGES: list[Any] = [
    {"type": "message_start", "message": {"id": "msg_1", "model": "m-1", "usage": {"output_tokens": 1}}},
    {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "Hm"}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Let me"}},
    {"type": "ping"},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": " check."}},
    PAUSE_S,
    {"type": "content_block_start", "content_block": {"type": "tool_use", "name": "f"}},
    {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 30}},
    {"type": "message_stop"},
]
RESPONSES: list[Any] = [
    {"type": "response.created", "response": {"id": "resp_1", "model": "m-1"}},
    {"type": "response.reasoning_summary_text.delta", "delta": "Hm"},
    {"type": "response.output_text.delta", "delta": "Let me"},
    {"type": "response.output_text.delta", "delta": " check."},
    PAUSE_S,
    {"type": "response.output_item.added", "item": {"type": "function_call", "name": "f"}},
    {"type": "response.function_call_arguments.delta", "delta": "{}"},
    {"type": "response.completed", "response": {"id": "resp_1", "model": "m-1", "usage": {
        "output_tokens": 30, "output_tokens_details": {"reasoning_tokens": 4}}}},
]  # fmt: skip
SCRIPTS = {"chat": CHAT, "messages": MESSAGES, "responses": RESPONSES}
IDS = {"chat": "chatcmpl-1", "messages": "msg_1", "responses": "resp_1"}


def recorder_module() -> Any:
    spec = importlib.util.spec_from_file_location("stream_recorder", RECIPE / "stream_recorder.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def url() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the standard library's name
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for event in SCRIPTS[self.path[1:]]:
                if isinstance(event, float):
                    time.sleep(event)
                    continue
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
                self.wfile.flush()
            self.wfile.write(b"data: [DONE]\n\n")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: the test's output is the report."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def stream_of(path: Path) -> dict[str, Any]:
    (batch,) = read_path(path, ReadOptions())
    assert (batch.format, batch.quarantined) == ("streams", [])
    row: dict[str, Any] = batch.frames["streams"].row(0, named=True)
    return row


def check(row: dict[str, Any], name: str) -> None:
    """Hm | Let me | check. | pause | the call: text of 13 characters before it."""
    kinds = ["reasoning", "text", "text", *["tool_call"] * (len(row["kind"]) - 3)]
    assert row["kind"] == kinds
    assert row["chars"][:3] == [2, 6, 7]
    assert sum(row["chars"][3:]) == 3
    assert (row["preamble_chars"], row["output_tokens"], row["char_count"]) == (13, 30, 18)
    assert row["tool_pause_ms"] > 50  # half a second was waited: a busy machine may see less of it
    assert (row["provider_name"], row["request_model"], row["response_model"]) == ("openai", "m", "m-1")
    assert (row["cloud_region"], row["version_label"], row["prompt_id"]) == ("eu-1", "before", "p-1")
    assert row["response_id"] == IDS[name]
    assert row["finish_reason"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_python_around_lines_of_server_sent_events(name: str, url: str, tmp_path: Path) -> None:
    path = tmp_path / "streams.jsonl"
    recorder = recorder_module().Recorder(path, "openai", "m", "eu-1", "before")
    watch = recorder.watch(prompt_id="p-1")
    with urllib.request.urlopen(urllib.request.Request(f"{url}/{name}", b"{}")) as answer:
        lines = list(watch.lines(answer))
    assert lines[-2] == b"data: [DONE]\n"
    check(stream_of(path), name)
    assert "check" not in path.read_text()


def objects(event: Any) -> Any:
    """As an SDK gives them: attributes, absent ones missing or None."""
    if isinstance(event, dict):
        return SimpleNamespace(**{name: objects(value) for name, value in event.items()})
    return [objects(one) for one in event] if isinstance(event, list) else event


@pytest.mark.parametrize("name", SCRIPTS)
def test_python_around_an_sdk_that_is_asynchronous(name: str, tmp_path: Path) -> None:
    path = tmp_path / "streams.jsonl"
    recorder = recorder_module().Recorder(
        path, "openai", region="eu-1", version="before", count=lambda text: len(text) // 2
    )
    given = [objects(one) for one in SCRIPTS[name] if not isinstance(one, float)]

    async def stream() -> AsyncIterator[Any]:
        for event in given:
            yield event

    async def read() -> list[Any]:
        return [event async for event in recorder.watch(prompt="What?").aevents(stream())]

    with ThreadPoolExecutor(1) as aside:  # browser tests leave a loop running in this thread
        assert aside.submit(asyncio.run, read()).result() == given
    row = stream_of(path)
    assert (row["tokens"][:3], row["request_model"], len(row["prompt_id"])) == ([1, 3, 3], "m-1", 16)
    assert row["kind"][:3] == ["reasoning", "text", "text"]


def test_a_reader_that_leaves_and_a_stream_that_breaks_are_written_as_far_as_they_came(
    tmp_path: Path,
) -> None:
    path = tmp_path / "streams.jsonl"
    recorder = recorder_module().Recorder(path, "openai", "m")
    for event in recorder.watch().events(CHAT[:4]):
        if event is CHAT[2]:
            break
    with pytest.raises(OSError, match="gone"):
        list(recorder.watch().events(_broken()))
    list(recorder.watch().events([CHAT[0]]))  # nothing came
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["chars"] for row in rows] == [[2, 6], [2]]
    assert all("finish_reason" not in row for row in rows)


def _broken() -> Iterator[Any]:
    yield CHAT[1]
    raise OSError("gone")


def test_a_stream_inside_a_span_has_its_ids(tmp_path: Path) -> None:
    trace = pytest.importorskip("opentelemetry.sdk.trace")
    path = tmp_path / "streams.jsonl"
    recorder = recorder_module().Recorder(path, "openai", "m")
    with trace.TracerProvider().get_tracer("t").start_as_current_span("chat") as span:
        list(recorder.watch().events([one for one in CHAT if isinstance(one, dict)]))
    assert stream_of(path)["trace_id"] == f"{span.get_span_context().trace_id:032x}"


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("name", SCRIPTS)
def test_javascript_around_fetch(name: str, url: str, tmp_path: Path) -> None:
    path = tmp_path / "streams.jsonl"
    script = f"""
import {{ Recorder }} from {json.dumps((RECIPE / "stream_recorder.mjs").as_uri())};
const recorder = new Recorder({json.dumps(str(path))}, {{ provider: "openai", model: "m", region: "eu-1", version: "before" }});
const watch = recorder.watch({{ promptId: "p-1" }});
const response = await fetch({json.dumps(f"{url}/{name}")}, {{ method: "POST", body: "{{}}" }});
let count = 0;
for await (const event of watch.sse(response.body)) count += 1;
console.log(count);
"""
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert int(done.stdout) == sum(isinstance(one, dict) for one in SCRIPTS[name])
    check(stream_of(path), name)
