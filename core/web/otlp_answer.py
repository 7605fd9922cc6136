"""What an OTLP sender hears back: success, partial success, or a google.rpc.Status, in its own encoding.

Source: OTLP specification 1.x, "OTLP/HTTP Response": the answer has the request's content type, a failure's body
is a Status, 64-bit counts are texts in JSON, and Retry-After goes with 429 and 503.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.responses import Response

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

# google.rpc.Code numbers: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
_CODES = {400: 3, 401: 16, 404: 5, 408: 4, 413: 8, 415: 3, 429: 8, 500: 13, 503: 14}

_REJECTED = {"traces": "rejectedSpans", "logs": "rejectedLogRecords", "metrics": "rejectedDataPoints"}


def accepted(signal: str, media_type: str, rejected: int, reason: str) -> Response:
    """200: everything taken (`rejected` 0) or partial success with the count refused and why."""
    if media_type == PROTOBUF:
        return Response(accepted_protobuf(signal, rejected, reason), media_type=PROTOBUF)
    body: dict[str, object] = {}
    if rejected:
        body = {"partialSuccess": {_REJECTED[signal]: str(rejected), "errorMessage": reason}}
    return Response(orjson.dumps(body), media_type=JSON)


def accepted_protobuf(signal: str, rejected: int, reason: str) -> bytes:
    """The signal's Export...ServiceResponse, which gRPC answers too."""
    if signal == "traces":
        traces = ExportTraceServiceResponse()
        if rejected:
            traces.partial_success.rejected_spans = rejected
            traces.partial_success.error_message = reason
        return traces.SerializeToString()
    if signal == "logs":
        logs = ExportLogsServiceResponse()
        if rejected:
            logs.partial_success.rejected_log_records = rejected
            logs.partial_success.error_message = reason
        return logs.SerializeToString()
    metrics = ExportMetricsServiceResponse()
    if rejected:
        metrics.partial_success.rejected_data_points = rejected
        metrics.partial_success.error_message = reason
    return metrics.SerializeToString()


def failure(status: int, message: str, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal as google.rpc.Status; JSON unless the sender speaks protobuf."""
    code = _CODES.get(status, 2)
    if media_type == PROTOBUF:
        body = Status(code=code, message=message).SerializeToString()
        return Response(body, status_code=status, media_type=PROTOBUF, headers=headers)
    return Response(
        orjson.dumps({"code": code, "message": message}), status_code=status, media_type=JSON, headers=headers
    )
