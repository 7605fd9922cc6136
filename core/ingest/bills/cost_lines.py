"""A line of a bill as the ledger keeps it: the columns of cost_lines, their frame and their key."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

import orjson
import polars as pl

from core.ingest.cells import DAY_NS, HOUR_NS


class CostLine(NamedTuple):
    """One row of cost_lines, in the order of core/ledger/schema.sql; see there for each column."""

    line_key: str
    source_format: str
    measure: str
    charge_period_start_ns: int
    charge_period_end_ns: int
    charge_category: str
    batch_key: str | None = None
    provider_name: str | None = None
    billing_account_id: str | None = None
    sub_account_id: str | None = None
    api_key_id: str | None = None
    invoice_id: str | None = None
    region_id: str | None = None
    billing_period_start: date | None = None
    charge_class: str | None = None
    charge_description: str | None = None
    sku_id: str | None = None
    model: str | None = None
    token_type: str | None = None
    tokens: int | None = None
    requests: int | None = None
    consumed_quantity: Decimal | None = None
    consumed_unit: str | None = None
    billed_cost: Decimal | None = None
    effective_cost: Decimal | None = None
    list_cost: Decimal | None = None
    billing_currency: str | None = None
    service_tier: str | None = None
    batch: bool | None = None
    response_id: str | None = None
    gateway_call_id: str | None = None
    trace_id: str | None = None
    attempted_retries: int | None = None
    status: str | None = None
    tags: str | None = None


_MONEY = pl.Decimal(24, 12)
_TYPES: dict[str, type[pl.DataType] | pl.DataType] = {
    "charge_period_start_ns": pl.Int64,
    "charge_period_end_ns": pl.Int64,
    "billing_period_start": pl.Date,
    "tokens": pl.Int64,
    "requests": pl.Int64,
    "consumed_quantity": pl.Decimal(38, 12),
    "billed_cost": _MONEY,
    "effective_cost": _MONEY,
    "list_cost": _MONEY,
    "batch": pl.Boolean,
    "attempted_retries": pl.Int64,
}
"""Column types; the others are text."""


def frame(lines: list[CostLine]) -> pl.DataFrame:
    """The rows of cost_lines, with the UTC day, and the hour of lines that span less than a day."""
    columns = zip(*lines, strict=True) if lines else ((),) * len(CostLine._fields)
    rows = pl.DataFrame(
        [
            pl.Series(name, values, dtype=_TYPES.get(name, pl.String), strict=True)
            for name, values in zip(CostLine._fields, columns, strict=True)
        ]
    )
    start, end = pl.col("charge_period_start_ns"), pl.col("charge_period_end_ns")
    return rows.with_columns(
        start.floordiv(DAY_NS).cast(pl.Int32).cast(pl.Date).alias("day"),
        pl.when(end - start < DAY_NS).then(start.floordiv(HOUR_NS)).alias("hour"),
    )


def key(*parts: object) -> str:
    """32 hex that tell lines apart: equal parts make equal keys, and ("a", "b") differs from ("ab",)."""
    try:
        text = orjson.dumps(parts, default=str)
    except orjson.JSONEncodeError:  # an integer of more than 64 bits stands in the row
        text = repr(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:32]


def utc_date(at_ns: int) -> date:
    """The UTC date of an instant."""
    return date(1970, 1, 1) + timedelta(days=at_ns // DAY_NS)
