"""Protobuf trace requests, where an attribute that many spans repeat is parsed once.

A message inside a message is written as bytes behind their length. Read by a description of the request in which a
span's attributes are bytes, they come out unparsed, and equal bytes are equal attributes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from core.ingest.otlp.parse import parsed_protobuf, varint_bytes
from core.ingest.otlp.wire import WireGroup, WireSpan, proto_attributes, proto_groups, proto_span, proto_value

FEWEST_BYTES = 20_000
"""Of a request, about 15 spans: what repeats in a smaller one does not pay for looking it up."""

LONGEST_SHARED = 200
"""Bytes of an attribute that is remembered: longer ones are prompts and answers, and no two are the same."""
MOST_SHARED = 20_000
"""Attributes that are remembered at once: a request can hold millions that are all different."""

SHALLOW = 150
"""Bytes beside its text up to which an attribute cannot be nested too deeply: a hundred messages take two bytes each."""


def _request_of_bytes() -> Any:
    """The class ExportTraceServiceRequest with the attributes of its spans as bytes."""
    pool = DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2, trace_service_pb2):
        file = FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
        for field in (field for kind in file.message_type if kind.name == "Span" for field in kind.field):
            if field.name == "attributes":
                field.type = FieldDescriptorProto.TYPE_BYTES
                field.ClearField("type_name")
        pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName(ExportTraceServiceRequest.DESCRIPTOR.full_name))


_RequestOfBytes = _request_of_bytes()


class _Known(dict[bytes, tuple[str, Any]]):
    """Key and value of the attributes of one request by their bytes; raises DecodeError for bytes that are none."""

    def __missing__(self, raw: bytes) -> tuple[str, Any]:
        pair = KeyValue.FromString(raw)
        held = pair.value
        text = held.string_value
        value = text or proto_value(held)
        # Letters take a byte or more: they are counted first, which costs nothing.
        if len(raw) - len(text) > SHALLOW and len(raw) - len(text.encode()) > SHALLOW:
            _refuse_too_deep(raw)
        # A key that is one text in all spans is looked up by its identity; else its letters are compared each time.
        found = sys.intern(pair.key), value
        if len(raw) <= LONGEST_SHARED:
            if len(self) >= MOST_SHARED:
                self.clear()  # rather than learn nothing more: what repeats comes again soon
            self[raw] = found
        return found


def _refuse_too_deep(raw: bytes) -> None:
    """Raise DecodeError where the whole request would: the messages around an attribute count against its depth."""
    for tag in (b"\x4a", b"\x12", b"\x12", b"\x0a"):  # of Span, ScopeSpans, ResourceSpans and the request
        raw = tag + varint_bytes(len(raw)) + raw
    ExportTraceServiceRequest.FromString(raw)


def spans_of_protobuf(body: bytes) -> Iterator[WireGroup]:
    """Spans of a protobuf trace request, by resource and scope; raises BadRequest."""
    if len(body) < FEWEST_BYTES:
        return spans_one_by_one(body)
    known = _Known()

    def read(span: Any) -> WireSpan:
        return proto_span(span, dict(map(known.__getitem__, span.attributes[:])))

    try:
        request = _RequestOfBytes.FromString(body)
        return iter(list(proto_groups(request.resource_spans, "scope_spans", "spans", read)))
    except DecodeError:
        return spans_one_by_one(body)


def spans_one_by_one(body: bytes) -> Iterator[WireGroup]:
    """The same with every attribute parsed as it stands, and broken texts mended; raises BadRequest."""
    request = parsed_protobuf(ExportTraceServiceRequest(), body)
    return proto_groups(
        request.resource_spans,
        "scope_spans",
        "spans",
        lambda span: proto_span(span, proto_attributes(span.attributes)),
    )
