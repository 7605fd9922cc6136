"""Spans every dialect shares: the product's own server span and the HTTP client spans under a model call."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import NamedTuple

from data.demo import wire
from data.demo.world import Call, Run, Send


class Scope(NamedTuple):
    """An instrumentation scope as its SDK reports it."""

    name: str
    version: str
    schema_url: str = ""


Emitted = list[tuple[Scope, bytes]]
"""Spans of one run, children before parents, the root last; bytes are a protobuf field or one JSON object."""

HTTPX_LEGACY = Scope(
    "opentelemetry.instrumentation.httpx", "0.66b2", "https://opentelemetry.io/schemas/1.11.0"
)
HTTPX_STABLE = Scope(
    "opentelemetry.instrumentation.httpx", "0.66b2", "https://opentelemetry.io/schemas/1.21.0"
)
FASTAPI_LEGACY = Scope(
    "opentelemetry.instrumentation.fastapi", "0.66b2", "https://opentelemetry.io/schemas/1.11.0"
)
FASTAPI_STABLE = Scope(
    "opentelemetry.instrumentation.fastapi", "0.66b2", "https://opentelemetry.io/schemas/1.21.0"
)

URLS = {
    "openai": "https://api.openai.com/v1/chat/completions",
    "anthropic": "https://api.anthropic.com/v1/messages",
    "litellm": "https://llm-gateway.northwind.example/v1/chat/completions",
}
HOSTS = {"openai": "api.openai.com", "anthropic": "api.anthropic.com"}
ROUTE = "/assist"

OPENAI_ERRORS = {
    "rate_limit": ("RateLimitError", "Error code: 429 - Rate limit reached for requests per min (RPM)."),
    "server": (
        "InternalServerError",
        "Error code: 500 - The server had an error while processing your request.",
    ),
    "timeout": ("APITimeoutError", "Request timed out."),
    "bad_request": ("BadRequestError", "Error code: 400 - This model's maximum context length was exceeded."),
    "broken_stream": ("APIConnectionError", "Connection error."),
}
ANTHROPIC_ERRORS = {
    "rate_limit": (
        "RateLimitError",
        "Error code: 429 - {'type': 'error', 'error': {'type': 'rate_limit_error'}}",
    ),
    "server": ("InternalServerError", "Error code: 500 - {'type': 'error', 'error': {'type': 'api_error'}}"),
    "overloaded": (
        "OverloadedError",
        "Error code: 529 - {'type': 'error', 'error': {'type': 'overloaded_error'}}",
    ),
    "timeout": ("APITimeoutError", "Request timed out or interrupted."),
    "bad_request": ("BadRequestError", "Error code: 400 - {'error': {'type': 'invalid_request_error'}}"),
}
ERRORS = {"openai": OPENAI_ERRORS, "anthropic": ANTHROPIC_ERRORS}


@lru_cache(maxsize=4_096)
def _http_body(stable: bool, url: str, status: int) -> bytes:
    pairs: dict[str, wire.Attribute]
    if stable:
        host = url.split("/")[2]
        pairs = {"http.request.method": "POST", "url.full": url, "server.address": host}
        pairs |= {"network.peer.address": "203.0.113.10", "server.port": 443, "network.peer.port": 443}
        if status:
            pairs |= {"http.response.status_code": status, "network.protocol.version": "1.1"}
        if status == 0:
            pairs["error.type"] = "ReadTimeout"
        elif status >= 400:
            pairs["error.type"] = str(status)
    else:
        pairs = {"http.method": "POST", "http.url": url}
        if status:
            pairs["http.status_code"] = status
    failed = wire.error("" if status else "ReadTimeout: timed out")
    ending = wire.UNSET if 0 < status < 400 else failed
    return wire.kind_and_name("POST", 3) + wire.attributes(pairs) + ending


@lru_cache(maxsize=16)
def _retry_header(attempt: int) -> bytes:
    return wire.attribute("http.request.header.x_stainless_retry_count", (str(attempt),))


def http_spans(
    rng: Random, run: Run, call: Call, parent_id: bytes, stable: bool, captured: bool = False, url: str = ""
) -> Emitted:
    """One client span a send; `captured`: retry count and request id headers are recorded."""
    scope = HTTPX_STABLE if stable else HTTPX_LEGACY
    out: Emitted = []
    for attempt, send in enumerate(call.sends):
        body = _http_body(stable, url or URLS[call.model.provider], send.status)
        if captured:
            body += _retry_header(attempt)
            if send.status:
                body += wire.attribute("http.response.header.x_request_id", ("req_" + send.request_id,))
        if send.status == 0:
            body += wire.exception_event(send.end_ns, "httpx2.ReadTimeout", "timed out")
        out.append(
            (scope, wire.span(run.trace_id, rng.randbytes(8), parent_id, send.start_ns, send.end_ns, body))
        )
    return out


@lru_cache(maxsize=16)
def _server_body(stable: bool, ok: bool) -> bytes:
    status = 200 if ok else 502
    pairs: dict[str, wire.Attribute]
    if stable:
        pairs = {"http.request.method": "POST", "url.scheme": "https", "url.path": ROUTE, "http.route": ROUTE}
        pairs |= {"http.response.status_code": status, "network.protocol.version": "1.1"}
    else:
        pairs = {"http.scheme": "https", "http.method": "POST", "http.route": ROUTE, "http.target": ROUTE}
        pairs |= {"http.flavor": "1.1", "http.status_code": status}
    return (
        wire.kind_and_name(f"POST {ROUTE}", 2) + wire.attributes(pairs) + (wire.UNSET if ok else wire.error())
    )


def server_span(run: Run, root_id: bytes, stable: bool) -> tuple[Scope, bytes]:
    """The run's root: what the web framework recorded."""
    body = _server_body(stable, run.ok)
    scope = FASTAPI_STABLE if stable else FASTAPI_LEGACY
    return scope, wire.span(run.trace_id, root_id, b"", run.start_ns, run.end_ns, body)


def answered_send(call: Call) -> Send:
    """The last send: the one that answered, if any did."""
    return call.sends[-1]
