"""The samples of one Prometheus scrape to points: counters, gauges, and histograms put together from their series."""

from __future__ import annotations

import math
from typing import NamedTuple

import orjson

from core.ingest import quarantine
from core.ingest.options import ReadOptions
from core.ingest.otlp.metrics import MetricRows
from core.ingest.otlp.repair import EARLIEST_NS
from core.ingest.privacy import kept_attributes

_DUMP = orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS
_UNITS = {"_milliseconds": "ms", "_seconds": "s", "_bytes": "By", "_ratio": "1"}
_WORDS = {"seconds": "s", "milliseconds": "ms", "bytes": "By", "ratio": "1"}
_ORIGINS = (("service_name", "job"), ("cloud_region", "region"), ("service_instance_id", "instance"))
"""Columns of the ledger and the labels Prometheus keeps them in: a label of the column's own name comes first."""


class Source(NamedTuple):
    """When a scrape was taken and of whom, where its lines do not say; None where it is not known."""

    at_ns: int | None
    job: str | None = None
    instance: str | None = None


class Sample(NamedTuple):
    """One line."""

    number: int
    at_ns: int
    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


class Scrape:
    """The lines of one scrape, and what its comments say of families; types and units outlive it."""

    def __init__(self, source: Source, types: dict[str, str], units: dict[str, str]) -> None:
        self.source, self.types, self.units = source, types, units
        self.samples: list[Sample] = []

    def add(self, number: int, at_ns: int, name: str, labels: dict[str, str], value: float) -> None:
        """One line that was read."""
        self.samples.append(Sample(number, at_ns, name, tuple(sorted(labels.items())), value))

    def kind(self, base: str) -> str:
        """Type of a family as declared: OpenMetrics declares a counter without its _total."""
        return self.types.get(base) or self.types.get(base.removesuffix("_total")) or "unknown"


class _Series(NamedTuple):
    name: str
    at_ns: int
    labels: tuple[tuple[str, str], ...]


class _Histogram(NamedTuple):
    number: int
    buckets: dict[float, float]
    parts: dict[str, float]


def add_scrape(found: MetricRows, scrape: Scrape, options: ReadOptions) -> None:
    """Add a scrape's points to the rows; what is no point is refused and counted."""
    histograms = _histograms(found, scrape)
    bases = {series.name for series in histograms}
    begun = _begun(scrape, bases)
    for series, one in histograms.items():
        _add_histogram(found, scrape, series, one, begun.get(series), options)
    summaries: set[_Series] = set()
    for sample in scrape.samples:
        base, part = _part_of(sample.name)
        if base in bases and part:
            continue
        summary = next((name for name in (sample.name, base) if scrape.kind(name) == "summary"), "")
        if summary:
            labels = tuple(pair for pair in sample.labels if pair[0] != "quantile")
            summaries.add(_Series(summary, sample.at_ns, labels))
        elif _Series(sample.name.removesuffix("_created"), sample.at_ns, sample.labels) not in begun:
            counter = _Series(sample.name.removesuffix("_total"), sample.at_ns, sample.labels)
            _add_number(found, scrape, sample, begun.get(counter), options)
    for series in sorted(summaries):
        reason = f"Metric {series.name[:80]!r} is of kind summary, which is not kept; export one histogram."
        found.read[0] += 1
        found.quarantined.append(quarantine.refused(found.read[0], "kind", reason, series.name))


def _begun(scrape: Scrape, histograms: set[str]) -> dict[_Series, int]:
    """When series began, where `_created` says so: no number of its own, and what tells a restart for certain."""
    known = histograms | {
        name.removesuffix("_total") for name, kind in scrape.types.items() if kind == "counter"
    }
    return {
        _Series(base, sample.at_ns, sample.labels): int(sample.value * 1e9)
        for sample in scrape.samples
        if sample.name.endswith("_created")
        and (base := sample.name.removesuffix("_created")) in known
        and EARLIEST_NS <= sample.value * 1e9 <= sample.at_ns
    }


def _part_of(name: str) -> tuple[str, str]:
    for part in ("_bucket", "_sum", "_count"):
        if name.endswith(part):
            return name.removesuffix(part), part
    return name, ""


