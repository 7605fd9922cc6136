"""Google Cloud's billing export to BigQuery, standard or detailed, saved as JSON lines, a JSON list, CSV or Parquet.

A row is what one SKU, project and resource used in an hour (some by the day). Its credits are nested and negative:
each becomes a line of its own, so that use and credit stay apart. cost_type says what a row is: regular use, tax, an
adjustment or a rounding error; a row with adjustment_info corrects use that was billed before. Rows are only ever
appended and have no identifier: late ones and corrections arrive with a later export_time, so a row is known by
everything it says, its export_time included, and equal rows of one export by their number. Two overlapping exports
then hold the same lines once. Hours are UTC; invoice.month is a month in US Pacific time.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, BinaryIO

from core.ingest import parquet
from core.ingest.bills import cost_lines, gcp_rows, sku_text
from core.ingest.bills.cost_lines import CostLine
from core.ingest.cells import Unreadable, amount, instant_ns, present, quantity, tokens
from core.ingest.options import ReadOptions
from core.ingest.quarantine import refused
from core.ingest.row_texts import NotARow, json_text
from core.ledger.batch import Batch, Quarantined

NAME = "gcp_billing"
_CATEGORIES = {"regular": "Usage", "tax": "Tax", "adjustment": "Adjustment", "rounding_error": "Adjustment"}
_MODEL_SERVICES = re.compile(r"vertex ai|gemini api|generative language|cloud ai companion", re.IGNORECASE)
_COUNTED = re.compile(r"count|tokens?|1?", re.IGNORECASE)
_MODALITY = re.compile(r"\b(image|video|audio)\b", re.IGNORECASE)
_DEEPEST = 20
_TIMES = ("usage_start_time", "usage_end_time", "export_time")
_SIGNS = (b"usage_start_time", b"cost_type", b"export_time")


def detect(head: bytes, name: str) -> bool:
    """JSON or a CSV header with the columns of the export; Parquet that shows them or is named after the export."""
    if head.startswith(parquet.MAGIC):
        return all(sign in head for sign in _SIGNS) or "gcp_billing" in name.lower()
    return all(sign in head for sign in _SIGNS) and b"resourceSpans" not in head


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the whole file; a row that cannot be read is refused with its credits."""
    content = stream.read()
    lines: list[CostLine] = []
    quarantined: list[Quarantined] = []
    seen: Counter[str] = Counter()
    rows_read = 0
    for rows_read, row in enumerate(gcp_rows.rows(content), 1):
        if isinstance(row, NotARow):
            quarantined.append(refused(rows_read, None, row.reason, ""))
            continue
        try:
            found = _lines(row)
        except Unreadable as unreadable:
            shown = json_text(row)
            quarantined.append(refused(rows_read, unreadable.field, unreadable.reason, shown))
            continue
        seen[found[0].line_key] += 1
        nth = seen[found[0].line_key]
        lines += [line._replace(line_key=f"{line.line_key}-{nth}") for line in found]
    sha256 = hashlib.sha256(content).hexdigest()
    frames = {"cost_lines": cost_lines.frame(lines)}
    yield Batch(source, NAME, sha256, rows_read, frames, quarantined, demo=options.demo)


def _lines(row: dict[str, Any]) -> list[CostLine]:
    """The row's line and one for each credit; raises Unreadable naming the field."""
    start, end = _period(row)
    cost = amount(_required(row, "cost"), "cost")
    kind = (present(row.get("cost_type")) or "regular").lower()
    in_units = "usage.amount_in_pricing_units"
    line = CostLine(
        line_key=_key(row),
        source_format=NAME,
        measure="cost",
        charge_period_start_ns=start,
        charge_period_end_ns=end,
        charge_category=_CATEGORIES.get(kind, "Adjustment"),
        provider_name="gcp.vertex_ai" if _sells_models(row) else "Google Cloud",
        billing_account_id=present(row.get("billing_account_id")),
        sub_account_id=present(gcp_rows.deep(row, "project.id")),
        region_id=present(gcp_rows.deep(row, "location.region"))
        or present(gcp_rows.deep(row, "location.location")),
        billing_period_start=_month(gcp_rows.deep(row, "invoice.month")),
        charge_class="Correction" if kind == "adjustment" or _corrects(row) else None,
        charge_description=present(gcp_rows.deep(row, "sku.description")),
        sku_id=present(gcp_rows.deep(row, "sku.id")),
        consumed_quantity=quantity(gcp_rows.deep(row, in_units), in_units),
        consumed_unit=present(gcp_rows.deep(row, "usage.pricing_unit")),
        billed_cost=cost,
        effective_cost=cost,
        list_cost=amount(row.get("cost_at_list"), "cost_at_list"),
        billing_currency=_required(row, "currency").upper(),
        tags=json_text(_tags(row)),
    )
    mapped = _with_model(line, row)
    return [mapped, *_credits(row, mapped)]


