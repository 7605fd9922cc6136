"""Anthropic's usage and cost reports (Admin API: usage_report/messages, cost_report) as saved JSON.

Usage lines count tokens and have no money; cost lines have money. They describe the same calls, so measure tells
them apart and they are never added. Traps: cost amounts are texts in CENTS ("123.45" is 1.2345 dollars); the
uncached input excludes cache reads and writes; a null workspace is the default one; Priority Tier never appears
in the cost report; neither report counts requests. A null dimension also means that the report was not grouped
by it. Reports of other groupings or bucket widths count the same calls again: import one.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, BinaryIO

import orjson

from core.ingest.bills import cost_lines, report_pages
from core.ingest.bills.cost_lines import CostLine
from core.ingest.cells import DAY_NS, HOUR_NS, Unreadable, amount, instant_ns, present, whole
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch

NAME = "anthropic_billing"
USAGE, COSTS = "anthropic_usage", "anthropic_costs"
"""source_format of the lines: measures that are never added."""
DEFAULT_WORKSPACE = "default"
CENTS = Decimal(100)

_DIMENSIONS = (
    "api_key_id", "workspace_id", "model", "service_tier", "context_window", "inference_geo", "speed",
    "service_account_id", "account_id",
)  # fmt: skip
_NO_GEO = "not_available"
"""What the reports write for models that take no inference_geo: the region is unknown, not a place."""

_NEXT_PAGE = "Fetch them with page=next_page and import them too."
_TOKEN_TYPES = {
    "uncached_input_tokens": "input",
    "cache_read_input_tokens": "cache_read",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write",
    "output_tokens": "output",
}
"""Token types of both reports; the hour-long cache write keeps a line of its own, because it costs more."""


def detect(head: bytes, name: str) -> bool:
    """JSON buckets of results from starting_at to ending_at; minutes without calls can fill the whole head."""
    return all(field in head for field in (b'"starting_at"', b'"ending_at"', b'"results"'))


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file, which may hold usage and cost results."""
    yield report_pages.read(stream, source, options, NAME, _lines, _NEXT_PAGE)


def _lines(bucket: Any, group: Any) -> list[CostLine]:
    """The ledger's lines of one result; raises Unreadable naming the field."""
    if not isinstance(bucket, dict) or not isinstance(group, dict):
        raise Unreadable("results", group, "expected buckets with a list of results.")
    start_ns = instant_ns(bucket.get("starting_at"), "starting_at")
    end_ns = instant_ns(bucket.get("ending_at"), "ending_at")
    if start_ns is None or end_ns is None or end_ns <= start_ns:
        span = f"{bucket.get('starting_at')} to {bucket.get('ending_at')}"
        raise Unreadable(
            "ending_at", span, "expected an end after the start; save the page as it was received."
        )
    if "amount" in group:
        return [_cost(start_ns, end_ns, group)]
    if "uncached_input_tokens" in group:
        return _usage(start_ns, end_ns, group)
    raise Unreadable("results", group, "expected a result of usage_report/messages or cost_report.")


def _line(start_ns: int, end_ns: int, group: dict[str, Any], **columns: Any) -> CostLine:
    tier = present(group.get("service_tier"))
    geo = present(group.get("inference_geo"))
    kept = {name: text for name in ("context_window", "speed") if (text := present(group.get(name)))}
    base = CostLine(
        line_key="",
        source_format=USAGE,
        measure="usage",
        charge_period_start_ns=start_ns,
        charge_period_end_ns=end_ns,
        charge_category="Usage",
        provider_name="anthropic",
        sub_account_id=present(group.get("workspace_id")) or DEFAULT_WORKSPACE,
        api_key_id=present(group.get("api_key_id")),
        region_id=None if geo == _NO_GEO else geo,
        model=present(group.get("model")),
        service_tier=tier,
        batch=None if tier is None else tier == "batch",
        tags=orjson.dumps(kept).decode() if kept else None,
    )
    return base._replace(**columns)


def _usage(start_ns: int, end_ns: int, group: dict[str, Any]) -> list[CostLine]:
    """One line a kind of token, also for zero, so that a restatement to zero reaches the ledger; tools beside."""
    length = end_ns - start_ns
    width = "1m" if length < HOUR_NS else "1h" if length < DAY_NS else "1d"
    dimensions = [group.get(name) for name in _DIMENSIONS]

    def line(part: str, token_type: str, count: int, unit: str) -> CostLine:
        return _line(
            start_ns,
            end_ns,
            group,
            line_key=cost_lines.key(USAGE, width, start_ns, dimensions, part),
            token_type=token_type,
            tokens=count if unit == "Tokens" else None,
            consumed_quantity=Decimal(count),
            consumed_unit=unit,
        )

    found = [
        line(part, token_type, count, "Tokens")
        for part, token_type in _TOKEN_TYPES.items()
        if (count := whole(_deep(group, part), part)) is not None
    ]
    for part in sorted(_object(group, "server_tool_use")):
        count = whole(_deep(group, f"server_tool_use.{part}"), part)
        if count is not None:
            found.append(line(part, "tool", count, "Requests"))
    if not found:
        fix = "a usage result needs at least one count; save the page as it was received."
        raise Unreadable("uncached_input_tokens", group["uncached_input_tokens"], fix)
    return found


def _cost(start_ns: int, end_ns: int, group: dict[str, Any]) -> CostLine:
    """A cost line; a null token type is a tool (web search, code execution) or a session, told by cost_type."""
    cents = amount(group.get("amount"), "amount")
    currency = present(group.get("currency"))
    if cents is None or currency is None:
        raise Unreadable("amount", group.get("amount"), "expected cents as text and a currency.")
    told = present(group.get("token_type"))
    kind = present(group.get("cost_type"))
    description = present(group.get("description"))
    dimensions = [group.get(name) for name in _DIMENSIONS]
    token_type = _TOKEN_TYPES.get(told or "") or (
        "tool" if told is None and kind not in (None, "tokens") else None
    )
    return _line(
        start_ns,
        end_ns,
        group,
        line_key=cost_lines.key(COSTS, start_ns, dimensions, kind, told, description),
        source_format=COSTS,
        measure="cost",
        charge_description=description,
        sku_id=told or kind,
        token_type=token_type,
        billed_cost=cents / CENTS,
        effective_cost=cents / CENTS,
        billing_currency=currency.upper(),
    )


def _object(group: dict[str, Any], name: str) -> dict[str, Any]:
    inner = group.get(name)
    return inner if isinstance(inner, dict) else {}


def _deep(group: dict[str, Any], path: str) -> Any:
    outer, _, inner = path.partition(".")
    return _object(group, outer).get(inner) if inner else group.get(outer)
