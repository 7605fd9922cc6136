"""OTLP trace bodies for tests, the same spans as protobuf and as JSON."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

AT_NS = 1_775_000_000_000_000_000  # 2026-03-31T23:33:20Z
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
}


def ids(number: int) -> tuple[str, str]:
    """The trace id and span id of the number-th call, in hex."""
    return f"{number:032x}", f"{number:016x}"


def protobuf(calls: range, trace_id_bytes: int = 16) -> bytes:
    """One chat span a call; fewer than 16 trace id bytes make every span unfit."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "assist"
    scope = group.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.openai_v2"
    for number in calls:
        trace_id, span_id = ids(number)
        span = scope.spans.add(
            trace_id=bytes.fromhex(trace_id)[-trace_id_bytes:],
            span_id=bytes.fromhex(span_id),
            name="chat gpt-4o-mini",
            kind=3,
            start_time_unix_nano=AT_NS + number * 10**9,
            end_time_unix_nano=AT_NS + number * 10**9 + 5 * 10**8,
        )
        for key, value in CHAT.items():
            any_value = span.attributes.add(key=key).value
            if isinstance(value, int):
                any_value.int_value = value
            else:
                any_value.string_value = str(value)
    return message.SerializeToString()


def json_body(calls: range) -> bytes:
    """The same spans in OTLP's JSON: hex ids, 64-bit numbers as text."""
    spans: list[dict[str, Any]] = []
    for number in calls:
        trace_id, span_id = ids(number)
        spans.append(
            {
                "traceId": trace_id,
                "spanId": span_id,
                "name": "chat gpt-4o-mini",
                "kind": 3,
                "startTimeUnixNano": str(AT_NS + number * 10**9),
                "endTimeUnixNano": str(AT_NS + number * 10**9 + 5 * 10**8),
                "attributes": [
                    {
                        "key": key,
                        "value": {"intValue": str(value)}
                        if isinstance(value, int)
                        else {"stringValue": value},
                    }
                    for key, value in CHAT.items()
                ],
            }
        )
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "assist"}}]}
    scope = {"scope": {"name": "opentelemetry.instrumentation.openai_v2"}, "spans": spans}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}).encode()


def logs_body() -> bytes:
    """One log record."""
    message = ExportLogsServiceRequest()
    record = message.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=AT_NS)
    record.body.string_value = "hello"
    return message.SerializeToString()


def metrics_body() -> bytes:
    """One point of a sum."""
    message = ExportMetricsServiceRequest()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="calls", unit="1")
    metric.sum.aggregation_temporality = 1
    metric.sum.data_points.add(start_time_unix_nano=AT_NS, time_unix_nano=AT_NS + 10**9, as_int=3)
    return message.SerializeToString()
