"""OTLP log records: evaluation results become outcomes, everything else an event of its span.

New-style events carry no time of their own, only the observer's; old-style events (openai-v2 2.1b0) carry
their name as an attribute. Bodies are content and kept only when asked for, but for the finish reason and the
index of a choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson
import polars as pl
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from core.ingest import outcomes, quarantine
from core.ingest.frames import day_of, frame
from core.ingest.options import ReadOptions
from core.ingest.otlp.frames import EVENT_SCHEMA
from core.ingest.otlp.parse import parsed_protobuf
from core.ingest.otlp.repair import EARLIEST_NS, LATEST_NS
from core.ingest.otlp.wire import (
    Attributes,
    Malformed,
    WireGroup,
    integer,
    json_attributes,
    json_groups,
    json_value,
    proto_attributes,
    proto_groups,
    proto_value,
)
from core.ingest.privacy import kept_attributes
from core.ingest.values import hash16, text
from core.ledger.batch import Quarantined

EVALUATION = "gen_ai.evaluation.result"
_KEPT_OF_BODY = ("index", "finish_reason")
_DUMP = orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS


class WireRecord(NamedTuple):
    """One log record: ids in hex, '' without a span; at_ns is the event's time, else the observer's."""

    name: str
    at_ns: int
    trace_id: str
    span_id: str
    severity: int
    body: Any
    attributes: Attributes


class LogRows(NamedTuple):
    """What has been read so far; `read` holds one number, in a list to stay mutable."""

    outcomes: list[tuple[Any, ...]]
    events: list[tuple[Any, ...]]
    quarantined: list[Quarantined]
    read: list[int]


def no_log_rows() -> LogRows:
    """Empty rows to add groups to."""
    return LogRows([], [], [], [0])


def _proto_record(record: Any) -> WireRecord:
    return WireRecord(
        record.event_name,
        record.time_unix_nano or record.observed_time_unix_nano,
        record.trace_id.hex(),
        record.span_id.hex(),
        record.severity_number,
        proto_value(record.body),
        proto_attributes(record.attributes),
    )


def _json_record(record: Any) -> WireRecord:
    return WireRecord(
        str(record.get("eventName") or ""),
        integer(record.get("timeUnixNano")) or integer(record.get("observedTimeUnixNano")),
        str(record.get("traceId") or "").lower(),
        str(record.get("spanId") or "").lower(),
        integer(record.get("severityNumber")),
        json_value(record.get("body")),
        json_attributes(record.get("attributes")),
    )


def logs_of_json(request: dict[str, Any]) -> Iterator[WireGroup]:
    """Records of an OTLP/JSON log request, by resource and scope; raises BadRequest."""
    return json_groups(request, "Logs", "logRecords", _json_record)


def logs_of_protobuf(body: bytes) -> Iterator[WireGroup]:
    """Records of a protobuf log request, by resource and scope; raises BadRequest."""
    request = parsed_protobuf(ExportLogsServiceRequest(), body)
    return proto_groups(request.resource_logs, "scope_logs", "log_records", _proto_record)


def add_logs(
    found: LogRows, groups: Iterable[WireGroup], options: ReadOptions, line: int | None = None
) -> None:
    """Add every record of the groups; `line` is a line of a file, without it the record's ordinal counts."""
    capture = options.capture_content
    for group in groups:
        for record in group.items:
            found.read[0] += 1
            row_number = found.read[0] if line is None else line
            if isinstance(record, Malformed):
                found.quarantined.append(
                    quarantine.refused(row_number, record.field, record.reason, record.shown(capture))
                )
                continue
            refused = _refusal(record)
            if refused is not None:
                kept = kept_attributes(record.attributes, capture)
                row_text = orjson.dumps(kept, option=_DUMP).decode()
                found.quarantined.append(quarantine.refused(row_number, refused[0], refused[1], row_text))
                continue
            name = record.name or str(record.attributes.get("event.name") or "")
            if name == EVALUATION:
                found.outcomes.append(_outcome(record, group.scope_name, capture))
            else:
                found.events.append(_event(record, name or "log", capture))


def _refusal(record: WireRecord) -> tuple[str, str] | None:
    if not EARLIEST_NS <= record.at_ns < LATEST_NS:
        what = "missing" if record.at_ns == 0 else f"{record.at_ns}, outside 1990 to 2100"
        return "at_ns", f"timeUnixNano and observedTimeUnixNano: {what}; send UTC nanoseconds since 1970."
    for field, one, digits in (("trace_id", record.trace_id, 32), ("span_id", record.span_id, 16)):
        if one and (len(one) != digits or one.strip("0123456789abcdef")):
            return (
                field,
                f"{field} {one[:40]!r} is not {digits} hex digits; leave it out or fix the exporter.",
            )
    return None


def _event(record: WireRecord, name: str, capture: bool) -> tuple[Any, ...]:
    """A row of span_events; a record without a span has empty ids, so that it is counted and can be found."""
    attributes = kept_attributes(record.attributes, capture)
    attributes.pop("event.name", None)
    if record.severity:
        attributes["severity_number"] = record.severity
    if capture and record.body is not None:
        attributes["body"] = record.body
    elif isinstance(record.body, dict):
        attributes.update({key: record.body[key] for key in _KEPT_OF_BODY if key in record.body})
    extra = orjson.dumps(attributes, option=_DUMP).decode() if attributes else None
    return (record.trace_id, record.span_id, name, record.at_ns, extra)


def _outcome(record: WireRecord, scope_name: str, capture: bool) -> tuple[Any, ...]:
    attributes = dict(record.attributes)
    name = text(attributes.pop("gen_ai.evaluation.name", None)) or "evaluation"
    score = attributes.pop("gen_ai.evaluation.score.value", None)
    number = isinstance(score, int | float) and not isinstance(score, bool) and score == score
    label = text(attributes.pop("gen_ai.evaluation.score.label", None))
    response_id = text(attributes.pop("gen_ai.response.id", None))
    conversation = text(attributes.pop("gen_ai.conversation.id", attributes.pop("session.id", None)))
    actor = hash16(attributes.pop("enduser.id", attributes.pop("user.id", None)))
    error_type = text(attributes.pop("error.type", None))
    source = _source_of(name, scope_name, attributes)
    target = outcomes.target_of(response_id, record.trace_id, record.span_id, conversation)
    attributes.pop("event.name", None)
    rest = kept_attributes(attributes, capture)
    return (
        outcomes.outcome_key(target, name, source, actor),
        record.at_ns,
        record.trace_id or None,
        record.span_id or None,
        response_id,
        conversation,
        name,
        float(score) if number else None,
        label,
        source,
        actor,
        error_type,
        orjson.dumps(rest, option=_DUMP).decode() if rest else None,
    )


def _source_of(name: str, scope_name: str, attributes: Attributes) -> str:
    """human, code or model: as an attribute says, else by words in the names; an evaluator is a model's."""
    said = str(
        attributes.get("gen_ai.evaluation.source") or attributes.get("evaluation.source") or ""
    ).lower()
    if said in outcomes.SOURCES:
        return said
    return "human" if outcomes.sounds_human(f"{name} {scope_name}") else "model"


def log_frames(found: LogRows) -> dict[str, pl.DataFrame]:
    """Frames of outcomes and span_events; a table without rows is left out."""
    frames = {}
    if found.outcomes:
        frames["outcomes"] = outcomes.frame(found.outcomes)
    if found.events:
        frames["span_events"] = frame(found.events, EVENT_SCHEMA).with_columns(day_of("at_ns"))
    return frames
