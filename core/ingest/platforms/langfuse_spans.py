"""Langfuse observations as spans and its scores as outcomes, by the same map as its OTLP attributes.

Langfuse's newer SDKs are OpenTelemetry: traceId and observation id are the trace's and span's own, so an export beside
live OTLP tells of the same spans and nothing counts twice. Older ids are UUIDs or words; they become ids of the right
length by SHA-256 and stay as attributes. Texts of prompts and answers are content: dropped unless kept on purpose.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import orjson

from core.ingest.cells import Unreadable, instant_ns, present
from core.ingest.otlp.logs import EVALUATION, WireRecord
from core.ingest.otlp.wire import Attributes, WireGroup, WireSpan
from core.ingest.outcomes import sounds_human
from core.ingest.platforms import langfuse_usage
from core.ingest.row_texts import json_text, storable

SCOPE = "langfuse-sdk"
MODEL_CALLS = frozenset({"GENERATION", "EMBEDDING"})
"""Types on which Langfuse tracks usage and cost (its documentation, Token and Cost Tracking)."""

_HEX = re.compile(r"[0-9a-f]+")
_ERROR = 2
_CLIENT, _INTERNAL = 3, 1
_SOURCES = {"annotation": "human", "eval": "model"}
_COPIED = {
    "model": "langfuse.observation.model.name",
    "providedmodelname": "langfuse.observation.model.name",
    "usagedetails": "langfuse.observation.usage_details",
    "costdetails": "langfuse.observation.cost_details",
    "modelparameters": "langfuse.observation.model.parameters",
    "completionstarttime": "langfuse.observation.completion_start_time",
    "level": "langfuse.observation.level",
    "promptname": "langfuse.observation.prompt.name",
    "promptversion": "langfuse.observation.prompt.version",
    "input": "langfuse.observation.input",
    "output": "langfuse.observation.output",
    "statusmessage": "langfuse.observation.status_message",
    "sessionid": "langfuse.session.id",
    "userid": "langfuse.user.id",
    "tracename": "langfuse.trace.name",
    "version": "langfuse.version",
    "release": "langfuse.release",
}
"""Field in lower case without underscores -> attribute of Langfuse's own OTLP dialect."""


def hex_id(text: str, digits: int) -> str:
    """The id where it is one, else one made of it.

    >>> hex_id("858BFAE005A281BE2A05AA6C0D3117CC", 32), hex_id("not-hex", 16)
    ('858bfae005a281be2a05aa6c0d3117cc', '95340811d2f3ab05')
    """
    lowered = text.lower()
    if len(lowered) == digits and _HEX.fullmatch(lowered) and lowered.strip("0"):
        return lowered
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def group(spans: list[tuple[Attributes, WireSpan]]) -> list[WireGroup]:
    """Spans by their resource, for the ordinary reading of OTLP."""
    groups: dict[str, WireGroup] = {}
    for resource, span in spans:
        groups.setdefault(json_text(resource), WireGroup(resource, SCOPE, "", {}, [])).items.append(span)
    return list(groups.values())


def wire_span(
    fields: Mapping[str, Any], kind: str, start_ns: int, end_ns: int
) -> tuple[Attributes, WireSpan]:
    """(resource, span) of an observation with lower-case field names; ids and times are checked by the caller."""
    metadata = langfuse_usage.mapping(dict(fields), "metadata")
    attributes: Attributes = storable(langfuse_usage.mapping(metadata, "attributes"))
    for field, name in _COPIED.items():
        value = fields.get(field)
        if present(value) is not None:
            attributes[name] = value if isinstance(value, str) else _plain_json(value)
    attributes["langfuse.observation.type"] = kind.lower()
    trace, own = str(fields["traceid"]), str(fields["id"])
    parent = present(fields.get("parentobservationid"))
    if hex_id(trace, 32) != trace.lower():
        attributes["langfuse.trace.id"] = trace
    if hex_id(own, 16) != own.lower():
        attributes["langfuse.observation.id"] = own
    failed = str(fields.get("level") or "").upper() == "ERROR"
    span = WireSpan(
        hex_id(trace, 32), hex_id(own, 16), hex_id(parent, 16) if parent else "",
        present(fields.get("name")) or kind.lower(), _CLIENT if kind in MODEL_CALLS else _INTERNAL,
        start_ns, end_ns, attributes, _ERROR if failed else 0, str(fields.get("statusmessage") or ""), [],
    )  # fmt: skip
    return _resource(fields, metadata), span


def _plain_json(value: Any) -> str:
    """JSON whose amounts are numbers again: they were read exactly, as decimals."""
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=float).decode()
    except (orjson.JSONEncodeError, TypeError):
        return json_text(value)


def _resource(fields: Mapping[str, Any], metadata: dict[str, Any]) -> Attributes:
    resource: Attributes = storable(langfuse_usage.mapping(metadata, "resourceAttributes"))
    environment = present(fields.get("environment"))
    if environment:
        resource.setdefault("deployment.environment.name", environment)
    return resource


def is_score(fields: Mapping[str, Any]) -> bool:
    """Whether a row is a score: it has a data type and a name, and no start."""
    return "datatype" in fields and "name" in fields and "starttime" not in fields


def wire_score(fields: Mapping[str, Any]) -> WireRecord:
    """A score as the log record of an evaluation; raises Unreadable naming the field."""
    at_ns = instant_ns(fields.get("timestamp") or fields.get("createdat"), "timestamp")
    name, trace = present(fields.get("name")), present(fields.get("traceid"))
    session = present(fields.get("sessionid"))
    if at_ns is None or name is None:
        raise Unreadable(
            "timestamp" if at_ns is None else "name", None, "every score has it; export it again."
        )
    if trace is None and session is None:
        raise Unreadable(
            "traceId", None, "a score belongs to a trace or a session; scores of dataset runs are left out."
        )
    observation = present(fields.get("observationid"))
    value, label = fields.get("value"), present(fields.get("stringvalue"))
    if str(fields.get("datatype")).upper() == "CATEGORICAL":
        value, label = None, label or present(value)
    attributes: Attributes = {
        "gen_ai.evaluation.name": name,
        "gen_ai.evaluation.score.value": _number(value),
        "gen_ai.evaluation.score.label": label,
        "evaluation.source": _source(fields, name),
        "session.id": session,
        "user.id": present(fields.get("authoruserid")),
        "langfuse.score.id": present(fields.get("id")),
    }
    kept = {key: given for key, given in attributes.items() if given is not None}
    trace_id, span_id = hex_id(trace, 32) if trace else "", hex_id(observation, 16) if observation else ""
    return WireRecord(EVALUATION, at_ns, trace_id, span_id, 0, None, kept)


def _source(fields: Mapping[str, Any], name: str) -> str:
    """Who judged: an annotator is a person, an evaluator a model; over the API the name tells, as for OTLP."""
    said = str(fields.get("source") or "").lower()
    return _SOURCES.get(said) or ("human" if sounds_human(name) else "model" if said == "" else "code")


def _number(value: Any) -> float | None:
    text = present(value)
    if text is None:
        return None
    if text.lower() in ("true", "false"):
        return float(text.lower() == "true")
    try:
        return float(text)
    except ValueError:
        raise Unreadable("value", value, "write a number; a word belongs to a categorical score.") from None
