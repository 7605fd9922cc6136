"""A naive second reader of the demo's files: official protobuf classes, json and csv, no product code."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MODEL_PATHS = ("/v1/chat/completions", "/v1/messages")


class Seen(NamedTuple):
    """A span as its bytes say; ids in hex, status 0 unset, 1 ok, 2 error."""

    file: str
    service: str
    region: str
    scope: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start_ns: int
    end_ns: int
    status: int
    attributes: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.attributes.get("url.full") or self.attributes.get("http.url") or "")

    @property
    def is_send(self) -> bool:
        """An HTTP client span to a model's endpoint."""
        return self.name == "POST" and self.kind == 3 and self.url.endswith(MODEL_PATHS)

    @property
    def http_status(self) -> int:
        found = (
            self.attributes.get("http.response.status_code") or self.attributes.get("http.status_code") or 0
        )
        return int(found)


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind)


def _json_value(value: dict[str, Any]) -> Any:
    kind, found = next(iter(value.items()))
    return [_json_value(item) for item in found["values"]] if kind == "arrayValue" else found


def proto_spans(path: Path) -> Iterable[Seen]:
    """Spans of a .pb file."""
    for of_resource in ExportTraceServiceRequest.FromString(path.read_bytes()).resource_spans:
        resource = {pair.key: _value(pair.value) for pair in of_resource.resource.attributes}
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield Seen(
                    path.name, resource["service.name"], resource["cloud.region"], of_scope.scope.name,
                    span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), span.name, span.kind,
                    span.start_time_unix_nano, span.end_time_unix_nano, span.status.code,
                    {pair.key: _value(pair.value) for pair in span.attributes},
                )  # fmt: skip


def json_spans(path: Path) -> Iterable[Seen]:
    """Spans of a collector JSON-lines file."""
    for line in gzip.decompress(path.read_bytes()).splitlines():
        for of_resource in json.loads(line)["resourceSpans"]:
            resource = {p["key"]: _json_value(p["value"]) for p in of_resource["resource"]["attributes"]}
            for of_scope in of_resource["scopeSpans"]:
                for span in of_scope["spans"]:
                    yield Seen(
                        path.name, resource["service.name"], resource["cloud.region"], of_scope["scope"]["name"],
                        span["traceId"], span["spanId"], span.get("parentSpanId", ""), span["name"], span["kind"],
                        int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]), span["status"]["code"],
                        {p["key"]: _json_value(p["value"]) for p in span["attributes"]},
                    )  # fmt: skip


def all_spans(files: list[Path]) -> list[Seen]:
    """Every span of every trace file, repetitions and damaged ones included."""
    out: list[Seen] = []
    for path in files:
        if path.name.startswith("traces"):
            out.extend(proto_spans(path) if path.suffix == ".pb" else json_spans(path))
    return out


def distinct(spans: list[Seen]) -> list[Seen]:
    """Readable spans, each once: the last sending wins."""
    return list({(s.trace_id, s.span_id): s for s in spans if len(s.trace_id) == 32}.values())


def outcomes(files: list[Path]) -> Counter[float]:
    """Conversion events by score."""
    found: Counter[float] = Counter()
    for path in files:
        if path.name.startswith("outcomes"):
            for line in gzip.decompress(path.read_bytes()).splitlines():
                for of_resource in json.loads(line)["resourceLogs"]:
                    for record in of_resource["scopeLogs"][0]["logRecords"]:
                        assert record["eventName"] == "gen_ai.evaluation.result"
                        pairs = {p["key"]: _json_value(p["value"]) for p in record["attributes"]}
                        assert pairs["gen_ai.evaluation.name"] == "conversion"
                        found[pairs["gen_ai.evaluation.score.value"]] += 1
    return found


Line = tuple[int, str, str]
"""Bucket start in seconds, project, model or line item: what a later page restates."""


def openai_pages(files: list[Path], kind: str) -> dict[Line, dict[str, Any]]:
    """Rows of the usage or costs pages, a later file over an earlier one."""
    rows: dict[Line, dict[str, Any]] = {}
    for path in files:
        if path.name.startswith(f"openai-{kind}"):
            for bucket in json.loads(path.read_text(), parse_float=Decimal, parse_int=int)["data"]:
                for row in bucket["results"]:
                    what = row["model"] if kind == "usage" else row["line_item"]
                    rows[(bucket["start_time"], row["project_id"], what)] = row
    return rows


def openai_usd(files: list[Path]) -> Decimal:
    """Sum of all readable amounts."""
    values = [row["amount"]["value"] for row in openai_pages(files, "costs").values()]
    return sum((Decimal(value) for value in values if not isinstance(value, str)), Decimal(0))


def focus_usd(files: list[Path]) -> Decimal:
    """Sum of all readable EffectiveCost."""
    total = Decimal(0)
    for path in files:
        if path.name.startswith("anthropic-focus"):
            with path.open(encoding="utf-8-sig", newline="") as stream:
                rows = list(csv.DictReader(stream))
            total += sum(
                (Decimal(r["EffectiveCost"]) for r in rows if r["EffectiveCost"] != "n/a"), Decimal(0)
            )
    return total


def litellm_rows(files: list[Path]) -> tuple[list[dict[str, Any]], int]:
    """Readable rows of the spend logs, and how many lines are not."""
    rows, bad = [], 0
    for path in files:
        if path.name.startswith("litellm"):
            for line in path.read_text().splitlines():
                try:
                    rows.append(json.loads(line, parse_float=Decimal))
                except json.JSONDecodeError:
                    bad += 1
    return rows, bad
