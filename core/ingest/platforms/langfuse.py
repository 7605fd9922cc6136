"""Langfuse's exports: observations become spans and, for model calls, cost lines; scores become outcomes.

One GENERATION or EMBEDDING is one model call. traceId and id are the OpenTelemetry trace and span ids. Its cost
is Langfuse's estimate in USD and no invoice, so it is the line's effective_cost and billed_cost stays empty; it
is costDetails.total or, without one, the sum of the parts, never both. A call without a price stays a cost line
without an amount, so that requests are not counted as a second source. Other observations are steps around the
calls: spans without a line. One of them with a cost of its own would repeat its calls' money: the span is kept and
the money is quarantined. HTTP spans are not in these exports, so how often a call was sent stays unknown.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, BinaryIO, NamedTuple

from core.ingest import values
from core.ingest.bills import cost_lines
from core.ingest.bills.cost_lines import CostLine
from core.ingest.cells import Unreadable, amount, instant_ns, present
from core.ingest.errors import class_of_text
from core.ingest.options import ReadOptions
from core.ingest.otlp.logs import WireRecord
from core.ingest.otlp.requests import logs, traces
from core.ingest.otlp.wire import WireGroup, WireSpan
from core.ingest.platforms import langfuse_rows, langfuse_spans, langfuse_usage
from core.ingest.quarantine import refused, repeated
from core.ingest.row_texts import NotARow, json_text
from core.ledger.batch import Batch, Quarantined, Repaired

NAME = "langfuse"
_SHOWN = frozenset(
    {"id", "traceid", "type", "starttime", "endtime", "model", "providedmodelname", "level"}
    | {"usagedetails", "costdetails", "totalcost"}
)
"""Fields a quarantined row keeps; the others hold what users and models wrote."""

_TYPE = re.compile(
    rb'"type"\s*:\s*"(?:GENERATION|EMBEDDING|SPAN|EVENT|AGENT|TOOL|CHAIN|RETRIEVER|EVALUATOR|GUARDRAIL)"'
)
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "ls_provider")
_RESPONSE_ID = ("gen_ai.response.id", "llm.response.id", "ai.response.id")
_TIER = ("openai.response.service_tier", "gen_ai.openai.response.service_tier")


def detect(head: bytes, name: str) -> bool:
    """Observations or scores, as JSON or CSV; the ids, the start and the type come before the long texts."""
    if b'"resourceSpans"' in head:
        return False
    if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] not in (b"[", b"{"):
        columns = {
            cell.strip()
            for cell in head.split(b"\n", 1)[0].decode("utf-8-sig", "replace").replace('"', "").split(",")
        }
        return {"id", "traceId"} <= columns and bool({"startTime", "dataType"} & columns)
    has_trace = any(key in head for key in (b'"traceId"', b'"trace_id"', b'"sessionId"'))
    has_start = b'"startTime"' in head or b'"start_time"' in head
    is_score = b'"dataType"' in head and b'"timestamp"' in head
    return has_trace and ((has_start and _TYPE.search(head) is not None) or is_score)


class _Read(NamedTuple):
    """What the rows of a file became."""

    lines: dict[str, CostLine]
    numbers: dict[str, int]
    spans: list[tuple[dict[str, Any], WireSpan]]
    scores: list[WireRecord]
    quarantined: list[Quarantined]
    steps: Counter[str]


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the whole file: a span an observation, a cost line a model call, an outcome a score."""
    content = stream.read()
    found = langfuse_rows.rows(content)
    into = _Read({}, {}, [], [], [], Counter())
    for number, row in enumerate(found.rows, 1):
        if not isinstance(row, dict):
            reason = (
                row.reason
                if isinstance(row, NotARow)
                else f"The row is {type(row).__name__} and not an object."
            )
            into.quarantined.append(refused(number, None, reason, ""))
            continue
        fields = {str(name).replace("_", "").lower(): value for name, value in row.items()}
        try:
            _take(fields, number, into)
        except Unreadable as unreadable:
            into.quarantined.append(refused(number, unreadable.field, unreadable.reason, _shown(row)))
    spans = traces([(None, langfuse_spans.group(into.spans))], options)
    scores = logs([(None, [WireGroup({}, langfuse_spans.SCOPE, "", {}, list(into.scores))])], options)
    frames = spans.frames | scores.frames
    if into.lines or not frames:
        frames["cost_lines"] = cost_lines.frame(list(into.lines.values()))
    notes = found.missing + _steps(into.steps) + spans.repaired
    quarantined = into.quarantined + spans.quarantined + scores.quarantined
    sha256 = hashlib.sha256(content).hexdigest()
    yield Batch(source, NAME, sha256, len(found.rows), frames, quarantined, notes, options.demo)


