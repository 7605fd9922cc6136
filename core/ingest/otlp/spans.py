"""Wire spans to rows of `spans`, `span_events` and `streams`, in one pass over each span's attributes.

Speed: decoding is what bounds ingest (GROUND.md section 3.2), so the fate of an attribute key is looked up in
a dict, what a resource and a scope say is worked out once for each, and columns are built as plain lists.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from core.ingest import quarantine
from core.ingest.options import ReadOptions
from core.ingest.otlp.fates import COLUMNS, KEYS, NO_RANK, PRIVATE_READS, SLOTS, Fate, Target, fate_of
from core.ingest.otlp.repair import EARLIEST_NS, LATEST_NS, MOST_EVENTS, is_sound, refusal, repaired
from core.ingest.otlp.scored_spans import response_of
from core.ingest.otlp.span_cells import HEAD, STORED, Source, source_of, span_cells
from core.ingest.otlp.streams import stream_row
from core.ingest.otlp.wire import Attributes, Malformed, WireGroup, WireSpan
from core.ingest.privacy import kept, kept_attributes
from core.ingest.responses import Response
from core.ingest.row_texts import json_text
from core.ingest.values import hash16
from core.ledger.batch import Quarantined, Repaired

MOST_KEYS = 20_000
"""Attribute keys whose fate is remembered; a sender that invents keys must not fill the memory."""

MOST_SOURCES = 2_000
"""Resources whose reading is remembered."""

_ARGUMENTS = SLOTS["arguments_hash"]
_SCORED = SLOTS["_scored"]
_ROW = (*HEAD, *STORED)
_WIDTH = len(COLUMNS)
_UNRANKED = [NO_RANK] * _WIDTH
_DUMP = orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS
_sources: dict[bytes, Source] = {}
_fates: tuple[dict[str, Fate], dict[str, Fate]] = ({}, {})


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


def add_groups(
    found: SpanRows, groups: Iterable[WireGroup], options: ReadOptions, line: int | None = None
) -> None:
    """Add every span of the groups; `line` is the line of a file, without it the span's ordinal counts."""
    capture = options.capture_content
    for group in groups:
        source = _source(group, capture)
        for span in group.items:
            found.read[0] += 1
            row_number = found.read[0] if line is None else line
            if isinstance(span, Malformed):
                found.quarantined.append(
                    quarantine.refused(row_number, span.field, span.reason, span.shown(capture))
                )
            elif is_sound(span):
                _add_span(found, span, source, capture)
            else:
                _add_doubtful(found, span, source, capture, row_number)


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


def _add_doubtful(found: SpanRows, span: WireSpan, source: Source, capture: bool, row_number: int) -> None:
    """Repair what can be repaired, then store the span or put it in quarantine with its reason."""
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
    _add_span(found, span._replace(events=full_events), source, capture)


def _add_span(found: SpanRows, span: WireSpan, source: Source, capture: bool) -> None:
    cells, rest = mapped(span.attributes, capture)
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


def mapped(attributes: Attributes, capture: bool) -> tuple[list[Any], dict[str, Any]]:
    """Values of fates.COLUMNS in order, and the attributes that stay as JSON."""
    fates = _fates[capture]
    cells: list[Any] = [None] * _WIDTH
    ranks = _UNRANKED.copy()
    rest: dict[str, Any] = {}
    apart: dict[str, Any] = {}
    flattened: list[tuple[str, Any]] = []
    for key, value in attributes.items():
        fate = fates.get(key)
        if fate is None:
            fate = _remember(key, fates, capture)
        targets, take_apart, keep, flat = fate
        for slot, rank, read in targets:
            if cells[slot] is None:
                taken = read(value)
                if taken is not None:
                    cells[slot] = taken
                    ranks[slot] = rank
                    continue
            _contend(cells, ranks, (slot, rank, read), key, value, rest)
        if keep:
            rest[key] = kept(value, capture)
        if take_apart is not None:
            apart.update(take_apart(value))
        if flat:
            flattened.append((key, value))
    if apart:
        _add_parts(cells, ranks, apart, rest, capture)
    if flattened and cells[_ARGUMENTS] is None:
        cells[_ARGUMENTS] = hash16(sorted(flattened, key=lambda pair: pair[0]))
    return cells, rest


def _contend(
    cells: list[Any], ranks: list[int], target: Target, key: str, value: Any, rest: dict[str, Any]
) -> None:
    """A value that cannot be read, or a second key for a column: the better rank wins, a contradiction stays."""
    slot, rank, read = target
    taken = read(value)
    held = cells[slot]
    if taken is None:
        if value not in (None, "", [], {}) and read not in PRIVATE_READS:
            rest[key] = value
    elif rank < ranks[slot]:
        if held is not None and held != taken and read not in PRIVATE_READS:
            rest[KEYS[slot][ranks[slot]]] = held
        cells[slot] = taken
        ranks[slot] = rank
    elif held != taken and read not in PRIVATE_READS:
        rest[key] = value


def _add_parts(
    cells: list[Any], ranks: list[int], apart: dict[str, Any], rest: dict[str, Any], capture: bool
) -> None:
    """Fields of embedded JSON: into their columns, or kept under their own name."""
    fates = _fates[capture]
    for key, value in apart.items():
        fate = fates.get(key) or _remember(key, fates, capture)
        for target in fate.targets:
            _contend(cells, ranks, target, key, value, rest)
        if fate.keep:
            rest[key] = kept(value, capture)


def _remember(key: str, fates: dict[str, Fate], capture: bool) -> Fate:
    fate = fate_of(key, capture)
    if len(fates) < MOST_KEYS:
        fates[key] = fate
    return fate
