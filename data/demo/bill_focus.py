"""Anthropic's charges as a FOCUS 1.2 CSV: one row a day, workspace, model and token type.

Column names and their order are FOCUS 1.2's; the meter names are the demo's own, in the style of the price list.
"""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

from data.demo.charges import Charge, Charges, Key
from data.demo.prices import amounts, money, token_prices

COLUMNS = [
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "CapacityReservationId",
    "CapacityReservationStatus",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountQuantity",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "CommitmentDiscountUnit",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingCurrency",
    "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
]

LINES = ("input", "cache read", "cache write", "output")


CONSTANT = {
    "BillingAccountId": "northwind",
    "BillingAccountName": "Northwind",
    "BillingCurrency": "USD",
    "ChargeCategory": "Usage",
    "ChargeFrequency": "Usage-Based",
    "ConsumedUnit": "Tokens",
    "InvoiceIssuerName": "Anthropic",
    "PricingCategory": "Standard",
    "PricingUnit": "1M Tokens",
    "ProviderName": "Anthropic",
    "PublisherName": "Anthropic",
    "ServiceCategory": "AI and Machine Learning",
    "ServiceName": "Claude API",
    "ServiceSubcategory": "Generative AI",
    "SubAccountType": "Workspace",
}
"""What stands the same in every row."""


def _instant(day: dt.date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def month_of(day: int) -> str:
    """YYYY-MM of a day counted from the epoch."""
    return (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()[:7]


def _row(key: Key, line: str, tokens: int, cost: str, unit_price: str) -> dict[str, str]:
    day = dt.date(1970, 1, 1) + dt.timedelta(days=key.day)
    month = day.replace(day=1)
    following = (month + dt.timedelta(days=32)).replace(day=1)
    meter = f"{key.model.snapshot} {line}"
    return CONSTANT | {
        "BilledCost": cost,
        "EffectiveCost": cost,
        "ContractedCost": cost,
        "ListCost": cost,
        "ContractedUnitPrice": unit_price,
        "ListUnitPrice": unit_price,
        "BillingPeriodStart": _instant(month),
        "BillingPeriodEnd": _instant(following),
        "ChargeDescription": meter,
        "ChargePeriodStart": _instant(day),
        "ChargePeriodEnd": _instant(day + dt.timedelta(days=1)),
        "ConsumedQuantity": str(tokens),
        "InvoiceId": f"NW-{month.isoformat()[:7]}",
        "PricingQuantity": f"{tokens / 1_000_000:.6f}",
        "SkuId": meter,
        "SkuMeter": meter,
        "SkuPriceId": meter,
        "SubAccountId": key.project,
        "SubAccountName": key.project.removeprefix("wrkspc_"),
        "Tags": f'{{"team": "{key.project.removeprefix("wrkspc_")}"}}',
    }


def focus_rows(key: Key, charge: Charge) -> list[dict[str, str]]:
    """The rows of one group, one a token type in use."""
    prices = token_prices(key.model, key.day)
    costs = amounts(charge.tokens, prices)
    return [
        _row(key, line, tokens, money(cost), money(price * 1_000_000))
        for line, tokens, cost, price in zip(LINES, charge.tokens, costs, prices, strict=True)
        if tokens
    ]


def write_focus(path: Path, charges: Charges, month: str, damaged: int) -> None:
    """One month's CSV with the BOM such exports carry; `damaged` rows repeat the first with an unreadable cost."""
    keys = [key for key in sorted(charges) if key.bill == "focus" and month_of(key.day) == month]
    rows = [row for key in keys for row in focus_rows(key, charges[key])]
    for number in range(damaged if rows else 0):
        meter = f"{rows[0]['SkuMeter']} (line {number + 1})"
        rows.append(
            rows[0] | {"SkuMeter": meter, "SkuId": meter, "BilledCost": "n/a", "EffectiveCost": "n/a"}
        )
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
