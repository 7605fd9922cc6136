"""What an AWS usage type says: source region, model, kind of token, tier and batch.

Three spellings of Bedrock tokens stand side by side in one bill: USE1-Claude4.5Sonnet-input-tokens-batch,
USW2-anthropic.claude-opus-4-8-mantle-input-tokens-global-standard, and for models sold through the Marketplace
USE1-MP:USE1_InputTokenCount_Global-Units, which names no model. The prefix is the region that was called, also
where a cross-region profile ran the model elsewhere.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from core.ingest.bills import sku_text

REGIONS = {
    "USE1": "us-east-1", "USE2": "us-east-2", "USW1": "us-west-1", "USW2": "us-west-2", "UGE1": "us-gov-east-1",
    "UGW1": "us-gov-west-1", "CAN1": "ca-central-1", "SAE1": "sa-east-1", "EU": "eu-west-1", "EUW1": "eu-west-1",
    "EUW2": "eu-west-2", "EUW3": "eu-west-3", "EUC1": "eu-central-1", "EUC2": "eu-central-2", "EUN1": "eu-north-1",
    "EUS1": "eu-south-1", "EUS2": "eu-south-2", "APN1": "ap-northeast-1", "APN2": "ap-northeast-2",
    "APN3": "ap-northeast-3", "APS1": "ap-southeast-1", "APS2": "ap-southeast-2", "APS3": "ap-south-1",
    "APS4": "ap-southeast-3", "APS5": "ap-south-2", "APS6": "ap-southeast-4", "APE1": "ap-east-1",
    "MES1": "me-south-1", "MEC1": "me-central-1", "AFS1": "af-south-1", "ILC1": "il-central-1",
}  # fmt: skip
"""Billing prefix -> region. Other prefixes are cut off the name all the same and give no region."""

_PREFIX = re.compile(r"(?:(?P<prefix>EU|(?:US|UG|CA|MX|SA|EU|AP|ME|AF|IL)[A-Z]{0,2}\d)-)?(?P<rest>.*)")
_TOKENS = re.compile(
    r"(?P<model>.+?)(?:-(?:mantle|text|image|audio|video|speech|long-context|lctx))*"
    r"-(?P<meter>(?:cache-(?:read|write)-(?:\d+-?[a-z]+-)?)?(?:(?:input|output)-)?token(?:s|-count))(?P<options>-.*)?"
)
_MARKETPLACE = re.compile(r"MP:(?:[A-Z0-9]+_)?(?P<meter>.+?)(?:-Units)?")
_CLAUDE = re.compile(r"claude-?(\d+(?:\.\d+)?)?-?([a-z]+?)-?(\d+(?:\.\d+)?)?(?:-?v\d)?")
_NOVA = re.compile(r"(?:amazon-?)?nova-?(\d+)?(?:\.0)?-?([a-z]+)(?:-?v\d)?")
_EDITION = re.compile(r"\s*\(amazon bedrock edition\)$")
_MODEL_ARN = re.compile(r"arn:aws[\w-]*:bedrock:[\w-]*:\d*:(?:foundation-model|inference-profile)/(\S+)")


class Meter(NamedTuple):
    """What a usage type says; None where it does not. token_type is None unless it counts tokens."""

    region: str | None = None
    model: str | None = None
    token_type: str | None = None
    service_tier: str | None = None
    batch: bool | None = None
    is_marketplace: bool = False


@lru_cache(maxsize=16_384)
def read(usage_type: str) -> Meter:
    """Take a usage type apart; one that counts no tokens gives its region only."""
    found = _PREFIX.fullmatch(usage_type)
    if found is None:
        return Meter()
    region = REGIONS.get(found["prefix"] or "")
    sold = _MARKETPLACE.fullmatch(found["rest"])
    if sold is not None:
        said = _words(sold["meter"])
        meter = Meter(region, None, _token_type(said), _tier(said), _batch(said), is_marketplace=True)
        return meter if said & {"token", "tokens"} and "reserved" not in said else Meter(region)
    counted = _TOKENS.fullmatch(found["rest"])
    if counted is None or (kind := _token_type(_words(counted["meter"]))) is None:
        return Meter(region)
    options = _words(counted["options"] or "")
    return Meter(region, model_name(counted["model"]), kind, _tier(options), _batch(options))


def _words(text: str) -> frozenset[str]:
    """CacheReadInputTokenCount_Global is cache, read, input, token, count and global."""
    return frozenset(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).lower()))


def _token_type(said: frozenset[str]) -> str | None:
    if "cache" in said:
        return "cache_read" if "read" in said else "cache_write" if "write" in said else None
    if "input" in said:
        return "input"
    return "output" if said & {"output", "response"} else None


def _tier(said: frozenset[str]) -> str | None:
    """The API calls the tier default that usage types call standard."""
    tiers = {"flex": "flex", "priority": "priority", "optimized": "latency-optimized", "standard": "default"}
    return next((tier for word, tier in tiers.items() if word in said), None)


def _batch(said: frozenset[str]) -> bool | None:
    return True if "batch" in said else None


@lru_cache(maxsize=4_096)
def model_name(billed: str) -> str:
    """The name as traces have it, without vendor and version: Claude4.5Sonnet is claude-sonnet-4-5.

    Claude and Nova are written in another order or without hyphens; other names are as billed in lower case.
    """
    name = re.sub(r"[\s_]+", "-", _EDITION.sub("", billed.strip().lower()))
    claude, nova = _CLAUDE.fullmatch(name), _NOVA.fullmatch(name)
    if claude and (claude[1] or claude[3]):
        version = (claude[1] or claude[3]).replace(".", "-")
        # from version 4 on the size stands before the version
        return f"claude-{version}-{claude[2]}" if version[0] in "123" else f"claude-{claude[2]}-{version}"
    if nova:
        return f"nova-{nova[1]}-{nova[2]}" if nova[1] else f"nova-{nova[2]}"
    return name


def sold_model(product_name: str | None) -> str | None:
    """The model of a Marketplace product: "Claude Sonnet 4.6 (Amazon Bedrock Edition)"; else None."""
    is_edition = product_name is not None and _EDITION.search(product_name.lower())
    return model_name(product_name) if product_name and is_edition else None


def arn_model(resource_id: str | None) -> str | None:
    """The model id in the ARN of a model or of AWS's own inference profile; an application's profile hides it."""
    found = _MODEL_ARN.fullmatch(resource_id or "")
    return None if found is None else found[1]


def tokens_per_unit(unit: str | None, description: str | None, meter: Meter) -> int | None:
    """Tokens in one billed unit, from the unit, else from the description, else 1M for a Marketplace unit."""
    stated = sku_text.tokens_per_unit(unit)
    if stated is not None:
        return stated
    text = (description or "").lower()
    scale = re.search(r"\b(?:1?(million|thousand)|1,?(k|m|000,000|000))\b", text) if "token" in text else None
    if scale is not None:
        return 1_000_000 if (scale[1] or scale[2]) in ("million", "m", "000,000") else 1_000
    return 1_000_000 if meter.is_marketplace and (unit or "units").lower() in ("units", "unit") else None
