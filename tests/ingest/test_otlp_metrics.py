"""Metrics: four kinds, temporality kept, both encodings alike."""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from core.ingest.files import read_path
from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_metrics
from core.ingest.otlp.metrics import exponential_buckets
from core.ledger.batch import Batch
from tests.ingest.otlp_requests import JSON, PROTOBUF, START_NS, attributes, fixtures

POINT = {
    "startTimeUnixNano": str(START_NS - 60_000_000_000),
    "timeUnixNano": str(START_NS),
    "attributes": attributes({"gen_ai.token.type": "input", "user.email": "a@example.org"}),
}
METRICS: list[dict[str, Any]] = [
    {
        "name": "calls",
        "unit": "1",
        "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [{**POINT, "asInt": "7"}]},
    },
    {"name": "depth", "gauge": {"dataPoints": [{**POINT, "asDouble": 0.5}, {**POINT, "flags": 1}]}},
    {
        "name": "latency",
        "unit": "s",
        "histogram": {
            "aggregationTemporality": 1,
            "dataPoints": [
                {
                    **POINT,
                    "count": "6",
                    "sum": 2.5,
                    "explicitBounds": [0.1, 1.0],
                    "bucketCounts": ["1", "2", "3"],
                }
            ],
        },
    },
    {
        "name": "size",
        "exponentialHistogram": {
            "aggregationTemporality": 1,
            "dataPoints": [
                {
                    **POINT,
                    "count": "6",
                    "sum": 12.0,
                    "scale": 0,
                    "zeroCount": "1",
                    "positive": {"offset": 0, "bucketCounts": ["2", "3"]},
                }
            ],
        },
    },
]


HISTOGRAM = METRICS[2]["histogram"]["dataPoints"][0]


def body(metrics: list[dict[str, Any]]) -> dict[str, Any]:
    resource = {"attributes": attributes({"service.name": "assist", "cloud.region": "eu-west-1"})}
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]}


def decoded(metrics: list[dict[str, Any]]) -> Batch:
    return decode_metrics(orjson.dumps(body(metrics)), JSON, ReadOptions())


def test_four_kinds() -> None:
    points = {row["name"]: row for row in decoded(METRICS).frames["metric_points"].rows(named=True)}
    calls, latency, size = points["calls"], points["latency"], points["size"]
    assert (calls["kind"], calls["temporality"], calls["monotonic"], calls["value"]) == (
        "sum",
        "cumulative",
        True,
        7.0,
    )
    assert (calls["service_name"], calls["cloud_region"]) == ("assist", "eu-west-1")
    assert (calls["started_at_ns"], calls["at_ns"]) == (START_NS - 60_000_000_000, START_NS)
    assert orjson.loads(calls["attributes"]) == {"gen_ai.token.type": "input"}
    assert (latency["count"], latency["sum"], latency["temporality"]) == (6, 2.5, "delta")
    assert (latency["explicit_bounds"], latency["bucket_counts"]) == ([0.1, 1.0], [1, 2, 3])
    assert (size["kind"], size["explicit_bounds"]) == ("exponential_histogram", [1.0, 2.0, 4.0])
    assert size["bucket_counts"] == [1, 2, 3, 0]


def test_a_point_without_a_value_is_null() -> None:
    frame = decoded(METRICS).frames["metric_points"]
    assert frame.filter(pl.col("name") == "depth")["value"].to_list() == [0.5, None]


def test_a_histogram_that_has_stopped_is_no_count_of_zero() -> None:
    """It would look like a restart: what was counted before would count again."""
    stopped: list[dict[str, Any]] = [
        {"name": "x", "histogram": {"aggregationTemporality": 2, "dataPoints": [{**POINT, "flags": 1}]}},
        {
            "name": "y",
            "exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": [{**POINT, "flags": 1}]},
        },
    ]
    message = json_format.ParseDict(body(stopped), ExportMetricsServiceRequest())
    for batch in (decoded(stopped), decode_metrics(message.SerializeToString(), PROTOBUF, ReadOptions())):
        assert batch.frames["metric_points"]["count"].to_list() == [None, None]


def test_a_histogram_without_buckets_keeps_its_count_and_sum() -> None:
    bare = {key: value for key, value in HISTOGRAM.items() if key not in ("explicitBounds", "bucketCounts")}
    (row,) = decoded([{"name": "x", "histogram": {"dataPoints": [bare]}}]).frames["metric_points"].to_dicts()
    assert (row["count"], row["sum"], row["bucket_counts"]) == (6, 2.5, [])


def test_protobuf_and_json_give_equal_points() -> None:
    message = json_format.ParseDict(body(METRICS), ExportMetricsServiceRequest())
    other = decode_metrics(message.SerializeToString(), PROTOBUF, ReadOptions())
    assert other.frames["metric_points"].equals(decoded(METRICS).frames["metric_points"])


@pytest.mark.parametrize(
    ("metric", "field"),
    [
        ({"name": "old", "summary": {"dataPoints": [POINT]}}, "kind"),
        ({"name": "", "gauge": {"dataPoints": [{**POINT, "asInt": 1}]}}, "name"),
        ({"name": "x", "gauge": {"dataPoints": [{"asInt": 1, "timeUnixNano": "0"}]}}, "at_ns"),
        ({"name": "x", "histogram": {"dataPoints": [{**POINT, "count": "-1"}]}}, "count"),
        (
            {"name": "x", "histogram": {"dataPoints": [HISTOGRAM | {"bucketCounts": ["1", "2"]}]}},
            "bucket_counts",
        ),
        ({"name": "x", "histogram": {"dataPoints": [HISTOGRAM | {"count": "7"}]}}, "count"),
        (
            {"name": "x", "histogram": {"dataPoints": [HISTOGRAM | {"explicitBounds": [1.0, 0.1]}]}},
            "explicit_bounds",
        ),
        (
            {"name": "x", "histogram": {"dataPoints": [HISTOGRAM | {"explicitBounds": [0.1, "Infinity"]}]}},
            "explicit_bounds",
        ),
        ({"name": "x", "gauge": {"dataPoints": [7]}}, None),
    ],
)
def test_bad_points_are_refused_alone(metric: dict[str, Any], field: str | None) -> None:
    batch = decoded([metric, METRICS[0]])
    assert batch.frames["metric_points"].height == 1
    assert [(row.row_number, row.field) for row in batch.quarantined] == [(1, field)]


def test_exponential_buckets_follow_the_data_model() -> None:
    # scale 1: base = 2 ** 0.5; offset -2: the first bucket is (0.5, 0.7071]
    bounds, counts = exponential_buckets(1, 4, -2, [5, 6])
    assert bounds == pytest.approx([0.5, 0.5**0.5, 1.0])
    assert counts == [4, 5, 6, 0]
    assert exponential_buckets(-10, 0, 1000, [1]) == (None, None)


@pytest.mark.parametrize("name", ["genai_official", "openllmetry", "python_otlp_json_http"])
def test_captured_metrics(name: str) -> None:
    folder = fixtures(name)
    points = pl.concat(
        [batch.frames["metric_points"] for batch in read_path(folder / "metrics.otlp.jsonl", ReadOptions())]
    )
    raw = [
        batch
        for path in sorted(folder.glob("raw/[0-9]*_metrics.*"))
        for batch in read_path(path, ReadOptions())
    ]
    assert pl.concat([batch.frames["metric_points"] for batch in raw]).equals(points)
    assert set(points["temporality"]) <= {"cumulative", None}
    filled = points.filter(pl.col("bucket_counts").list.len() > 0)
    assert (filled["bucket_counts"].list.sum() == filled["count"]).all()
