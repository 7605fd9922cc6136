"""The cells of one span's row: those its attributes gave, and those it takes several signs to tell.

Role, operation, dialect, error class and region are worked out here, of tool, agent and workflow names what a dialect
hides in the span's name.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from core.ingest.errors import class_of_text, error_class_of
from core.ingest.otlp.fates import COLUMNS, SLOTS
from core.ingest.otlp.hosts import region_of_host
from core.ingest.otlp.roles import (
    Role,
    Signs,
    dialect_of_scope,
    dialect_of_signs,
    mcp_method_of_name,
    role_of,
)
from core.ingest.otlp.wire import WireGroup, WireSpan
from core.ingest.privacy import kept_attributes

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES = ("UNSET", "OK", "ERROR")

STORED = tuple(name for name in COLUMNS if not name.startswith("_"))
"""Columns of conventions.TABLE that are stored, in its order."""

HEAD = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "name",
    "kind",
    "scope_name",
    "scope_version",
    "dialect",
    "service_name",
    "service_version",
    "service_instance_id",
    "deployment_environment_name",
    "cloud_region",
    "host_id",
    "started_at_ns",
    "ended_at_ns",
    "status_code",
    "status_message_class",
    "error_class",
    "span_role",
)
"""Columns in front of the mapped ones."""

_STORED_WIDTH = len(STORED)
_OPERATION = SLOTS["gen_ai_operation_name"]
_PROVIDER = SLOTS["gen_ai_provider_name"]
_REQUEST_MODEL = SLOTS["gen_ai_request_model"]
_RESPONSE_MODEL = SLOTS["gen_ai_response_model"]
_RESPONSE_ID = SLOTS["gen_ai_response_id"]
_STREAM = SLOTS["gen_ai_request_stream"]
_FIRST_CHUNK = SLOTS["gen_ai_response_time_to_first_chunk_ns"]
_AGENT = SLOTS["gen_ai_agent_name"]
_WORKFLOW = SLOTS["gen_ai_workflow_name"]
_TOOL = SLOTS["gen_ai_tool_name"]
_SERVER = SLOTS["server_address"]
_METHOD = SLOTS["http_request_method"]
_STATUS = SLOTS["http_response_status_code"]
_RESEND = SLOTS["http_request_resend_count"]
_MCP = SLOTS["mcp_method_name"]
_ERROR = SLOTS["error_type"]
_REGION = SLOTS["_cloud_region"]
_OPENINFERENCE = SLOTS["_openinference_kind"]
_TRACELOOP = SLOTS["_traceloop_kind"]
_ENTITY = SLOTS["_entity_name"]
_REQUEST_TYPE = SLOTS["_request_type"]
_AI = SLOTS["_ai_operation"]
_LANGFUSE = SLOTS["_langfuse_type"]
_FIRST_AT = SLOTS["_first_chunk_at_ns"]

_FIRST_CHUNK_EVENTS = ("gen_ai.content.completion.chunk", "First Token Stream Event", "ai.stream.firstChunk")
_RESOURCE_COLUMNS = (
    ("service.name",),
    ("service.version",),
    ("service.instance.id",),
    ("deployment.environment.name", "deployment.environment"),
    ("cloud.region",),
    ("host.id", "host.ip", "host.name"),
)
_RESOURCE_KEYS = frozenset(key for keys in _RESOURCE_COLUMNS for key in keys)


class Source(NamedTuple):
    """What a resource and a scope say about all their spans, worked out once."""

    service: tuple[str | None, ...]
    region: str | None
    host: str | None
    scope_name: str | None
    scope_version: str | None
    dialect: str | None
    extra: dict[str, Any] | None


def _text(value: Any) -> str:
    """A resource attribute as text; host.ip is a list."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def source_of(group: WireGroup, capture: bool) -> Source:
    """The source of a group; other resource and scope attributes become one ready-made JSON fragment.

    telemetry.sdk.* is left out: it is the same on every span and read by no one.
    """
    found = [
        next((_text(group.resource[key]) for key in keys if group.resource.get(key) is not None), None)
        for keys in _RESOURCE_COLUMNS
    ]
    rest = {
        key: value
        for key, value in kept_attributes(group.resource, capture).items()
        if key not in _RESOURCE_KEYS and not key.startswith("telemetry.")
    }
    extra: dict[str, Any] = {}
    option = orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS
    if rest:
        extra["resource"] = orjson.Fragment(orjson.dumps(rest, option=option))
    scope = kept_attributes(group.scope, capture)
    if scope:
        extra["scope"] = orjson.Fragment(orjson.dumps(scope, option=option))
    return Source(
        tuple(found[:4]),
        found[4],
        found[5],
        group.scope_name or None,
        group.scope_version or None,
        dialect_of_scope(group.scope_name),
        extra or None,
    )


