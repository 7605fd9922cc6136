"""Trace requests: both encodings, partial success, times, and captured requests of real SDKs."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import math
from pathlib import Path

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ingest.files import read_path
from core.ingest.options import ReadOptions
from core.ingest.otlp import BadRequest, decode_logs, decode_metrics, decode_traces
from core.ledger.batch import Batch
from tests.ingest.otlp_requests import (
    FIXTURES,
    JSON,
    PROTOBUF,
    SPAN_ID,
    START_NS,
    TRACE_ID,
    as_protobuf,
    attributes,
    decoded,
    event,
    fixtures,
    kept,
    request,
    row,
    span,
)

DECODERS = {"traces": decode_traces, "logs": decode_logs, "metrics": decode_metrics}
RICH = request(
    span(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.input_tokens": 200,
            "gen_ai.request.temperature": 0.2,
            "gen_ai.request.stream": True,
            "gen_ai.response.finish_reasons": ["stop"],
            "app.map": {"a": [1, "b"]},
            "operation.cost": 0.00012,
        },
        parentSpanId="00f067aa0ba902b7",
        status={"code": 2, "message": "Error code: 429 - slow down"},
        events=[event("exception", 12, exception__type="RateLimitError")],
    ),
    span(spanId="eee19b7ec3c1b175", name="Überblick"),
    scope="opentelemetry.instrumentation.genai.openai",
    resource={"service.name": "assist", "cloud.region": "eu-west-1", "k8s.pod.name": "p-1"},
)


def nested(levels: int) -> list[object]:
    """A list in a list, so many times."""
    value: list[object] = []
    for _ in range(levels):
        value = [value]
    return value


def same(left: Batch, right: Batch) -> bool:
    return left.frames.keys() == right.frames.keys() and all(
        left.frames[table].equals(right.frames[table]) for table in left.frames
    )


def test_protobuf_and_json_give_equal_rows() -> None:
    from_json = decode_traces(orjson.dumps(RICH), JSON, ReadOptions())
    from_protobuf = decode_traces(as_protobuf(RICH), PROTOBUF, ReadOptions())
    assert same(from_json, from_protobuf)
    assert from_json.rows_read == from_protobuf.rows_read == 2
    assert set(from_json.frames) == {"spans", "span_events"}


def test_integers_come_as_text_or_as_numbers_and_unknown_fields_are_ignored() -> None:
    body = request(span({"gen_ai.usage.input_tokens": 200}))
    one = body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    one["attributes"][0]["value"] = {"intValue": 200}
    one.update(startTimeUnixNano=START_NS, droppedAttributesCount=0, flags=257, invented={"x": 1})
    stored = decoded(body).frames["spans"].row(0, named=True)
    assert stored["gen_ai_usage_input_tokens"] == 200
    assert stored["started_at_ns"] == START_NS


def test_time_columns() -> None:
    # 500 ms: floor(ln 500 / ln 1.02) = floor(313.8) = 313
    stored = row()
    assert stored["duration_ns"] == 500_000_000
    assert stored["duration_bucket"] == math.floor(math.log(500) / math.log(1.02)) == 313
    assert stored["day"] == dt.date(2026, 3, 31)
    assert stored["hour"] == 1_775_000_000 // 3600


def test_a_duration_of_zero_has_the_bucket_of_a_microsecond() -> None:
    # floor(ln 0.001 / ln 1.02) = floor(-348.8) = -349
    assert row(endTimeUnixNano=str(START_NS))["duration_bucket"] == -349


def test_identity_and_source_columns() -> None:
    body = request(
        span(parentSpanId="00f067aa0ba902b7", status={"code": 1}),
        scope="ai",
        resource={
            "service.name": "assist",
            "service.version": "1.4.2",
            "service.instance.id": "i-1",
            "deployment.environment": "staging",
            "host.name": "node-7",
            "telemetry.sdk.name": "opentelemetry",
            "k8s.pod.name": "p-1",
        },
    )
    body["resourceSpans"][0]["scopeSpans"][0]["scope"]["version"] = "6.0"
    stored = decoded(body).frames["spans"].row(0, named=True)
    expected = {
        "trace_id": TRACE_ID,
        "span_id": SPAN_ID,
        "parent_span_id": "00f067aa0ba902b7",
        "name": "chat gpt-4o-mini",
        "kind": "client",
        "scope_name": "ai",
        "scope_version": "6.0",
        "dialect": "vercel_ai",
        "service_name": "assist",
        "service_version": "1.4.2",
        "service_instance_id": "i-1",
        "deployment_environment_name": "staging",
        "host_id": "node-7",
        "status_code": "OK",
        "started_at_ns": START_NS,
        "ended_at_ns": START_NS + 500_000_000,
    }
    assert {name: stored[name] for name in expected} == expected
    assert kept(stored) == {"resource": {"k8s.pod.name": "p-1"}}


def test_region_of_the_app_else_of_the_span_else_of_the_host() -> None:
    host = {"server.address": "bedrock-runtime.us-west-2.amazonaws.com"}
    assert row(host)["cloud_region"] == "us-west-2"
    assert row({**host, "cloud.region": "eu-west-1"})["cloud_region"] == "eu-west-1"
    assert row({"server.address": "api.openai.com"})["cloud_region"] is None


def test_content_hash_tells_a_repeat_from_a_revision() -> None:
    first = row({"a": 1, "b": 2})["content_hash"]
    assert row({"b": 2, "a": 1})["content_hash"] == first
    assert row({"a": 1, "b": 3})["content_hash"] != first
    assert row({"a": 1, "b": 2}, events=[event("seen")])["content_hash"] != first


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"traceId": "5b8e"}, "trace_id"),
        ({"traceId": "0" * 32}, "trace_id"),
        ({"traceId": "zz8efff798038103d269b633813fc60c"}, "trace_id"),
        ({"spanId": ""}, "span_id"),
        ({"parentSpanId": "12"}, "parent_span_id"),
        ({"startTimeUnixNano": "0"}, "started_at_ns"),
        ({"endTimeUnixNano": "0"}, "ended_at_ns"),
        ({"startTimeUnixNano": str(2**63 + 5), "endTimeUnixNano": str(2**63 + 9)}, "started_at_ns"),
        ({"endTimeUnixNano": str(START_NS - 5_000_000_000)}, "ended_at_ns"),
        ({"attributes": [7]}, "attributes"),
        ({"startTimeUnixNano": "soon"}, "startTimeUnixNano"),
        ({"startTimeUnixNano": "9" * 30}, "startTimeUnixNano"),
        ({"attributes": [{"key": "n", "value": {"intValue": "9" * 30}}]}, "attributes"),
        ({"attributes": [{"key": 5, "value": {"intValue": 5}}]}, "attributes"),
        ({"attributes": attributes({"deep": nested(50)})}, "attributes"),
    ],
)
def test_partial_success(fields: dict[str, object], field: str | None) -> None:
    bad = span(**fields)  # type: ignore[arg-type]
    batch = decoded(request(span(), bad, span(spanId="eee19b7ec3c1b176")))
    assert batch.frames["spans"].height == 2
    assert batch.rows_read == 3
    assert [(refused.row_number, refused.field) for refused in batch.quarantined] == [(2, field)]
    assert batch.quarantined[0].reason.endswith(".")


def test_quarantined_text_holds_no_content() -> None:
    bad = span({"gen_ai.input.messages": "private words", "user.id": "u-123", "lab.call": "c1"}, traceId="1")
    refused = decoded(request(bad)).quarantined[0]
    assert "private" not in refused.row_text
    assert "u-123" not in refused.row_text
    assert "c1" in refused.row_text


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_an_empty_request_is_no_error(body: bytes) -> None:
    batch = decode_traces(body, JSON if body else PROTOBUF, ReadOptions())
    assert (batch.rows_read, batch.frames) == (0, {})


@pytest.mark.parametrize("signal", sorted(DECODERS))
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"not json", JSON),
        (b"[1, 2]", JSON),
        (b'{"resourceSpans": 5, "resourceLogs": 5, "resourceMetrics": 5}', JSON),
        (b"\xff\xff\xff", PROTOBUF),
        (b'{"resourceSpans": []}', PROTOBUF),
    ],
)
def test_undecodable_bodies_are_bad_requests(signal: str, body: bytes, content_type: str) -> None:
    with pytest.raises(BadRequest):
        DECODERS[signal](body, content_type, ReadOptions())


@pytest.mark.parametrize("value", [{"intValue": "9" * 30}, {"doubleValue": "much"}, {"arrayValue": 5}])
def test_a_misshapen_resource_is_a_bad_request(value: dict[str, object]) -> None:
    body = request(span())
    body["resourceSpans"][0]["resource"]["attributes"] = [{"key": "n", "value": value}]
    with pytest.raises(BadRequest, match="malformed attributes"):
        decode_traces(orjson.dumps(body), JSON, ReadOptions())


def test_sha256_is_of_the_body() -> None:
    body = orjson.dumps(RICH)
    assert decode_traces(body, JSON, ReadOptions()).sha256 == hashlib.sha256(body).hexdigest()
    assert decode_traces(body, JSON, ReadOptions(), "x", "given").sha256 == "given"


def test_chunk_events_become_a_stream_and_are_capped() -> None:
    # chunks at 100, 110, 130 ms: gaps 10 and 20 ms
    chunks = [event("gen_ai.content.completion.chunk", ms) for ms in (100, 110, 130)]
    batch = decoded(request(span({"gen_ai.operation.name": "chat"}, events=chunks)))
    stream = batch.frames["streams"].row(0, named=True)
    assert (stream["chunk_count"], stream["first_chunk_ms"], stream["last_chunk_ms"]) == (3, 100.0, 130.0)
    assert stream["longest_gap_ms"] == 20.0
    assert batch.frames["spans"]["gen_ai_response_time_to_first_chunk_ns"].to_list() == [100_000_000]
    many = [event("gen_ai.content.completion.chunk", ms) for ms in range(250)]
    capped = decoded(request(span(events=many)))
    assert capped.frames["span_events"].height == 200
    assert capped.frames["streams"]["chunk_count"].to_list() == [250]
    assert [(note.rule, note.before, note.after) for note in capped.repaired] == [
        ("many_events", "250", "200")
    ]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(DECODERS)), st.booleans(), st.data())
def test_mutated_bodies_raise_nothing_but_bad_request(
    signal: str, as_json: bool, data: st.DataObject
) -> None:
    body = bytearray(orjson.dumps(RICH) if as_json else as_protobuf(RICH))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    for piece in (bytes(body), bytes(body[:cut])):
        try:
            DECODERS[signal](piece, JSON if as_json else PROTOBUF, ReadOptions())
        except BadRequest:
            continue


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(span())), any_json, st.sampled_from(("stringValue", "intValue", "arrayValue")))
def test_a_field_of_any_shape_is_stored_or_refused(field: str, value: object, kind: str) -> None:
    odd = {**span(), field: value}
    attribute = {**span(), "attributes": [{"key": "gen_ai.usage.input_tokens", "value": {kind: value}}]}
    for one in (odd, attribute):
        try:
            body = orjson.dumps(request(one, span(spanId="00f067aa0ba902b7")))
        except (TypeError, orjson.JSONEncodeError):
            continue
        batch = decode_traces(body, JSON, ReadOptions())
        assert batch.frames["spans"].height + len(batch.quarantined) == 2


def folders() -> list[str]:
    return sorted(path.parent.name for path in FIXTURES.glob("*/traces.otlp.jsonl")) or ["(absent)"]


def raw_spans(folder: Path) -> pl.DataFrame:
    batches = [
        decode_traces(path.read_bytes(), JSON if path.suffix == ".json" else PROTOBUF, ReadOptions())
        for path in sorted(folder.glob("raw/[0-9]*_traces.*"))
    ]
    assert [batch.quarantined for batch in batches if batch.quarantined] == []
    return pl.concat([batch.frames["spans"] for batch in batches])


@pytest.mark.parametrize("name", folders())
def test_captured_requests_and_their_json_lines_give_equal_rows(name: str) -> None:
    folder = fixtures(name)
    from_lines = list(read_path(folder / "traces.otlp.jsonl", ReadOptions()))
    assert [batch.quarantined for batch in from_lines if batch.quarantined] == []
    lines = pl.concat([batch.frames["spans"] for batch in from_lines])
    if list(folder.glob("raw/[0-9]*_traces.*")):
        assert raw_spans(folder).equals(lines)


@pytest.mark.parametrize("signal", ["traces", "metrics"])
def test_gzipped_wire_bodies(signal: str) -> None:
    path = fixtures("python_otlp_json_http", "raw", f"wire_{signal}.json.gz")
    batch = DECODERS[signal](gzip.decompress(path.read_bytes()), JSON, ReadOptions())
    assert batch.rows_read > 0
    assert batch.quarantined == []
    assert [one.rows_read for one in read_path(path, ReadOptions())] == [batch.rows_read]


def test_the_specification_s_own_examples() -> None:
    folder = fixtures("official_proto_examples")
    found = {path.stem: list(read_path(path, ReadOptions())) for path in sorted(folder.glob("*.json"))}
    assert {name: [sorted(batch.frames) for batch in batches] for name, batches in found.items()} == {
        "events": [["span_events"]],
        "logs": [["span_events"]],
        "metrics": [["metric_points"]],
        "trace": [["spans"]],
    }
    stored = found["trace"][0].frames["spans"].row(0, named=True)
    assert (stored["trace_id"], stored["kind"]) == ("5b8efff798038103d269b633813fc60c", "server")
    assert [note.rule for note in found["trace"][0].repaired] == ["lower_case_ids"]
