"""Arize Phoenix's exports: spans by its REST API or as the client's dataframe, and span annotations.

Spans come as pages of /v1/projects/{p}/spans (flat attributes) and /spans/otlpv1 (OTLP attributes), and as what
`client.spans.get_spans_dataframe()` saves to Parquet, JSON or CSV (a column an attribute, deeper ones nested). All are
turned back into the OTLP span they were and read by the ordinary map. What Phoenix does not give back is lost: the
resource (service, region), the instrumentation scope and the span's kind; times are rounded to microseconds.
Annotations name a span without its trace; they become outcomes of that span.
"""

from __future__ import annotations

import ast
import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import orjson

from core.ingest import parquet, quarantine, row_texts
from core.ingest.cells import Unreadable, instant_ns, present
from core.ingest.options import ReadOptions
from core.ingest.otlp.logs import EVALUATION, WireRecord
from core.ingest.otlp.requests import logs, traces
from core.ingest.otlp.wire import MISSHAPEN, Attributes, WireEvent, WireGroup, WireSpan, json_attributes
from core.ingest.row_texts import NotARow, json_text, storable, with_whole_texts
from core.ledger.batch import Batch, Quarantined

NAME = "phoenix"
_CODES = {"OK": 1, "ERROR": 2}
_CLIENT, _INTERNAL = 3, 1
_SOURCES = {"HUMAN": "human", "LLM": "model", "CODE": "code"}
MOST_SIGNS, LONGEST_LITERAL = 200_000, 4_000_000
_SIGNS = ",[{(+-*/<.'\""
"""What parts values in Python's own writing: its parser takes about 500 bytes for each, so that a cell of 1 MB can take 1 GB."""
_SPAN_SIGNS = (b"span_id", b"start_time", b"parent_id")
_OTLP_SIGNS = (b'"trace_id"', b'"start_time_unix_nano"', b'"parent_span_id"')


def detect(head: bytes, name: str) -> bool:
    """Spans or annotations with Phoenix's snake_case names; Parquet that shows them or is named after it."""
    if head.startswith(parquet.MAGIC):
        return b"context.span_id" in head or "phoenix" in name.lower()
    if b"resourceSpans" in head or b"resource_spans" in head:
        return False
    annotation = b"annotator_kind" in head and b"span_id" in head
    return annotation or all(s in head for s in _SPAN_SIGNS) or all(s in head for s in _OTLP_SIGNS)


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the whole file; a row that cannot be read is refused alone."""
    content = stream.read()
    spans: list[WireSpan] = []
    records: list[WireRecord] = []
    quarantined: list[Quarantined] = []
    rows_read = 0
    for rows_read, row in enumerate(_rows(content), 1):
        if isinstance(row, NotARow):
            quarantined.append(quarantine.refused(rows_read, None, row.reason, ""))
            continue
        try:
            if "annotator_kind" in row:
                records.append(_annotation(row))
            else:
                spans.append(_span(row))
        except (Unreadable, *MISSHAPEN) as error:
            unreadable = error if isinstance(error, Unreadable) else _misshapen(error)
            ids = {
                key: row.get(key) for key in ("context", "context.span_id", "span_id", "start_time", "name")
            }
            shown = json_text(ids)
            quarantined.append(quarantine.refused(rows_read, unreadable.field, unreadable.reason, shown))
    told = traces([(None, [WireGroup({}, "", "", {}, list(spans))])], options)
    judged = logs([(None, [WireGroup({}, "", "", {}, list(records))])], options)
    frames = told.frames | judged.frames
    refused = quarantined + told.quarantined + judged.quarantined
    sha256 = hashlib.sha256(content).hexdigest()
    yield Batch(source, NAME, sha256, rows_read, frames, refused, told.repaired, options.demo)


def _misshapen(error: Exception) -> Unreadable:
    return Unreadable(
        "attributes", type(error).__name__, "the row is not shaped like a span; export it again."
    )


def _rows(content: bytes) -> Iterator[dict[str, Any] | NotARow]:
    """Rows as mappings, out of their pages."""
    if content.startswith(parquet.MAGIC):
        yield from parquet.records(content)
        return
    for page in row_texts.rows(content.decode("utf-8-sig", "replace")):
        held = None if isinstance(page, NotARow) else page.get("data")
        for row in held if isinstance(held, list) else [page]:
            fine = isinstance(row, dict | NotARow)
            yield row if fine else NotARow(f"The row is {type(row).__name__} and not an object.")


def _span(row: Mapping[str, Any]) -> WireSpan:
    """One span; raises Unreadable naming the field."""
    context = row.get("context") if isinstance(row.get("context"), Mapping) else {}
    assert isinstance(context, Mapping)
    trace_id = present(row.get("context.trace_id") or context.get("trace_id") or row.get("trace_id"))
    span_id = present(row.get("context.span_id") or context.get("span_id") or row.get("span_id"))
    if trace_id is None or span_id is None:
        field = "trace_id" if trace_id is None else "span_id"
        raise Unreadable(field, None, "a span has context.trace_id and context.span_id; export all columns.")
    attributes = _attributes(row)
    kind = present(row.get("span_kind"))
    if kind and kind not in ("UNKNOWN", "SPAN_KIND_INTERNAL"):
        attributes.setdefault("openinference.span.kind", kind)
    status = row.get("status") if isinstance(row.get("status"), Mapping) else {}
    assert isinstance(status, Mapping)
    code = _CODES.get(str(row.get("status_code") or "").upper(), status.get("code") or 0)
    called = any(key.startswith(("http.", "url.", "server.")) for key in attributes)
    return WireSpan(
        trace_id.lower(), span_id.lower(), (present(row.get("parent_id") or row.get("parent_span_id")) or "").lower(),
        present(row.get("name")) or "span", _CLIENT if called else _INTERNAL, _instant(row, "start_time"),
        _instant(row, "end_time"), attributes, int(code) if str(code).isdigit() else 0,
        str(row.get("status_message") or status.get("message") or ""), _events(row.get("events")),
    )  # fmt: skip


def _instant(row: Mapping[str, Any], field: str) -> int:
    """UTC ns of a text, a time, or a number of ms (pandas) or ns (OTLP)."""
    value = row.get(field, row.get(f"{field}_unix_nano"))
    at_ns = _read_instant(value, field)
    if at_ns is None or not 0 <= at_ns < 2**62:
        raise Unreadable(field, value, "a span has it, between 1970 and 2116; export it again.")
    return at_ns


def _read_instant(value: Any, field: str) -> int | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if value > 10**15 else int(value * 10**6)
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return instant_ns(value.isoformat() if isinstance(value, dt.datetime) else value, field)


def _attributes(row: Mapping[str, Any]) -> Attributes:
    """Flat attributes by their full names, from whichever shape holds them."""
    held = _parsed(row.get("attributes"))
    if isinstance(held, list):
        return json_attributes([_camel(one) for one in held])
    found: Attributes = {}
    if isinstance(held, Mapping):
        _flatten(held, "", found)
    for column, value in row.items():
        if column.startswith("attributes.") and _is_said(value):
            _flatten({column.removeprefix("attributes."): _taken_apart(value)}, "", found)
    return found


def _is_said(value: Any) -> bool:
    if isinstance(value, float) and value != value:
        return False  # pandas writes NaN where a span has no such attribute
    return value is not None and value != ""


def _taken_apart(value: Any) -> Any:
    """A nested cell of a CSV, in Python's own writing; a text of JSON is an attribute's value and stays a text."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return _parsed(value)
    return value


