"""What scopes share is worked out once, and never taken for something else."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from core import remembered as module
from core.remembered import remembered

ROWS = pl.DataFrame({"region": ["a", "b", "a"], "tokens": [1, None, 3]})


class Work:
    """Counts how often it is done, and hands out a list that callers may spoil."""

    def __init__(self) -> None:
        self.done = 0
        self.remembered = remembered(self._do)

    def _do(self, rows: object, level: float = 0.95) -> list[int]:
        self.done += 1
        return [self.done]


@pytest.mark.parametrize(
    "same",
    [
        pl.DataFrame({"region": ["a", "b", "a"], "tokens": [1, None, 3]}),
        pl.concat([ROWS, pl.DataFrame({"region": ["c"], "tokens": [9]})]).filter(pl.col("region") != "c"),
    ],
)
def test_the_same_rows_are_answered_from_memory(same: pl.DataFrame) -> None:
    """Whatever they were filtered out of."""
    work = Work()
    assert work.remembered(ROWS) == work.remembered(same) == [1]


@pytest.mark.parametrize(
    "other",
    [
        ROWS.reverse(),
        ROWS.head(2),
        ROWS.with_columns(pl.col("tokens").cast(pl.Int32)),
        ROWS.rename({"tokens": "calls"}),
        ROWS.fill_null(0),
    ],
)
def test_other_rows_are_not(other: pl.DataFrame) -> None:
    work = Work()
    assert (work.remembered(ROWS), work.remembered(other)) == ([1], [2])


def test_other_arguments_are_not() -> None:
    work = Work()
    asked: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((ROWS,), {}), ((ROWS,), {"level": 0.9}), ((np.array([1.0, 2.0]),), {}), ((np.array([1, 2]),), {}), (("a",), {}),
    ]  # fmt: skip
    assert [work.remembered(*given, **named) for given, named in asked] == [[1], [2], [3], [4], [5]]
    assert [work.remembered(*given, **named) for given, named in asked] == [[1], [2], [3], [4], [5]]


def test_whoever_asks_gets_a_copy_of_its_own() -> None:
    work = Work()
    work.remembered(ROWS).append(7)
    work.remembered(ROWS).append(8)
    assert work.remembered(ROWS) == [1]


def test_the_longest_unused_leave_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two are kept: after a, b, a, c the second is gone and the first is not."""
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    work = Work()
    assert [work.remembered(name) for name in "abacab"] == [[1], [2], [1], [3], [1], [4]]