def span_cells(span: WireSpan, cells: list[Any], source: Source, capture: bool) -> tuple[Any, ...]:
    """Cells of HEAD followed by those of STORED. `cells` is changed in place."""
    kind = KINDS[span.kind]
    signs = _signs(span, cells, kind, source)
    dialect = source.dialect or dialect_of_signs(signs)
    role = role_of(signs, dialect)
    cells[_OPERATION] = role.operation
    cells[_MCP] = signs.mcp_method
    _name_things(span, cells, role)
    if role.role == "inference":
        _mend_inference(span, cells, dialect)
    message_class, error_class = _error(span, cells, role.role, kind)
    status = span.status_code
    return (
        span.trace_id,
        span.span_id,
        span.parent_span_id or None,
        span.name,
        kind,
        source.scope_name,
        source.scope_version,
        dialect,
        *source.service,
        source.region or cells[_REGION] or region_of_host(cells[_SERVER]),
        source.host,
        span.started_at_ns,
        span.ended_at_ns,
        STATUSES[status] if 0 <= status <= 2 else "UNSET",
        message_class,
        error_class,
        role.role,
        *cells[:_STORED_WIDTH],
    )


def _signs(span: WireSpan, cells: list[Any], kind: str, source: Source) -> Signs:
    mcp_method = cells[_MCP]
    if mcp_method is None and (source.dialect == "mcp" or span.name.endswith(".mcp")):
        mcp_method = mcp_method_of_name(span.name)
    return Signs(
        span.name,
        kind,
        cells[_OPERATION],
        cells[_OPENINFERENCE],
        cells[_TRACELOOP],
        cells[_AI],
        cells[_LANGFUSE],
        cells[_REQUEST_TYPE],
        mcp_method,
        cells[_TOOL],
        cells[_REQUEST_MODEL] or cells[_RESPONSE_MODEL],
        cells[_METHOD] is not None,
        "gen_ai.aggregated_usage.input_tokens" in span.attributes,
    )


def _name_things(span: WireSpan, cells: list[Any], role: Role) -> None:
    """Tool, agent and workflow names that a dialect keeps in the span's name or in traceloop.entity.name."""
    if role.role == "tool" and cells[_TOOL] is None:
        name = span.name.removeprefix("MCP send ")
        for start in ("tools/call ", "execute_tool ", "running tool: "):
            name = name.removeprefix(start)
        cells[_TOOL] = cells[_ENTITY] or name.removesuffix(".tool") or None
    elif role.role == "agent" and cells[_AGENT] is None:
        cells[_AGENT] = cells[_ENTITY] or span.name.removeprefix("invoke_agent ") or None
    elif role.role == "workflow" and cells[_WORKFLOW] is None:
        cells[_WORKFLOW] = cells[_ENTITY] or span.name.removeprefix("invoke_workflow ") or None


def _mend_inference(span: WireSpan, cells: list[Any], dialect: str) -> None:
    """Facts a dialect leaves to be understood.

    Anthropic's SDK omits resend_count when it is 0. OpenInference's llm.model_name is the request's model
    until an answer replaces it, so without an answer it is no response model. Streams report their first
    chunk as an event or as an instant, both read from the span's own clock.
    """
    if dialect == "anthropic_native" and cells[_RESEND] is None:
        cells[_RESEND] = 0
    if dialect == "openinference" and span.status_code == 2 and cells[_RESPONSE_ID] is None:
        cells[_REQUEST_MODEL] = cells[_REQUEST_MODEL] or cells[_RESPONSE_MODEL]
        cells[_RESPONSE_MODEL] = None
    if cells[_STREAM] is None and cells[_AI] is not None:
        cells[_STREAM] = cells[_AI].endswith("Stream")
    if cells[_FIRST_CHUNK] is None:
        at_ns = cells[_FIRST_AT]
        if at_ns is None and span.events:
            at_ns = next((event.at_ns for event in span.events if event.name in _FIRST_CHUNK_EVENTS), None)
        if at_ns is not None and span.started_at_ns <= at_ns <= span.ended_at_ns:
            cells[_FIRST_CHUNK] = at_ns - span.started_at_ns


def _error(span: WireSpan, cells: list[Any], role: str, kind: str) -> tuple[str | None, str | None]:
    """Class read from the message, and class of the error; both None for a span that reports none.

    A 4xx or 5xx is an error of a client's call only: for a server span 404 is an answer. OpenInference puts
    the stack trace into the message, where any word may stand in a line of code: it is cut off.
    """
    http_status = cells[_STATUS]
    reported = cells[_ERROR]
    message = span.status_message
    if span.events:
        for event in span.events:
            if event.name == "exception":
                if cells[_ERROR] is None:
                    cells[_ERROR] = str(event.attributes.get("exception.type") or "") or None
                message = f"{message}\n{event.attributes.get('exception.message') or ''}"
                break
    failed_http = kind == "client" and http_status is not None and http_status >= 400
    if span.status_code != 2 and reported is None and not failed_http:
        return None, None
    if cells[_ERROR] is None and ":" in span.status_message[:80]:
        word = span.status_message.partition(":")[0]
        cells[_ERROR] = word if word.isidentifier() else None
    message = message.partition("Traceback (most recent")[0].strip()
    by_text = class_of_text(message)
    return by_text, error_class_of(cells[_ERROR], http_status, by_text, role)
