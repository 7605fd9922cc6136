"""Prices the user states: what a contract says instead of the public list, with the dates it says it for.

The file is TOML. Every entry names the days it holds for, half-open: valid_from is the first day, valid_to
the first day it no longer holds (UTC). Either may be left out. When several entries fit, the last in the
file wins, so a new price is appended and history stays.

    [[model]]
    provider = "openai"             # gen_ai provider name; "*" for any
    model = "gpt-4o-mini*"          # glob on the model that answered, lower case
    valid_from = 2026-10-01
    valid_to = 2027-10-01
    input = 0.12                    # USD per million tokens, uncached
    output = 0.48                   # USD per million tokens, reasoning included
    cache_read = 0.06               # optional: the input price when left out
    cache_write = 0.15              # optional: the input price when left out
    per_request_usd = 0.0           # optional: added once per call
    service_tier = "default"        # optional: default, flex, priority, ...
    batch = false                   # optional: true for the batch price

    [[tool]]
    name = "web_search*"
    per_call_usd = 0.01
"""

from __future__ import annotations

import hashlib
import tomllib
from datetime import date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
DECIMALS = 12
"""The ledger keeps as many."""
MOST_USD = 10**9
"""No price is as high: past it a file has a slip, and the ledger's decimals no room."""
FOREVER = 10**9
"""A day number after every date."""

_MODEL_KEYS = {
    "provider", "model", "valid_from", "valid_to", "input", "output", "cache_read", "cache_write",
    "per_request_usd", "service_tier", "batch",
}  # fmt: skip
_TOOL_KEYS = {"name", "valid_from", "valid_to", "per_call_usd"}


class BadOverrides(ValueError):
    """The file cannot be used; the message names the entry, the key and what to write."""


class ModelOverride(NamedTuple):
    """Rates in USD per million tokens, for UTC days first_day <= day < end_day since the epoch."""

    provider: str
    model: str
    first_day: int
    end_day: int
    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal
    per_request_usd: Decimal
    service_tier: str
    batch: bool


class ToolOverride(NamedTuple):
    """USD per call of a tool."""

    name: str
    first_day: int
    end_day: int
    per_call_usd: Decimal


class Overrides(NamedTuple):
    """A file's entries in its own order; `digest` is 12 hex of its bytes, empty when there is no file."""

    models: tuple[ModelOverride, ...] = ()
    tools: tuple[ToolOverride, ...] = ()
    digest: str = ""

    def model(
        self, providers: tuple[str, ...], model: str, day: int, tier: str, batch: bool
    ) -> ModelOverride | None:
        """The entry for a call. providers: the names the provider goes by; tier: "default" when standard."""
        for entry in reversed(self.models):
            if (
                (entry.provider == "*" or entry.provider in providers)
                and entry.first_day <= day < entry.end_day
                and entry.service_tier == tier
                and entry.batch == batch
                and fnmatchcase(model.lower(), entry.model)
            ):
                return entry
        return None

    def tool(self, name: str, day: int) -> ToolOverride | None:
        """The entry for a tool's call on a UTC day."""
        for entry in reversed(self.tools):
            if entry.first_day <= day < entry.end_day and fnmatchcase(name.lower(), entry.name):
                return entry
        return None


NO_OVERRIDES = Overrides()


def load(path: Path | None) -> Overrides:
    """Read an overrides file; no path means no overrides. Raises BadOverrides, or OSError if unreadable."""
    if path is None:
        return NO_OVERRIDES
    content = path.read_bytes()
    try:
        # parse_float keeps 0.15 the number that was written
        entries = tomllib.loads(content.decode("utf-8-sig"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadOverrides(f"{path.name} is not TOML: {error}") from error
    unknown = entries.keys() - {"model", "tool"}
    if unknown:
        raise BadOverrides(f"{path.name} has [[{sorted(unknown)[0]}]]; write [[model]] or [[tool]] entries.")
    models = tuple(
        _model(entry, f"{path.name} [[model]] {n}")
        for n, entry in enumerate(_entries(entries, "model", path.name), 1)
    )
    tools = tuple(
        _tool(entry, f"{path.name} [[tool]] {n}")
        for n, entry in enumerate(_entries(entries, "tool", path.name), 1)
    )
    return Overrides(models, tools, hashlib.sha256(content).hexdigest()[:12])


def _entries(tables: dict[str, Any], kind: str, file: str) -> list[dict[str, Any]]:
    found = tables.get(kind, [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise BadOverrides(f"{file}: write each {kind} as [[{kind}]], in two brackets.")
    return found


def _model(entry: dict[str, Any], where: str) -> ModelOverride:
    _refuse_unknown(entry, _MODEL_KEYS, where)
    input_usd = _usd(entry, "input", where)
    first_day, end_day = _days(entry, where)
    batch = entry.get("batch", False)
    if not isinstance(batch, bool):
        raise BadOverrides(f"{where}: batch is {batch!r}; write true or false.")
    return ModelOverride(
        provider=_text(entry, "provider", where),
        model=_text(entry, "model", where),
        first_day=first_day,
        end_day=end_day,
        input=input_usd,
        output=_usd(entry, "output", where),
        cache_read=_usd(entry, "cache_read", where, input_usd),
        cache_write=_usd(entry, "cache_write", where, input_usd),
        per_request_usd=_usd(entry, "per_request_usd", where, Decimal(0)),
        service_tier=_text(entry, "service_tier", where) if "service_tier" in entry else "default",
        batch=batch,
    )


def _tool(entry: dict[str, Any], where: str) -> ToolOverride:
    _refuse_unknown(entry, _TOOL_KEYS, where)
    return ToolOverride(_text(entry, "name", where), *_days(entry, where), _usd(entry, "per_call_usd", where))


def _refuse_unknown(entry: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(entry.keys() - known)
    if unknown:
        raise BadOverrides(f"{where}: {unknown[0]} is not a key; the keys are {', '.join(sorted(known))}.")


def _text(entry: dict[str, Any], key: str, where: str) -> str:
    text = entry.get(key)
    if not isinstance(text, str) or not text:
        raise BadOverrides(f"{where}: {key} is {text!r}; write a text in quotes.")
    return text.lower()


def _usd(entry: dict[str, Any], key: str, where: str, otherwise: Decimal | None = None) -> Decimal:
    amount = entry.get(key, otherwise)
    if isinstance(amount, int) and not isinstance(amount, bool):
        amount = Decimal(amount)
    if not isinstance(amount, Decimal) or not amount.is_finite() or not 0 <= amount < MOST_USD:
        raise BadOverrides(
            f"{where}: {key} is {entry.get(key)!r:.40}; write a number of USD from 0 to below {MOST_USD:,}."
        )
    if amount != round(amount, DECIMALS):
        raise BadOverrides(f"{where}: {key} is {amount}; write at most {DECIMALS} decimals.")
    return amount


def _days(entry: dict[str, Any], where: str) -> tuple[int, int]:
    first_day, end_day = -FOREVER, FOREVER
    for key in ("valid_from", "valid_to"):
        day = entry.get(key)
        if day is None:
            continue
        if not isinstance(day, date) or isinstance(day, datetime):
            raise BadOverrides(f"{where}: {key} is {day!r}; write a date like 2026-10-01, without quotes.")
        if key == "valid_from":
            first_day = day.toordinal() - EPOCH_ORDINAL
        else:
            end_day = day.toordinal() - EPOCH_ORDINAL
    if first_day >= end_day:
        raise BadOverrides(
            f"{where}: valid_from {entry['valid_from']} is not before valid_to {entry['valid_to']}."
        )
    return first_day, end_day
