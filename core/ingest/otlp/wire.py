"""OTLP bodies, protobuf or JSON, into one span shape.

JSON is mapped by hand: google.protobuf.json_format is 14 times slower and silently base64-decodes hex ids.
Source: opentelemetry-proto 1.x, OTLP specification (JSON: hex ids, integers as text or numbers, unknown
fields ignored).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from core.ingest.otlp.parse import BadRequest
from core.ingest.quarantine import ROW_TEXT
from core.ingest.row_texts import json_text

Attributes = dict[str, Any]
DEEPEST = 40
"""Levels of nesting in an attribute; protobuf's own limit of 100 messages allows hardly more."""
MISSHAPEN = (TypeError, ValueError, KeyError, AttributeError, OverflowError)


class WireEvent(NamedTuple):
    """One event of a span: time in UTC ns."""

    name: str
    at_ns: int
    attributes: Attributes


class WireSpan(NamedTuple):
    """One span as received: ids in hex, times in UTC ns, kind and status as OTLP enum numbers."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: int
    started_at_ns: int
    ended_at_ns: int
    attributes: Attributes
    status_code: int
    status_message: str
    events: list[WireEvent]


class Malformed(NamedTuple):
    """A span, record or point that is not shaped like one; `text` is what came."""

    field: str | None
    reason: str
    text: str

    def shown(self, capture_content: bool) -> str:
        """The text for the quarantine; it cannot be searched for content, so without consent only its size."""
        if capture_content:
            return self.text[:ROW_TEXT]
        return f"({len(self.text):,} characters, not kept: they may hold content)"


class WireGroup(NamedTuple):
    """Items of one resource and one scope: spans here, log records and metrics in their own modules."""

    resource: Attributes
    scope_name: str
    scope_version: str
    scope: Attributes
    items: list[Any]


Numbered = Iterable[tuple[int | None, Iterable[WireGroup]]]
"""Groups of request bodies, each with its line in a file; None for a request that is not a line."""


def proto_value(value: Any) -> Any:
    """A protobuf AnyValue as a Python value; bytes become base64 text as in JSON.

    Texts and numbers are most values: one that is not empty needs no question which kind it is.
    """
    if plain := value.string_value or value.int_value or value.double_value:
        return plain
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "int_value":
        return value.int_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "double_value":
        return value.double_value
    if kind == "array_value":
        return [proto_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: proto_value(item.value) for item in value.kvlist_value.values}
    return base64.b64encode(value.bytes_value).decode() if kind == "bytes_value" else None


def proto_attributes(pairs: Any) -> Attributes:
    """A repeated KeyValue as a dict; a repeated key keeps its last value."""
    return {pair.key: proto_value(pair.value) for pair in pairs}


def integer(value: Any) -> int:
    """An integer sent as a number or as text (JavaScript and Python differ); 0 when absent.

    Raises ValueError for anything else, and beyond 64 bits, where no exporter's integer can be.
    """
    if type(value) is int:
        number = value
    elif value is None or value == "":
        return 0
    elif isinstance(value, bool) or not isinstance(value, str | float):
        raise ValueError(f"{value!r} is not an integer")
    else:
        number = int(value)
    if not -(2**63) <= number < 2**64:
        raise ValueError(f"{str(value)[:40]!r} does not fit 64 bits")
    return number


def json_value(value: Any, depth: int = 0) -> Any:
    """A JSON AnyValue as a Python value; an empty or unknown one is None."""
    if not isinstance(value, dict):
        return None
    if depth > DEEPEST:
        raise ValueError(f"a value is nested deeper than {DEEPEST} levels")
    for kind, item in value.items():
        if kind == "stringValue":
            return item if isinstance(item, str) else str(item)
        if kind == "intValue":
            return integer(item)
        if kind == "boolValue":
            return bool(item)
        if kind == "doubleValue":
            return float(item)
        if kind == "arrayValue":
            return [json_value(element, depth + 1) for element in item.get("values") or ()]
        if kind == "kvlistValue":
            return json_attributes(item.get("values"), depth + 1)
        if kind == "bytesValue":
            return item if isinstance(item, str) else None
    return None


def json_attributes(pairs: Any, depth: int = 0) -> Attributes:
    """A JSON list of {key, value} as a dict; raises when it has another shape."""
    found: Attributes = {}
    for pair in pairs or ():
        key = pair["key"]
        if type(key) is not str:
            raise TypeError(f"{key!r} is not a key")
        found[key] = json_value(pair.get("value"), depth)
    return found


LINKS = "trueup.link_count"
"""Kept beside a span's attributes: a span with links was caused by more than its parent, and may outlive it."""


