"""OpenAI's organization usage and cost reports (/v1/organization/usage/*, /v1/organization/costs) as saved JSON.

Usage lines count tokens and requests and have no money; cost lines have money. They describe the same calls, so
measure tells them apart and they are never added. A file may hold one page, several (a list or one per line) or
bare buckets. Keys are made of the bucket and every dimension, so that a later page restates an open day; a null
dimension means the report was not grouped by it. Reports grouped differently count the same calls twice: import
one grouping. Amounts are read from their printed digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, BinaryIO, NamedTuple

from core.ingest import values
from core.ingest.bills import cost_lines, report_pages, sku_text
from core.ingest.bills.cost_lines import CostLine
from core.ingest.cells import HOUR_NS, Unreadable, amount, present, quantity, tokens, unix_ns, whole
from core.ingest.options import ReadOptions
from core.ingest.row_texts import json_text, storable
from core.ledger.batch import Batch

NAME = "openai_billing"
USAGE, COSTS = "openai_usage", "openai_costs"
"""source_format of the lines: measures that are never added."""

_COUNTED = {
    "images": ("images", "Images", "request"),
    "audio_speeches": ("characters", "Characters", "request"),
    "audio_transcriptions": ("seconds", "Seconds", "request"),
    "code_interpreter_sessions": ("num_sessions", "Sessions", "tool"),
    "file_searches": ("num_requests", "Requests", "tool"),
    "web_searches": ("num_requests", "Requests", "tool"),
    "vector_stores": ("usage_bytes", "Bytes", None),
}
"""Reports that count no tokens: their count, its unit, and the kind of line."""

_DIMENSIONS = (
    "project_id", "user_id", "api_key_id", "model", "batch", "service_tier", "size", "source", "vector_store_id",
    "context_level",
)  # fmt: skip
_NEXT_PAGE = "Fetch them with page=next_page and import them too."
_DETAIL = re.compile(r"(?:input|output)(?:_cached)?_(?:text|audio|image)_tokens")


class _Bucket(NamedTuple):
    """One group of one time bucket; `width` keeps hourly and daily reports of the same moment apart."""

    start_ns: int
    end_ns: int
    width: str
    group: dict[str, Any]
    kind: str


def detect(head: bytes, name: str) -> bool:
    """JSON with OpenAI's result objects, or an empty report: buckets whose start_time is in seconds."""
    if b"organization.usage." in head or b"organization.costs." in head:
        return True
    compact = head.replace(b" ", b"").replace(b"\n", b"").replace(b"\r", b"")
    return b'"object":"bucket"' in compact and b'"start_time":' in compact


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file, which may hold usage and cost results."""
    yield report_pages.read(stream, source, options, NAME, _lines, _NEXT_PAGE)


def _lines(bucket: Any, group: Any) -> list[CostLine]:
    """The ledger's lines of one result; raises Unreadable naming the field."""
    if not isinstance(bucket, dict) or not isinstance(group, dict):
        raise Unreadable("results", group, "expected buckets with a list of results.")
    start_ns = unix_ns(bucket.get("start_time"), "start_time")
    end_ns = unix_ns(bucket.get("end_time"), "end_time")
    if end_ns <= start_ns:
        raise Unreadable(
            "end_time", bucket["end_time"], f"it is not after start_time {bucket['start_time']}."
        )
    length = end_ns - start_ns
    width = "1m" if length <= HOUR_NS // 60 else "1h" if length <= HOUR_NS else "1d"
    kind = str(group.get("object", "")).removeprefix("organization.").removesuffix(".result")
    cell = _Bucket(start_ns, end_ns, width, group, kind.removeprefix("usage."))
    if kind == "costs":
        return [_cost(cell)]
    if cell.kind in _COUNTED:
        return [_counted(cell)]
    if "input_tokens" in group:
        return _tokens(cell)
    raise Unreadable("object", group.get("object"), "expected a result of the usage or costs endpoints.")


def _line(cell: _Bucket, part: str | None, **columns: Any) -> CostLine:
    """A usage line; `part` tells the lines of one result apart."""
    group = cell.group
    dimensions = [group.get(name) for name in _DIMENSIONS]
    details = {name: values.count(held) for name, held in group.items() if _DETAIL.fullmatch(name)}
    kept: dict[str, Any] = {name: count for name, count in details.items() if count}
    kept |= {"report": cell.kind} | {name: group[name] for name in _DIMENSIONS[6:] if group.get(name)}
    if group.get("user_id"):
        kept["user_hash"] = values.hash16(group["user_id"])
    return CostLine(
        line_key=cost_lines.key(USAGE, cell.kind, cell.width, cell.start_ns, dimensions, part),
        source_format=USAGE,
        measure="usage",
        charge_period_start_ns=cell.start_ns,
        charge_period_end_ns=cell.end_ns,
        charge_category="Usage",
        provider_name="openai",
        billing_account_id=present(group.get("organization_id")),
        sub_account_id=present(group.get("project_id")),
        api_key_id=present(group.get("api_key_id")),
        model=present(group.get("model")),
        service_tier=present(group.get("service_tier")),
        batch=values.boolean(group.get("batch")),
        tags=json_text(storable(kept)),
    )._replace(**columns)


