"""How many spans, records or points a body holds, read by hand: what the decoder's own count is held to.

Shares no code with core/ingest: the wire format is walked field by field, JSON is read by the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.hostile.wire import number_at

KINDS = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")
KIND_FIELDS = (5, 7, 9, 10, 11)
"""Numbers of a metric's kinds in the protobuf: one of them, the last one written."""
ITEMS = {"traces": "spans", "logs": "logRecords", "metrics": "metrics"}


def rows_of(body: bytes, media_type: str, signal: str) -> int:
    """Rows of a body that was taken. A metric of no known kind is one row."""
    if media_type == "application/json":
        return _in_json(json.loads(body.decode("utf-8", "replace"), strict=False), signal)
    items = (item for holder in _inner(body, 1) for scope in _inner(holder, 2) for item in _inner(scope, 2))
    return sum(_points(item) if signal == "metrics" else 1 for item in items)


def _in_json(request: dict[str, Any], signal: str) -> int:
    rows = 0
    for holder in (
        request.get(f"resource{signal.removesuffix('s').capitalize()}s".replace("Trace", "Span")) or ()
    ):
        for scope in holder.get(f"scope{'Spans' if signal == 'traces' else signal.capitalize()}") or ():
            items = scope.get(ITEMS[signal]) or ()
            rows += sum(map(_points_in_json, items)) if signal == "metrics" else len(items)
    return rows


def _points_in_json(metric: Any) -> int:
    if not isinstance(metric, dict):
        return 1
    series = [metric[kind] for kind in KINDS if metric.get(kind) is not None]
    if not series or not all(isinstance(one, dict) for one in series):
        return 1
    points = [one.get("dataPoints") or [] for one in series]
    return sum(map(len, points)) if all(isinstance(some, list) for some in points) else 1


def _points(metric: bytes) -> int:
    kind, points = 0, 0
    for number, inside in _fields(metric):
        if number in KIND_FIELDS and inside is not None:
            points = points if number == kind else 0
            kind = number
            points += sum(1 for _ in _inner(inside, 1))
    return points if kind else 1


def _inner(message: bytes, wanted: int) -> Iterator[bytes]:
    for number, inside in _fields(message):
        if number == wanted and inside is not None:
            yield inside


def _fields(message: bytes) -> Iterator[tuple[int, bytes | None]]:
    """Number of each field, and its bytes where it is length-delimited."""
    at = 0
    while at < len(message):
        tag, at = number_at(message, at)
        size, inside = 0, None
        if tag & 7 == 0:
            _, at = number_at(message, at)
        elif tag & 7 == 2:
            size, at = number_at(message, at)
            inside = message[at : at + size]
        elif tag & 7 in (3, 4):  # the marks of a group; what is between them is walked like any field
            size = 0
        else:
            size = {1: 8, 5: 4}[tag & 7]
        yield tag >> 3, inside
        at += size
