"""A model provider on loopback that fails on request, streams, and remembers what it received.

It answers OpenAI's chat completions. A caller chooses what happens by naming a scenario as the model's user:
`ok`, `retry_500` (one 500, then an answer), `exhaust_429` (429 for ever), `stream` (server-sent events).
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"prompt_tokens": 1180, "completion_tokens": 96, "total_tokens": 1276}
MODEL = "gpt-4o-mini-2024-07-18"


class FakeProvider:
    """`requests` maps a call's name to the HTTP statuses it was answered with, in order."""

    def __init__(self) -> None:
        self.requests: dict[str, list[int]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # the standard library's name
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                provider._answer(self, body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: the test's output is the report."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        scenario, _, name = body["user"].partition("/")
        seen = self.requests.setdefault(name, [])
        status = 429 if scenario == "exhaust_429" else 500 if scenario == "retry_500" and not seen else 200
        seen.append(status)
        if status != 200:
            _send(
                handler, status, json.dumps({"error": {"message": "no", "type": "t", "code": "c"}}).encode()
            )
        elif body.get("stream"):
            chunks = [
                _chunk({"role": "assistant", "content": word}) for word in ("The ", "weather ", "is fine.")
            ]
            last = {**_chunk({}), "usage": USAGE}
            last["choices"][0]["finish_reason"] = "stop"
            events = [f"data: {json.dumps(chunk)}\n\n" for chunk in [*chunks, last]] + ["data: [DONE]\n\n"]
            _send(handler, 200, "".join(events).encode(), "text/event-stream")
        else:
            message = {"role": "assistant", "content": "The weather is fine."}
            answer = _chunk({}, "chat.completion")
            answer["choices"] = [{"index": 0, "finish_reason": "stop", "message": message}]
            _send(handler, 200, json.dumps({**answer, "usage": USAGE}).encode())


def _chunk(delta: dict[str, str], kind: str = "chat.completion.chunk") -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return {"id": "chatcmpl-1", "object": kind, "created": 1_795_000_000, "model": MODEL, "choices": [choice]}


def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes, kind: str = "application/json") -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    if status == 429:
        handler.send_header("retry-after-ms", "10")
    handler.end_headers()
    handler.wfile.write(body)
