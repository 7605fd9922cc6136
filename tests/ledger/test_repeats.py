"""Spans that came more than once: the first copy stays, the newest content counts, every repeat is told once."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from core.ledger.repeats import newest, repeats

Member = tuple[str, str, str, int, int]
"""trace_id, span_id, content_hash, import_id, row_id."""
NAMES = ("trace_id", "span_id", "content_hash", "import_id", "row_id")


def members(rows: list[Member]) -> pl.DataFrame:
    types = {name: pl.Int64 if name.endswith(("import_id", "row_id")) else pl.String for name in NAMES}
    return pl.DataFrame(rows, types, orient="row")


def test_worked_by_hand() -> None:
    """Import 1 brings span a; 2 the same again; 3 another content; 4 that one again; b came once."""
    came = [("a", "x", 1), ("a", "x", 2), ("a", "y", 3), ("a", "y", 4), ("b", "x", 4)]
    rows = [("t", *one, row_id) for row_id, one in enumerate(came, 10)]
    found = repeats(members(rows), after=0).sort("row_id").rows()
    assert found == [
        (11, 2, "t/a", 1, "exact"),
        (12, 3, "t/a", 3, "revision"),
        (13, 4, "t/a", 3, "exact"),
    ]
    assert sorted(newest(members(rows)).rows()) == [("t", "a", "y", 3), ("t", "b", "x", 4)]
    later = repeats(members(rows), after=3).sort("row_id")["row_id"].to_list()
    assert later == [11, 13], "the revision of import 3 was told when it was derived"


def naive(
    rows: list[Member], after: int
) -> tuple[set[tuple[int, int, str, int, str]], set[tuple[str, str, str, int]]]:
    """The repeats and the rows that count, span by span."""
    told: set[tuple[int, int, str, int, str]] = set()
    counted: set[tuple[str, str, str, int]] = set()
    for trace_id, span_id in {row[:2] for row in rows}:
        its = [row for row in rows if row[:2] == (trace_id, span_id)]
        first_content = min(its, key=lambda row: (row[3], row[2]))[2]
        firsts: dict[str, Member] = {}
        for row in sorted(its, key=lambda row: (row[3], row[4])):
            _, _, content, import_id, row_id = row
            first = firsts.setdefault(content, row)
            if first is not row:
                told.add((row_id, import_id, f"{trace_id}/{span_id}", first[3], "exact"))
            elif content != first_content and import_id > after:
                told.add((row_id, import_id, f"{trace_id}/{span_id}", import_id, "revision"))
        counted.add(min(firsts.values(), key=lambda row: (-row[3], row[2]))[:4])
    return told, counted


@given(
    st.lists(st.tuples(st.sampled_from("tu"), st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(1, 4)), max_size=14),
    st.integers(0, 4),
)  # fmt: skip
def test_as_span_by_span(drawn: list[tuple[str, str, str, int]], after: int) -> None:
    rows = [(*row, place) for place, row in enumerate(drawn)]
    told, counted = naive(rows, after)
    assert set(repeats(members(rows), after).rows()) == told
    assert repeats(members(rows), after).height == len(told)
    assert sorted(newest(members(rows)).rows()) == sorted(counted)
