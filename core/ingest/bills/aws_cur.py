"""AWS Cost and Usage Reports: CUR 2.0 (snake_case) and legacy CUR (lineItem/UsageType), as CSV or Parquet.

Every line is kept. Lines of Amazon Bedrock have provider aws.bedrock and, where they count tokens, their model;
the others have the billing entity as provider and no model. billed_cost is the unblended cost, which adds up to
the invoice; effective_cost is the cost net of discounts with commitments spread over their use, as AWS's own
amortised-cost queries have it. A refund or credit keeps the model it is for and has no tokens: nothing was unused.

A month is restated until bill_invoice_id appears, and then too. identity_line_item_id tells lines of one delivery
apart, but AWS does not promise it across deliveries: batch_key holds the month, to be replaced as a whole.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from core.ingest import parquet
from core.ingest.bills import aws_columns, aws_usage_type, cost_lines
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
from core.ledger.batch import Batch, Quarantined

NAME = "aws_cur"
LEGACY = "aws_cur_legacy"
"""source_format of legacy lines: both reports of an account hold the same money, which is never added."""

REQUIRED = ("line_item_line_item_type", "line_item_unblended_cost", "line_item_currency_code")
CATEGORIES = {
    "Usage": "Usage",
    "DiscountedUsage": "Usage",
    "SavingsPlanCoveredUsage": "Usage",
    "Tax": "Tax",
    "Credit": "Credit",
    "Refund": "Credit",
    "Fee": "Purchase",
    "RIFee": "Purchase",
    "SavingsPlanUpfrontFee": "Purchase",
    "SavingsPlanRecurringFee": "Purchase",
}
"""line_item_line_item_type -> charge category. A Fee buys something: a reservation, support, a subscription.

