"""Trace files: runs through their dialect into OTLP requests, protobuf or collector JSON lines.

A `.pb` file is one ExportTraceServiceRequest as a collector would have received it; a `.otlp.jsonl.gz` file is
what the collector's file exporter writes, one request a line. What is late or sent again goes into the next file.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

import orjson

from data.demo import wire
from data.demo.dialect_genai import anthropic_chat, langchain_agent, openai_chat
from data.demo.dialect_other import inference_agent, llmetry_anthropic, llmetry_openai
from data.demo.dialect_vercel import generate_text
from data.demo.pieces import Emitted, Scope
from data.demo.plan import REGIONS, Plan
from data.demo.world import Run

JSON_LINE_SPANS = 200

DIALECTS: dict[str, Callable[[Random, Run], tuple[Emitted, bytes]]] = {
    "genai_langchain": langchain_agent,
    "genai_openai": openai_chat,
    "anthropic_native": anthropic_chat,
    "openllmetry_anthropic": llmetry_anthropic,
    "openllmetry_openai": llmetry_openai,
    "openinference": inference_agent,
    "vercel_ai": generate_text,
}

Groups = dict[tuple[str, int], dict[Scope, list[bytes]]]
"""Spans by (service, region) and scope: one ResourceSpans each."""


class Spool(NamedTuple):
    """Spans waiting to be written: `now` for the open file, `later` for the one after it."""

    now: Groups
    later: Groups


class Shown(NamedTuple):
    """What of a run reached the files. root_id: its server span, also when that span was lost."""

    root_id: bytes
    spans: int
    resent_spans: int
    late_root: bool
    lost_root: bool


def empty_spool() -> Spool:
    return Spool({}, {})


def show(rng: Random, plan: Plan, run: Run, spool: Spool) -> Shown:
    """Emit one run into the spool, with the planted lateness and repetition."""
    emitted, root_id = DIALECTS[run.service.dialect](rng, run)
    draw = rng.random()
    if draw < plan.lost_root:
        _put(spool.now, run, emitted[:-1])
        return Shown(root_id, len(emitted) - 1, 0, False, True)
    draw -= plan.lost_root
    if draw < plan.late_root:
        _put(spool.now, run, emitted[:-1])
        _put(spool.later, run, emitted[-1:])
        return Shown(root_id, len(emitted), 0, True, False)
    _put(spool.now, run, emitted)
    if draw - plan.late_root < plan.resent_span:
        _put(spool.later, run, emitted)
        return Shown(root_id, len(emitted), len(emitted), False, False)
    return Shown(root_id, len(emitted), 0, False, False)


def _put(groups: Groups, run: Run, emitted: Emitted) -> None:
    group = groups.setdefault((run.service.name, run.region), {})
    for scope, item in emitted:
        if scope in group:
            group[scope].append(item)
        else:
            group[scope] = [item]


def damaged_span(rng: Random, run: Run) -> tuple[Scope, bytes]:
    """A span whose trace id is a byte short: what a broken proxy leaves of one."""
    body = wire.field(b"\x0a", rng.randbytes(15)) + wire.field(b"\x12", rng.randbytes(8))
    body += wire.kind_and_name("POST", 3) + wire.UNSET
    times = b"\x39" + run.start_ns.to_bytes(8, "little") + b"\x41" + run.end_ns.to_bytes(8, "little")
    return Scope("opentelemetry.instrumentation.httpx", "0.66b2"), wire.field(b"\x12", body + times)


def put_damaged(rng: Random, run: Run, spool: Spool) -> None:
    """Add a damaged span to the open file."""
    _put(spool.now, run, [damaged_span(rng, run)])


def resource(service: str, region: int) -> dict[str, str]:
    """Resource attributes; a region runs one instance of a service."""
    javascript = service == "web-chat"
    return {
        "telemetry.sdk.language": "nodejs" if javascript else "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "2.3.0" if javascript else "1.45.2",
        "service.name": service,
        "service.version": "3.2.0",
        "service.instance.id": f"{service}-{REGIONS[region].name}-0",
        "deployment.environment.name": "production",
        "cloud.provider": "aws",
        "cloud.region": REGIONS[region].name,
    }


def next_file(spool: Spool) -> Spool:
    """The spool after its file was written: what was for later comes first."""
    return Spool(spool.later, {})


def write_proto(path: Path, groups: Groups) -> None:
    """One ExportTraceServiceRequest."""
    parts = [
        wire.resource_group(
            resource(*key), [wire.scope_group(scope.name, scope.version, scope.schema_url, items)
                             for scope, items in group.items()]
        )
        for key, group in groups.items()
    ]  # fmt: skip
    path.write_bytes(b"".join(parts))


def resource_json(service: str, region: int) -> bytes:
    """The resource as OTLP/JSON."""
    pairs = [
        {"key": key, "value": {"stringValue": value}} for key, value in resource(service, region).items()
    ]
    return orjson.dumps({"attributes": pairs, "droppedAttributesCount": 0})


def write_json(path: Path, groups: Groups) -> None:
    """Collector JSON lines, gzip; a line carries at most JSON_LINE_SPANS spans of one scope."""
    lines = []
    for key, group in groups.items():
        head = b'{"resourceSpans":[{"resource":' + resource_json(*key) + b',"scopeSpans":[{"scope":'
        for scope, items in group.items():
            named = {"name": scope.name} | ({"version": scope.version} if scope.version else {})
            for start in range(0, len(items), JSON_LINE_SPANS):
                spans = b",".join(items[start : start + JSON_LINE_SPANS])
                lines.append(head + orjson.dumps(named) + b',"spans":[' + spans + b"]}]}]}\n")
    path.write_bytes(gzip.compress(b"".join(lines), compresslevel=1, mtime=0))
