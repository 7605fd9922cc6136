"""OTLP requests for tests: written as OTLP/JSON, turned into protobuf by Google's own mapping."""

from __future__ import annotations

import base64
import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.ledger.batch import Batch

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "otel"
START_NS = 1_775_000_000_000_000_000
"""2026-03-31T23:33:20Z."""
TRACE_ID = "5b8efff798038103d269b633813fc60c"
SPAN_ID = "eee19b7ec3c1b174"
JSON = "application/json"
PROTOBUF = "application/x-protobuf"
DEFAULT = ReadOptions()


def fixtures(*parts: str) -> Path:
    """A path under the captured fixtures; the test is skipped when they are not there."""
    path = FIXTURES.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"captured telemetry is not there: {path}")
    return path


def any_value(value: Any) -> dict[str, Any]:
    """A Python value as an OTLP/JSON AnyValue."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": attributes(value)}}
    return {"stringValue": value}


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    """A dict as OTLP/JSON attributes."""
    return [{"key": key, "value": any_value(value)} for key, value in values.items()]


def span(values: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A sound client span of 500 ms; `fields` are OTLP/JSON names that replace or add."""
    made = {
        "traceId": TRACE_ID,
        "spanId": SPAN_ID,
        "name": "chat gpt-4o-mini",
        "kind": 3,
        "startTimeUnixNano": str(START_NS),
        "endTimeUnixNano": str(START_NS + 500_000_000),
        "attributes": attributes(values or {}),
        "status": {},
    }
    return {**made, **fields}


def event(name: str, after_ms: float = 0, **values: Any) -> dict[str, Any]:
    """An event so many milliseconds after the start of `span()`; double underscores in names are dots."""
    named = {key.replace("__", "."): value for key, value in values.items()}
    at_ns = START_NS + round(after_ms * 1e6)
    return {"name": name, "timeUnixNano": str(at_ns), "attributes": attributes(named)}


def request(
    *spans: dict[str, Any], scope: str = "lab.app", resource: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A trace request with one resource and one scope."""
    holder = {"attributes": attributes(resource or {"service.name": "assist"})}
    return {
        "resourceSpans": [
            {"resource": holder, "scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}]}
        ]
    }


def as_protobuf(body: dict[str, Any]) -> bytes:
    """The request as protobuf bytes: Google's JSON mapping wants ids in base64, everything else is its own."""
    changed = copy.deepcopy(body)
    for holder in changed["resourceSpans"]:
        for part in holder["scopeSpans"]:
            for one in part["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    if key in one:
                        one[key] = base64.b64encode(bytes.fromhex(one[key])).decode()
    return bytes(json_format.ParseDict(changed, ExportTraceServiceRequest()).SerializeToString())


def decoded(body: dict[str, Any], options: ReadOptions = DEFAULT) -> Batch:
    """A JSON request decoded."""
    return decode_traces(orjson.dumps(body), JSON, options)


def row(
    values: dict[str, Any] | None = None, scope: str = "lab.app", capture: bool = False, **fields: Any
) -> dict[str, Any]:
    """The stored row of one span with these attributes."""
    batch = decoded(request(span(values, **fields), scope=scope), ReadOptions(capture_content=capture))
    assert batch.quarantined == []
    return batch.frames["spans"].row(0, named=True)


def kept(stored: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a stored row that are no columns."""
    return orjson.loads(stored["attributes"]) if stored["attributes"] else {}
