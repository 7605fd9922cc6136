"""OTLP request bodies to batches: traces, logs and metrics, protobuf or JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import polars as pl

from core.ingest.options import ReadOptions
from core.ingest.otlp.frames import span_frames
from core.ingest.otlp.logs import add_logs, log_frames, logs_of_json, logs_of_protobuf, no_log_rows
from core.ingest.otlp.metrics import (
    add_metrics,
    metric_frames,
    metrics_of_json,
    metrics_of_protobuf,
    no_metric_rows,
)
from core.ingest.otlp.parse import BadRequest, is_json, parsed_json
from core.ingest.otlp.repeated import spans_of_protobuf
from core.ingest.otlp.spans import add_spans, no_rows
from core.ingest.otlp.wire import Numbered, WireGroup, spans_of_json
from core.ledger.batch import Batch, Quarantined, Repaired

__all__ = ["SIGNALS", "BadRequest", "Signal", "decode", "decode_logs", "decode_metrics", "decode_traces"]

HTTP_SOURCE = "otlp/http"


class Decoded(NamedTuple):
    """Rows of one or more request bodies of one signal."""

    frames: dict[str, pl.DataFrame]
    rows_read: int
    quarantined: list[Quarantined]
    repaired: list[Repaired]


def traces(bodies: Numbered, options: ReadOptions) -> Decoded:
    """Spans, their events and streams."""
    found = no_rows()
    add_spans(found, bodies, options)
    return Decoded(span_frames(found), found.read[0], found.quarantined, found.repaired)


def logs(bodies: Numbered, options: ReadOptions) -> Decoded:
    """Evaluation results as outcomes, every other record as a span event."""
    found = no_log_rows()
    for line, groups in bodies:
        add_logs(found, groups, options, line)
    return Decoded(log_frames(found), found.read[0], found.quarantined, [])


def metrics(bodies: Numbered, options: ReadOptions) -> Decoded:
    """Metric points."""
    found = no_metric_rows()
    for line, groups in bodies:
        add_metrics(found, groups, options, line)
    return Decoded(metric_frames(found), found.read[0], found.quarantined, [])


class Signal(NamedTuple):
    """One OTLP signal: the format's name, the first key of its JSON, how its bodies are split and decoded."""

    name: str
    json_key: str
    of_json: Callable[[dict[str, Any]], Iterator[WireGroup]]
    of_protobuf: Callable[[bytes], Iterator[WireGroup]]
    rows: Callable[[Numbered, ReadOptions], Decoded]


TRACES = Signal("otlp_traces", "resourceSpans", spans_of_json, spans_of_protobuf, traces)
LOGS = Signal("otlp_logs", "resourceLogs", logs_of_json, logs_of_protobuf, logs)
METRICS = Signal("otlp_metrics", "resourceMetrics", metrics_of_json, metrics_of_protobuf, metrics)
SIGNALS = (TRACES, LOGS, METRICS)


def decode(
    signal: Signal, body: bytes, content_type: str, options: ReadOptions, source: str, sha256: str | None
) -> Batch:
    """One request body of a signal as a batch; raises BadRequest when it cannot be decoded at all."""
    groups = signal.of_json(parsed_json(body)) if is_json(content_type) else signal.of_protobuf(body)
    decoded = signal.rows([(None, groups)], options)
    digest = sha256 or hashlib.sha256(body).hexdigest()
    return Batch(
        source,
        signal.name,
        digest,
        decoded.rows_read,
        decoded.frames,
        decoded.quarantined,
        decoded.repaired,
        options.demo,
    )


def decode_traces(
    body: bytes, content_type: str, options: ReadOptions, source: str = HTTP_SOURCE, sha256: str | None = None
) -> Batch:
    """Spans of an OTLP trace request, decompressed; `sha256` is of `body` and computed when not given.

    A span that cannot be stored is in `quarantined` with its ordinal from 1 as row_number; the rest is kept.
    Raises BadRequest when the body is no trace request in the stated content type.
    """
    return decode(TRACES, body, content_type, options, source, sha256)


def decode_logs(
    body: bytes, content_type: str, options: ReadOptions, source: str = HTTP_SOURCE, sha256: str | None = None
) -> Batch:
    """Log records of an OTLP log request: outcomes and span events. As decode_traces otherwise."""
    return decode(LOGS, body, content_type, options, source, sha256)


def decode_metrics(
    body: bytes, content_type: str, options: ReadOptions, source: str = HTTP_SOURCE, sha256: str | None = None
) -> Batch:
    """Data points of an OTLP metric request. As decode_traces otherwise; row_number counts points."""
    return decode(METRICS, body, content_type, options, source, sha256)
