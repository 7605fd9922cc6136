"""Columns of AWS Cost and Usage Reports: their names in both versions, and what several of them say together.

CUR 2.0 and Athena write line_item_usage_type, legacy reports lineItem/UsageType, and reservation/ReservationARN is
reservation_reservation_a_r_n in Athena: names are compared by their letters and digits alone.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson

from core.ingest.bills import aws_usage_type, cost_lines
from core.ingest.cells import amount, present

_COLUMNS = """
    identity_line_item_id identity_time_interval bill_invoice_id bill_billing_entity bill_payer_account_id
    bill_billing_period_start_date bill_billing_period_end_date line_item_usage_account_id
    line_item_line_item_type line_item_usage_start_date line_item_usage_end_date line_item_product_code
    line_item_usage_type line_item_operation line_item_availability_zone line_item_resource_id
    line_item_usage_amount line_item_currency_code line_item_unblended_cost line_item_net_unblended_cost
    line_item_line_item_description line_item_tax_type line_item_iam_principal line_item_user_identifier
    product product_product_name product_servicename product_model product_region product_region_code
    product_sku pricing_unit pricing_public_on_demand_cost resource_tags reservation_reservation_arn
    reservation_effective_cost reservation_net_effective_cost
    reservation_unused_amortized_upfront_fee_for_billing_period reservation_unused_recurring_fee
    reservation_net_unused_amortized_upfront_fee_for_billing_period reservation_net_unused_recurring_fee
    savings_plan_savings_plan_effective_cost savings_plan_net_savings_plan_effective_cost
    savings_plan_total_commitment_to_date savings_plan_used_commitment
"""
_CANONICAL = {name.replace("_", ""): name for name in _COLUMNS.split()}
_DIMENSIONS = [
    name
    for name in _COLUMNS.split()
    if name.startswith(("line_item_", "resource_"))
    and not re.search("cost|amount|principal|identifier", name)
]
"""What tells lines apart in an export without identity columns."""

_TAG = re.compile(r"resourcetags?/(.+)|resource_tags_(.+)", re.IGNORECASE)
_BEDROCK = re.compile(r"bedrock", re.IGNORECASE)
_ZONE = re.compile(r"((?:[a-z]+-){2,3}\d)[a-z]?")
_NET = "line_item_net_unblended_cost"
_AMORTISED = {
    "SavingsPlanCoveredUsage": (
        ("savings_plan_net_savings_plan_effective_cost",),
        ("savings_plan_savings_plan_effective_cost",),
    ),
    "DiscountedUsage": (("reservation_net_effective_cost",), ("reservation_effective_cost",)),
    "RIFee": (
        (
            "reservation_net_unused_amortized_upfront_fee_for_billing_period",
            "reservation_net_unused_recurring_fee",
        ),
        ("reservation_unused_amortized_upfront_fee_for_billing_period", "reservation_unused_recurring_fee"),
    ),
}
"""Columns whose sum is the amortised cost of a type of line, the first that the line fills."""

_PREPAID = frozenset({"SavingsPlanNegation", "SavingsPlanUpfrontFee"})
"""Types whose cost reappears as the effective cost of covered use."""


@lru_cache(maxsize=2_048)
def canonical(column: str) -> str:
    """A header in snake_case; tags and columns nobody needs as they are."""
    name = column.strip().strip("\ufeff")
    return _CANONICAL.get(re.sub(r"[^a-z0-9]", "", name.lower()), name)


def key(fields: dict[str, str], source_format: str) -> str:
    """A line's identity within its delivery; in an export without identity columns a hash of its dimensions."""
    account, period = (
        fields.get("bill_payer_account_id"),
        fields.get("bill_billing_period_start_date", "")[:10],
    )
    identity = fields.get("identity_line_item_id")
    if identity is not None:
        return cost_lines.key(source_format, account, period, identity, fields.get("identity_time_interval"))
    return cost_lines.key(source_format, account, period, [fields.get(column) for column in _DIMENSIONS])


def effective_cost(fields: dict[str, str], kind: str, billed: Decimal | None) -> Decimal | None:
    """Amortised cost of a line, net of discounts where the report states it.

    Commitments are spread as in AWS's amortised-cost queries (Well-Architected CUR query library): covered use at
    its plan's cost, fees at what was left unused. None when the line is covered and its plan's columns are not
    exported. Tax is what it is: no commitment or discount applies to it.
    """
    if kind in _PREPAID or (kind == "Fee" and "reservation_reservation_arn" in fields):
        return Decimal(0)
    if kind == "Tax":
        return billed
    if kind == "SavingsPlanRecurringFee":
        committed = _sum(fields, ("savings_plan_total_commitment_to_date",))
        used = _sum(fields, ("savings_plan_used_commitment",))
        return None if committed is None else committed - (used or 0)
    if kind in _AMORTISED:
        sums = (_sum(fields, columns) for columns in _AMORTISED[kind])
        return next((total for total in sums if total is not None), None)
    net = amount(fields.get(_NET), _NET)
    return billed if net is None else net


def _sum(fields: dict[str, str], columns: tuple[str, ...]) -> Decimal | None:
    amounts = [value for column in columns if (value := amount(fields.get(column), column)) is not None]
    return sum(amounts, Decimal(0)) if amounts else None


def product(cells: dict[str, Any]) -> dict[str, str]:
    """Attributes of the product, from the map of CUR 2.0 and from the columns beside it."""
    attributes = as_map(cells.get("product"))
    for column, cell in cells.items():
        if column.startswith("product_") and (text := present(cell)):
            attributes[column.removeprefix("product_")] = text
    return attributes


def is_bedrock(fields: dict[str, str], attributes: dict[str, str]) -> bool:
    """Also models sold through the Marketplace, whose product code is opaque."""
    named = (attributes.get(name) for name in ("servicename", "product_name"))
    texts = (fields.get("line_item_product_code"), fields.get("line_item_resource_id"), *named)
    return any(text and _BEDROCK.search(text) for text in texts)


def region(fields: dict[str, str], attributes: dict[str, str]) -> str | None:
    """The region as billed, else of the availability zone, else of the usage type's prefix."""
    stated = attributes.get("region_code") or attributes.get("region")
    zone = _ZONE.fullmatch(fields.get("line_item_availability_zone", ""))
    return stated or (zone[1] if zone else aws_usage_type.read(fields.get("line_item_usage_type", "")).region)


def tags(cells: dict[str, Any], kind: str) -> str | None:
    """Resource tags as JSON, with who called and the AWS type of lines that are not plain usage."""
    kept = as_map(cells.get("resource_tags"))
    for column, cell in cells.items():
        found = _TAG.fullmatch(column)
        if found and (text := present(cell)):
            kept[found[1] or found[2]] = text
    for column in ("line_item_iam_principal", "line_item_user_identifier"):
        if text := present(cells.get(column)):
            kept[column.removeprefix("line_item_")] = text
    if kind != "Usage":
        kept["line_item_type"] = kind
    return orjson.dumps(kept).decode() if kept else None


def as_map(cell: Any) -> dict[str, str]:
    """A map column: JSON text in CSV, pairs of key and value in Parquet. Text that is no map stands under its own."""
    if isinstance(cell, str):
        try:
            cell = orjson.loads(cell)
        except orjson.JSONDecodeError:
            return {"text": cell}
    if isinstance(cell, list):
        cell = {pair.get("key"): pair.get("value") for pair in cell if isinstance(pair, dict)}
    if not isinstance(cell, dict):
        return {}
    return {str(name): text for name, value in cell.items() if (text := present(value)) is not None}
