"""Spans, metrics and logs that the real SDK makes, kept so that its exporters can send the same ones by two roads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from tests.otlp_bodies import AT_NS, CHAT

MS = 1_000_000
RESOURCE = Resource(
    {"service.name": "assist", "cloud.region": "eu-west-1", "service.instance.id": "assist-0"}
)


def spans(calls: range) -> Sequence[ReadableSpan]:
    """Three spans a call: a request, its chat, and the chat's HTTP try; every third call failed and was tried again."""
    kept, provider = InMemorySpanExporter(), TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("opentelemetry.instrumentation.openai_v2", "2.1b0")
    for number in calls:
        at_ns = AT_NS + number * 1_000 * MS
        with tracer.start_as_current_span(
            "POST /ask", kind=SpanKind.SERVER, start_time=at_ns, end_on_exit=False
        ) as root:
            link = Link(root.get_span_context(), {"why": "é ✓"})
            with tracer.start_as_current_span(
                "chat gpt-4o-mini", kind=SpanKind.CLIENT, links=[link], start_time=at_ns + MS, end_on_exit=False,
                attributes=CHAT | {"gen_ai.request.temperature": 0.5, "gen_ai.response.finish_reasons": ("stop",),
                                   "trueup.test.flag": True, "gen_ai.conversation.id": f"c{number}"},
            ) as chat:  # fmt: skip
                statuses = (500, 200) if number % 3 == 0 else (200,)
                for tried, status in enumerate(statuses):
                    _try(tracer, at_ns + (2 + 100 * tried) * MS, status)
                chat.add_event(
                    "gen_ai.choice", {"index": 0, "finish_reason": "stop"}, timestamp=at_ns + 300 * MS
                )
            chat.end(at_ns + 400 * MS)
        root.end(at_ns + 500 * MS)
    return kept.get_finished_spans()


def _try(tracer: Any, at_ns: int, status: int) -> None:
    told = {"http.request.method": "POST", "url.full": "https://api.openai.com/v1/chat/completions",
            "server.address": "api.openai.com", "http.response.status_code": status}  # fmt: skip
    span = tracer.start_span("POST", kind=SpanKind.CLIENT, start_time=at_ns, attributes=told)
    if status >= 500:
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR, "server error"))
    span.end(at_ns + 90 * MS)


def metrics() -> Any:
    """A counter, a gauge and a histogram, as one collection of the SDK."""
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], RESOURCE).get_meter("test")
    meter.create_counter("test.calls", "1").add(3, {"kind": "a"})
    meter.create_gauge("test.depth").set(2.5)
    for seconds in (0.004, 0.2, 7.0):
        meter.create_histogram("gen_ai.client.operation.duration", "s").record(seconds, CHAT)
    return reader.get_metrics_data()


def logs(sent: Sequence[ReadableSpan]) -> Any:
    """An evaluation of each chat, which Trueup keeps as an outcome, and one event without a meaning of its own."""
    kept, provider = InMemoryLogRecordExporter(), LoggerProvider(RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    logger = provider.get_logger("test")
    for span in sent:
        for name, told in (
            ("gen_ai.evaluation.result", {"gen_ai.evaluation.name": "helpful", "gen_ai.evaluation.score.value": 0.25}),
            ("app.note", {"note": "é"}),
        ):  # fmt: skip
            logger.emit(
                LogRecord(
                    timestamp=span.end_time, observed_timestamp=span.end_time, trace_id=span.context.trace_id,
                    span_id=span.context.span_id, severity_number=SeverityNumber.INFO, event_name=name, attributes=told,
                )
            )  # fmt: skip
    return kept.get_finished_logs()


class Senders:
    """The SDK's three exporters to one address."""

    def __init__(self, protocol: str, address: str, token: str = "") -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        if protocol == "grpc":
            made: list[Any] = [kind(address, headers=headers) for kind in (GrpcSpans, GrpcMetrics, GrpcLogs)]
        else:
            made = [
                kind(f"{address}/v1/{signal}", headers=headers)
                for kind, signal in ((HttpSpans, "traces"), (HttpMetrics, "metrics"), (HttpLogs, "logs"))
            ]
        self.spans, self.metrics, self.logs = made

    def send(self, exporter: Any, rows: Any) -> None:
        """Raises when the exporter reports that it was not taken."""
        assert exporter.export(rows).name == "SUCCESS"

    def close(self) -> None:
        for exporter in (self.spans, self.metrics, self.logs):
            exporter.shutdown()
