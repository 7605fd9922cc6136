"""FOCUS columns: their names in every version and spelling, which of them are dimensions, and custom ones."""

from __future__ import annotations

import re
from functools import lru_cache

import orjson

from core.ingest.bills import cost_lines
from core.ingest.cells import instant_ns

_METRICS = """
    BilledCost EffectiveCost ListCost ContractedCost ConsumedQuantity PricingQuantity CommitmentDiscountQuantity
    ListUnitPrice ContractedUnitPrice PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice
    PricingCurrencyContractedUnitPrice
"""
_DIMENSIONS = """
    AvailabilityZone BillingAccountId BillingAccountName BillingAccountType BillingCurrency BillingPeriodEnd
    BillingPeriodStart CapacityReservationId CapacityReservationStatus ChargeCategory ChargeClass ChargeDescription
    ChargeFrequency ChargePeriodEnd ChargePeriodStart CommitmentDiscountCategory CommitmentDiscountId
    CommitmentDiscountName CommitmentDiscountStatus CommitmentDiscountType CommitmentDiscountUnit ConsumedUnit
    InvoiceId InvoiceIssuerName PricingCategory PricingCurrency PricingUnit ProviderName PublisherName RegionId
    RegionName ResourceId ResourceName ResourceType ServiceCategory ServiceName ServiceSubcategory SkuId SkuMeter
    SkuPriceDetails SkuPriceId SubAccountId SubAccountName SubAccountType Tags AllocatedMethodId
    AllocatedMethodDetails AllocatedResourceId AllocatedResourceName AllocatedTags ContractApplied
    ServiceProviderName HostProviderName
"""
"""Dimensions of versions 1.0 to 1.4."""

_CANONICAL = {name.lower(): name for name in (_METRICS + _DIMENSIONS).split()}
_TIMES = frozenset({"ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodStart", "BillingPeriodEnd"})
_NOT_IN_KEY = frozenset({*_METRICS.split(), "InvoiceId"})
_CUSTOM_METRIC = re.compile(r"cost|price|quantity|rate|amount|usd|discount|savings", re.IGNORECASE)

PROVIDERS = (
    (re.compile(r"azure|microsoft"), re.compile(r"openai|foundry|cognitive"), "azure.ai.openai"),
    (re.compile(r"aws|amazon"), re.compile(r"bedrock"), "aws.bedrock"),
    (re.compile(r"google|gcp"), re.compile(r"vertex"), "gcp.vertex_ai"),
    (re.compile(r"google|gcp"), re.compile(r"gemini|generative language"), "gcp.gemini"),
    (re.compile(r"^openai"), re.compile(""), "openai"),
    (re.compile(r"^anthropic"), re.compile(""), "anthropic"),
    (re.compile(r"^mistral"), re.compile(""), "mistral_ai"),
    (re.compile(r"^x\.?ai$"), re.compile(""), "x_ai"),
    (re.compile(r"^cohere"), re.compile(""), "cohere"),
    (re.compile(r"^groq"), re.compile(""), "groq"),
    (re.compile(r"^deepseek"), re.compile(""), "deepseek"),
    (re.compile(r"^perplexity"), re.compile(""), "perplexity"),
    (re.compile(r"^openrouter"), re.compile(""), "openrouter"),
)
"""(billed provider, service, gen_ai provider name), tried in order. A cloud is a gen_ai provider for its AI only."""


@lru_cache(maxsize=1_024)
def canonical(column: str) -> str:
    """A header as the standard spells it: case, spaces and snake_case aside; other headers as they are."""
    name = column.strip().strip("\ufeff")
    return _CANONICAL.get(name.replace("_", "").lower(), name)


def dimensions_key(fields: dict[str, str]) -> str:
    """A hash of everything that says what a line is for and nothing that says how much; times in one spelling."""
    parts: list[tuple[str, str | int | None]] = []
    for column in sorted(fields):
        if column in _TIMES:
            parts.append((column, instant_ns(fields[column], column)))
        elif _in_key(column):
            parts.append((column, fields[column]))
    return cost_lines.key("focus", parts)


@lru_cache(maxsize=1_024)
def _in_key(column: str) -> bool:
    if column.lower() in _CANONICAL:
        return column not in _NOT_IN_KEY
    return column.lower().startswith("x_") and not _CUSTOM_METRIC.search(column)


def provider(fields: dict[str, str]) -> str | None:
    """The gen_ai provider where the bill names one, else the provider as billed (1.4: ServiceProviderName)."""
    billed = fields.get("ServiceProviderName") or fields.get("ProviderName")
    return None if billed is None else _provider(billed, fields.get("ServiceName", ""))


@lru_cache(maxsize=4_096)
def _provider(billed: str, service: str) -> str:
    for who, what, name in PROVIDERS:
        if who.search(billed.lower()) and what.search(service.lower()):
            return name
    return billed


def custom(fields: dict[str, str], *names: str) -> str | None:
    """A provider's own column such as x_Model or x_ApiKeyId; names are lower case without x_ and underscores."""
    for column, text in fields.items():
        if column[:2] in ("x_", "X_") and column[2:].replace("_", "").lower() in names:
            return text
    return None


def tags(fields: dict[str, str]) -> str | None:
    """Tags as JSON, with the pricing currency and cost beside them when the line is priced in another currency."""
    text = fields.get("Tags")
    kept: dict[str, object] = {}
    if text is not None:
        try:
            parsed = orjson.loads(text)
        except orjson.JSONDecodeError:
            parsed = text
        kept = parsed if isinstance(parsed, dict) else {"Tags": parsed}
    currency = fields.get("PricingCurrency")
    if currency is not None and currency != fields.get("BillingCurrency"):
        kept["pricing_currency"] = currency
        if "PricingCurrencyEffectiveCost" in fields:
            kept["pricing_currency_effective_cost"] = fields["PricingCurrencyEffectiveCost"]
    return orjson.dumps(kept).decode() if kept else None