def _take(fields: dict[str, Any], number: int, into: _Read) -> None:
    """One row: its score, or its span and, for a model call, its line; raises Unreadable before any of them."""
    if langfuse_spans.is_score(fields):
        into.scores.append(langfuse_spans.wire_score(fields))
        return
    kind = _identity(fields)[0]
    into.spans.append(langfuse_spans.wire_span(fields, kind, *_times(fields)))
    try:
        line = _line(fields)
    except Unreadable as unreadable:
        if unreadable.field != "costDetails" or kind in langfuse_spans.MODEL_CALLS:
            into.spans.pop()  # the row is refused as a whole; of a step only its money is
        raise
    if line is None:
        into.steps[kind] += 1
        return
    if line.line_key in into.lines:
        into.quarantined.append(repeated(into.numbers[line.line_key], number))
    into.lines[line.line_key], into.numbers[line.line_key] = line, number


def _steps(counts: Counter[str]) -> list[Repaired]:
    return [
        Repaired(
            step,
            "langfuse_not_a_model_call",
            f"{count} of {step}",
            None,
            False,
            f"Observations of type {step} are steps around model calls and cost nothing: no line is made of them.",
        )
        for step, count in sorted(counts.items())
    ]


def _shown(row: dict[str, Any]) -> str:
    kept = {name: value for name, value in row.items() if str(name).replace("_", "").lower() in _SHOWN}
    return json_text(kept)


def _type(fields: dict[str, Any]) -> str:
    return (present(fields.get("type")) or "").upper()


def _line(fields: dict[str, Any]) -> CostLine | None:
    """One model call, or None for a step that costs nothing; raises Unreadable naming the field."""
    kind, trace, observation_id = _identity(fields)
    cost = _cost(fields)
    if kind not in langfuse_spans.MODEL_CALLS:
        _refuse_money_of_a_step(kind, cost)
        return None
    start, end = _times(fields)
    usage = langfuse_usage.read(fields)
    sent = _metadata(fields)
    provider, model = _named(present(fields.get("model")) or present(fields.get("providedmodelname")))
    is_otel = _TRACE_ID.fullmatch(trace) is not None
    return CostLine(
        line_key=cost_lines.key(NAME, trace, observation_id),
        source_format=NAME,
        measure="cost",
        charge_period_start_ns=start,
        charge_period_end_ns=end,
        charge_category="Usage",
        provider_name=values.provider(_first(sent, _PROVIDER)) or provider,
        sub_account_id=present(fields.get("projectid")),
        charge_description=kind.lower(),
        model=model,
        token_type="mixed",
        tokens=usage.tokens,
        requests=1,
        consumed_quantity=usage.quantity,
        consumed_unit=usage.unit,
        effective_cost=cost,
        billing_currency="USD",
        service_tier=values.response_tier(_first(sent, _TIER)),
        response_id=_first(sent, _RESPONSE_ID),
        gateway_call_id=observation_id,
        trace_id=trace if is_otel else None,
        status="failure" if fields.get("level") == "ERROR" else "success",
        tags=json_text(usage.counts | _labels(fields, is_otel)),
    )


