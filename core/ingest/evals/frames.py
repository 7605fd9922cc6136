"""Rows of the eval tables as frames: ids and texts as Unicode, slices and attributes as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import orjson
import polars as pl

from core.ingest.row_texts import storable

_INT64 = 2**63
_TYPES: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(("started_at_ns", "n_total", "n_completed", "n_error"), pl.Int64),
    "epoch": pl.Int32,
    "value": pl.Float64,
    "created_on": pl.Date,
}
"""Column types; the others are text, of which slices and attributes hold JSON."""


def frame(names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> pl.DataFrame:
    """A frame of named columns; texts, numbers and maps in their column's type."""
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pl.DataFrame(
        [
            pl.Series(name, [_cell(cell) for cell in column], dtype=_TYPES.get(name, pl.String), strict=True)
            for name, column in zip(names, columns, strict=True)
        ]
    )


def _cell(cell: Any) -> Any:
    if isinstance(cell, str):
        return cell.encode("utf-8", "replace").decode()  # a lone surrogate is no text
    if isinstance(cell, dict):
        return _json(cell)
    return None if type(cell) is int and not -_INT64 <= cell < _INT64 else cell


def _json(attributes: dict[str, Any]) -> str | None:
    kept = {name: value for name, value in attributes.items() if value is not None}
    if not kept:
        return None
    try:
        return orjson.dumps(kept, option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:  # a lone surrogate, a number past 64 bits, or deep nesting
        text = json.dumps(storable(kept), ensure_ascii=False).encode("utf-8", "replace")
        return orjson.dumps(json.loads(text, parse_constant=lambda _: None)).decode()
