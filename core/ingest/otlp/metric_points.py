"""A metric's points as they were read from the wire, and why one is refused."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite
from typing import NamedTuple

from core.ingest.otlp.repair import EARLIEST_NS, LATEST_NS
from core.ingest.otlp.wire import Attributes, Malformed


class Point(NamedTuple):
    """One data point; histograms have observations, total, bounds and counts, the others a value."""

    started_at_ns: int
    at_ns: int
    attributes: Attributes
    value: float | None = None
    observations: int | None = None
    total: float | None = None
    bounds: list[float] | None = None
    counts: list[int] | None = None


class WireMetric(NamedTuple):
    """One metric with its points, of which some may be malformed; kind is '' for one that is not kept."""

    name: str
    unit: str
    kind: str
    temporality: str | None
    monotonic: bool | None
    points: Sequence[Point | Malformed]


def refusal(metric: WireMetric, point: Point) -> tuple[str, str] | None:
    """(field, reason) of a point that cannot be kept."""
    name = metric.name[:80]
    if metric.kind in ("", "summary"):
        what = metric.kind or "none or several"
        return "kind", f"Metric {name!r} is of kind {what}, which is not kept; export one histogram."
    if not metric.name:
        return "name", "The metric has no name; fix the exporter."
    if not EARLIEST_NS <= point.at_ns < LATEST_NS:
        return (
            "at_ns",
            f"timeUnixNano is {point.at_ns}, outside 1990 to 2100; send UTC nanoseconds since 1970.",
        )
    counts = [point.observations or 0, *(point.counts or ())]
    if min(counts) < 0 or max(counts) >= 2**63:
        return "count", f"Counts of {name!r} are outside 0 to 2**63; fix the exporter."
    return _misfit(name, point)


def _misfit(name: str, point: Point) -> tuple[str, str] | None:
    """Buckets that do not belong together would give a quantile of nothing; a histogram without any has its count and sum."""
    bounds, buckets = point.bounds or [], point.counts or []
    if not bounds and len(buckets) <= 1:
        return None
    if len(buckets) != len(bounds) + 1:
        what = f"{len(buckets)} bucket counts and {len(bounds)} bounds"
        return "bucket_counts", f"Histogram {name!r} has {what}; it needs one count more than bounds."
    if not all(one < later for one, later in pairwise(bounds)) or not all(map(isfinite, bounds)):
        return "explicit_bounds", f"Bounds of {name!r} are no rising finite numbers; fix the exporter."
    if sum(buckets) != (point.observations or 0):
        what = f"{sum(buckets)} observations in its buckets and {point.observations or 0} in its count"
        return "count", f"Histogram {name!r} has {what}; fix the exporter."
    return None
