"""Files that keep their form and say something wrong in it, for hypothesis: it shrinks what fails to one odd cell.

`mutate` flips and cuts by a seed; here the values are what readers stumble over: other types, numbers past every
limit, years 1 and 9999, text that reorders or is a million characters long, depth, and keys that stand twice.
"""

from __future__ import annotations

import copy
import csv
import datetime as dt
import io
import json
import math
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import polars as pl
from hypothesis import strategies as st

from tests.hostile.seeds import kind_of
from tests.hostile.wire import wire_damage
from tests.ingest.eval_files import INSPECT_HEADER, INSPECT_SAMPLES, Entry, zipped

LONG = 1_000_000
TEXTS = (
    "", " ", "\x00", "a\x00b", "\ud800", "\udfff\ud800", "\u202eabc\u2066", "\u200b\ufeff", "x" * LONG, "é" * 300, "1" * 5_000,
    "9" * 400 + "." + "9" * 400, "-0", "+1", "1e400", "1e-400", "NaN", "-Infinity", "0x10", "１２３", "١٢٣", "1_000", "1,5",
    "1.204,50",     "(3)", "--3", "$1,204.50", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999999-14:00",
    "10000-01-01", "2026-02-30", "2026-W01-1", "24:00", "12/31/9999", "253402300800000000000", "true", "null", "{}", "[]",
    '{"a":',     "{[]: 1}", "{1, 2}", "[...]", "[1j]", "[" * 150 + "]" * 150, "[" * 5_000, "{'a': " * 90 + "1" + "}" * 90,
    "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "'; drop table spans; --", "{{7*7}}", "%s%n%99999999d", "../../etc/passwd",
    "con.txt",
    '"', "a\nb", "\r\nX: 1", ",;\t|",
)  # fmt: skip
NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**30, 10**400, 0.1, -0.0, 1e308, 5e-324, math.inf,
    -math.inf, math.nan, -62_135_596_800, 253_402_300_799, -62_135_596_800 * 10**9, 253_402_300_800 * 10**9,
)  # fmt: skip
OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"a": {"b": []}},
    [{}],
    [[1], {"a": 1}],
)
DAYS = (dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59), dt.datetime(1970, 1, 1))  # noqa: DTZ001 - as written
COLUMNS: tuple[tuple[Any, ...], ...] = (
    (None, None), ("", "x"), ("x" * LONG, None), ("\x00", "\u202e"),
    (2**63 - 1, -(2**63)), (0, None), (math.nan, math.inf), (True, False),
    (b"\xff\x00", b""), ([1, None], []), ({"a": [1, None]}, {"a": None}), (dt.timedelta(days=-1), None), (dt.time(1), None),
    (Decimal("1e-30"), Decimal("9" * 30)), DAYS[:2], (DAYS[0].date(), DAYS[1].date()),
)  # fmt: skip
"""Cells of one type: the first two of a Parquet column."""

values: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(TEXTS), st.sampled_from(NUMBERS), st.sampled_from(OTHERS), st.integers(), st.floats(), st.text(max_size=40)
)  # fmt: skip
deep = st.tuples(st.sampled_from((40, 130, 400)), st.booleans()).map(lambda told: _nested(*told))


class Twice(dict[str, Any]):
    """An object whose keys stand twice in the file, the second time with other values."""

    def __init__(self, first: dict[str, Any], second: dict[str, Any]) -> None:
        super().__init__(first)
        self.second = second

    def items(self) -> Any:  # what json.dumps walks
        return [*super().items(), *self.second.items()]


def _nested(depth: int, in_lists: bool) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if in_lists else {"a": value}
    return value


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    keys = (
        list(document)
        if isinstance(document, dict)
        else range(len(document) if isinstance(document, list) else 0)
    )
    for key in keys:
        yield document, key
        yield from _places(document[key])


