"""OTLP/gRPC as senders see it: the real exporter, and a plain channel for what exporters hide."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from core.ledger.store import Overloaded
from core.settings import Settings
from core.state import State
from core.web.otlp_grpc import PortTaken, keep_grpc, serve_grpc
from core.web.process import Process
from tests import otlp_bodies
from tests.web.over_http import full_queue, over_http, wait_for
from tests.web.test_process import free_port

EXPORT = "/opentelemetry.proto.collector.{}Service/Export"
TRACES, LOGS, METRICS = (
    EXPORT.format(name) for name in ("trace.v1.Trace", "logs.v1.Logs", "metrics.v1.Metrics")
)
TOKEN = "a-token-of-24-characters"
SPANS = "select count(*) from spans"


@contextmanager
def over_grpc(folder: Path, **settings: object) -> Iterator[tuple[Process, grpc.Channel]]:
    """The whole app, and a channel to its gRPC port."""
    with over_http(folder, grpc_port=free_port(), **settings) as process:
        channel = grpc.insecure_channel(
            f"127.0.0.1:{process.settings.grpc_port}", [("grpc.max_send_message_length", -1)]
        )
        grpc.channel_ready_future(channel).result(timeout=240)
        with channel:
            yield process, channel


def send(channel: grpc.Channel, body: bytes, method: str = TRACES, **options: object) -> bytes:
    answer: bytes = channel.unary_unary(method)(body, timeout=240, **options)
    return answer


def refused(channel: grpc.Channel, body: bytes, **options: object) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        send(channel, body, **options)  # type: ignore[arg-type]
    return caught.value


def test_spans_of_the_real_exporter_are_queryable(tmp_path: Path) -> None:
    with over_grpc(tmp_path) as (process, _):
        provider = TracerProvider(resource=Resource({"service.name": "assist"}))
        exporter = OTLPSpanExporter(
            f"http://127.0.0.1:{process.settings.grpc_port}", compression=grpc.Compression.Gzip
        )
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        with provider.get_tracer("test").start_as_current_span("chat gpt-4o-mini") as span:
            span.set_attribute("gen_ai.operation.name", "chat")
        provider.shutdown()
        found = process.ledger().ask("select name, service_name from spans").rows()
    assert found == [("chat gpt-4o-mini", "assist")]


def test_the_same_bytes_store_the_same_as_over_http(tmp_path: Path) -> None:
    """One path: the second door recognises the first one's body as sent again."""
    from tests.web.test_process import fetch

    body = otlp_bodies.protobuf(range(1, 4))
    with over_grpc(tmp_path) as (process, channel):
        assert ExportTraceServiceResponse.FromString(send(channel, body)) == ExportTraceServiceResponse()
        status, _ = fetch(f"{process.address()}/v1/traces", body, content_type="application/x-protobuf")
        assert status == 200
        assert process.ledger().ask(SPANS).item() == 3
        assert process.ledger().ask("select count(*) from imports").item() == 1


def test_logs_and_metrics_have_their_own_answers(tmp_path: Path) -> None:
    with over_grpc(tmp_path) as (_, channel):
        assert (
            ExportLogsServiceResponse.FromString(
                send(channel, b"", LOGS)
            ).partial_success.rejected_log_records
            == 0
        )
        answer = ExportMetricsServiceResponse.FromString(send(channel, b"", METRICS))
        assert answer.partial_success.rejected_data_points == 0


def test_unfit_spans_are_a_partial_success_with_the_reason(tmp_path: Path) -> None:
    with over_grpc(tmp_path) as (process, channel):
        body = otlp_bodies.protobuf(range(1, 3)) + otlp_bodies.protobuf(range(3, 6), trace_id_bytes=3)
        answer = ExportTraceServiceResponse.FromString(send(channel, body))
        assert answer.partial_success.rejected_spans == 3
        assert "trace_id" in answer.partial_success.error_message
        assert process.ledger().ask(SPANS).item() == 2
        assert process.ledger().ask("select count(*) from quarantine").item() == 3


def test_bytes_that_are_no_message_are_an_argument_no_repeat_can_mend(tmp_path: Path) -> None:
    with over_grpc(tmp_path) as (_, channel):
        error = refused(channel, b"\xff\xff\xff")
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "grpc-status-details-bin" not in dict(error.trailing_metadata())


def test_tokens_are_those_of_http(tmp_path: Path) -> None:
    from core.setting_values import token_hashes

    body = otlp_bodies.protobuf(range(1, 2))
    with over_grpc(tmp_path, ingest_tokens=token_hashes([TOKEN])) as (process, channel):
        for metadata in ((), (("authorization", "Bearer wrong"),), (("authorization", TOKEN),)):
            assert refused(channel, body, metadata=metadata).code() is grpc.StatusCode.UNAUTHENTICATED
        assert process.ledger().ask(SPANS).item() == 0
        send(channel, body, metadata=(("authorization", f"Bearer {TOKEN}"),))
        assert process.ledger().ask(SPANS).item() == 1


def test_messages_to_the_limit_are_taken_and_larger_ones_refused_packed_or_not(tmp_path: Path) -> None:
    """64 MiB is the default; here 8, so that the test is quick. A small packed body must not unfold past it either."""
    mib = 1024 * 1024
    padded = ExportTraceServiceRequest.FromString(otlp_bodies.protobuf(range(1, 2)))
    span = padded.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.add(key="padding").value.string_value = "x" * (8 * mib - 2_000)
    with over_grpc(tmp_path, body_limit_mib=8) as (process, channel):
        send(channel, padded.SerializeToString())
        assert process.ledger().ask(SPANS).item() == 1
        span.attributes[-1].value.string_value = "x" * (8 * mib)
        large = padded.SerializeToString()
        assert len(gzip.compress(large)) < 100_000
        for packing in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            assert refused(channel, large, compression=packing).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert process.ledger().ask(SPANS).item() == 1


def test_a_full_queue_says_when_to_come_again(tmp_path: Path) -> None:
    with over_grpc(tmp_path, queue_limit=1) as (process, channel), full_queue(process.ledger()):
        error = refused(channel, otlp_bodies.protobuf(range(1, 2)))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    status = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    delay = RetryInfo()
    assert status.details[0].Unpack(delay)
    assert delay.retry_delay.seconds == Overloaded(1, 1).retry_after_s


def test_a_taken_port_is_said_and_taken_once_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.web.otlp_grpc.LOOK_AGAIN_S", 0.05)
    port, stopping = free_port(), threading.Event()
    process = Process(Settings(data_dir=tmp_path, grpc_port=port), "127.0.0.1", 1)
    process.tokens.look(State())
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(PortTaken, match=f"Port {port} is taken"):
            serve_grpc(process)
        thread = threading.Thread(target=keep_grpc, args=(process, stopping))
        thread.start()
        wait_for(lambda: process.grpc_error is not None)
    try:
        wait_for(lambda: process.grpc_error is None)
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        error = refused(channel, b"")  # no ledger is open
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert "not open" in error.details()
    finally:
        stopping.set()
        thread.join(timeout=240)
