"""OpenRouter's activity export (GET /api/v1/activity) as saved JSON: a row a UTC day, model and endpoint.

Each row makes a cost line (what OpenRouter charged) and usage lines (tokens and requests), told apart by measure
and never added. What calls under a key of one's own cost at the upstream provider (byok_usage_inference) is on
that provider's bill: it is kept as a tag and is no money here. completion_tokens includes reasoning.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, BinaryIO

import orjson

from core.ingest.bills import cost_lines, report_pages
from core.ingest.bills.cost_lines import CostLine
from core.ingest.cells import DAY_NS, Unreadable, amount, instant_ns, present, whole
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch

NAME = "openrouter"
COSTS, USAGE = "openrouter_costs", "openrouter_usage"
_NEXT_PAGE = "Fetch the other days and import them too."


def detect(head: bytes, name: str) -> bool:
    """JSON with the fields only OpenRouter's activity has."""
    return b'"byok_usage_inference"' in head or (b'"endpoint_id"' in head and b'"model_permaslug"' in head)


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file; its rows are their own buckets."""
    yield report_pages.read(stream, source, options, NAME, _lines, _NEXT_PAGE)


def _lines(row: Any, _row: Any) -> list[CostLine]:
    """The cost line, then input, output and their requests; raises Unreadable naming the field."""
    if not isinstance(row, dict):
        raise Unreadable("data", row, "expected a list of rows.")
    start_ns = instant_ns(row.get("date"), "date")
    charged = amount(row.get("usage"), "usage")
    if start_ns is None or start_ns % DAY_NS:
        raise Unreadable("date", row.get("date"), "write a UTC day like 2026-11-20.")
    if charged is None:
        raise Unreadable("usage", None, "every row of the activity has its charge in USD.")
    made = _line(row, start_ns, "cost")
    cost = made._replace(
        source_format=COSTS,
        measure="cost",
        token_type="mixed",
        billed_cost=charged,
        effective_cost=charged,
        billing_currency="USD",
        tags=orjson.dumps(_tags(row)).decode(),
    )
    return [cost, *_usage(row, start_ns)]


def _line(row: dict[str, Any], start_ns: int, part: str) -> CostLine:
    model = present(row.get("model_permaslug")) or present(row.get("model"))
    upstream = present(row.get("provider_name"))
    dimensions = [model, present(row.get("endpoint_id")), upstream]
    return CostLine(
        line_key=cost_lines.key(NAME, start_ns, dimensions, part),
        source_format=USAGE,
        measure="usage",
        charge_period_start_ns=start_ns,
        charge_period_end_ns=start_ns + DAY_NS,
        charge_category="Usage",
        provider_name=NAME,
        charge_description=f"{model} at {upstream}" if upstream else model,
        sku_id=model,
        model=model.rpartition("/")[2] if model else None,
    )


def _usage(row: dict[str, Any], start_ns: int) -> list[CostLine]:
    """The requests stand on the input line only, so that they are counted once."""
    requests = whole(row.get("requests"), "requests")
    found: list[CostLine] = []
    for field, token_type in (("prompt_tokens", "input"), ("completion_tokens", "output")):
        tokens = whole(row.get(field), field)
        if tokens is not None:
            line = _line(row, start_ns, token_type)._replace(
                token_type=token_type,
                tokens=tokens,
                requests=requests if token_type == "input" else None,
                consumed_quantity=Decimal(tokens),
                consumed_unit="Tokens",
            )
            found.append(line)
    return found


def _tags(row: dict[str, Any]) -> dict[str, str]:
    kept = {
        "endpoint_id": present(row.get("endpoint_id")),
        "upstream_provider": present(row.get("provider_name")),
        "byok_usage_inference": present(row.get("byok_usage_inference")),
        "reasoning_tokens": present(row.get("reasoning_tokens")),
    }
    return {name: value for name, value in kept.items() if value is not None}