def _histograms(found: MetricRows, scrape: Scrape) -> dict[_Series, _Histogram]:
    """Histograms by series: told by buckets with `le`, since /federate declares them untyped."""
    made: dict[_Series, _Histogram] = {}
    for sample in scrape.samples:
        base, part = _part_of(sample.name)
        edge = dict(sample.labels).get("le")
        if part != "_bucket" or edge is None:
            continue
        labels = tuple(pair for pair in sample.labels if pair[0] != "le")
        one = made.setdefault(_Series(base, sample.at_ns, labels), _Histogram(sample.number, {}, {}))
        try:
            bound = float(edge)
        except ValueError:
            bound = math.nan
        if math.isnan(bound) or one.buckets.get(bound, sample.value) != sample.value:
            why = (
                f"le={edge[:40]!r} is no number"
                if math.isnan(bound)
                else f"le={edge[:40]!r} stands twice with two values"
            )
            found.read[0] += 1
            reason = f"Line {sample.number}: {why}; scrape the page again."
            found.quarantined.append(quarantine.refused(sample.number, "le", reason, sample.name))
            continue
        one.buckets[bound] = sample.value
    for sample in scrape.samples:
        base, part = _part_of(sample.name)
        whole = made.get(_Series(base, sample.at_ns, sample.labels))
        if whole is not None and part in ("_sum", "_count"):
            whole.parts[part] = sample.value
    return made


def counts_of(buckets: dict[float, float], count: float | None) -> tuple[list[float], list[int]] | str:
    """Bounds and the counts between them of buckets that count everything up to their bound, or why there are none.

    Example: le 0.5 has 3, le 1 has 7, le +Inf has 8: bounds 0.5, 1, counts 3, 4, 1.
    """
    upto = dict(sorted(buckets.items()))
    if math.inf not in upto:
        if count is None:
            return 'it has neither a bucket le="+Inf" nor a _count'
        upto[math.inf] = count
    values = list(upto.values())
    if not all(math.isfinite(value) and 0 <= value < 2**63 and value == int(value) for value in values):
        return "a bucket is no whole number from 0 up"
    if count is not None and count != values[-1]:
        return f'_count is {count:g} and the bucket le="+Inf" {values[-1]:g}'
    own = [int(value) - int(before) for before, value in zip([0.0, *values], values, strict=False)]
    if min(own) < 0:
        return "buckets fall with growing le"
    return [bound for bound in upto if bound != math.inf], own


def _add_histogram(
    found: MetricRows,
    scrape: Scrape,
    series: _Series,
    one: _Histogram,
    began_ns: int | None,
    options: ReadOptions,
) -> None:
    found.read[0] += 1
    told = counts_of(one.buckets, one.parts.get("_count"))
    if isinstance(told, str):
        reason = (
            f"The histogram {series.name[:80]!r} of line {one.number} is not whole: {told}; scrape it again."
        )
        found.quarantined.append(quarantine.refused(one.number, "bucket_counts", reason, series.name))
        return
    total = one.parts.get("_sum")
    total = total if total is not None and math.isfinite(total) else None
    # A gauge histogram counts what is there now, so it is no sum over time.
    temporality = None if scrape.kind(series.name) == "gaugehistogram" else "cumulative"
    numbers = (None, sum(told[1]), total, *told)
    _keep(found, scrape, series, ("histogram", temporality, None, began_ns), numbers, options)


def _add_number(
    found: MetricRows, scrape: Scrape, sample: Sample, began_ns: int | None, options: ReadOptions
) -> None:
    found.read[0] += 1
    kind = scrape.kind(sample.name)
    counts = kind == "counter" or (kind in ("unknown", "untyped") and sample.name.endswith("_total"))
    shape = ("sum", "cumulative", True, began_ns) if counts else ("gauge", None, None, None)
    value = sample.value if math.isfinite(sample.value) else None  # NaN also says that a series has stopped
    series = _Series(sample.name, sample.at_ns, sample.labels)
    _keep(found, scrape, series, shape, (value, None, None, None, None), options)


def _keep(
    found: MetricRows,
    scrape: Scrape,
    series: _Series,
    shape: tuple[str, str | None, bool | None, int | None],
    numbers: tuple[object, ...],
    options: ReadOptions,
) -> None:
    labels: dict[str, object] = dict(series.labels)
    given = {"job": scrape.source.job, "instance": scrape.source.instance}
    origin = []
    for column, label in _ORIGINS:
        own = labels.pop(column, None)
        origin.append(own or labels.pop(label, None) or given.get(label))
    kept = kept_attributes(labels, options.capture_content)
    attributes = orjson.dumps(kept, option=_DUMP).decode() if kept else None
    unit = _WORDS.get(scrape.units.get(series.name, ""))
    unit = unit or next((unit for ending, unit in _UNITS.items() if series.name.endswith(ending)), None)
    found.rows.append((series.name, unit, *shape, series.at_ns, *origin, *numbers, attributes))
