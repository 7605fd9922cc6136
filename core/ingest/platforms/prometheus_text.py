"""Prometheus text: a saved /metrics page, many of them in one file or folder, or what /federate answers.

Every family of a scrape becomes metric_points, a histogram one row: its `le` buckets, which count everything up to their
bound, are taken apart into counts of their own. Counters and histograms stay cumulative over time, as they came: what
happened between two scrapes is told by who reads them.

A sample's instant is its own timestamp, else the last line `# scraped_at 2026-11-26T10:00:00Z` above it (which may also name
`job=` and `instance=`), else the time in the file's name (seconds or milliseconds since 1970, or ISO 8601). Each line is
parsed alone by prometheus_client, so that a bad one costs itself. OpenMetrics is read too, its exemplars dropped.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from core.ingest import quarantine
from core.ingest.options import ReadOptions
from core.ingest.otlp.metrics import MetricRows, metric_frames, no_metric_rows
from core.ingest.otlp.repair import EARLIEST_NS, LATEST_NS
from core.ingest.platforms.prometheus_families import Scrape, Source, add_scrape
from core.ledger.batch import Batch

NAME = "prometheus_text"
CHUNK_POINTS = 50_000
"""A batch ends with the scrape that reaches it."""
LONGEST_LINE = 1024 * 1024

_TYPE = re.compile(r"#\s*TYPE\s+(\S+)\s+([a-z]+)\s*")
_UNIT = re.compile(r"#\s*UNIT\s+(\S+)\s+(\S+)\s*")
_SCRAPED = re.compile(r"#\s*scraped_at\s+(\S+)((?:\s+[a-z_]+=\S+)*)\s*")
_SIGN = re.compile(r"^#\s*(?:TYPE|HELP)\s+[a-zA-Z_:\"{]|^#\s*scraped_at\s+\S", re.MULTILINE)
_SAMPLE = re.compile(
    r"[a-zA-Z_:][a-zA-Z0-9_:]*\{[^{}]*\}\s+(?:[-+]?[0-9.]|[-+]?[Ii]nf|NaN)\S*(?:\s+-?[0-9.]+)?\s*"
)
_IN_NAME = re.compile(
    r"(?<![0-9])(?:(?P<epoch>[0-9]{13}|[0-9]{10})|(?P<date>20[0-9]{2}-?[01][0-9]-?[0-3][0-9])[T_]?"
    r"(?P<time>[0-2][0-9][:-]?[0-5][0-9][:-]?[0-5][0-9])Z?)(?![0-9])"
)
_EXEMPLAR = re.compile(r"""((?:[^"#]|"(?:[^"\\]|\\.)*")*?)\s+#\s+\{.*""", re.DOTALL)


def detect(head: bytes, name: str) -> bool:
    """A line that begins `# TYPE`, `# HELP` or `# scraped_at`, or a first line `name{labels} value`."""
    text = head[:8192].decode("utf-8-sig", "replace").replace("\r\n", "\n").lstrip()
    if text[:1] in ("{", "["):
        return False
    return _SIGN.search(text) is not None or _SAMPLE.fullmatch(text.partition("\n")[0]) is not None


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """Batches of whole scrapes. Raises ValueError where nothing says when the samples were taken."""
    found, digest = no_metric_rows(), hashlib.sha256()
    scrape = Scrape(Source(_named_instant(source)), {}, {})
    lines = io.TextIOWrapper(stream, "utf-8-sig", "replace", newline="\n")
    number, given = 0, False
    try:
        while line := lines.readline(LONGEST_LINE):
            number += 1
            digest.update(line.encode("utf-8", "replace"))
            text = line.strip()
            marked = _SCRAPED.fullmatch(text)
            if marked:
                add_scrape(found, scrape, options)
                scrape = Scrape(_source(marked), scrape.types, scrape.units)
                if len(found.rows) >= CHUNK_POINTS:
                    yield _batch(found, digest, source, options)
                    found, digest, given = no_metric_rows(), hashlib.sha256(), True
            elif text.startswith("#"):
                _declared(text, scrape)
            elif text:
                _sampled(text, number, scrape, found, source)
        add_scrape(found, scrape, options)
        if found.read[0] or not given:
            yield _batch(found, digest, source, options)
    finally:
        lines.detach()


def _batch(found: MetricRows, digest: Any, source: str, options: ReadOptions) -> Batch:
    frames = metric_frames(found)
    return Batch(
        source, NAME, digest.hexdigest(), found.read[0], frames, found.quarantined, demo=options.demo
    )


def _declared(text: str, scrape: Scrape) -> None:
    if typed := _TYPE.fullmatch(text):
        scrape.types[typed[1].strip('"')] = typed[2]
    elif unit := _UNIT.fullmatch(text):
        scrape.units[unit[1].strip('"')] = unit[2]


def _sampled(text: str, number: int, scrape: Scrape, found: MetricRows, source: str) -> None:
    """Parse one line into the scrape; refuse it alone. A file that says no time at all is refused whole."""
    from prometheus_client.parser import text_string_to_metric_families

    if bare := _EXEMPLAR.fullmatch(text):
        text = bare[1]
    try:
        (family,) = text_string_to_metric_families(text)
        (sample,) = family.samples
        if not sample.name:
            raise ValueError("it has no name")
    except (ValueError, IndexError, KeyError, TypeError) as error:
        reason = f'Line {number} is no sample: {str(error)[:120]}; write name{{label="value"}} number.'
        return _refuse(found, number, None, reason, text)
    at_ns = scrape.source.at_ns
    if sample.timestamp is not None:
        # Prometheus text has milliseconds, which the parser takes for granted; OpenMetrics has seconds.
        raw = float(sample.timestamp) * 1000
        at_ns = _nanoseconds(raw)
        if at_ns is None:
            reason = f"Line {number}: the timestamp {raw:g} is outside 1990 to 2100; write milliseconds since 1970."
            return _refuse(found, number, "at_ns", reason, text)
    if at_ns is None:
        raise ValueError(
            f"line {number} of {source} has no timestamp and nothing says when it was scraped: put a line "
            "`# scraped_at 2026-11-26T10:00:00Z` above each scrape, or name the file like metrics-1795687200.prom."
        )
    scrape.add(number, at_ns, sample.name, dict(sample.labels), float(sample.value))


def _refuse(found: MetricRows, number: int, field: str | None, reason: str, text: str) -> None:
    found.read[0] += 1
    found.quarantined.append(quarantine.refused(number, field, reason, text[:200]))


def _nanoseconds(raw: float) -> int | None:
    """Seconds below 1e11, which as milliseconds would be 1973, else milliseconds."""
    if not abs(raw) < 1e16:
        return None
    at_ns = round(raw * 1000) * 10**6 if abs(raw) < 1e11 else round(raw) * 10**6
    return at_ns if EARLIEST_NS <= at_ns < LATEST_NS else None


def _source(marked: re.Match[str]) -> Source:
    words = dict(word.split("=", 1) for word in marked[2].split())
    text = marked[1]
    try:
        return Source(_nanoseconds(float(text)), words.get("job"), words.get("instance"))
    except ValueError:
        pass
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        return Source(None, words.get("job"), words.get("instance"))
    at = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    return Source(_nanoseconds(at.timestamp() * 1000), words.get("job"), words.get("instance"))


def _named_instant(name: str) -> int | None:
    found = _IN_NAME.search(name)
    if not found:
        return None
    if found["epoch"]:
        return _nanoseconds(float(found["epoch"]))
    digits = re.sub(r"[^0-9]", "", found["date"] + found["time"])
    try:
        at = dt.datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
    return _nanoseconds(at.timestamp() * 1000)
