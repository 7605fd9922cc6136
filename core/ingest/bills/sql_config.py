"""The configuration of SQL sources: one TOML file, every mistake named with its source and field.

docs/sql-sources.md has it with examples.
"""

from __future__ import annotations

import os
import re
import tomllib
import zoneinfo
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from core.ingest.cells import DAY_NS, HOUR_NS

TARGETS = ("cost_lines", "litellm")
METRICS = (
    "tokens",
    "requests",
    "consumed_quantity",
    "billed_cost",
    "effective_cost",
    "list_cost",
    "invoice_id",
)
TEXTS = (
    "measure", "charge_category", "provider_name", "billing_account_id", "sub_account_id", "api_key_id", "region_id",
    "charge_class", "charge_description", "sku_id", "model", "token_type", "consumed_unit", "billing_currency",
    "service_tier", "batch", "response_id", "trace_id", "status",
)  # fmt: skip
TIMES = ("charge_period_start", "charge_period_end")
COLUMNS = (*TIMES, *TEXTS, *METRICS)
LITELLM_QUERY = (
    'select * from "LiteLLM_SpendLogs" where "startTime" >= :since order by "startTime", request_id'
)
_STATEMENT = re.compile(r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(?:select|with)\b", re.IGNORECASE | re.DOTALL)


class BadSource(ValueError):
    """A source that cannot be used; the message names it, the field and what to write."""


class SqlSource(NamedTuple):
    """One database, query and column map."""

    name: str
    url: str
    query: str
    target: str
    columns: dict[str, str]
    """Bill line column -> result column, or "=text" for a constant."""
    key: tuple[str, ...]
    """Result columns that identify a line; empty: everything that is mapped and no amount."""
    time_zone: str
    tokens_per_unit: int
    grain_ns: int
    """Length of a charge period that has no end."""
    restates: str
    """lines: a later line with the same key replaces it; month: each pull replaces its months as a whole."""
    since_days: int
    """:since of the query is this many days before now."""
    every_minutes: int
    timeout_seconds: int
    row_limit: int


_DEFAULTS: dict[str, Any] = {
    "target": "cost_lines", "columns": {}, "key": [], "time_zone": "UTC", "tokens_per_unit": 1, "grain": "day",
    "restates": "lines", "since_days": 40, "every_minutes": 0, "timeout_seconds": 300, "row_limit": 5_000_000,
}  # fmt: skip
_COUNTS = (
    ("tokens_per_unit", 1), ("since_days", 1), ("every_minutes", 0), ("timeout_seconds", 1), ("row_limit", 1),
)  # fmt: skip
_ALLOWED = ("name", "url", "url_env", "query", *_DEFAULTS)


def load(path: Path, environment: Mapping[str, str] | None = None) -> list[SqlSource]:
    """The sources of a configuration file; raises BadSource."""
    variables = os.environ if environment is None else environment
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadSource(f"{path.name} cannot be read: {error}. Correct the file.") from error
    entries = table.get("source")
    if not isinstance(entries, list) or not entries:
        raise BadSource(f"{path.name} has no [[source]]. Write one for each database.")
    sources = [_source(entry, number, path.name, variables) for number, entry in enumerate(entries, 1)]
    twice = [name for name, count in Counter(source.name for source in sources).items() if count > 1]
    if twice:
        raise BadSource(f"{path.name}: two sources are named {twice[0]!r}. Give each its own name.")
    return sources


def _source(entry: Any, number: int, file: str, variables: Mapping[str, str]) -> SqlSource:
    where = f"{file}, source {number}"
    if not isinstance(entry, dict):
        raise BadSource(f"{where}: write it as a table, [[source]].")
    unknown = [key for key in entry if key not in _ALLOWED]
    if unknown:
        raise BadSource(f"{where}: there is no field {unknown[0]!r}. Known fields: {', '.join(_ALLOWED)}.")
    name = entry.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_-]{1,40}", name):
        raise BadSource(f"{where}: name is {name!r}; write 1 to 40 small letters, digits, - and _.")
    where = f"{file}, source {name!r}"
    told = _DEFAULTS | entry
    if told["target"] not in TARGETS:
        raise BadSource(f"{where}: target is {told['target']!r}; write one of {', '.join(TARGETS)}.")
    query = told.get("query") or (LITELLM_QUERY if told["target"] == "litellm" else "")
    for field, options in (("grain", ("day", "hour")), ("restates", ("lines", "month"))):
        if told[field] not in options:
            raise BadSource(f"{where}: {field} is {told[field]!r}; write one of {', '.join(options)}.")
    return SqlSource(
        name=name,
        url=_url(told, where, variables),
        query=_query(query, where),
        target=told["target"],
        columns=_columns(told["columns"], told["target"], where),
        key=_key(told["key"], where),
        time_zone=_zone(told["time_zone"], where),
        grain_ns={"day": DAY_NS, "hour": HOUR_NS}[told["grain"]],
        restates=told["restates"],
        **{field: _whole(told, field, where, least) for field, least in _COUNTS},
    )


def _url(told: dict[str, Any], where: str, variables: Mapping[str, str]) -> str:
    named = told.get("url_env")
    if named is not None and named not in variables:
        raise BadSource(f"{where}: the environment has no variable {named!r}; set it to the database's URL.")
    url = variables[named] if named is not None else told.get("url")
    if not isinstance(url, str) or "://" not in url:
        raise BadSource(
            f"{where}: write url, or url_env with the name of a variable, like postgresql://host/db."
        )
    return url


def _query(query: Any, where: str) -> str:
    if not isinstance(query, str) or not _STATEMENT.match(query):
        raise BadSource(f"{where}: query must be one statement that begins with select or with.")
    if ";" in query.rstrip().rstrip(";"):
        raise BadSource(
            f"{where}: query holds more than one statement; write one, without a semicolon inside."
        )
    return query.rstrip().rstrip(";")


def _columns(columns: Any, target: str, where: str) -> dict[str, str]:
    if target == "litellm":
        return {}
    if not isinstance(columns, dict):
        raise BadSource(f"{where}: write [source.columns] as a table.")
    for column, given in columns.items():
        if column not in COLUMNS or not isinstance(given, str) or not given:
            raise BadSource(
                f"{where}: columns.{column} is {given!r}. Columns: {', '.join(COLUMNS)}; each a text."
            )
    needed = ["charge_period_start"]
    if not set(columns) & {"billed_cost", "effective_cost", "tokens", "requests"}:
        needed.append("billed_cost")
    if set(columns) & {"billed_cost", "effective_cost"}:
        needed.append("billing_currency")
    missing = [column for column in needed if column not in columns]
    if missing:
        raise BadSource(
            f'{where}: columns.{missing[0]} is missing; name a column of the query, or a constant "=USD".'
        )
    return dict(columns)


def _key(columns: Any, where: str) -> tuple[str, ...]:
    if not isinstance(columns, list) or not all(isinstance(column, str) and column for column in columns):
        raise BadSource(f"{where}: key is {columns!r}; write a list of columns of the query.")
    return tuple(columns)


def _zone(name: Any, where: str) -> str:
    try:
        zoneinfo.ZoneInfo(str(name))
    except (ValueError, zoneinfo.ZoneInfoNotFoundError):
        raise BadSource(
            f"{where}: time_zone is {name!r}; write a name like UTC or America/New_York."
        ) from None
    return str(name)


def _whole(told: dict[str, Any], field: str, where: str, least: int) -> int:
    value = told[field]
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise BadSource(f"{where}: {field} is {value!r}; write a whole number of {least} or more.")
    return value