Every other type (SavingsPlanNegation, EdpDiscount, ... and types to come) corrects other lines: Adjustment.
"""


class _Row(NamedTuple):
    number: int
    cells: dict[str, Any]
    text: str


def detect(head: bytes, name: str) -> bool:
    """A CSV whose header has a report's mandatory columns, or Parquet that shows them or is named after CUR."""
    if head.startswith(parquet.MAGIC):
        # the schema is at the end of a Parquet file, mostly beyond the head
        return b"line_item_unblended_cost" in head or bool(
            re.search(r"(?<![a-z])cur2?(?![a-z])", name.lower())
        )
    line = head.split(b"\n", 1)[0].decode("utf-8-sig", "replace")
    return set(REQUIRED) <= {aws_columns.canonical(column) for column in line.replace('"', "").split(",")}


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the whole file, so that a report is in the ledger completely or not at all."""
    content = stream.read()
    quarantined: list[Quarantined] = []
    lines: list[CostLine] = []
    rows_read = 0
    seen: Counter[str] = Counter()
    legacy = b"lineItem/" in content[:4096]
    for row in _rows(content):
        rows_read += 1
        if isinstance(row, Quarantined):
            quarantined.append(row)
            continue
        try:
            line = _line(row.cells, LEGACY if legacy else NAME)
        except Unreadable as unreadable:
            quarantined.append(refused(row.number, unreadable.field, unreadable.reason, row.text))
            continue
        seen[line.line_key] += 1
        lines.append(line._replace(line_key=f"{line.line_key}-{seen[line.line_key]}"))
    frames = {"cost_lines": cost_lines.frame(lines)}
    sha256 = hashlib.sha256(content).hexdigest()
    yield Batch(source, NAME, sha256, rows_read, frames, quarantined, demo=options.demo)


def _rows(content: bytes) -> Iterator[_Row | Quarantined]:
    """Data rows in order, numbered from 1; rows and files that cannot be split into cells as quarantine entries."""
    try:
        table = _table(content)
        header = [aws_columns.canonical(str(column)) for column in next(table, [])]
        missing = [column for column in REQUIRED if column not in header]
        if missing:
            reason = f"The header lacks {', '.join(missing)}; add the columns to the data export."
            yield refused(1, missing[0], reason, ",".join(header))
            return
        for number, cells in enumerate(table, 1):
            text = ",".join("" if cell is None else str(cell) for cell in cells)
            if len(cells) == len(header):
                filled = {c: cell for c, cell in zip(header, cells, strict=True) if present(cell) is not None}
                yield _Row(number, filled, text)
            elif any(cells):
                reason = (
                    f"The row has {len(cells)} cells and the header {len(header)}; quote cells with commas."
                )
                yield refused(number, None, reason, text)
    except (UnicodeDecodeError, csv.Error, parquet.BadParquet) as error:
        reason = f"The file cannot be read: {error}; deliver it again as CSV or Parquet."
        yield refused(1, None, reason, "")


def _table(content: bytes) -> Iterator[list[Any]]:
    """The header, then the rows; cells of Parquet have types and nested columns are structures."""
    if content.startswith(parquet.MAGIC):
        yield from parquet.table(content)
    else:
        yield from csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))


def _line(cells: dict[str, Any], source_format: str) -> CostLine:
    """One line of a report; raises Unreadable naming the column."""
    fields = {name: text for name, cell in cells.items() if (text := present(cell)) is not None}
    kind = _required(fields, "line_item_line_item_type")
    start, end = _charge_period(fields)
    billed = amount(_required(fields, "line_item_unblended_cost"), "line_item_unblended_cost")
    period_ns = instant_ns(fields.get("bill_billing_period_start_date"), "bill_billing_period_start_date")
    period = None if period_ns is None else cost_lines.utc_date(period_ns)
    product = aws_columns.product(cells)
    line = CostLine(
        line_key=aws_columns.key(fields, source_format),
        source_format=source_format,
        measure="cost",
        charge_period_start_ns=start,
        charge_period_end_ns=end,
        charge_category=CATEGORIES.get(kind, "Adjustment"),
        batch_key=None if period is None else f"{period:%Y-%m}",
        provider_name="aws.bedrock"
        if aws_columns.is_bedrock(fields, product)
        else fields.get("bill_billing_entity", "AWS"),
        billing_account_id=fields.get("bill_payer_account_id"),
        sub_account_id=fields.get("line_item_usage_account_id"),
        invoice_id=fields.get("bill_invoice_id"),
        region_id=aws_columns.region(fields, product),
        billing_period_start=period,
        charge_description=fields.get("line_item_line_item_description"),
        sku_id=fields.get("line_item_usage_type") or fields.get("product_sku"),
        consumed_quantity=quantity(fields.get("line_item_usage_amount"), "line_item_usage_amount"),
        consumed_unit=fields.get("pricing_unit"),
        billed_cost=billed,
        effective_cost=aws_columns.effective_cost(fields, kind, billed),
        list_cost=amount(fields.get("pricing_public_on_demand_cost"), "pricing_public_on_demand_cost"),
        billing_currency=_required(fields, "line_item_currency_code").upper(),
        tags=aws_columns.tags(cells, kind),
    )
    return _with_tokens(line, fields, product) if line.provider_name == "aws.bedrock" else line


def _with_tokens(line: CostLine, fields: dict[str, str], product: dict[str, str]) -> CostLine:
    """Model, kind of token, tier and, on usage, the count; a unit that is not stated leaves the count empty."""
    meter = aws_usage_type.read(fields.get("line_item_usage_type", ""))
    named = product.get("model")
    model = meter.model or aws_usage_type.arn_model(fields.get("line_item_resource_id"))
    model = model or (aws_usage_type.model_name(named) if named else None)
    editions = (product.get("product_name"), product.get("servicename"))
    model = model or next((sold for text in editions if (sold := aws_usage_type.sold_model(text))), None)
    per_unit = aws_usage_type.tokens_per_unit(line.consumed_unit, line.charge_description, meter)
    counts = line.charge_category == "Usage" and meter.token_type is not None and per_unit is not None
    return line._replace(
        model=model,
        token_type=meter.token_type,
        tokens=tokens(line.consumed_quantity, per_unit, "line_item_usage_amount")
        if counts and per_unit
        else None,
        service_tier=meter.service_tier,
        batch=meter.batch,
    )


def _charge_period(fields: dict[str, str]) -> tuple[int, int]:
    """Usage dates; fees and refunds without them have the interval of their identity, else the billing period."""
    interval = fields.get("identity_time_interval", "").split("/")
    pairs = (
        ("line_item_usage_start_date", fields.get("line_item_usage_start_date")),
        ("identity_time_interval", interval[0]),
        ("bill_billing_period_start_date", fields.get("bill_billing_period_start_date")),
    )
    ends = (fields.get("line_item_usage_end_date"), interval[-1], fields.get("bill_billing_period_end_date"))
    for (column, begin), finish in zip(pairs, ends, strict=True):
        start, end = instant_ns(begin, column), instant_ns(finish, column.replace("_start_", "_end_"))
        if start is None or end is None:
            continue
        if start not in BILLED_NS:
            raise Unreadable(column, begin, BILLED_YEARS)
        if end < start:
            raise Unreadable(column.replace("_start_", "_end_"), finish, f"it is before {begin}.")
        return start, end
    raise Unreadable(
        "line_item_usage_start_date", "", "a line needs both usage dates; add them to the export."
    )


def _required(fields: dict[str, str], column: str) -> str:
    if column not in fields:
        raise Unreadable(column, "", "every line of a report has it; deliver the report again.")
    return fields[column]
