"""OTLP in files: the collector's file exporter (one JSON request a line), one JSON document, one protobuf body.

Lines are grouped into chunks of fixed size, so that a file of any length streams and the same file gives the
same chunks: a chunk is one batch, known again by the sha256 of its bytes. A line that cannot be read is put
in quarantine with its number; the others are kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import polars as pl

from core.ingest import quarantine
from core.ingest.options import ReadOptions
from core.ingest.otlp.parse import BadRequest, parsed_json, varint
from core.ingest.otlp.requests import SIGNALS, Signal, decode
from core.ingest.otlp.wire import WireGroup
from core.ledger.batch import Batch, Quarantined, Repaired

CHUNK_LINES = 500
CHUNK_BYTES = 8 * 1024 * 1024
"""A chunk ends with the line that reaches either; changing them makes known files new again."""

LONGEST_LINE = 128 * 1024 * 1024

_JSON_KEY = re.compile(rb'"resource(Spans|Logs|Metrics)"\s*:')
_BOM = b"\xef\xbb\xbf"


def _field(head: bytes, at: int, end: int, wanted: int) -> tuple[int, int] | None:
    """Start and end of the first length-delimited field of that number in a message; other fields are skipped."""
    while at < min(end, len(head)):
        tag, at = varint(head, at)
        if tag & 7 == 2:
            size, at = varint(head, at)
            if tag >> 3 == wanted:
                return at, at + size
            at += size
        elif tag & 7 in (1, 5):
            at += 8 if tag & 7 == 1 else 4
        elif tag & 7 == 0:
            _, at = varint(head, at)
        else:
            return None
    return None


def signal_of_protobuf(head: bytes) -> str | None:
    """Name of the signal of a protobuf body, None when it is none.

    The three requests have the same outer shape (resources > scopes > items), so the first item decides: a
    span starts with a 16-byte trace id and an 8-byte span id, a metric with a printable name, a log record
    with its time, or (new-style events have none) its severity, body or attributes.
    """
    if head[:1] != b"\n":
        return None
    try:
        outer = _field(head, 0, len(head), 1)
        scope = _field(head, *outer, 2) if outer else None
        item = _field(head, *scope, 2) if scope else None
        if item is None:
            return None
        first = head[item[0]]
        if first in (0x09, 0x10, 0x1A, 0x2A, 0x32, 0x59):
            return "otlp_logs"
        name = _field(head, *item, 1)
        if first != 0x0A or name is None:
            return None
        if name[1] - name[0] == 16 and head[name[1]] == 0x12 and head[name[1] + 1] == 8:
            return "otlp_traces"
        return "otlp_metrics" if head[slice(*name)].decode().isprintable() else None
    except (IndexError, UnicodeDecodeError):
        return None


def detector(signal: Signal) -> Callable[[bytes, str], bool]:
    """`detect` of a signal: its key is the first resource key in JSON, or its shape is the protobuf's."""

    def detect(head: bytes, name: str) -> bool:
        if head.removeprefix(_BOM).lstrip()[:1] == b"{":
            key = _JSON_KEY.search(head)
            return key is not None and f"resource{key.group(1).decode()}" == signal.json_key
        return signal_of_protobuf(head) == signal.name

    return detect


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """Batches of an OTLP file of any signal; raises BadRequest when it is one body and that is broken."""
    first = stream.readline(LONGEST_LINE)
    text = first.removeprefix(_BOM).strip()
    if text[:1] != b"{":
        yield _one_body(first + stream.read(), source, options)
    elif b'"resource' not in text:
        # a document written over several lines starts with a lone bracket
        yield _one_body(first.removeprefix(_BOM) + stream.read(), source, options)
    else:
        yield from _chunks(first, stream, source, options)


def _one_body(body: bytes, source: str, options: ReadOptions) -> Batch:
    if body.lstrip()[:1] == b"{" and signal_of_protobuf(body) is None:
        return _batch([(1, body)], body, source, options, whole=True)
    name = signal_of_protobuf(body)
    for signal in SIGNALS:
        if signal.name == name:
            return decode(signal, body, "application/x-protobuf", options, source, None)
    raise BadRequest("The body is neither OTLP/JSON nor an OTLP protobuf request.")


def _chunks(first: bytes, stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    lines: list[tuple[int, bytes]] = []
    raw: list[bytes] = []
    size, number, line = 0, 1, first
    while line:
        raw.append(line)
        size += len(line)
        text = line.removeprefix(_BOM).strip()
        if text:
            lines.append((number, text))
        if len(raw) >= CHUNK_LINES or size >= CHUNK_BYTES:
            yield _batch(lines, b"".join(raw), source, options)
            lines, raw, size = [], [], 0
        number += 1
        line = stream.readline(LONGEST_LINE)
    if lines:
        yield _batch(lines, b"".join(raw), source, options)


def _batch(
    lines: list[tuple[int, bytes]], raw: bytes, source: str, options: ReadOptions, *, whole: bool = False
) -> Batch:
    """Lines as one batch; a line may be of any signal. `whole`: a document whose defect is the file's own."""
    bodies: dict[str, list[tuple[int | None, list[WireGroup]]]] = {}
    refused: list[Quarantined] = []
    for number, line in lines:
        try:
            for name, groups in _groups(parsed_json(line)):
                bodies.setdefault(name, []).append((None if whole else number, groups))
        except BadRequest as error:
            if whole:
                raise
            shown = line.decode("utf-8", "replace") if options.capture_content else f"({len(line):,} bytes)"
            refused.append(quarantine.refused(number, None, f"Line {number}: {error}", shown))
    frames: dict[str, list[pl.DataFrame]] = {}
    rows_read, repaired = len(refused), list[Repaired]()
    for signal in SIGNALS:
        if signal.name in bodies:
            decoded = signal.rows(bodies[signal.name], options)
            rows_read += decoded.rows_read
            refused += decoded.quarantined
            repaired += decoded.repaired
            for table, rows in decoded.frames.items():
                frames.setdefault(table, []).append(rows)
    return Batch(
        source=source,
        format=next(iter(bodies), "otlp_traces"),
        sha256=hashlib.sha256(raw).hexdigest(),
        rows_read=rows_read,
        frames={table: pl.concat(parts) for table, parts in frames.items()},
        quarantined=refused,
        repaired=repaired,
        demo=options.demo,
    )


def _groups(request: dict[str, Any]) -> list[tuple[str, list[WireGroup]]]:
    """Groups of a request by signal, complete before any is used: a line is read as a whole or not at all."""
    found = [(signal.name, list(signal.of_json(request))) for signal in SIGNALS if signal.json_key in request]
    if not found:
        raise BadRequest("no resourceSpans, resourceLogs or resourceMetrics in it; is it an OTLP request?")
    return found
