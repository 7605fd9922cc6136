"""Rows out of a text: JSON lines, JSON lists and CSV, where one bad line is told and the others are read.

JavaScript cuts long texts in the middle of an emoji and writes the half that is left as a lone surrogate, which no
table can store: such halves become U+FFFD, so that one of them does not cost the file.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

DEEPEST = 20
LONGEST_CELL = 64 * 1024 * 1024
"""Characters: tables that store prompts have cells far beyond the csv module's 128 KiB."""


_SURROGATE = re.compile("[\ud800-\udfff]")
_LONE_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
"""A half of a surrogate pair as JSON escapes it, without its other half."""


class NotARow(NamedTuple):
    """What stands where a row should be, in one sentence that says what to do."""

    reason: str


def json_rows(text: str, parse_float: Callable[[str], Any] = float) -> Iterator[dict[str, Any] | NotARow]:
    """Objects of a document, of a list, or of lines of either."""
    try:
        documents: list[Any] = [json_value(text, parse_float)]
    except (json.JSONDecodeError, RecursionError):
        # Not splitlines: JavaScript writes U+2028 unescaped inside texts, which is no end of a line.
        documents = [_line(line, parse_float) for line in text.split("\n") if line.strip()]
    for document in documents:
        for row in document if isinstance(document, list) else [document]:
            is_row = isinstance(row, dict | NotARow)
            yield row if is_row else NotARow(f"The row is {type(row).__name__} and not an object.")


def json_value(text: str, parse_float: Callable[[str], Any] = float) -> Any:
    """What a JSON text says, no half of a surrogate pair left in it. Raises JSONDecodeError and RecursionError."""
    document = json.loads(text, parse_float=parse_float)
    return with_whole_texts(document) if _LONE_ESCAPE.search(text) else document


def with_whole_texts(value: Any) -> Any:
    """A JSON value with U+FFFD for every half of a surrogate pair, in keys too. Raises RecursionError."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [with_whole_texts(inner) for inner in value]
    if isinstance(value, dict):
        return {with_whole_texts(key): with_whole_texts(inner) for key, inner in value.items()}
    return value


def _line(text: str, parse_float: Callable[[str], Any]) -> Any:
    try:
        return json_value(text, parse_float)
    except json.JSONDecodeError as error:
        return NotARow(
            f"The line is not JSON: {error.msg} at character {error.pos}; write one object a line."
        )
    except RecursionError:
        return NotARow("The line is nested too deeply to be read; write plain objects.")


def csv_rows(text: str) -> Iterator[dict[str, str] | NotARow]:
    """Rows by the header's names; a row with more cells than the header is none, missing cells are left out."""
    csv.field_size_limit(LONGEST_CELL)
    try:
        for row in csv.DictReader(io.StringIO(text, newline="")):
            if None in row:
                yield NotARow("The row has more cells than the header; quote cells that hold commas.")
            else:
                yield {name: cell for name, cell in row.items() if cell is not None}
    except csv.Error as error:
        yield NotARow(f"The text is no CSV from here on: {error}; export it again.")


def rows(text: str, parse_float: Callable[[str], Any] = float) -> Iterator[dict[str, Any] | NotARow]:
    """JSON where the text begins like it, else CSV."""
    yield from json_rows(text, parse_float) if text.lstrip()[:1] in ("{", "[") else csv_rows(text)


def json_text(value: Any) -> str:
    """A value as JSON, whatever stands in it: numbers past 64 bits and texts of nesting stay readable."""
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=str).decode()
    except orjson.JSONEncodeError:
        pass  # json has no limit on integers
    try:
        return json.dumps(value, default=str)
    except (RecursionError, ValueError):
        return json.dumps("(nested too deeply to be kept)")


def storable(value: Any, depth: int = 0) -> Any:
    """A foreign value as an attribute may hold it: plain floats, integers of 64 bits, shallow; a type that JSON does not
    know, which Parquet and Python's own writing have, as text.
    """
    if depth > DEEPEST:
        return None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, dict):
        return {str(name): storable(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [storable(inner, depth + 1) for inner in value]
    return value if value is None or isinstance(value, str | int | float | dt.date) else str(value)
