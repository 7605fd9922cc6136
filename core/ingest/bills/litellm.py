"""LiteLLM's spend log: rows of LiteLLM_SpendLogs (JSON or CSV) and StandardLoggingPayload callbacks.

One row is one logical call; retries inside it show at most as attempted_retries. It is the gateway's own
estimate and no invoice, so `spend` is the line's effective_cost and billed_cost stays empty. prompt_tokens
includes cache reads and writes. Measured in LiteLLM 1.106: request_id is the provider's response id for OpenAI,
but an invented chatcmpl-<uuid> for Anthropic; failures have spend 0 and their call id for a request id;
session_id is the application's, not a trace id, unless it is 32 hex. Times are UTC strings in SpendLogs and
epoch seconds in payloads. Messages and responses are not kept.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, BinaryIO

from core.ingest import row_texts, values
from core.ingest.bills import cost_lines
from core.ingest.bills.cost_lines import CostLine
from core.ingest.cells import BILLED_NS, BILLED_YEARS, Unreadable, amount, instant_ns, present, unix_ns, whole
from core.ingest.options import ReadOptions
from core.ingest.quarantine import refused, repeated
from core.ingest.row_texts import NotARow, json_text, json_value, storable
from core.ledger.batch import Batch, Quarantined

NAME = "litellm"
_CONTENT = (
    "messages",
    "response",
    "proxy_server_request",
    "error_str",
    "error_information",
    "model_parameters",
)
_UUID_ID = re.compile(r"chatcmpl-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_OPENAI_DIALECT = frozenset({"openai", "azure.ai.openai", "azure.ai.inference", "text-completion-openai"})
"""Providers whose response ids LiteLLM passes on as they are."""


def detect(head: bytes, name: str) -> bool:
    """JSON, JSON lines or CSV whose first row has the keys of a spend log row or of a logging payload."""
    if b'"resourceSpans"' in head:
        return False
    if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"[", b"{"):
        payload = b'"litellm_call_id"' in head and b'"call_type"' in head
        return payload or all(key in head for key in (b'"request_id"', b'"call_type"', b'"spend"'))
    columns = head.split(b"\n", 1)[0].decode("utf-8-sig", "replace").lower().replace('"', "").split(",")
    return {"request_id", "call_type", "spend"} <= {column.strip() for column in columns}


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the whole file; a row is a line of token type mixed with one request."""
    content = stream.read()
    yield of_rows(_rows(content), source, hashlib.sha256(content).hexdigest(), options)


def of_rows(
    rows: Iterable[dict[str, Any] | NotARow], source: str, sha256: str, options: ReadOptions
) -> Batch:
    """The batch of spend log rows, from a file or from LiteLLM's database."""
    quarantined: list[Quarantined] = []
    lines: dict[str, CostLine] = {}
    numbers: dict[str, int] = {}
    rows_read = 0
    for rows_read, row in enumerate(rows, 1):
        if isinstance(row, NotARow):
            quarantined.append(refused(rows_read, None, row.reason, ""))
            continue
        try:
            line = _line(row)
        except Unreadable as unreadable:
            shown = json.dumps({k: v for k, v in row.items() if k not in _CONTENT}, default=str)
            quarantined.append(refused(rows_read, unreadable.field, unreadable.reason, shown))
            continue
        if line.line_key in lines:
            quarantined.append(repeated(numbers[line.line_key], rows_read))
        lines[line.line_key], numbers[line.line_key] = line, rows_read
    frames = {"cost_lines": cost_lines.frame(list(lines.values()))}
    return Batch(source, NAME, sha256, rows_read, frames, quarantined, demo=options.demo)


def _rows(content: bytes) -> Iterator[dict[str, Any] | NotARow]:
    """Rows as dictionaries, out of the page that holds them under `data` where there is one."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield NotARow(f"The file is not UTF-8: {error}; export it again.")
        return
    for page in row_texts.rows(text, Decimal):
        held = None if isinstance(page, NotARow) else page.get("data")
        for row in held if isinstance(held, list) else [page]:
            is_row = isinstance(row, dict | NotARow)
            yield row if is_row else NotARow(f"The row is {type(row).__name__} and not an object.")


def _line(row: dict[str, Any]) -> CostLine:
    """One logical call; raises Unreadable naming the field."""
    fields = {name.lower(): value for name, value in row.items() if isinstance(name, str)}
    request_id = present(fields.get("request_id") or fields.get("id"))
    metadata = _object(fields.get("metadata"))
    call_id = present(fields.get("litellm_call_id") or metadata.get("litellm_call_id"))
    if request_id is None and call_id is None:
        raise Unreadable("request_id", "", "a row needs request_id or litellm_call_id.")
    start, end = _times(fields)
    spend_field = "spend" if "spend" in fields else "response_cost"
    provider = values.provider(present(fields.get("custom_llm_provider")))
    session = present(fields.get("session_id")) or present(fields.get("trace_id"))
    return CostLine(
        line_key=cost_lines.key(NAME, call_id, request_id),
        source_format=NAME,
        measure="cost",
        charge_period_start_ns=start,
        charge_period_end_ns=end,
        charge_category="Usage",
        provider_name=provider,
        billing_account_id=present(fields.get("organization_id") or metadata.get("user_api_key_org_id")),
        sub_account_id=present(fields.get("team_id") or metadata.get("user_api_key_team_id")),
        api_key_id=present(
            fields.get("api_key") or metadata.get("user_api_key_hash") or metadata.get("user_api_key")
        ),
        charge_description=present(fields.get("call_type")),
        model=_model(fields, metadata),
        token_type="mixed",
        tokens=whole(fields.get("total_tokens"), "total_tokens") if _was_counted(fields, metadata) else None,
        requests=1,
        effective_cost=amount(fields.get(spend_field), spend_field),
        billing_currency="USD",
        service_tier=_tier(fields, metadata),
        response_id=_response_id(request_id, call_id, provider),
        gateway_call_id=call_id,
        trace_id=session if session and _TRACE_ID.fullmatch(session) else None,
        attempted_retries=_retries(fields, metadata),
        status=present(fields.get("status")) or present(metadata.get("status")) or "success",
        tags=json_text(storable(_tags(fields, metadata, session))),
    )


def _parsed(value: Any) -> Any:
    """A JSON column, which exports hold as text and callbacks as a structure; text that is no JSON stays text."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        return json_value(value, Decimal)
    except (json.JSONDecodeError, RecursionError):
        return value