def _required(row: Mapping[str, Any], field: str) -> str:
    text = present(row.get(field))
    if text is None:
        raise Unreadable(field, row.get(field), "every row of the export has it; export it again.")
    return text


def _period(row: Mapping[str, Any]) -> tuple[int, int]:
    start, end = (instant_ns(_required(row, name), name) for name in _TIMES[:2])
    assert start is not None  # a required text is no empty cell
    assert end is not None
    if end < start or start < 0:
        raise Unreadable(
            "usage_end_time", row.get("usage_end_time"), "expected an end after the start, after 1970."
        )
    return start, end


def _sells_models(row: Mapping[str, Any]) -> bool:
    return bool(_MODEL_SERVICES.search(present(gcp_rows.deep(row, "service.description")) or ""))


def _corrects(row: Mapping[str, Any]) -> bool:
    info = row.get("adjustment_info")
    return isinstance(info, Mapping) and any(present(value) for value in info.values())


def _with_model(line: CostLine, row: Mapping[str, Any]) -> CostLine:
    """Model, kind of token, tier and count of a SKU that sells model use; others stay unmapped with their amount."""
    text = line.charge_description or ""
    if line.provider_name != "gcp.vertex_ai" or line.charge_category not in ("Usage", "Adjustment"):
        return line
    said = sku_text.read(text)
    used = quantity(gcp_rows.deep(row, "usage.amount"), "usage.amount")
    unit = present(gcp_rows.deep(row, "usage.unit")) or ""
    counts = said.token_type not in (None, "tool", "request") and used is not None and used >= 0
    whole = counts and bool(_COUNTED.fullmatch(unit)) and line.charge_class is None
    return line._replace(
        model=said.model,
        token_type=said.token_type if said.model else None,
        tokens=tokens(used, 1, "usage.amount") if whole and said.model else None,
        service_tier=said.service_tier,
        batch=said.batch,
    )


def _credits(row: Mapping[str, Any], line: CostLine) -> list[CostLine]:
    """One line a credit: its amount is negative, it counts no tokens and keeps the model it is for."""
    listed = row.get("credits")
    found = []
    for number, credit in enumerate(listed if isinstance(listed, list) else [], 1):
        if not isinstance(credit, Mapping):
            raise Unreadable("credits", credit, "expected a list of objects with an amount.")
        given = amount(credit.get("amount"), "credits.amount")
        if given is None:
            raise Unreadable("credits.amount", None, "every credit has an amount; export it again.")
        found.append(
            line._replace(
                line_key=f"{line.line_key}-credit{number}",
                charge_category="Credit",
                charge_description=present(credit.get("full_name")) or present(credit.get("name")),
                sku_id=present(credit.get("id")),
                tokens=None,
                consumed_quantity=None,
                consumed_unit=None,
                billed_cost=given,
                effective_cost=given,
                list_cost=None,
            )
        )
    return found


def _month(value: Any) -> date | None:
    text = present(value)
    if text is None:
        return None
    if not re.fullmatch(r"\d{6}", text) or not 1 <= int(text[4:]) <= 12:
        raise Unreadable("invoice.month", value, "write year and month like 202611.")
    return date(int(text[:4]), int(text[4:]), 1)


def _key(row: Mapping[str, Any]) -> str:
    """Everything the row says, numbers and times by their value: 1.0 of one export is 1 of another."""
    times = {name: instant_ns(row.get(name), name) for name in _TIMES}
    return cost_lines.key(NAME, json_text(_plain(dict(row) | times)))


def _plain(value: Any, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        return None  # no column of the export nests half as deep
    if isinstance(value, Mapping):
        return sorted(
            (str(name), _plain(inner, depth + 1))
            for name, inner in value.items()
            if inner not in (None, "", [], {})
        )
    if isinstance(value, list):
        return [_plain(inner, depth + 1) for inner in value]
    text = present(value)
    try:
        return None if text is None else f"{Decimal(text).normalize():f}"
    except ArithmeticError:
        return text


def _tags(row: Mapping[str, Any]) -> dict[str, Any]:
    """Labels, and what the ledger has no column for."""
    listed = row.get("labels")
    labels = {
        str(label["key"]): label.get("value")
        for label in (listed if isinstance(listed, list) else [])
        if isinstance(label, Mapping) and label.get("key")
    }
    modality = _MODALITY.search(present(gcp_rows.deep(row, "sku.description")) or "")
    kept = {
        "gcp_service": present(gcp_rows.deep(row, "service.description")),
        "gcp_resource": present(gcp_rows.deep(row, "resource.name")),
        "gcp_cost_type": present(row.get("cost_type")),
        "gcp_export_time": present(row.get("export_time")),
        "gcp_adjustment": present(gcp_rows.deep(row, "adjustment_info.description")),
        "modality": modality[1].lower() if modality else None,
    }
    return labels | {name: value for name, value in kept.items() if value is not None}