def _tokens(cell: _Bucket) -> list[CostLine]:
    """One line a kind of token, also for zero, so that a restatement to zero reaches the ledger.

    input_tokens includes cached and cache-written tokens. The requests stand on the input line only.
    """
    group = cell.group
    counts = {
        "input": _uncached(group),
        "cache_read": whole(group.get("input_cached_tokens"), "input_cached_tokens"),
        "cache_write": whole(group.get("input_cache_write_tokens"), "input_cache_write_tokens"),
        "output": whole(group.get("output_tokens"), "output_tokens"),
    }
    requests = whole(group.get("num_model_requests"), "num_model_requests")
    return [
        _line(
            cell,
            token_type,
            token_type=token_type,
            tokens=tokens,
            requests=requests if token_type == "input" else None,
            consumed_quantity=Decimal(tokens),
            consumed_unit="Tokens",
        )
        for token_type, tokens in counts.items()
        if tokens is not None
    ]


def _uncached(group: dict[str, Any]) -> int:
    """Input tokens that were neither read from nor written to the cache; refused when the counts contradict."""
    total = whole(group.get("input_tokens"), "input_tokens")
    if total is None:
        raise Unreadable("input_tokens", None, "a report of tokens needs its total; fetch the page again.")
    read = whole(group.get("input_cached_tokens"), "input_cached_tokens") or 0
    written = whole(group.get("input_cache_write_tokens"), "input_cache_write_tokens") or 0
    uncached = whole(group.get("input_uncached_tokens"), "input_uncached_tokens")
    if uncached is None:
        uncached = total - read - written
    if uncached < 0 or uncached + read + written != total:
        raise Unreadable(
            "input_tokens",
            total,
            f"its parts are uncached {uncached} + cached {read} + cache write {written} = "
            f"{uncached + read + written}; fetch the page again.",
        )
    return uncached


def _counted(cell: _Bucket) -> CostLine:
    """Tool calls repeat model requests that the completions report already counts, so they carry none."""
    field, unit, token_type = _COUNTED[cell.kind]
    requests = whole(cell.group.get("num_model_requests"), "num_model_requests")
    return _line(
        cell,
        None,
        token_type=token_type,
        requests=requests if token_type == "request" else None,
        consumed_quantity=quantity(cell.group.get(field), field),
        consumed_unit=unit,
    )


def _money(money: Any) -> tuple[Decimal, str]:
    value = amount(money.get("value"), "amount.value") if isinstance(money, dict) else None
    currency = present(money.get("currency")) if isinstance(money, dict) else None
    if value is None or currency is None:
        raise Unreadable("amount", money, 'expected {"value": 0.06, "currency": "usd"}.')
    return value, currency.upper()


def _cost(cell: _Bucket) -> CostLine:
    """A cost line: what is invoiced is also what was used, so both costs hold the amount."""
    group = cell.group
    value, currency = _money(group.get("amount"))
    item = present(group.get("line_item"))
    said = sku_text.read(item)
    unit = present(group.get("quantity_unit"))
    used = quantity(group.get("quantity"), "quantity")
    per_unit = sku_text.tokens_per_unit(unit)
    return CostLine(
        line_key=cost_lines.key(
            COSTS,
            cell.start_ns,
            *(group.get(n) for n in ("organization_id", "project_id", "api_key_id")),
            item,
        ),
        source_format=COSTS,
        measure="cost",
        charge_period_start_ns=cell.start_ns,
        charge_period_end_ns=cell.end_ns,
        charge_category="Credit" if value < 0 and item and "credit" in item.lower() else "Usage",
        provider_name="openai",
        billing_account_id=present(group.get("organization_id")),
        sub_account_id=present(group.get("project_id")),
        api_key_id=present(group.get("api_key_id")),
        charge_description=item,
        sku_id=item,
        model=said.model,
        token_type=said.token_type,
        tokens=tokens(used, per_unit, "quantity") if per_unit else None,
        consumed_quantity=used,
        consumed_unit=unit,
        billed_cost=value,
        effective_cost=value,
        billing_currency=currency,
        service_tier=said.service_tier,
        batch=said.batch,
    )
