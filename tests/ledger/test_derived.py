"""Frames of derived rows: their columns, and the UTC day and hour of their starts."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from core.ledger.cost import Costing
from core.ledger.derived import SPANS_AT_ONCE, derived_frames
from core.ledger.rows import ATTEMPT_SCHEMA, CALL_SCHEMA, RUN_SCHEMA, Schema
from core.ledger.trace import Span
from tests.ledger.make import span, span_frame

MIDNIGHT_NS = 1_795_046_400 * 10**9


def frames(*spans: Span) -> dict[str, pl.DataFrame]:
    return dict(derived_frames(span_frame(spans), Costing.load(None), 7))


def test_columns_are_those_of_the_schemas_then_the_version() -> None:
    found = frames(span("a", 0, 10))
    schemas: dict[str, Schema] = {"runs": RUN_SCHEMA, "calls": CALL_SCHEMA, "attempts": ATTEMPT_SCHEMA}
    for table, schema in schemas.items():
        version = {"import_id": pl.Int64, "superseded_by": pl.Int64}
        assert list(found[table].schema.items()) == list({**schema, **version}.items())
        assert found[table]["import_id"].to_list() == [7]


@pytest.mark.parametrize("start_ns", [-1, 0, MIDNIGHT_NS - 1, MIDNIGHT_NS, MIDNIGHT_NS + 3_600 * 10**9 - 1])
def test_day_and_hour_are_utc_and_begin_with_their_first_nanosecond(start_ns: int) -> None:
    found = frames(span("a", 0, 0, started_at_ns=start_ns, ended_at_ns=start_ns + 5))
    for frame in found.values():
        row = frame.row(0, named=True)
        assert row["day"] == dt.date(1970, 1, 1) + dt.timedelta(days=start_ns // (24 * 3_600 * 10**9))
        assert row["hour"] == start_ns // (3_600 * 10**9)


def test_traces_go_on_from_one_slice_of_spans_to_the_next() -> None:
    spans = [
        span(f"s{trace}_{n}", n, n + 1, trace_id=f"t{trace:05d}")
        for trace in range(SPANS_AT_ONCE // 3 + 5)
        for n in range(3)
    ]
    runs = frames(*spans)["runs"]
    assert runs["trace_id"].to_list() == sorted({one.trace_id for one in spans})
    assert set(runs["duration_ns"].to_list()) == {3_000_000}


def test_no_spans_make_no_frames() -> None:
    assert frames() == {}
