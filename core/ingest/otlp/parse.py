"""Bytes of an OTLP request to a parsed JSON document or protobuf message.

One bad text must not cost the batch it came in, because a sender drops what is answered 400. JavaScript cuts long
attributes in the middle of an emoji and sends half of it, Python writes a bare NaN, and collectors pass on bytes that
are no UTF-8: such a body is read a second time, leniently, with U+FFFD where the text was broken.
"""

from __future__ import annotations

import json
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError

from core.ingest.row_texts import with_whole_texts

DEEPEST_MESSAGE = 100
"""Messages inside messages; protobuf's own limit."""


class BadRequest(ValueError):
    """The body cannot be decoded at all; a sender must not send it again unchanged (HTTP 400)."""


def is_json(content_type: str) -> bool:
    """Whether a Content-Type says JSON; everything else is read as protobuf."""
    return content_type.partition(";")[0].strip().lower().endswith("json")


def parsed_json(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; raises BadRequest saying where it breaks."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        parsed = _lenient_json(body, error)
    if not isinstance(parsed, dict):
        raise BadRequest(f"The body is a JSON {type(parsed).__name__}, expected an OTLP request object.")
    return parsed


def _lenient_json(body: bytes, strict: ValueError) -> Any:
    """JSON with bare NaN, control characters or broken texts; raises BadRequest with the strict reader's reason."""
    try:
        return with_whole_texts(json.loads(body.decode("utf-8", "replace"), strict=False))
    except (ValueError, RecursionError):
        raise BadRequest(f"The body is not JSON: {strict}.") from strict


def parsed_protobuf(request: Any, body: bytes) -> Any:
    """Fill a protobuf request message; raises BadRequest when the bytes are not one."""
    try:
        request.ParseFromString(body)
    except DecodeError as error:
        try:
            request.ParseFromString(with_whole_strings(body, request.DESCRIPTOR))
        except (DecodeError, ValueError, IndexError):
            name = type(request).__name__
            raise BadRequest(f"The body is not a protobuf {name}: {error}.") from error
    return request


def with_whole_strings(body: bytes, kind: Descriptor, depth: int = 0) -> bytes:
    """The message with U+FFFD in every text that is not UTF-8; raises ValueError or IndexError when it is none."""
    if depth > DEEPEST_MESSAGE:
        raise ValueError("messages are nested too deeply")
    fields = kind.fields_by_number
    mended, at = bytearray(), 0
    while at < len(body):
        tag, behind = varint(body, at)
        end = _end(body, tag & 7, behind)
        field = fields.get(tag >> 3)
        if tag & 7 == 2 and field is not None and field.type in _TEXTUAL:
            _, start = varint(body, behind)
            piece = body[start:end]
            if field.type == FieldDescriptor.TYPE_STRING:
                piece = piece.decode("utf-8", "replace").encode()
            else:
                piece = with_whole_strings(piece, field.message_type, depth + 1)
            mended += body[at:behind] + varint_bytes(len(piece)) + piece
        else:
            mended += body[at:end]
        at = end
    return bytes(mended)


_TEXTUAL = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE)


def _end(body: bytes, wire_type: int, at: int) -> int:
    """Where the field's value ends; raises ValueError past the end of the body and for groups, which OTLP has none of."""
    if wire_type == 0:
        end = varint(body, at)[1]
    elif wire_type == 2:
        size, start = varint(body, at)
        end = start + size
    elif wire_type in (1, 5):
        end = at + (8 if wire_type == 1 else 4)
    else:
        raise ValueError(f"wire type {wire_type} is not used")
    if end > len(body):
        raise ValueError("a field is cut short")
    return end


def varint(body: bytes, at: int) -> tuple[int, int]:
    """A protobuf varint and the offset behind it; raises IndexError at the end of the bytes."""
    number, shift = 0, 0
    while True:
        byte = body[at]
        number |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80 or shift > 63:
            return number, at
        shift += 7


def varint_bytes(number: int) -> bytes:
    """A number from zero up as a protobuf varint."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
