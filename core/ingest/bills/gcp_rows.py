"""Rows of Google Cloud's billing export, whatever it was saved as, with their nested columns as mappings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from core.ingest import parquet, row_texts
from core.ingest.row_texts import NotARow, json_value

_NESTED = (
    "service",
    "sku",
    "project",
    "location",
    "usage",
    "price",
    "invoice",
    "adjustment_info",
    "resource",
)


def rows(content: bytes) -> Iterator[dict[str, Any] | NotARow]:
    """Rows with their nested columns as mappings."""
    if content.startswith(parquet.MAGIC):
        try:
            yield from (_nested(row) for row in parquet.records(content))
        except parquet.BadParquet as error:
            yield NotARow(f"The file cannot be read: {error}")
        return
    for row in row_texts.rows(content.decode("utf-8-sig", "replace"), Decimal):
        yield row if isinstance(row, NotARow) else _nested(row)


def _nested(row: Mapping[str, Any]) -> dict[str, Any]:
    """CSV writes service.description, or service_description, for the description inside service."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        parent, dot, child = name.partition(".")
        if not dot:
            parent = next((known for known in _NESTED if name.startswith(f"{known}_")), "")
            child = name[len(parent) + 1 :]
        is_nested = parent in _NESTED and name not in ("usage_start_time", "usage_end_time")
        if is_nested:
            found.setdefault(parent, {})
            if isinstance(found[parent], dict):
                found[parent][child] = value
        else:
            found[name] = _parsed(value) if name in ("credits", "labels", *_NESTED) else value
    return found


def _parsed(value: Any) -> Any:
    """A nested cell of a CSV is JSON."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json_value(value, Decimal)
        except (json.JSONDecodeError, RecursionError):
            return value
    return value


def deep(row: Mapping[str, Any], path: str) -> Any:
    """The value at a path of names joined by dots; None where a step of it is missing."""
    value: Any = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
