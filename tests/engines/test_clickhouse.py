"""Every audit's questions on ClickHouse's engine (chDB) over the exported lake give DuckDB's rows, nulls included."""

from __future__ import annotations

import json
from collections.abc import Iterator

import polars as pl
import pytest

from core.audit import Scope
from core.ledger import portable
from tests.audits.retry_world import DAY
from tests.engines.clickhouse import SETTINGS, ClickHouse
from tests.engines.cluster import packages
from tests.engines.conftest import Exported
from tests.engines.frames import assert_same
from tests.engines.texts import Asked, asked

pytestmark = pytest.mark.slow
LISTS = ("arrivals", "sizes")
"""Columns of lists as text."""


@pytest.fixture(scope="module")
def _installed() -> None:
    """Skips before the ledger is made."""
    packages("clickhouse")


@pytest.fixture(scope="module")
def clickhouse(_installed: None, exported: Exported) -> Iterator[ClickHouse]:
    opened = ClickHouse(exported.lake)
    yield opened
    opened.close()


def spread(exported: Exported, scope: Scope) -> list[Asked]:
    """What audits ask of an engine; a text that is for the ledger file alone says so and why."""
    return [one for one in asked(exported.store.ask, scope) if not portable.duckdb_only(one.sql)]


def by_numbers(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists of numbers that travel as text, told alike: ClickHouse writes 466 where DuckDB writes 466.0."""
    lists = [name for name in LISTS if name in frame.columns]
    return frame.with_columns(pl.col(lists).map_elements(_told_alike, pl.String)) if lists else frame


def _told_alike(text: str) -> str:
    return str([float(number) for number in json.loads(text)])


def test_every_question_of_every_audit(clickhouse: ClickHouse, exported: Exported) -> None:
    rows = 0
    for name, scope in exported.scopes().items():
        for audit, sql, values in spread(exported, scope):
            expected = exported.store.ask(sql, **values)
            found = clickhouse.ask(sql, values)
            assert found.columns == expected.columns
            typed = found.cast(dict(expected.schema))
            assert_same(by_numbers(typed), by_numbers(expected), sql, f"{audit}, {name}")
            rows += len(expected)
    assert rows > 10_000


def test_without_its_settings_it_answers_something_else(clickhouse: ClickHouse, exported: Exported) -> None:
    """Why they are written down: the same rows and text, no error, and what nobody told is 0 instead of null."""
    sql = """
    select coalesce(runs.trace_id, '') as run, max(told.is_told) as is_told
    from runs
    left join (select trace_id, 1 as is_told from outcomes where name = 'no such name') as told
        on told.trace_id = runs.trace_id
    group by grouping sets ((coalesce(runs.trace_id, '')), (runs.cloud_region))
    """
    expected = exported.store.ask(sql)
    types = dict(expected.schema)
    assert_same(clickhouse.ask(sql, {}).cast(types), expected, sql, "with its settings")
    for name in SETTINGS:
        clickhouse.set(name, 0)
    try:
        without = clickhouse.ask(sql, {})
    finally:
        for name, value in SETTINGS.items():
            clickhouse.set(name, value)
    assert expected["is_told"].null_count() == len(expected)
    assert without["is_told"].to_list() == [0] * len(expected)
    assert expected["run"].null_count() > without["run"].null_count() == 0


def test_a_parameter_is_a_value_and_no_text(clickhouse: ClickHouse) -> None:
    hostile = "x' or 1 = 1 -- \\ \x1f é"
    found = clickhouse.ask(
        "select $name as told, count(*) as n from spans where name = $name", {"name": hostile}
    )
    assert found.row(0) == (hostile, 0)


def test_an_empty_scope_is_empty(clickhouse: ClickHouse, exported: Exported) -> None:
    nobody = Scope(DAY.replace(year=1999), DAY.replace(year=1999), as_of=exported.store.version())
    for _audit, sql, values in spread(exported, nobody):
        assert isinstance(clickhouse.ask(sql, values), pl.DataFrame)
