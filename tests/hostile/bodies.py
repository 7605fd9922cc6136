"""Sound OTLP bodies of every signal, as JSON documents and as protobuf: what damage starts from."""

from __future__ import annotations

from typing import Any

from tests import otlp_bodies
from tests.ingest.otlp_requests import as_protobuf, event, request, span

ATTRIBUTES: dict[str, Any] = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20, "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.response.finish_reasons": ["stop"], "http.request.header.x_stainless_retry_count": ["1"],
    "llm.invocation_parameters": '{"model": "gpt-4o"}', "langfuse.observation.usage_details": '{"input": 3}',
    "nested": {"a": [1, {"b": 2.5}]}, "retry-after": "3", "operation.cost": 0.25,
}  # fmt: skip


def otlp_body(kind: str) -> Any:
    """A sound body: a document for JSON, bytes for protobuf."""
    call = span(
        ATTRIBUTES,
        events=[event("exception", 3, exception__type="Timeout")],
        status={"code": 2, "message": "429"},
    )
    if kind == "trace json":
        return request(
            call, span({"http.status_code": 503}, spanId="00000000000000aa", parentSpanId=call["spanId"])
        )
    if kind == "trace protobuf":
        return as_protobuf(request(call))
    if kind == "logs json":
        record = {
            "timeUnixNano": str(otlp_bodies.AT_NS), "eventName": "gen_ai.evaluation.result", "body": {"stringValue": "x"},
            "traceId": call["traceId"], "spanId": call["spanId"],
            "attributes": [{"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": 0.5}}],
        }  # fmt: skip
        return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": [record]}]}]}
    if kind == "metrics json":
        at = {"timeUnixNano": str(otlp_bodies.AT_NS), "attributes": []}
        counted = {"count": "2", "sum": 3.5, "explicitBounds": [1.0], "bucketCounts": ["1", "1"]}
        scaled = {"count": 1, "scale": 2, "positive": {"offset": 1, "bucketCounts": [1]}}
        calls = [at | {"asInt": "3"}, at | {"asDouble": 0.5}]
        told = [
            {"name": "calls", "sum": {"dataPoints": calls, "aggregationTemporality": 1}},
            {"name": "ms", "histogram": {"dataPoints": [at | counted]}},
            {"name": "e", "exponentialHistogram": {"dataPoints": [at | scaled]}},
        ]  # fmt: skip
        return {"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"scope": {}, "metrics": told}]}]}
    return otlp_bodies.logs_body() if kind == "logs protobuf" else otlp_bodies.metrics_body()
