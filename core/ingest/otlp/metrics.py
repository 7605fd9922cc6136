"""OTLP metrics to metric_points: sums, gauges, histograms, exponential histograms, temporality kept.

Cumulative points are stored as they come and never added up: SDKs send the last one twice at shutdown.
An exponential histogram is stored with its bucket bounds worked out: base ** index, base = 2 ** (2 ** -scale)
(OpenTelemetry metrics data model), so that both kinds of histogram are read alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import orjson
import polars as pl
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from core.ingest import quarantine
from core.ingest.frames import day_of, frame
from core.ingest.options import ReadOptions
from core.ingest.otlp.metric_points import Point, WireMetric, refusal
from core.ingest.otlp.parse import parsed_protobuf
from core.ingest.otlp.repair import EARLIEST_NS
from core.ingest.otlp.wire import (
    MISSHAPEN,
    Malformed,
    WireGroup,
    integer,
    json_attributes,
    json_groups,
    json_item,
    proto_attributes,
    proto_groups,
)
from core.ingest.privacy import kept_attributes
from core.ingest.row_texts import json_text
from core.ledger.batch import Quarantined

_DUMP = orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS
_NO_VALUE = 1
"""Flag of a point that says the series stopped."""
_TEMPORALITY = {1: "delta", 2: "cumulative"}

METRIC_SCHEMA = {
    "name": pl.String,
    "unit": pl.String,
    "kind": pl.String,
    "temporality": pl.String,
    "monotonic": pl.Boolean,
    "started_at_ns": pl.Int64,
    "at_ns": pl.Int64,
    "service_name": pl.String,
    "cloud_region": pl.String,
    "service_instance_id": pl.String,
    "value": pl.Float64,
    "count": pl.Int64,
    "sum": pl.Float64,
    "explicit_bounds": pl.List(pl.Float64),
    "bucket_counts": pl.List(pl.Int64),
    "attributes": pl.String,
}


class MetricRows(NamedTuple):
    """What has been read so far; `read` holds one number, in a list to stay mutable."""

    rows: list[tuple[Any, ...]]
    quarantined: list[Quarantined]
    read: list[int]


def no_metric_rows() -> MetricRows:
    """Empty rows to add groups to."""
    return MetricRows([], [], [0])


def exponential_buckets(
    scale: int, zeros: int, offset: int, positive: list[int]
) -> tuple[list[float] | None, list[int] | None]:
    """Bounds and counts of an exponential histogram's positive range, zeros in the first bucket.

    Example: scale 0, offset 0, counts [2, 3] are (1, 2] and (2, 4]: bounds 1, 2, 4, counts zeros, 2, 3, 0.
    """
    try:
        bounds = [2.0 ** ((offset + index) * 2.0**-scale) for index in range(len(positive) + 1)]
    except OverflowError:
        return None, None
    return bounds, [zeros, *positive, 0]


def _proto_metric(metric: Any) -> WireMetric:
    kind = metric.WhichOneof("data") or ""
    series = getattr(metric, kind) if kind else None
    points = [_proto_point(kind, point) for point in series.data_points] if series is not None else []
    temporality = _TEMPORALITY.get(getattr(series, "aggregation_temporality", 0))
    monotonic = series.is_monotonic if kind == "sum" and series is not None else None
    return WireMetric(metric.name, metric.unit, kind, temporality, monotonic, points)


def _proto_point(kind: str, point: Any) -> Point:
    started, at_ns = point.start_time_unix_nano, point.time_unix_nano
    attributes = proto_attributes(point.attributes)
    if kind in ("sum", "gauge"):
        which = point.WhichOneof("value")
        value = float(getattr(point, which)) if which and not point.flags & _NO_VALUE else None
        return Point(started, at_ns, attributes, value)
    if point.flags & _NO_VALUE:
        return Point(started, at_ns, attributes)
    total = point.sum if kind == "summary" or point.HasField("sum") else None
    if kind == "histogram":
        bounds, counts = list(point.explicit_bounds), list(point.bucket_counts)
        return Point(started, at_ns, attributes, None, point.count, total, bounds, counts)
    if kind == "exponential_histogram":
        below = point.zero_count + sum(point.negative.bucket_counts)
        positive = point.positive
        buckets = exponential_buckets(point.scale, below, positive.offset, list(positive.bucket_counts))
        return Point(started, at_ns, attributes, None, point.count, total, *buckets)
    return Point(started, at_ns, attributes, None, point.count, total)


_JSON_KINDS = {
    "sum": "sum",
    "gauge": "gauge",
    "histogram": "histogram",
    "exponentialHistogram": "exponential_histogram",
    "summary": "summary",
}


def _json_metric(metric: Any) -> WireMetric:
    """A metric of several kinds is of none: which of them was meant is not known, but its points are counted."""
    keys = [key for key in _JSON_KINDS if metric.get(key) is not None]
    kind = _JSON_KINDS[keys[0]] if len(keys) == 1 else ""
    series = metric[keys[0]] if kind else {}
    points = [
        json_item(partial(_json_point, _JSON_KINDS[key]), point, "data point")
        for key in keys
        for point in _listed(metric[key].get("dataPoints"))
    ]
    try:
        temporality = _TEMPORALITY.get(integer(series.get("aggregationTemporality")))
    except MISSHAPEN:
        field = "aggregationTemporality"
        reason = f"The metric's {field} is not a number; OTLP/JSON writes 1 for delta and 2 for cumulative."
        points = [Malformed(field, reason, json_text(point)) for point in points]
        temporality = None
    monotonic = bool(series.get("isMonotonic")) if kind == "sum" else None
    return WireMetric(
        str(metric.get("name") or ""), str(metric.get("unit") or ""), kind, temporality, monotonic, points
    )


def _listed(points: Any) -> list[Any]:
    if points and not isinstance(points, list):
        raise TypeError("dataPoints is not a list")
    return points or []


def _json_point(kind: str, point: Any) -> Point:
    started, at_ns = integer(point.get("startTimeUnixNano")), integer(point.get("timeUnixNano"))
    attributes = json_attributes(point.get("attributes"))
    if kind in ("sum", "gauge"):
        number = point.get("asDouble", point.get("asInt"))
        stopped = number is None or integer(point.get("flags")) & _NO_VALUE
        return Point(started, at_ns, attributes, None if stopped else float(number))
    if integer(point.get("flags")) & _NO_VALUE:
        return Point(started, at_ns, attributes)
    count = integer(point.get("count"))
    total = float(point["sum"]) if point.get("sum") is not None else None
    if kind == "histogram":
        bounds = [float(bound) for bound in point.get("explicitBounds") or ()]
        counts = [integer(one) for one in point.get("bucketCounts") or ()]
        return Point(started, at_ns, attributes, None, count, total, bounds, counts)
    if kind == "exponential_histogram":
        below = integer(point.get("zeroCount"))
        below += sum(integer(one) for one in (point.get("negative") or {}).get("bucketCounts") or ())
        positive = point.get("positive") or {}
        counts = [integer(one) for one in positive.get("bucketCounts") or ()]
        scale, offset = integer(point.get("scale")), integer(positive.get("offset"))
        return Point(
            started, at_ns, attributes, None, count, total, *exponential_buckets(scale, below, offset, counts)
        )
    return Point(started, at_ns, attributes, None, count, total)


def metrics_of_json(request: dict[str, Any]) -> Iterator[WireGroup]:
    """Metrics of an OTLP/JSON metric request, by resource and scope; raises BadRequest."""
    return json_groups(request, "Metrics", "metrics", _json_metric)


def metrics_of_protobuf(body: bytes) -> Iterator[WireGroup]:
    """Metrics of a protobuf metric request, by resource and scope; raises BadRequest."""
    request = parsed_protobuf(ExportMetricsServiceRequest(), body)
    return proto_groups(request.resource_metrics, "scope_metrics", "metrics", _proto_metric)


def add_metrics(
    found: MetricRows, groups: Iterable[WireGroup], options: ReadOptions, line: int | None = None
) -> None:
    """Add every point of the groups; `line` is the line of a file, without it the point's ordinal counts."""
    for group in groups:
        origin = tuple(
            str(group.resource[key]) if group.resource.get(key) is not None else None
            for key in ("service.name", "cloud.region", "service.instance.id")
        )
        for metric in group.items:
            malformed = metric if isinstance(metric, Malformed) else _without_data(metric)
            if malformed is not None:
                _refuse(found, malformed, options, line)
                continue
            for point in metric.points:
                if isinstance(point, Malformed):
                    _refuse(found, point, options, line)
                else:
                    found.read[0] += 1
                    _add_point(found, metric, point, origin, options, line)