def _object(value: Any) -> dict[str, Any]:
    parsed = _parsed(value)
    return parsed if isinstance(parsed, dict) else {}


def _was_counted(fields: dict[str, Any], metadata: dict[str, Any]) -> bool:
    """A failed call is logged with 0 tokens, which means nobody counted."""
    return bool(_usage(fields, metadata)) or present(fields.get("total_tokens")) not in (None, "0")


def _times(fields: dict[str, Any]) -> tuple[int, int]:
    start, end = _time(fields, "startTime"), _time(fields, "endTime")
    for name, at_ns in (("startTime", start), ("endTime", end)):
        if at_ns not in BILLED_NS:
            raise Unreadable(name, fields[name.lower()], BILLED_YEARS)
    if end < start:
        raise Unreadable("endTime", fields["endtime"], f"it is before startTime {fields['starttime']!r}.")
    return start, end


def _time(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name.lower())
    if isinstance(value, Decimal | int):
        return unix_ns(value, name)
    at_ns = instant_ns(value, name)
    if at_ns is None:
        raise Unreadable(name, value, "a row needs both times.")
    return at_ns


def _model(fields: dict[str, Any], metadata: dict[str, Any]) -> str | None:
    """The model that answered, as its dated snapshot where the price map's name tells it."""
    model = present(_object(fields.get("response")).get("model")) or present(fields.get("model"))
    price_map = _object(fields.get("model_map_information")) or _object(metadata.get("model_map_information"))
    priced = present(price_map.get("model_map_key"))
    return priced if model and priced and priced.startswith(model) else model


def _response_id(request_id: str | None, call_id: str | None, provider: str | None) -> str | None:
    """The provider's id, or None where LiteLLM made the id up: joining on it would find nothing, or nonsense."""
    if request_id is None or request_id == call_id:
        return None
    made_up = provider not in _OPENAI_DIALECT and _UUID_ID.fullmatch(request_id)
    return None if made_up else request_id


def _retries(fields: dict[str, Any], metadata: dict[str, Any]) -> int | None:
    """None = the row does not say, which is not zero."""
    headers = _object(_object(fields.get("hidden_params")).get("additional_headers"))
    for value in (
        fields.get("attempted_retries"),
        metadata.get("attempted_retries"),
        headers.get("x-litellm-attempted-retries"),
    ):
        if present(value) is not None:
            return whole(value, "attempted_retries")
    return None


def _usage(fields: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    return _object(metadata.get("usage_object")) or _object(_object(fields.get("response")).get("usage"))


def _tier(fields: dict[str, Any], metadata: dict[str, Any]) -> str | None:
    response = _object(fields.get("response"))
    return present(response.get("service_tier")) or present(_usage(fields, metadata).get("service_tier"))


def _tags(fields: dict[str, Any], metadata: dict[str, Any], session: str | None) -> dict[str, Any]:
    """Token counts by kind (None = not reported), request tags and session."""
    usage = _usage(fields, metadata)
    into, out = _object(usage.get("prompt_tokens_details")), _object(usage.get("completion_tokens_details"))
    counted = _was_counted(fields, metadata)
    kept = {
        "input_tokens": whole(fields.get("prompt_tokens"), "prompt_tokens") if counted else None,
        "output_tokens": whole(fields.get("completion_tokens"), "completion_tokens") if counted else None,
        "cache_read_tokens": _first(usage.get("cache_read_input_tokens"), into.get("cached_tokens")),
        "cache_write_tokens": _first(
            usage.get("cache_creation_input_tokens"), into.get("cache_write_tokens")
        ),
        "reasoning_tokens": _first(out.get("reasoning_tokens")),
        "web_search_requests": _first(_object(usage.get("server_tool_use")).get("web_search_requests")),
        "request_tags": _parsed(fields.get("request_tags")) or None,
        "session_id": session,
        "error_code": present(_object(fields.get("error_information")).get("error_code")),
        "error_class": present(_object(fields.get("error_information")).get("error_class")),
    }
    return {name: value for name, value in kept.items() if value is not None}


def _first(*counts: Any) -> int | None:
    return next((read for count in counts if (read := values.count(count)) is not None), None)