def _identity(fields: dict[str, Any]) -> tuple[str, str, str]:
    """Type, trace id in lower case, and id of an observation."""
    found = {
        "type": _type(fields),
        "traceId": present(fields.get("traceid")),
        "id": present(fields.get("id")),
    }
    for field, value in found.items():
        if not value:
            raise Unreadable(field, value, "an observation has id, traceId and type; export it again.")
    return str(found["type"]), str(found["traceId"]).lower(), str(found["id"])


def _refuse_money_of_a_step(kind: str, cost: Decimal | None) -> None:
    """Frameworks write the sum of an agent's calls on the agent: added to them it would count twice."""
    if cost:
        fix = (
            f"a cost on a {kind} may repeat the cost of the calls below it, so it is not added; "
            "record it on a GENERATION if it is money of its own."
        )
        raise Unreadable("costDetails", f"{cost.normalize():f} USD", fix)


def _cost(fields: dict[str, Any]) -> Decimal | None:
    """USD; the total where there is one, else the sum of the parts, else the fields of older versions."""
    parts = langfuse_usage.mapping(fields, "costDetails")
    read = {name: amount(value, f"costDetails.{name}") for name, value in parts.items()}
    total = read.pop("total", None)
    stated = [value for value in read.values() if value is not None]
    if total is not None or stated:
        return total if total is not None else sum(stated, Decimal(0))
    older = langfuse_usage.mapping(fields, "usage").get("totalCost")
    for field, value in (("totalCost", fields.get("totalcost")), ("usage.totalCost", older)):
        found = amount(value, field)
        if found is not None:
            return found
    return amount(fields.get("calculatedtotalcost"), "calculatedTotalCost")


def _times(fields: dict[str, Any]) -> tuple[int, int]:
    """Start and end; an observation that was never ended has no length."""
    start = instant_ns(fields.get("starttime"), "startTime")
    if start is None:
        raise Unreadable("startTime", None, "an observation has a start; export it again.")
    end = instant_ns(fields.get("endtime"), "endTime")
    if end is not None and end < start:
        raise Unreadable("endTime", fields["endtime"], f"it is before startTime {fields['starttime']!r}.")
    for field, at_ns in (("startTime", start), ("endTime", end or start)):
        if not 0 <= at_ns < 2**62:
            raise Unreadable(field, at_ns, "write a time between 1970 and 2116.")
    return start, start if end is None else end


def _named(model: str | None) -> tuple[str | None, str | None]:
    """Provider and model; Langfuse has no field for the provider, so it is None unless the name has a prefix."""
    if model is None or model.count("/") != 1:
        return None, model
    prefix, _, name = model.partition("/")
    return values.provider(prefix), name


def _metadata(fields: dict[str, Any]) -> dict[str, Any]:
    """Metadata with the attributes of the OpenTelemetry span that Langfuse keeps in it."""
    metadata = langfuse_usage.mapping(fields, "metadata")
    return metadata | langfuse_usage.mapping(metadata, "attributes")


def _first(sent: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return next((text for name in names if (text := values.text(sent.get(name)))), None)


def _labels(fields: dict[str, Any], is_otel: bool) -> dict[str, Any]:
    message = present(fields.get("statusmessage")) or ""
    kept = {
        "name": present(fields.get("name")),
        "prompt_name": present(fields.get("promptname")),
        "prompt_version": fields.get("promptversion"),
        "environment": present(fields.get("environment")),
        "version": present(fields.get("version")),
        "session_id": present(fields.get("sessionid")),
        "user_hash": values.hash16(fields.get("userid")),
        "error_class": class_of_text(message) if fields.get("level") == "ERROR" else None,
        "langfuse_trace_id": None if is_otel else present(fields.get("traceid")),
    }
    return {name: value for name, value in kept.items() if value is not None}
