"""Rows of Google Cloud's billing export, whatever it was saved as, with their nested columns as mappings."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import polars as pl

from core.ingest.money import Unreadable

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


def rows(content: bytes) -> Iterator[dict[str, Any] | str]:
    """Rows with their nested columns as mappings; a text says why a line is none."""
    if content.startswith(b"PAR1"):
        try:
            yield from (_nested(row) for row in pl.read_parquet(io.BytesIO(content)).iter_rows(named=True))
        except pl.exceptions.PolarsError as error:
            yield f"The Parquet file cannot be read: {error}; export it again."
        return
    text = content.decode("utf-8-sig", "replace")
    if text.lstrip()[:1] not in ("{", "["):
        try:
            yield from (_nested(row) for row in csv.DictReader(io.StringIO(text, newline="")))
        except csv.Error as error:
            yield f"The CSV cannot be read: {error}; export it again."
        return
    try:
        document = json.loads(text, parse_float=Decimal)
        listed = document if isinstance(document, list) else [document]
    except json.JSONDecodeError:
        listed = [_line_of(line) for line in text.split("\n") if line.strip()]
    for row in listed:
        if isinstance(row, dict):
            yield _nested(row)
        else:
            yield row if isinstance(row, str) else f"The row is {type(row).__name__} and not an object."


def _line_of(text: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except json.JSONDecodeError as error:
        return f"The line is not JSON: {error.msg} at character {error.pos}; write one object a line."


def _nested(row: Mapping[str, Any]) -> dict[str, Any]:
    """CSV writes service.description, or service_description, for the description inside service."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name is None:
            raise Unreadable("row", value, "it has more cells than the header; quote cells with commas.")
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
            return json.loads(value, parse_float=Decimal)
        except json.JSONDecodeError:
            return value
    return value


def deep(row: Mapping[str, Any], path: str) -> Any:
    value: Any = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
