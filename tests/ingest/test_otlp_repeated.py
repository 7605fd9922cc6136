"""Attributes that many spans repeat are parsed once, and say what they say when each is parsed alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from core.ingest.otlp import repeated
from core.ingest.otlp.parse import BadRequest, varint_bytes
from core.ingest.otlp.repeated import LONGEST_SHARED, spans_of_protobuf, spans_one_by_one
from core.ingest.otlp.wire import WireGroup
from tests.ingest.otlp_requests import as_protobuf, fixtures, request, span

KEYS = st.sampled_from(("gen_ai.request.model", "app.a", "", "é"))
VALUES = st.recursive(
    st.text(max_size=3)
    | st.just("x" * (LONGEST_SHARED + 1))
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=5,
)


@pytest.fixture(autouse=True, scope="module")
def small_requests_too() -> Iterator[None]:
    """Requests of any size are read the way large ones are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeated, "FEWEST_BYTES", 0)
        yield


def read(reader: Any, body: bytes) -> list[WireGroup] | str:
    """The groups, or the reason of a refusal."""
    try:
        return list(reader(body))
    except BadRequest as error:
        return str(error)


def field(number: int, content: bytes) -> bytes:
    """A protobuf field that holds bytes."""
    return bytes([number << 3 | 2]) + varint_bytes(len(content)) + content


def with_attributes(*attributes: bytes) -> bytes:
    """A request of one span whose attributes are these bytes."""
    sound = ExportTraceServiceRequest.FromString(as_protobuf(request(span())))
    of_span = sound.resource_spans[0].scope_spans[0].spans[0].SerializeToString()
    return field(1, field(2, field(2, of_span + b"".join(field(9, raw) for raw in attributes))))


@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=4), min_size=1, max_size=4))
def test_spans_are_the_same_when_repeated_attributes_are_parsed_once(said: Sequence[dict[str, Any]]) -> None:
    body = as_protobuf(request(*(span(values) for values in (*said, *said))))
    assert read(spans_of_protobuf, body) == read(spans_one_by_one, body)


def test_captured_requests_are_the_same() -> None:
    bodies = [path.read_bytes() for path in sorted(fixtures().glob("*/raw/*traces.pb"))]
    assert len(bodies) > 20
    for body in bodies:
        assert read(spans_of_protobuf, body) == read(spans_one_by_one, body)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        field(1, b"no value"),
        field(2, field(1, b"no key")),
        field(1, b"two values") + field(2, field(1, b"x")) + field(2, field(1, b"y")),
        field(1, b"no utf-8") + field(2, field(1, b"\xff")),
        field(1, b"cut") + b"\x12\x09\x0a",
        field(1, b"of a later version") + field(2, field(15, b"?")) + field(14, b"?"),
    ],
)
def test_odd_bytes_are_the_same(raw: bytes) -> None:
    for body in (with_attributes(raw), with_attributes(raw, field(1, b"neighbour"), raw)):
        assert read(spans_of_protobuf, body) == read(spans_one_by_one, body)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeated, "MOST_SHARED", 3)
    body = as_protobuf(request(*(span({"app.a": at, "app.b": "same"}) for at in range(9))))
    assert read(spans_of_protobuf, body) == read(spans_one_by_one, body)


@pytest.mark.parametrize("behind", [b"", field(2, field(1, b"the text that replaces it"))])
def test_a_value_is_refused_at_the_same_depth(behind: bytes) -> None:
    value, refused = field(1, b"x"), []
    for _ in range(60):
        value = field(5, field(1, value))
        body = with_attributes(field(1, b"deep") + field(2, value) + behind)
        found = read(spans_of_protobuf, body)
        assert found == read(spans_one_by_one, body)
        refused.append(isinstance(found, str))
    assert refused == sorted(refused)
    assert {True, False} == set(refused)


@pytest.mark.parametrize("levels", [90, 94, 95, 96, 97, 100])
def test_groups_of_no_known_field_count_as_messages(levels: int) -> None:
    body = with_attributes(field(1, b"k") + field(2, field(1, b"x")) + b"\x7b" * levels + b"\x7c" * levels)
    assert read(spans_of_protobuf, body) == read(spans_one_by_one, body)