def proto_span(span: Any, attributes: Attributes) -> WireSpan:
    """A protobuf span whose attributes have been read."""
    status = span.status
    if span.links:
        attributes[LINKS] = len(span.links)
    return WireSpan(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        span.kind,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        attributes,
        status.code,
        status.message,
        [WireEvent(e.name, e.time_unix_nano, proto_attributes(e.attributes)) for e in span.events],
    )


def _json_span(span: Any) -> WireSpan:
    status = span.get("status") or {}
    attributes = json_attributes(span.get("attributes"))
    if span.get("links"):
        attributes[LINKS] = len(span["links"])
    return WireSpan(
        str(span.get("traceId") or ""),
        str(span.get("spanId") or ""),
        str(span.get("parentSpanId") or ""),
        str(span.get("name") or ""),
        integer(span.get("kind")),
        integer(span.get("startTimeUnixNano")),
        integer(span.get("endTimeUnixNano")),
        attributes,
        integer(status.get("code")),
        str(status.get("message") or ""),
        [
            WireEvent(
                str(e.get("name") or ""), integer(e.get("timeUnixNano")), json_attributes(e.get("attributes"))
            )
            for e in span.get("events") or ()
        ],
    )


def json_item(read: Callable[[Any], Any], item: Any, what: str) -> Any:
    """One item by its reader, or Malformed when it has the wrong shape: its neighbours are unharmed.

    The reason names the field and never its value, which may be content.
    """
    try:
        return read(item)
    except MISSHAPEN as error:
        field = _misshapen_field(read, item)
        where = f"{what}'s {field}" if field else what
        reason = f"The {where} has the wrong shape ({type(error).__name__}); send it as OTLP/JSON has it."
        return Malformed(field, reason, json_text(item))


def _misshapen_field(read: Callable[[Any], Any], item: Any) -> str | None:
    """The field that cannot be read even alone; None when the item is no object or no field is to blame alone."""
    for field, value in item.items() if isinstance(item, dict) else ():
        try:
            read({field: value})
        except MISSHAPEN:
            return str(field)[:80]
    return None


def _objects(holder: Any, name: str) -> list[Any]:
    """The list of objects under a name; raises BadRequest when it is something else."""
    items = holder.get(name) if isinstance(holder, dict) else None
    if items is None:
        items = []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BadRequest(f"{name} is not a list of objects.")
    return items


def json_groups(request: dict[str, Any], signal: str, items: str, read: Any) -> Iterator[WireGroup]:
    """Groups of one signal ('Spans', 'Logs', 'Metrics') of an OTLP/JSON request."""
    for holder in _objects(request, f"resource{signal}"):
        resource = _attributes(holder.get("resource"))
        for part in _objects(holder, f"scope{signal}"):
            scope = part.get("scope") if isinstance(part.get("scope"), dict) else {}
            found = part.get(items) or []
            if not isinstance(found, list):
                raise BadRequest(f"{items} is not a list.")
            yield WireGroup(
                resource,
                str(scope.get("name") or ""),
                str(scope.get("version") or ""),
                _attributes(scope),
                [json_item(read, item, items.removesuffix("s")) for item in found],
            )


def _attributes(holder: Any) -> Attributes:
    """Attributes of a resource or a scope; raises BadRequest, since every item under it would be misfiled."""
    try:
        return json_attributes(holder.get("attributes")) if isinstance(holder, dict) else {}
    except MISSHAPEN as error:
        raise BadRequest(
            f"A resource or scope has malformed attributes ({type(error).__name__}); send a list of key and value."
        ) from error


def proto_groups(holders: Any, parts: str, items: str, read: Any) -> Iterator[WireGroup]:
    """Groups of one signal of a protobuf request."""
    for holder in holders:
        resource = proto_attributes(holder.resource.attributes)
        for part in getattr(holder, parts):
            scope = part.scope
            yield WireGroup(
                resource,
                scope.name,
                scope.version,
                proto_attributes(scope.attributes),
                [read(item) for item in getattr(part, items)],
            )


def spans_of_json(request: dict[str, Any]) -> Iterator[WireGroup]:
    """Spans of an OTLP/JSON trace request, by resource and scope; raises BadRequest."""
    return json_groups(request, "Spans", "spans", _json_span)
