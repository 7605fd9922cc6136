"""Cells of tables that people write themselves: CSV, JSON or Parquet, each cell read or refused with what to write.

These formats have columns of ours, so a row is a mapping from column to whatever the file held. What nobody asked for is
kept as an attribute, but for prose, secrets and persons.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from core.ingest import parquet, quarantine, row_texts
from core.ingest.cells import Unreadable, instant_ns, present
from core.ingest.otlp.repair import EARLIEST_NS, LATEST_NS
from core.ingest.otlp.wire import MISSHAPEN
from core.ingest.privacy import kept_attributes
from core.ingest.row_texts import NotARow, json_text, storable
from core.ledger.batch import Quarantined

Row = Mapping[str, Any]
Made = TypeVar("Made")

_PROSE = """
    text response answer question message messages content comment explanation correction reason notes
"""
PROSE = frozenset(_PROSE.split())
"""Columns in which people and models write: dropped unless content is kept."""

LONGEST_KEY = 400
_SCALES = (10**9, 10**6, 10**3, 1)
_TRUE, _FALSE = ("true", "yes", "1", "1.0"), ("false", "no", "0", "0.0")


def header(head: bytes) -> frozenset[str]:
    """Column names of a CSV's first line; empty for anything else."""
    if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"[", b"{") or head.startswith(parquet.MAGIC):
        return frozenset()
    line = head.split(b"\n", 1)[0].decode("utf-8-sig", "replace").replace('"', "")
    return frozenset(column.strip() for column in line.split(","))


def rows(content: bytes) -> Iterator[dict[str, Any] | NotARow]:
    """Rows of Parquet, JSON, JSON lines or CSV. Raises BadParquet."""
    if content.startswith(parquet.MAGIC):
        yield from parquet.records(content)
        return
    for row in row_texts.rows(content.decode("utf-8-sig", "replace")):
        yield row if isinstance(row, NotARow) else {str(key).strip(): value for key, value in row.items()}


def read_rows(
    found: Iterator[dict[str, Any] | NotARow],
    take: Callable[[dict[str, Any], int], None],
    columns: Sequence[str],
    capture: bool,
) -> tuple[int, list[Quarantined]]:
    """Hand every row with its number to `take`; (rows read, rows that could not be taken with their reasons)."""
    refused: list[Quarantined] = []
    number = 0
    for number, row in enumerate(found, 1):
        if isinstance(row, NotARow):
            refused.append(quarantine.refused(number, None, row.reason, ""))
            continue
        try:
            take(row, number)
        except Unreadable as unreadable:
            refused.append(
                quarantine.refused(number, unreadable.field, unreadable.reason, shown(row, columns, capture))
            )
        except MISSHAPEN as error:
            reason = f"The row is not shaped like one ({type(error).__name__}); write plain values."
            refused.append(quarantine.refused(number, None, reason, shown(row, columns, capture)))
    return number, refused


def read_keyed(
    content: bytes,
    made_of: Callable[[dict[str, Any], bool], Made],
    key: str,
    columns: Sequence[str],
    capture: bool,
) -> tuple[int, list[Made], list[Quarantined]]:
    """(rows read, what `made_of` makes of them, refused rows) of a table whose rows are known by the field `key`.

    Of two rows with one key the later is kept and the earlier refused, after the rows that could not be read.
    """
    kept: dict[str, tuple[int, Made]] = {}
    repeated: list[Quarantined] = []

    def take(row: dict[str, Any], number: int) -> None:
        made = made_of(row, capture)
        name = str(getattr(made, key))
        if name in kept:
            repeated.append(quarantine.repeated(kept[name][0], number))
        kept[name] = (number, made)

    rows_read, refused = read_rows(rows(content), take, columns, capture)
    return rows_read, [made for _, made in kept.values()], refused + repeated


def shown(row: Row, columns: Sequence[str], capture: bool) -> str:
    """A refused row as the quarantine may keep it."""
    named = {column: storable(row[column]) for column in columns if column in row}
    return clean(json_text(_without_prose(named, capture) | extra(row, columns, capture)))


def extra(row: Row, columns: Sequence[str], capture: bool) -> dict[str, Any]:
    """What stands in other columns and may be kept, empty cells left out."""
    found = {
        clean(str(key)): storable(value)
        for key, value in row.items()
        if key and key not in columns and present(value) is not None
    }
    return _without_prose(kept_attributes(found, capture), capture)


