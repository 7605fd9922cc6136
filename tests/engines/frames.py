"""Comparing an engine's frame with DuckDB's: names, types, numbers and nulls; the order only where the question states one."""

from __future__ import annotations

import polars as pl
from polars.testing import assert_frame_equal
from sqlglot import exp, parse_one


def ordered(sql: str) -> bool:
    """Whether the question says in which order its rows come."""
    tree = parse_one(sql, read="duckdb")
    return isinstance(tree, exp.Query) and tree.args.get("order") is not None


def assert_same(found: pl.DataFrame, expected: pl.DataFrame, sql: str, what: str) -> None:
    """Exactly: not a digit, not a null may differ."""
    try:
        assert_frame_equal(found, expected, check_row_order=False, check_exact=True)
        if ordered(sql):  # rows that the stated order leaves equal may change places: what it names may not
            tree = parse_one(sql, read="duckdb")
            names = [
                one.this.name for one in tree.args["order"].expressions if one.this.name in expected.columns
            ]
            assert found.select(names).equals(expected.select(names), null_equal=True), "another order"
    except AssertionError as error:
        raise AssertionError(f"{what}: {error}\n{sql}") from None
