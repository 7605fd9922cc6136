"""Reading one attribute value into a column: each function returns None when the value cannot be read.

None means "keep the attribute as it came", so nothing unreadable is lost. Cells of bills are read by cells.py instead,
which refuses the row.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

import orjson

INT64_MAX = 9_223_372_036_854_775_807
_USD_STEP = Decimal("0.000000000001")
_USD_MAX = Decimal(10**12)

PROVIDERS = {
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "google": "gcp.gen_ai",
    "az.ai.openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "azure": "azure.ai.openai",
    "azure-openai": "azure.ai.openai",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "amazon-bedrock": "aws.bedrock",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
    "watsonx": "ibm.watsonx.ai",
}
"""Spellings of older dialects; anything else is kept as it came, in lower case."""

NOT_PROVIDERS = {"langgraph", "langchain", "traceloop", "llamaindex", "crewai", "haystack", "mcp"}
"""Frameworks that OpenLLMetry writes into gen_ai.provider.name: they answer no model call."""

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "tool_use": "tool_calls",
    "tool_call": "tool_calls",
    "tool-calls": "tool_calls",
    "function_call": "tool_calls",
    "content-filter": "content_filter",
}
"""Vendors' words for the same end in OpenAI's vocabulary; a word not listed is kept (refusal, error)."""


def first(value: Any) -> Any:
    """Captured headers are arrays of strings; the first one counts."""
    return (value[0] if value else None) if isinstance(value, list) else value


def text(value: Any) -> str | None:
    """A non-empty string; numbers are written out, structures are refused."""
    if type(value) is str:
        return value or None
    value = first(value)
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def count(value: Any) -> int | None:
    """A whole number from zero up that fits 64 bits; "200" and 200.0 are read, True and -1 are not."""
    if type(value) is int:
        return value if 0 <= value <= INT64_MAX else None
    value = first(value)
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if not 0 <= number <= 2**53 or number != int(number):
        return None
    return int(number)


def http_status(value: Any) -> int | None:
    """An HTTP status code, 100 to 599."""
    status = count(value)
    return status if status is not None and 100 <= status <= 599 else None


def small_count(value: Any) -> int | None:
    """A count that fits a 32-bit column."""
    number = count(value)
    return number if number is not None and number < 2**31 else None


def boolean(value: Any) -> bool | None:
    """True or False, also as text."""
    if isinstance(value, bool):
        return value
    value = first(value)
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def _scaled(value: Any, scale: float) -> int | None:
    value = first(value)
    if isinstance(value, bool):
        return None
    try:
        scaled = float(value) * scale
    except (TypeError, ValueError):
        return None
    return round(scaled) if 0 <= scaled < 2**62 else None


def seconds_ns(value: Any) -> int | None:
    """Seconds to nanoseconds; an HTTP date in a retry-after header is not a duration and is refused."""
    return _scaled(value, 1e9)


def milliseconds_ns(value: Any) -> int | None:
    """Milliseconds to nanoseconds."""
    return _scaled(value, 1e6)


def provider(value: Any) -> str | None:
    """Provider name in today's spelling; the AI SDK's "openai.chat" loses the part that names the API."""
    name = text(value)
    if name is None:
        return None
    name = name.lower()
    if name in NOT_PROVIDERS:
        return None
    stem, _, api = name.partition(".")
    if api in ("chat", "responses", "completion", "messages", "embedding", "embeddings", "generative-ai"):
        name = stem
    return PROVIDERS.get(name, name)


def finish_reasons(value: Any) -> str | None:
    """Comma-separated reasons in one vocabulary."""
    items = value if isinstance(value, list) else [value]
    words = [FINISH_REASONS.get(item.lower(), item) for item in items if isinstance(item, str) and item]
    return ",".join(words) or None


def response_tier(value: Any) -> str | None:
    """A service tier; "auto" is what was asked, not what was served."""
    tier = text(value)
    return None if tier == "auto" else tier


def usd(value: Any) -> Decimal | None:
    """Dollars as an exact decimal with 12 places, through repr so that 0.1 stays 0.1."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        return None
    return amount.quantize(_USD_STEP) if amount.is_finite() and abs(amount) < _USD_MAX else None


def hash16(value: Any) -> str | None:
    """First 16 hex digits of sha256: says whether two values are equal, not what they are."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        value = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def url_path(value: Any) -> str | None:
    """Path of a URL or of a request target; query and fragment carry secrets and are left behind."""
    if not isinstance(value, str):
        return None
    try:
        return urlsplit(value).path or None
    except ValueError:
        return None


def url_host(value: Any) -> str | None:
    """Host of a URL, without port or credentials."""
    if not isinstance(value, str):
        return None
    try:
        return urlsplit(value).hostname
    except ValueError:
        return None


def instant_ns(value: Any) -> int | None:
    """ISO 8601 instant, also wrapped in JSON quotes (Langfuse), as UTC nanoseconds."""
    if not isinstance(value, str):
        return None
    try:
        at = dt.datetime.fromisoformat(value.strip('"'))
    except ValueError:
        return None
    at = at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at
    return int((at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(microseconds=1)) * 1000


_QUERY = re.compile(r"(\b[a-z][a-z0-9+.-]*://)(?:[^/\s?#\"]*@)?([^\s?\"#]*)[?#][^\s\"]*", re.IGNORECASE)
_LOGIN = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s?#\"@]*@", re.IGNORECASE)


def without_query(value: str) -> str:
    """The text with the query string, fragment and credentials of every URL in it removed."""
    return _LOGIN.sub(r"\1", _QUERY.sub(r"\1\2", value))