def _without_prose(found: dict[str, Any], capture: bool) -> dict[str, Any]:
    return {
        key: value
        for key, value in found.items()
        if key.lower() != "actor" and (capture or key.lower() not in PROSE)
    }


def attributes(found: Mapping[str, Any]) -> str | None:
    """A JSON text for an `attributes` column."""
    return clean(json_text(found)) if found else None


def clean(text: str) -> str:
    """The text without half characters, which no table can store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def word(row: Row, column: str, longest: int = LONGEST_KEY) -> str | None:
    """A text; None for an empty cell. Raises Unreadable for structures and for long texts."""
    value = row.get(column)
    if isinstance(value, dict | list | bytes):
        raise Unreadable(column, value, "write a text or a number.")
    found = present(value)
    if found is not None and len(found) > longest:
        raise Unreadable(column, found, f"write at most {longest} characters.")
    return None if found is None else clean(found)


def needed(row: Row, column: str, longest: int = LONGEST_KEY) -> str:
    """A text that every row has. Raises Unreadable."""
    found = word(row, column, longest)
    if found is None:
        raise Unreadable(column, row.get(column), "every row has it.")
    return found


def one_of(row: Row, column: str, allowed: Sequence[str]) -> str:
    """One of some words, in any case. Raises Unreadable."""
    found = (word(row, column) or "").lower()
    if found not in allowed:
        raise Unreadable(column, row.get(column), f"write one of {', '.join(allowed)}.")
    return found


def number(row: Row, column: str) -> float | None:
    """A finite number; None for an empty cell: absent is not zero. Raises Unreadable."""
    value = row.get(column)
    if isinstance(value, bool):
        return float(value)
    found = word(row, column)
    if found is None:
        return None
    try:
        read = float(found)
    except ValueError:
        read = math.nan
    if not math.isfinite(read) or not found.isascii() or "_" in found:
        raise Unreadable(column, value, "write a number with a point for decimals, like 0.25.")
    return read


def whole(row: Row, column: str) -> int | None:
    """A count; None for an empty cell. Raises Unreadable."""
    read = number(row, column)
    if read is None:
        return None
    if read < 0 or read != int(read) or read > 2**53:
        raise Unreadable(column, row.get(column), "write a whole number of zero or more.")
    return int(read)


def truth(row: Row, column: str) -> bool | None:
    """True or false, also as yes, no, 1 and 0; None for an empty cell. Raises Unreadable."""
    found = word(row, column)
    if found is None:
        return None
    if found.lower() not in (*_TRUE, *_FALSE):
        raise Unreadable(column, row.get(column), "write true or false.")
    return found.lower() in _TRUE


def instant(row: Row, column: str) -> int:
    """UTC ns of an ISO 8601 time or of a Unix time in s, ms, us or ns, told apart by their size. Raises Unreadable.

    Between 1990 and 2100 no number is a time in two of these units.
    """
    value = row.get(column)
    if isinstance(value, dt.date):
        value = value.isoformat()
    found = word({column: value}, column)
    if found is None:
        raise Unreadable(column, row.get(column), "every row has it; write a time like 2026-11-25T09:00:00Z.")
    try:
        number = float(found) if found.isascii() and "_" not in found else math.nan
    except ValueError:
        at_ns = instant_ns(found, column)
    else:
        at_ns = _of_number(number, found)
    if at_ns is None or not EARLIEST_NS <= at_ns < LATEST_NS:
        raise Unreadable(column, found, "write a time between 1990 and 2100, like 2026-11-25T09:00:00Z.")
    return at_ns


def _of_number(number: float, text: str) -> int | None:
    for scale in _SCALES:
        if EARLIEST_NS <= number * scale < LATEST_NS:
            return int(text) * scale if text.isdigit() else round(number * scale)
    return None


def hex_id(row: Row, column: str, digits: int) -> str | None:
    """An OpenTelemetry id in lower case; None for an empty cell. Raises Unreadable."""
    found = (word(row, column) or "").lower()
    if not found:
        return None
    if len(found) != digits or found.strip("0123456789abcdef") or not found.strip("0"):
        raise Unreadable(column, found, f"write {digits} hex digits, or leave it out.")
    return found
