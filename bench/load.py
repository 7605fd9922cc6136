"""One load for every tool: agent traces of about 1.3 kB a span over OTLP/HTTP, four senders of 512 spans, this machine alone."""

from __future__ import annotations

import http.client
import ipaddress
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

BATCH, SENDERS = 512, 4
MOST_SPANS = 200_000
LONGEST_S = 900.0
SEED = 4_242
SENTENCE = "the order was delayed because carrier did not confirm pickup please summarise policy and suggest next step"
WORDS = SENTENCE.split(" ")
CONTENT_WORDS = 64
"""About 400 characters, as a short prompt has."""
FIRST_NS = 1_795_000_000_000_000_000
COME_BACK = (429, 502, 503, 504)


class Sent(NamedTuple):
    """What became of a load. Seconds until the last answer; waits are of single requests."""

    spans: int
    seconds: float
    p50_ms: float
    p95_ms: float
    come_back: int
    """Answers that asked the sender to try again."""


def bodies(spans: int) -> Iterator[bytes]:
    """Requests of BATCH spans: traces of an agent, a tool and three model calls, the same at every run."""
    for first in range(0, min(spans, MOST_SPANS), BATCH):
        yield _request(range(first, min(first + BATCH, spans, MOST_SPANS)))


def _request(numbers: range) -> bytes:
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "assist"
    scope = group.scope_spans.add()
    scope.scope.name = "bench.load"
    for number in numbers:
        place, draw = number % 5, random.Random(SEED + number)
        span = scope.spans.add(
            trace_id=(SEED << 64 | number // 5 + 1).to_bytes(16, "big"), span_id=(number + 1).to_bytes(8, "big"),
            parent_span_id=b"" if place == 0 else (number - place + 1).to_bytes(8, "big"),
            name=("invoke_agent", "execute_tool search", "chat", "chat", "chat")[place], kind=1 if place < 2 else 3,
            start_time_unix_nano=FIRST_NS + number * 10**7 + place * 10**8,
            end_time_unix_nano=FIRST_NS + number * 10**7 + (place + 1) * 10**8,
        )  # fmt: skip
        for key, value in _attributes(place, draw).items():
            told = span.attributes.add(key=key).value
            if isinstance(value, int):
                told.int_value = value
            else:
                told.string_value = value
    return message.SerializeToString()


def _attributes(place: int, draw: random.Random) -> Mapping[str, str | int]:
    said = {
        "gen_ai.input.messages": " ".join(draw.choices(WORDS, k=CONTENT_WORDS)),
        "gen_ai.output.messages": " ".join(draw.choices(WORDS, k=CONTENT_WORDS)),
        "gen_ai.conversation.id": f"conversation {draw.randrange(10**6)}",
        "cloud.region": draw.choice(("us-east-1", "eu-west-1", "eu-central-1")),
    }
    if place < 2:
        return said | {"gen_ai.operation.name": ("invoke_agent", "execute_tool")[place]}
    return said | {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18", "gen_ai.response.id": f"chatcmpl-{draw.randrange(10**12)}",
        "gen_ai.usage.input_tokens": draw.randrange(50, 4_000), "gen_ai.usage.output_tokens": draw.randrange(5, 900),
    }  # fmt: skip


def send(url: str, requests: Sequence[bytes], spans: int, headers: Mapping[str, str]) -> Sent:
    """Post every request from SENDERS connections; what is asked to come back is sent again until LONGEST_S.

    Raises ValueError for an address that is not this machine, RuntimeError for an answer that no retry mends.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"{host} is not this machine: loads go to loopback addresses alone")
    began = time.perf_counter()
    ends = began + LONGEST_S
    shares = [requests[at::SENDERS] for at in range(SENDERS)]
    with ThreadPoolExecutor(SENDERS) as senders:
        told = [
            senders.submit(_sender, host, parts.port or 80, parts.path, share, headers, ends)
            for share in shares
        ]
        waits = sorted(wait for one in told for wait in one.result()[0])
    return Sent(
        spans, time.perf_counter() - began, waits[len(waits) // 2] * 1e3, waits[int(len(waits) * 0.95)] * 1e3,
        sum(one.result()[1] for one in told),
    )  # fmt: skip


def _sender(
    host: str, port: int, path: str, requests: Sequence[bytes], headers: Mapping[str, str], ends: float
) -> tuple[list[float], int]:
    connection, waits, again = http.client.HTTPConnection(host, port, timeout=120), [], 0
    for body in requests:
        while True:
            began = time.perf_counter()
            connection.request("POST", path, body, {"content-type": "application/x-protobuf", **headers})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status == 200:
                waits.append(time.perf_counter() - began)
                break
            if answer.status not in COME_BACK or time.perf_counter() > ends:
                raise RuntimeError(f"{path} answered {answer.status}: {said[:200]!r}")
            again += 1
            time.sleep(min(5.0, float(answer.getheader("retry-after") or 0.5)))
    connection.close()
    return waits, again
