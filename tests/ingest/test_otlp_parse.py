"""Bodies whose texts are broken keep their neighbours; bodies that are none are refused."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_metrics, decode_traces
from core.ingest.otlp.parse import BadRequest, parsed_json, parsed_protobuf, with_whole_strings
from core.ledger.batch import Batch
from tests import otlp_bodies
from tests.ingest.otlp_requests import JSON, PROTOBUF, as_protobuf, request, span

TWO = request(span({"said": "PLACE"}), span(spanId="00000000000000aa"))


def spans(body: bytes, media: str) -> list[str | None]:
    """The attributes of both spans."""
    stored: list[str | None] = (
        decode_traces(body, media, ReadOptions()).frames["spans"]["attributes"].to_list()
    )
    return stored


@pytest.mark.parametrize(
    ("broken", "kept"),
    [
        (b"cut emoji \\ud83d", "cut emoji \ufffd"),
        (b"\\udc00 low first", "\ufffd low first"),
        (b"latin \xfc", "latin \ufffd"),
        (b"tab\tand\x01", "tab\tand\x01"),
        (b"whole \\ud83d\\ude00 \\udc00", "whole 😀 \ufffd"),
    ],
)
def test_a_broken_text_in_json_costs_only_itself(broken: bytes, kept: str) -> None:
    first, second = spans(json.dumps(TWO).encode().replace(b"PLACE", broken), JSON)
    assert json.loads(first or "") == {"said": kept}
    assert second is None


@pytest.mark.parametrize("number", [b"NaN", b"-Infinity", b"1e400", b"9" * 30])
def test_a_number_that_json_does_not_have_costs_at_most_its_span(number: bytes) -> None:
    body = json.dumps(TWO).encode().replace(b'{"stringValue": "PLACE"}', b'{"doubleValue": ' + number + b"}")
    batch = decode_traces(body, JSON, ReadOptions())
    assert batch.rows_read == 2
    assert batch.frames["spans"].height == 2


def test_bytes_that_are_no_utf8_cost_only_their_text_in_protobuf() -> None:
    first, second = spans(as_protobuf(TWO).replace(b"PLACE", b"PL\xff\xfeE"), PROTOBUF)
    assert json.loads(first or "") == {"said": "PL\ufffd\ufffdE"}
    assert second is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (as_protobuf(TWO), ExportTraceServiceRequest),
        (otlp_bodies.logs_body(), ExportLogsServiceRequest),
        (otlp_bodies.metrics_body(), ExportMetricsServiceRequest),
    ],
)
def test_a_sound_message_is_left_as_it_is(body: bytes, kind: type) -> None:
    message = kind()
    message.ParseFromString(with_whole_strings(body, message.DESCRIPTOR))
    assert message == parsed_protobuf(kind(), body)


def test_unknown_fields_stay() -> None:
    unknown = b"\xf8\x07\x01" + b"\xfa\x07\x03abc" + b"\xfd\x07abcd" + b"\xf9\x07abcdefgh"  # field 127
    body = as_protobuf(TWO) + unknown
    assert with_whole_strings(body, ExportTraceServiceRequest.DESCRIPTOR) == body


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for parse in (parsed_json, lambda one: parsed_protobuf(ExportTraceServiceRequest(), one)):
        with contextlib.suppress(BadRequest):
            parse(body)


@pytest.mark.parametrize("deep", [b"[" * 200_000, b'{"a":' * 200_000, b"\x0a" * 5_000])
def test_depth_is_refused_and_not_followed(deep: bytes) -> None:
    with pytest.raises(BadRequest):
        parsed_json(deep)
    with pytest.raises(BadRequest):
        parsed_protobuf(ExportTraceServiceRequest(), b"\xff" + deep)


def test_a_reason_names_the_field_and_never_its_value() -> None:
    secret = "my prompt " * 10_000
    wrong = [
        span(attributes=[{"key": "k", "value": {"doubleValue": secret}}]),
        span(kind=secret),
        span(events=secret),
        [secret],
    ]
    batch = decode_traces(json.dumps(request(*wrong)).encode(), JSON, ReadOptions())
    assert [row.field for row in batch.quarantined] == ["attributes", "kind", "events", None]
    assert not any("prompt" in row.reason or "prompt" in row.row_text for row in batch.quarantined)
    resource = {"resourceSpans": [{"resource": {"attributes": secret}, "scopeSpans": []}]}
    with pytest.raises(BadRequest) as refusal:
        decode_traces(json.dumps(resource).encode(), JSON, ReadOptions())
    assert "prompt" not in str(refusal.value)


def points(*numbers: object) -> list[dict[str, object]]:
    return [{"timeUnixNano": str(otlp_bodies.AT_NS), "asInt": number} for number in numbers]


def metrics(*told: object) -> Batch:
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": list(told)}]}]}
    return decode_metrics(json.dumps(body).encode(), JSON, ReadOptions())


@pytest.mark.parametrize(
    ("metric", "kept", "refused"),
    [
        ({"name": "m", "gauge": {"dataPoints": points(1, "x", 3)}}, 2, 1),
        ({"name": "m", "gauge": {"dataPoints": points(1)}, "sum": {"dataPoints": points(2, 3)}}, 0, 3),
        ({"name": "m", "sum": {"dataPoints": points(1, 2), "aggregationTemporality": "DELTA"}}, 0, 2),
        ({"name": "m", "newKind": {"dataPoints": points(1, 2)}}, 0, 1),  # what is inside is not known
        ({"name": "m", "sum": {"dataPoints": "many"}}, 0, 1),
        ({"name": "m", "gauge": {"dataPoints": []}}, 0, 0),
        ("m", 0, 1),
    ],
)
def test_every_point_of_a_metric_is_kept_or_refused(metric: object, kept: int, refused: int) -> None:
    batch = metrics(metric)
    stored = batch.frames["metric_points"].height if batch.frames else 0
    assert (stored, len(batch.quarantined), batch.rows_read) == (kept, refused, kept + refused)


def test_embedded_json_that_could_not_be_stored_is_prose() -> None:
    deep = "[" * 900 + "]" * 900
    body = request(
        span(
            {
                "output.value": f'{{"choices": {deep}, "id": {deep}}}',
                "metadata": f'{{"user_id": {deep}}}',
                "llm.invocation_parameters": f'{{"model": {deep}}}',
            }
        )
    )
    assert decode_traces(json.dumps(body).encode(), JSON, ReadOptions()).frames["spans"].height == 1
