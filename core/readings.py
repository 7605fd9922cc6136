"""Findings and the state of ingest as metrics: one list of series, written as Prometheus text and as OTLP.

Of each audit it is the finding kept for the board's own scope, so metrics, board and alerts say the same. What is not
known has no point: a gap that does not exist is no zero.

Source: Prometheus text format 0.0.4; OTLP 1.x metrics (opentelemetry-proto).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple, get_args

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE, NumberDataPoint

from core.audit import Ask, Status
from core.findings import Standing, standing

PREFIX = "trueup"
TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SUFFIX = {"s": "_seconds"}

TAKEN = """
select
    count(*)                                       as imports,
    coalesce(sum(rows_accepted), 0)::bigint        as accepted,
    coalesce(sum(rows_quarantined), 0)::bigint     as quarantined,
    coalesce(sum(rows_duplicate), 0)::bigint       as duplicate,
    coalesce(sum(rows_repaired), 0)::bigint        as repaired,
    coalesce(min(at_ns), 0)                        as first_at_ns
from imports
"""


class Point(NamedTuple):
    """One value and what it is of."""

    labels: Mapping[str, str]
    value: float


class Series(NamedTuple):
    """One metric."""

    name: str
    """With dots, without prefix and unit."""
    about: str
    kind: Literal["gauge", "counter"]
    unit: str
    """UCUM, as OpenTelemetry writes units."""
    points: tuple[Point, ...]


class Ingest(NamedTuple):
    """What the running process knows beside the ledger."""

    queue_depth: int
    queue_limit: int
    newest_import: int
    version: int
    faults: Mapping[str, bool]
    """By part of the process: whether its last try failed."""
    refused: Mapping[tuple[str, str], int] = {}
    """Requests refused for their token since the process began, by scope and why."""


class Readings(NamedTuple):
    """Every series at a moment."""

    at: dt.datetime
    since_ns: int
    """When counters began: the first import."""
    series: tuple[Series, ...]


def readings(ask: Ask, ingest: Ingest, now: dt.datetime, labels: Mapping[str, str] | None = None) -> Readings:
    """Read everything once; every point has `labels` too."""
    found = {audit.replace("_", "-"): one for audit, one in standing(ask, ingest.version).items()}
    taken = ask(TAKEN).row(0, named=True)
    series = (*_findings(found, now), *_ingest(ingest, taken))
    labelled = (
        one._replace(points=tuple(Point({**(labels or {}), **own}, value) for own, value in one.points))
        for one in series
    )
    return Readings(now, int(taken["first_at_ns"]), tuple(one for one in labelled if one.points))


def _findings(found: Mapping[str, Standing], now: dt.datetime) -> Iterable[Series]:
    def gauge(name: str, about: str, unit: str, value: Callable[[Standing], float | None]) -> Series:
        told = [(audit, value(one)) for audit, one in found.items()]
        points = tuple(Point({"audit": audit}, float(x)) for audit, x in told if x is not None)
        return Series(name, about, "gauge", unit, points)

    def gap(name: str, about: str, field: str) -> Series:
        told = [(audit, one.kept.finding) for audit, one in found.items()]
        known = [(audit, finding.unit, getattr(finding, field)) for audit, finding in told]
        points = tuple(Point({"audit": a, "unit": unit}, float(x)) for a, unit, x in known if x is not None)
        return Series(name, about, "gauge", "1", points)

    yield Series(
        "finding.status",
        "1 for the status an audit's finding has on the board, 0 for the others.",
        "gauge",
        "1",
        tuple(
            Point({"audit": audit, "status": status}, float(one.kept.finding.status == status))
            for audit, one in found.items()
            for status in get_args(Status)
        ),
    )
    yield gap("finding.gap", "Gap between what is reported and what is supported, in the label unit.", "gap")
    yield gap("finding.gap_low", "Lower end of the gap's interval.", "low")
    yield gap("finding.gap_high", "Upper end of the gap's interval.", "high")
    yield gauge("finding.n", "Rows, items or runs behind the finding.", "1", lambda one: one.kept.finding.n)
    yield gauge(
        "finding.data_age", "Since the end of the newest day with data, UTC; 0 while it lasts.", "s",
        lambda one: _age_s(one.kept.newest_day, now),
    )  # fmt: skip
    yield gauge(
        "finding.computed_timestamp", "When the finding was computed, Unix time.", "s",
        lambda one: one.kept.at.timestamp(),
    )  # fmt: skip
    yield gauge("finding.version", "Data version it was computed at.", "1", lambda one: one.kept.version)


def _age_s(newest_day: dt.date | None, now: dt.datetime) -> float | None:
    if newest_day is None:
        return None
    ends = dt.datetime.combine(newest_day, dt.time(), dt.UTC) + dt.timedelta(days=1)
    return max(0.0, (now - ends).total_seconds())


def _ingest(ingest: Ingest, taken: Mapping[str, int]) -> Iterable[Series]:
    def one(name: str, about: str, value: float, kind: Literal["gauge", "counter"] = "gauge") -> Series:
        return Series(name, about, kind, "1", (Point({}, float(value)),))

    yield one("ingest.queue_depth", "Batches accepted and not yet committed.", ingest.queue_depth)
    yield one("ingest.queue_limit", "Batches that may wait before senders get 429.", ingest.queue_limit)
    yield one("ledger.newest_import", "Newest committed import.", ingest.newest_import)
    yield one("ledger.version", "Newest import that pages show.", ingest.version)
    yield one("imports", "Imports committed.", taken["imports"], "counter")
    outcomes = ("accepted", "quarantined", "duplicate", "repaired")
    rows = tuple(Point({"outcome": outcome}, float(taken[outcome])) for outcome in outcomes)
    yield Series("import_rows", "Rows read, by what became of them.", "counter", "{row}", rows)
    faults = tuple(Point({"part": part}, float(failed)) for part, failed in ingest.faults.items())
    yield Series("fault", "1 while a part's last try failed; /readyz has the reason.", "gauge", "1", faults)
    refused = tuple(
        Point({"scope": scope, "why": why}, float(n)) for (scope, why), n in ingest.refused.items()
    )
    yield Series("tokens.refused", "Requests refused for their token.", "counter", "{request}", refused)


def prometheus_name(series: Series) -> str:
    """The series' name as Prometheus writes it.

    >>> prometheus_name(Series("finding.data_age", "", "gauge", "s", ()))
    'trueup_finding_data_age_seconds'
    >>> prometheus_name(Series("imports", "", "counter", "1", ()))
    'trueup_imports_total'
    """
    total = "_total" if series.kind == "counter" else ""
    return f"{PREFIX}_{series.name.replace('.', '_')}{_SUFFIX.get(series.unit, '')}{total}"


def prometheus_text(told: Readings) -> str:
    """The text a Prometheus server scrapes."""
    lines: list[str] = []
    for series in told.series:
        name = prometheus_name(series)
        lines += [f"# HELP {name} {series.about}", f"# TYPE {name} {series.kind}"]
        for labels, value in series.points:
            inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            lines.append(f"{name}{{{inside}}} {value!r}" if inside else f"{name} {value!r}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    r"""A label's value: backslash, quote and line end are all the format knows.

    >>> print(_escaped('a"b\\c'))
    a\"b\\c
    """
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def otlp_request(told: Readings, resource: Mapping[str, str]) -> ExportMetricsServiceRequest:
    """The same as one OTLP export: gauges, and cumulative monotonic sums since the first import."""
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    for key, text in resource.items():
        group.resource.attributes.add(key=key).value.string_value = text
    scope = group.scope_metrics.add()
    scope.scope.name = PREFIX
    at_ns = int(told.at.timestamp() * 1e9)
    for series in told.series:
        metric = scope.metrics.add(name=f"{PREFIX}.{series.name}", description=series.about, unit=series.unit)
        if series.kind == "counter":
            metric.sum.is_monotonic = True
            metric.sum.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
        target = metric.sum.data_points if series.kind == "counter" else metric.gauge.data_points
        for labels, value in series.points:
            point = NumberDataPoint(time_unix_nano=at_ns, as_double=value)
            if series.kind == "counter":
                point.start_time_unix_nano = told.since_ns
            for key, text in labels.items():
                point.attributes.add(key=key).value.string_value = text
            target.append(point)
    return request
