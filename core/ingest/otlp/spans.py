"""Wire spans to rows of `spans`, `span_events` and `streams`, in one pass over each span's attributes.

Speed: decoding is what bounds ingest (GROUND.md section 3.2), so the fate of an attribute key is looked up in
a dict, what a resource and a scope say is worked out once for each, and columns are built as plain lists.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import compress, islice
from typing import Any, NamedTuple

import orjson

from core.ingest import quarantine
from core.ingest.options import ReadOptions
from core.ingest.otlp.fates import SLOTS
from core.ingest.otlp.mapping import Mapped, mapped, mapped_together
from core.ingest.otlp.repair import EARLIEST_NS, LATEST_NS, MOST_EVENTS, is_sound, refusal, repaired
from core.ingest.otlp.scored_spans import response_of
from core.ingest.otlp.span_cells import HEAD, STORED, Source, source_of, span_cells
from core.ingest.otlp.streams import stream_row
from core.ingest.otlp.wire import Malformed, Numbered, WireGroup, WireSpan
from core.ingest.privacy import kept_attributes
from core.ingest.responses import Response
from core.ingest.row_texts import json_text
from core.ledger.batch import Quarantined, Repaired

TOGETHER = 512
"""Spans that are mapped in one go, so that those with the same keys are read together; the usual size of a request."""

MOST_SOURCES = 2_000
"""Resources whose reading is remembered."""

_SCORED = SLOTS["_scored"]
_ROW = (*HEAD, *STORED)
_DUMP = orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS
_sources: dict[bytes, Source] = {}


class SpanRows(NamedTuple):
    """What has been read so far; `read` counts spans with one number each, in a list to stay mutable."""

    rows: list[tuple[Any, ...]]
    events: list[tuple[Any, ...]]
    streams: list[dict[str, Any]]
    responses: list[Response]
    quarantined: list[Quarantined]
    repaired: list[Repaired]
    read: list[int]


def no_rows() -> SpanRows:
    """Empty rows to add groups to."""
    return SpanRows([], [], [], [], [], [], [0])


def add_spans(found: SpanRows, bodies: Numbered, options: ReadOptions) -> None:
    """Add every span of the bodies; the number of a row is its body's line, without one the span's ordinal."""
    capture = options.capture_content
    spans = _sourced(bodies, capture)
    while some := list(islice(spans, TOGETHER)):
        sound = [not isinstance(span, Malformed) and is_sound(span) for span, _, _ in some]
        attributes = [span.attributes for span, _, _ in compress(some, sound)]
        mappings = iter(mapped_together(attributes, capture))
        for (span, source, line), is_plain in zip(some, sound, strict=True):
            found.read[0] += 1
            if is_plain:
                _add_span(found, span, source, capture, next(mappings))
            else:
                _add_doubtful(found, span, source, capture, found.read[0] if line is None else line)


def _sourced(bodies: Numbered, capture: bool) -> Iterator[tuple[Any, Source, int | None]]:
    """Spans with their source and their body's line."""
    for line, groups in bodies:
        for group in groups:
            source = _source(group, capture)
            for span in group.items:
                yield span, source, line


def _source(group: WireGroup, capture: bool) -> Source:
    """source_of, remembered: in files every line repeats its resource."""
    said = (group.resource, group.scope_name, group.scope_version, group.scope, capture)
    key = orjson.dumps(said, option=orjson.OPT_NON_STR_KEYS)
    source = _sources.get(key)
    if source is None:
        source = source_of(group, capture)
        if len(_sources) < MOST_SOURCES:
            _sources[key] = source
    return source


def _add_doubtful(
    found: SpanRows, span: WireSpan | Malformed, source: Source, capture: bool, row_number: int
) -> None:
    """Repair what can be repaired, then store the span or put it in quarantine with its reason."""
    if isinstance(span, Malformed):
        found.quarantined.append(quarantine.refused(row_number, span.field, span.reason, span.shown(capture)))
        return
    full_events = span.events
    span, notes = repaired(span)
    found.repaired.extend(notes)
    refused = refusal(span)
    if refused is not None:
        safe = span._replace(
            attributes=kept_attributes(span.attributes, capture),
            status_message="",
            events=[],
        )
        text = json_text(safe._asdict())
        found.quarantined.append(quarantine.refused(row_number, refused[0], refused[1], text))
        return
    span = span._replace(events=full_events)
    _add_span(found, span, source, capture, mapped(span.attributes, capture))


def _add_span(found: SpanRows, span: WireSpan, source: Source, capture: bool, mapping: Mapped) -> None:
    cells, rest = mapping
    row = span_cells(span, cells, source, capture)
    if source.extra is not None:
        rest.update(source.extra)
    attributes = orjson.dumps(rest, option=_DUMP) if rest else None
    digest = hashlib.sha256(orjson.dumps(row, default=str))
    if attributes is not None:
        digest.update(attributes)
    if span.events:
        events = event_rows(span, capture)
        digest.update(repr(events).encode())
        found.events.extend(events)
    stream = stream_row(span, row)
    if stream is not None:
        found.streams.append(stream)
    if capture or cells[_SCORED]:
        response = response_of(span, dict(zip(_ROW, row, strict=True)), capture, bool(cells[_SCORED]))
        if response is not None:
            found.responses.append(response)
    text = attributes.decode() if attributes is not None else None
    found.rows.append((*row, digest.hexdigest()[:16], text))


def event_rows(span: WireSpan, capture: bool) -> list[tuple[str, str, str, int, str | None]]:
    """Rows of span_events: at most MOST_EVENTS; an event without a usable time is put at the span's start."""
    rows = []
    for name, at_ns, extra in span.events[:MOST_EVENTS]:
        attributes = kept_attributes(extra, capture)
        text = orjson.dumps(attributes, option=_DUMP).decode() if attributes else None
        usable = at_ns if EARLIEST_NS <= at_ns < LATEST_NS else span.started_at_ns
        rows.append((span.trace_id, span.span_id, name, usable, text))
    return rows
