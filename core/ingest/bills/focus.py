"""FOCUS bills, versions 1.0 to 1.4, as CSV or Parquet (focus.finops.org).

Read defensively, because real exports differ from the text of the standard: a byte order mark, NULL spelled
out, times without a zone or month first, amounts like "$10,000.00 ", columns that no version knows.
ServiceProviderName replaced ProviderName in 1.4. BilledCost is the invoice and EffectiveCost the amortised use:
a line paid from a prepaid balance bills 0 and a prepayment has effect 0, so the two are kept and never added.

FOCUS rows have no identifier. line_key is a hash of the dimensions: of every column but amounts, quantities,
prices, columns that are neither FOCUS nor x_, and InvoiceId, which is empty until the month is closed. A later
file that restates a line replaces it; rows that repeat within one file are numbered and all kept. A bill split
into files must therefore not split rows that differ in nothing but their amounts.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from core.ingest import parquet
from core.ingest.bills import cost_lines, focus_columns, sku_text
from core.ingest.bills.cost_lines import CostLine
from core.ingest.cells import (
    BILLED_NS,
    BILLED_YEARS,
    Unreadable,
    amount,
    instant_ns,
    present,
    quantity,
    tokens,
)
from core.ingest.options import ReadOptions
from core.ingest.quarantine import refused
from core.ingest.row_texts import json_text
from core.ledger.batch import Batch, Quarantined

NAME = "focus"
REQUIRED = ("BilledCost", "BillingCurrency", "ChargeCategory", "ChargePeriodStart", "ChargePeriodEnd")
CATEGORIES = {name.lower(): name for name in ("Usage", "Purchase", "Tax", "Credit", "Adjustment")}

_DELIMITERS = (",", ";", "\t", "|")
_AI_SERVICE = re.compile(
    r"ai and machine learning|openai|anthropic|bedrock|vertex|generative|gemini|foundry|mistral|cohere|claude|llm"
)


class _Row(NamedTuple):
    number: int
    cells: dict[str, str]
    text: str


def detect(head: bytes, name: str) -> bool:
    """A CSV whose header has FOCUS's mandatory columns, or Parquet that shows them or is named after FOCUS."""
    if head.startswith(parquet.MAGIC):
        # the schema is at the end of a Parquet file, mostly beyond the head
        return b"BilledCost" in head or "focus" in name.lower()
    line = head.split(b"\n", 1)[0].decode("utf-8-sig", "replace")
    columns = {focus_columns.canonical(column) for column in re.split(r"[,;\t|]", line.replace('"', ""))}
    return {"BilledCost", "ChargeCategory", "ChargePeriodStart"} <= columns


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the whole file, so that a bill is in the ledger completely or not at all."""
    content = stream.read()
    sha256 = hashlib.sha256(content).hexdigest()
    quarantined: list[Quarantined] = []
    lines: list[CostLine] = []
    rows_read = 0
    seen: Counter[str] = Counter()
    for row in _rows(content):
        rows_read += 1
        if isinstance(row, Quarantined):
            quarantined.append(row)
            continue
        try:
            line = _line(row.cells)
        except Unreadable as unreadable:
            quarantined.append(refused(row.number, unreadable.field, unreadable.reason, row.text))
            continue
        seen[line.line_key] += 1
        lines.append(line._replace(line_key=f"{line.line_key}-{seen[line.line_key]}"))
    frames = {"cost_lines": cost_lines.frame(lines)}
    yield Batch(source, NAME, sha256, rows_read, frames, quarantined, demo=options.demo)


def _rows(content: bytes) -> Iterator[_Row | Quarantined]:
    """Data rows in order, numbered from 1; rows and files that cannot be split into cells as quarantine entries."""
    try:
        table = _parquet(content) if content.startswith(parquet.MAGIC) else _csv(content)
        header = [focus_columns.canonical(column) for column in next(table, [])]
        missing = [column for column in REQUIRED if column not in header]
        if missing:
            reason = (
                f"The header lacks {', '.join(missing)}; export the cost and usage dataset with all columns."
            )
            yield refused(1, missing[0], reason, ",".join(header))
            return
        for number, cells in enumerate(table, 1):
            text = ",".join(cells)
            if len(cells) == len(header):
                yield _Row(number, dict(zip(header, cells, strict=True)), text)
            elif any(cells):
                reason = (
                    f"The row has {len(cells)} cells and the header {len(header)}; quote cells with commas."
                )
                yield refused(number, None, reason, text)
    except (UnicodeDecodeError, csv.Error, parquet.BadParquet) as error:
        yield refused(1, None, f"The file cannot be read: {error}; export it again as UTF-8 CSV.", "")


def _csv(content: bytes) -> Iterator[list[str]]:
    text = content.decode("utf-8-sig")
    header = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=header.count)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _parquet(content: bytes) -> Iterator[list[str]]:
    """The same cells as CSV would have; nested columns such as Tags as JSON."""
    lines = parquet.table(content)
    yield next(lines)
    for row in lines:
        yield ["" if cell is None else cell if isinstance(cell, str) else _cell(cell) for cell in row]


def _cell(cell: object) -> str:
    return json_text(cell) if isinstance(cell, list | dict) else str(cell)


def _line(cells: dict[str, str]) -> CostLine:
    """One bill line; raises Unreadable naming the column."""
    fields = {column: text for column, cell in cells.items() if cell and (text := present(cell))}
    start, end = _instant(fields, "ChargePeriodStart"), _instant(fields, "ChargePeriodEnd")
    if end < start:
        raise Unreadable(
            "ChargePeriodEnd", fields["ChargePeriodEnd"], f"it is before {fields['ChargePeriodStart']}."
        )
    billed, effective = (amount(fields.get(column), column) for column in ("BilledCost", "EffectiveCost"))
    if billed is None and effective is None:
        raise Unreadable(
            "BilledCost", cells["BilledCost"], "and EffectiveCost is empty too; give one of them."
        )
    billing_start = instant_ns(fields.get("BillingPeriodStart"), "BillingPeriodStart")
    line = CostLine(
        line_key=focus_columns.dimensions_key(fields),
        source_format=NAME,
        measure="cost",
        charge_period_start_ns=start,
        charge_period_end_ns=end,
        charge_category=_category(fields),
        provider_name=focus_columns.provider(fields),
        billing_account_id=fields.get("BillingAccountId"),
        sub_account_id=fields.get("SubAccountId"),
        invoice_id=fields.get("InvoiceId"),
        region_id=fields.get("RegionId"),
        billing_period_start=None if billing_start is None else cost_lines.utc_date(billing_start),
        charge_class=fields.get("ChargeClass"),
        charge_description=fields.get("ChargeDescription"),
        sku_id=fields.get("SkuId"),
        consumed_quantity=quantity(fields.get("ConsumedQuantity"), "ConsumedQuantity"),
        consumed_unit=fields.get("ConsumedUnit"),
        billed_cost=billed,
        effective_cost=effective,
        list_cost=amount(fields.get("ListCost"), "ListCost"),
        billing_currency=_required(fields, "BillingCurrency").upper(),
        api_key_id=focus_columns.custom(fields, "apikeyid"),
        tags=focus_columns.tags(fields),
    )
    return _with_tokens(line, fields) if line.charge_category == "Usage" else line


def _with_tokens(line: CostLine, fields: dict[str, str]) -> CostLine:
    """Model, kind of token and counts, on lines that sell model use.

    "Token" is also the unit of prepaid credit (FOCUS 1.2, virtual currencies); those lines price something else
    by the token and count executions or hours.
    """
    details = focus_columns.custom(fields, "model", "modelname", "modelid")
    texts = [details, *(fields.get(c) for c in ("SkuMeter", "SkuId", "ChargeDescription", "SkuPriceDetails"))]
    units = [sku_text.tokens_per_unit(fields.get(column)) for column in ("ConsumedUnit", "PricingUnit")]
    service = " ".join(
        fields.get(c, "") for c in ("ServiceCategory", "ServiceName", "ServiceSubcategory")
    ).lower()
    if not (any(units) or _AI_SERVICE.search(f"{service} {line.provider_name or ''}".lower())):
        return line
    said = sku_text.read(*texts, fields.get("ResourceName"))
    if said.model is None and not any(units):
        return line
    counted = line.consumed_quantity
    if units[0] is None:
        counted = quantity(fields.get("PricingQuantity"), "PricingQuantity") if units[1] else None
    count = tokens(counted, units[0] or units[1] or 1, "ConsumedQuantity")
    is_request = said.token_type == "request" and counted is None and line.consumed_quantity is not None
    return line._replace(
        model=said.model,
        token_type=said.token_type,
        tokens=count,
        requests=round(line.consumed_quantity) if is_request and line.consumed_quantity is not None else None,
        service_tier=said.service_tier,
        batch=said.batch,
    )


def _required(fields: dict[str, str], column: str) -> str:
    if column not in fields:
        raise Unreadable(column, "", "the column is mandatory in FOCUS; fill it in.")
    return fields[column]


def _instant(fields: dict[str, str], column: str) -> int:
    at_ns = instant_ns(_required(fields, column), column)
    if at_ns is None or at_ns not in BILLED_NS:
        raise Unreadable(column, fields[column], BILLED_YEARS)
    return at_ns


def _category(fields: dict[str, str]) -> str:
    category = CATEGORIES.get(_required(fields, "ChargeCategory").lower())
    if category is None:
        raise Unreadable(
            "ChargeCategory", fields["ChargeCategory"], f"write one of {', '.join(CATEGORIES.values())}."
        )
    return category
