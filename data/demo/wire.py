"""OTLP protobuf by hand: spans as bytes, built from pieces that repeat.

Building message objects costs about 40 µs a span; a demo of 300,000 spans must be written in seconds. The field
numbers are those of opentelemetry-proto 1.x (trace.proto, common.proto, resource.proto); the tests
parse the bytes with the official classes. Key and value pieces are remembered, because few distinct ones occur.
"""

from __future__ import annotations

import struct
from functools import lru_cache

Attribute = str | int | float | bool | tuple[str, ...]

_SPAN = struct.Struct("<2s16s2s8s2s8scQcQ")
_ROOT = struct.Struct("<2s16s2s8scQcQ")


def varint(number: int) -> bytes:
    """Base-128 varint of a non-negative number."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


_LENGTHS = tuple(varint(length) for length in range(16_384))


def field(tag: bytes, payload: bytes) -> bytes:
    """A length-delimited field; `tag` is the encoded key."""
    length = len(payload)
    return tag + (_LENGTHS[length] if length < 16_384 else varint(length)) + payload


def any_value(value: Attribute) -> bytes:
    """AnyValue of a Python value; bool before int, because a bool is one."""
    if isinstance(value, bool):
        return b"\x10" + varint(value)
    if isinstance(value, str):
        return field(b"\x0a", value.encode())
    if isinstance(value, int):
        return b"\x18" + varint(value)
    if isinstance(value, float):
        return b"\x21" + struct.pack("<d", value)
    items = b"".join(field(b"\x0a", any_value(item)) for item in value)
    return field(b"\x2a", items)


def key_value(tag: bytes, key: str, value: Attribute) -> bytes:
    """A KeyValue in the repeated field `tag` of its holder."""
    return field(tag, field(b"\x0a", key.encode()) + field(b"\x12", any_value(value)))


def attribute(key: str, value: Attribute) -> bytes:
    """A span attribute."""
    return key_value(b"\x4a", key, value)


count = lru_cache(maxsize=200_000)(attribute)
"""attribute() that remembers: for token counts and other small sets of values."""


def attributes(pairs: dict[str, Attribute]) -> bytes:
    """Several span attributes."""
    return b"".join(attribute(key, value) for key, value in pairs.items())


UNSET = b"\x7a\x00"
OK = b"\x7a\x02\x18\x01"
FLAGS_LOCAL = b"\x85\x01\x00\x01\x00\x00"
"""flags 256: the parent is known to be of this process, as the Python SDK writes it."""


def error(message: str = "") -> bytes:
    """Span status ERROR with a message."""
    return field(b"\x7a", (field(b"\x12", message.encode()) if message else b"") + b"\x18\x02")


def kind_and_name(name: str, kind: int) -> bytes:
    """Name, kind (1 internal, 2 server, 3 client) and the flags every span of these SDKs carries."""
    return field(b"\x2a", name.encode()) + b"\x30" + bytes((kind,)) + FLAGS_LOCAL


def exception_event(at_ns: int, kind: str, message: str) -> bytes:
    """A span event `exception`, without a stack trace."""
    pairs = key_value(b"\x1a", "exception.type", kind) + key_value(b"\x1a", "exception.message", message)
    return field(b"\x5a", b"\x09" + struct.pack("<Q", at_ns) + field(b"\x12", b"exception") + pairs)


def span(trace_id: bytes, span_id: bytes, parent_id: bytes, start_ns: int, end_ns: int, body: bytes) -> bytes:
    """A Span in ScopeSpans.spans; an empty parent_id makes a root. `body` holds name, kind, attributes, status."""
    if parent_id:
        head = _SPAN.pack(
            b"\x0a\x10",
            trace_id,
            b"\x12\x08",
            span_id,
            b"\x22\x08",
            parent_id,
            b"\x39",
            start_ns,
            b"\x41",
            end_ns,
        )
    else:
        head = _ROOT.pack(b"\x0a\x10", trace_id, b"\x12\x08", span_id, b"\x39", start_ns, b"\x41", end_ns)
    return field(b"\x12", head + body)


def scope_group(name: str, version: str, schema_url: str, items: list[bytes]) -> bytes:
    """ScopeSpans in ResourceSpans."""
    scope = field(b"\x0a", name.encode()) + (field(b"\x12", version.encode()) if version else b"")
    end = field(b"\x1a", schema_url.encode()) if schema_url else b""
    return field(b"\x12", field(b"\x0a", scope) + b"".join(items) + end)


def resource_group(pairs: dict[str, str], groups: list[bytes]) -> bytes:
    """ResourceSpans in ExportTraceServiceRequest."""
    resource = b"".join(key_value(b"\x0a", key, value) for key, value in pairs.items())
    return field(b"\x0a", field(b"\x0a", resource) + b"".join(groups))
