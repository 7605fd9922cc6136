"""Token counts of a Langfuse observation: usageDetails, a map whose keys every integration chooses.

By Langfuse's contract the keys do not overlap (`input` excludes input_cached_tokens, `output` excludes
output_reasoning_tokens) and `total` is their sum. Some integrations send counts that include their details: where
only that reading adds up to the stated total, it is taken. A total that Langfuse added up itself over overlapping
keys cannot be told from a sound one.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from itertools import product
from typing import Any, NamedTuple

from core.ingest.cells import present, quantity, whole
from core.ingest.row_texts import json_value

_KINDS = (
    ("cache_write", re.compile(r"cach.*(?:creat|writ)|ephemeral")),
    ("cache_read", re.compile(r"cach")),
    ("reasoning", re.compile(r"reason|thinking|thought")),
    ("input", re.compile(r"input|prompt")),
    ("output", re.compile(r"output|completion|candidates")),
)
"""The first that matches a key in lower case; Langfuse itself sums keys with "input" and keys with "output"."""


class Usage(NamedTuple):
    """Counts of one call; None = not reported."""

    counts: dict[str, Any]
    """input_tokens (with cache), output_tokens (with reasoning), their parts, and other_usage under its own keys."""
    tokens: int | None
    quantity: Decimal | None = None
    """Of calls counted in another unit than tokens, in `unit`."""
    unit: str | None = None


def mapping(fields: dict[str, Any], field: str) -> dict[str, Any]:
    """A field that is an object, or text of one; empty when it is neither."""
    value = fields.get(field, fields.get(field.lower()))
    if isinstance(value, str) and value[:1] == "{":
        try:
            value = json_value(value, Decimal)
        except (json.JSONDecodeError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def read(fields: dict[str, Any]) -> Usage:
    """Counts of an observation with lower-case field names; raises Unreadable for what is no count."""
    details = {k: v for k, v in mapping(fields, "usageDetails").items() if present(v) is not None}
    older = mapping(fields, "usage")
    if not details:
        # The deprecated field is filled with zeros when nobody counted.
        details = {k: older[k] for k in ("input", "output", "total") if older.get(k)}
    unit = present(older.get("unit")) or "TOKENS"
    if unit.upper() != "TOKENS":
        total = quantity(details.get("total"), "usageDetails.total")
        return Usage({}, None, total, unit.capitalize())
    kinds: dict[str, int] = {}
    other: dict[str, Decimal] = {}
    for key, value in details.items():
        kind = next((name for name, words in _KINDS if words.search(key.lower())), None)
        if kind is not None:
            kinds[kind] = kinds.get(kind, 0) + (whole(value, f"usageDetails.{key}") or 0)
        elif key.lower() not in ("total", "total_tokens", "totaltokens"):
            other[key] = quantity(value, f"usageDetails.{key}") or Decimal(0)
    total_tokens = details.get("total", details.get("total_tokens", details.get("totalTokens")))
    return _summed(kinds, other, whole(total_tokens, "usageDetails.total"))


def _summed(kinds: dict[str, int], other: dict[str, Decimal], total: int | None) -> Usage:
    cached, reasoned = kinds.get("cache_read", 0) + kinds.get("cache_write", 0), kinds.get("reasoning", 0)
    plain = kinds.get("input", 0) + kinds.get("output", 0)
    totals = (total, None if total is None else total - int(sum(other.values())))
    for into, out in product(
        (cached, 0), (reasoned, 0)
    ):  # the contract first, then counts that include parts
        if plain + into + out in totals:
            break
    else:
        into, out = cached, reasoned
    counts: dict[str, Any] = {
        "input_tokens": kinds.get("input", 0) + into
        if kinds.keys() & {"input", "cache_read", "cache_write"}
        else None,
        "output_tokens": kinds.get("output", 0) + out if kinds.keys() & {"output", "reasoning"} else None,
        "cache_read_tokens": kinds.get("cache_read"),
        "cache_write_tokens": kinds.get("cache_write"),
        "reasoning_tokens": kinds.get("reasoning"),
        "other_usage": {key: f"{count.normalize():f}" for key, count in other.items()} or None,
    }
    known = [count for count in (counts["input_tokens"], counts["output_tokens"]) if count is not None]
    kept = {name: count for name, count in counts.items() if count is not None}
    return Usage(kept, sum(known) if known else total)