@st.composite
def odd_json(draw: st.DrawFn, document: Any) -> Any:
    """The document with one to three places replaced, removed, doubled, renamed or said twice."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if not places:
            return copy.deepcopy(draw(values))
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        way = draw(st.sampled_from(("replace", "replace", "replace", "remove", "rename", "twice", "deep")))
        if way == "remove":
            del holder[key]
        elif way == "rename" and isinstance(holder, dict):
            holder[draw(st.sampled_from(TEXTS))[:60]] = holder.pop(key)
        elif way == "twice" and isinstance(holder[key], dict) and holder[key]:
            name = draw(st.sampled_from([*holder[key]]))
            holder[key] = Twice(holder[key], {name: copy.deepcopy(draw(values))})
        else:
            holder[key] = copy.deepcopy(draw(deep if way == "deep" else values))  # drawn ones are shared
    return document


def _written(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


@st.composite
def odd_csv(draw: st.DrawFn, content: bytes) -> bytes:
    """Cells replaced; columns dropped, doubled, renamed or moved; rows made ragged."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    for _ in range(draw(st.integers(1, 3))):
        way = draw(st.sampled_from(("cell", "cell", "cell", "drop", "double", "rename", "ragged", "swap")))
        row = draw(
            st.integers(
                0 if way == "rename" else min(1, len(rows) - 1), 0 if way == "rename" else len(rows) - 1
            )
        )
        at = draw(st.integers(0, max(0, len(rows[0]) - 1)))
        if way == "ragged":
            rows[row] += ["extra"] * draw(st.integers(1, 3))
        for place, cells in enumerate(rows):
            if at >= len(cells):
                continue
            if way in ("cell", "rename") and place == row:
                cells[at] = str(draw(values))
            elif way == "drop":
                del cells[at]
            elif way == "double":
                cells.append(cells[at])
            elif way == "swap":
                cells[0], cells[at] = cells[at], cells[0]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8", "surrogatepass")


@st.composite
def odd_parquet(draw: st.DrawFn, content: bytes) -> bytes:
    """One or two columns hold another type than their name says."""
    frame = pl.read_parquet(io.BytesIO(content))
    for _ in range(draw(st.integers(1, 2))):
        name, cells = draw(st.sampled_from(frame.columns)), draw(st.sampled_from(COLUMNS))
        column = pl.Series(name, [cells[at % 2] for at in range(frame.height)], strict=False)
        frame = frame.with_columns(column)
    out = io.BytesIO()
    frame.write_parquet(out)
    return out.getvalue()


@st.composite
def odd_log(draw: st.DrawFn) -> bytes:
    """Inspect's archive, whole, with odd JSON in it and odd names on it."""
    header, *samples = (
        draw(odd_json(one)) if draw(st.booleans()) else one for one in (INSPECT_HEADER, *INSPECT_SAMPLES)
    )
    names = ["header.json", "summaries.json", *(f"samples/{at}.json" for at in range(len(samples)))]
    if draw(st.booleans()):
        names[draw(st.integers(0, len(names) - 1))] = draw(
            st.sampled_from(("../../etc/x", "/abs", "a\0b", "con", "s" * 60_000))
        )
    contents = [_written(header), _written(samples), *map(_written, samples)]
    return zipped(*(Entry(name, content, 8) for name, content in zip(names, contents, strict=True)))


def odd(content: bytes) -> st.SearchStrategy[bytes]:
    """Odd files of the kind a sound one is."""
    kind = kind_of(content)
    if kind == "csv":
        return odd_csv(content)
    if kind == "parquet":
        return odd_parquet(content)
    if kind == "zip":
        return odd_log()
    if kind == "protobuf":
        return st.integers(0, 2**32).map(lambda seed: wire_damage(content, Random(seed)))
    if kind == "json":
        return odd_json(json.loads(content)).map(_written)
    lines = [json.loads(line) for line in content.splitlines() if line.strip()]
    return odd_json(lines).map(
        lambda rows: b"\n".join(map(_written, rows if isinstance(rows, list) else [rows]))
    )