def _refuse(found: MetricRows, malformed: Malformed, options: ReadOptions, line: int | None) -> None:
    found.read[0] += 1
    row_number = found.read[0] if line is None else line
    shown = malformed.shown(options.capture_content)
    found.quarantined.append(quarantine.refused(row_number, malformed.field, malformed.reason, shown))


def _without_data(metric: WireMetric) -> Malformed | None:
    """A metric whose points, if it has any, are of a kind that is not known here: counted as one row."""
    if metric.kind or metric.points:
        return None
    reason = f"Metric {metric.name[:80]!r} has no data of a known kind: {', '.join(_JSON_KINDS)}."
    return Malformed("kind", reason, metric.name)


def _add_point(
    found: MetricRows,
    metric: WireMetric,
    point: Point,
    origin: tuple[str | None, ...],
    options: ReadOptions,
    line: int | None,
) -> None:
    refused = refusal(metric, point)
    kept = kept_attributes(point.attributes, options.capture_content)
    attributes = orjson.dumps(kept, option=_DUMP).decode() if kept else None
    if refused is not None:
        row_number = found.read[0] if line is None else line
        row_text = f"{metric.name} {attributes or ''}"
        found.quarantined.append(quarantine.refused(row_number, refused[0], refused[1], row_text))
        return
    started = point.started_at_ns if EARLIEST_NS <= point.started_at_ns <= point.at_ns else None
    identity = (metric.name, metric.unit or None, metric.kind, metric.temporality, metric.monotonic)
    numbers = (point.value, point.observations, point.total, point.bounds, point.counts)
    found.rows.append((*identity, started, point.at_ns, *origin, *numbers, attributes))


def metric_frames(found: MetricRows) -> dict[str, pl.DataFrame]:
    """Frame of metric_points; left out without rows."""
    if not found.rows:
        return {}
    return {"metric_points": frame(found.rows, METRIC_SCHEMA).with_columns(day_of("at_ns"))}