def _parsed(value: Any) -> Any:
    """A nested cell of a CSV is Python's own writing of it, or JSON."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        for read_text in (orjson.loads, _literal):
            try:
                return with_whole_texts(read_text(value))
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                continue
    return value


def _literal(text: str) -> Any:
    """Python's own writing; raises ValueError past MOST_SIGNS, and what Python's parser raises."""
    if len(text) > LONGEST_LITERAL or sum(map(text.count, _SIGNS)) > MOST_SIGNS:
        raise ValueError("too much to be taken apart")
    return ast.literal_eval(text)


def _flatten(held: Mapping[str, Any], prefix: str, found: Attributes) -> None:
    for name, value in held.items():
        if isinstance(value, Mapping) and name.endswith("invocation_parameters"):
            # A text of JSON in OpenInference; the dataframe hands it over taken apart.
            said = {key: inner for key, inner in value.items() if _is_said(inner)}
            found[f"{prefix}{name}"] = json_text(said)
        elif isinstance(value, Mapping):
            _flatten(value, f"{prefix}{name}.", found)
        elif _is_said(value):
            whole = isinstance(value, float) and value.is_integer() and name not in ("temperature", "top_p")
            found[f"{prefix}{name}"] = storable(int(value) if whole else value)


def _camel(attribute: Any) -> Any:
    """protobuf's snake_case, with a null for every kind of value that it is not, as OTLP/JSON writes it."""
    if not isinstance(attribute, Mapping):
        return attribute
    value = attribute.get("value")
    kinds = value.items() if isinstance(value, Mapping) else ()
    said = {_camel_name(kind): inner for kind, inner in kinds if inner is not None}
    return {"key": attribute.get("key"), "value": said}


def _camel_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _events(value: Any) -> list[WireEvent]:
    listed = _parsed(value)
    found = []
    for event in listed if isinstance(listed, list) else []:
        if isinstance(event, Mapping):
            attributes: Attributes = {}
            held = event.get("attributes")
            if isinstance(held, Mapping):
                _flatten(held, "", attributes)
            elif isinstance(held, list):
                attributes = json_attributes([_camel(one) for one in held])
            at = event.get("timestamp", event.get("time_unix_nano"))
            found.append(WireEvent(str(event.get("name") or "event"), _instant({"at": at}, "at"), attributes))
    return found


def _annotation(row: Mapping[str, Any]) -> WireRecord:
    """An annotation as the log record of an evaluation; raises Unreadable naming the field."""
    span_id = present(row.get("span_id") or row.get("context.span_id"))
    name = present(row.get("name") or row.get("annotation_name"))
    for field, value in (("span_id", span_id), ("name", name)):
        if value is None:
            raise Unreadable(field, None, "every annotation has it; export it again.")
    held = _parsed(row.get("result"))
    judged = (
        held
        if isinstance(held, Mapping)
        else {key.removeprefix("result."): value for key, value in row.items()}
    )
    at = "updated_at" if present(row.get("updated_at")) else "created_at"
    score = present(judged.get("score"))
    attributes: Attributes = {
        "gen_ai.evaluation.name": name,
        "gen_ai.evaluation.score.value": None if score is None else float(score),
        "gen_ai.evaluation.score.label": present(judged.get("label")),
        "evaluation.source": _SOURCES.get(str(row.get("annotator_kind")).upper(), "code"),
        "user.id": present(row.get("identifier")) or present(row.get("user_id")),
    }
    kept = {key: value for key, value in attributes.items() if value is not None}
    return WireRecord(EVALUATION, _instant(row, at), "", str(span_id).lower(), 0, None, kept)
