"""ClickHouse's own engine in this process (chDB), over an exported lake.

chDB comes from `make spark-setup`, like Spark. Two of its settings decide about right and wrong, and one more about
grouping sets: without them a missing row of an outer join is 0, an alias hides the column it is made of, and a column
that a grouping set leaves out is 0 or an empty text instead of null.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from core.ledger import lake, portable
from tests.engines.cluster import bring_in

SETTINGS = {
    "join_use_nulls": 1,
    "prefer_column_name_to_alias": 1,
    "group_by_use_nulls": 1,
}
_TYPES = {
    "VARCHAR": "String", "BIGINT": "Int64", "INTEGER": "Int32", "DOUBLE": "Float64", "BOOLEAN": "Bool", "DATE": "Date32",
}  # fmt: skip


def _type(kind: str) -> str:
    if kind.endswith("[]"):
        return f"Array(Nullable({_TYPES[kind[:-2]]}))"
    return f"Nullable({kind.capitalize() if kind.startswith('DECIMAL(') else _TYPES[kind]})"


class ClickHouse:
    """A session whose tables are the lake's."""

    def __init__(self, path: Path, settings: Mapping[str, int] = SETTINGS) -> None:
        bring_in("clickhouse")
        from chdb.session import Session

        self._session: Any = Session()
        for name, value in settings.items():
            self.set(name, value)
        folder = path / lake.pointed((path / lake.POINTER).read_text())
        for table in lake.parsed((folder / lake.MANIFEST).read_text()).tables:
            self._read(folder, table)

    def _read(self, folder: Path, table: lake.LakeTable) -> None:
        columns = ", ".join(f"`{name}` {_type(kind)}" for name, kind in table.columns)
        self._session.query(f"create table `{table.name}` ({columns}) engine = Memory")
        if not table.rows:
            return
        dated = any(name == "day" for name, _ in table.columns)
        files = folder / table.name / ("day=*/*.parquet" if dated else "*.parquet")
        inside = ", ".join(
            f"`{name}` {_type(kind)}" for name, kind in table.columns if name != "day" or not dated
        )
        taken = ", ".join(
            "toDate32(extract(_path, 'day=([0-9-]{10})')) as `day`"
            if name == "day" and dated
            else f"`{name}`"
            for name, _ in table.columns
        )
        self._session.query(
            f"insert into `{table.name}` select {taken} from file('{files}', Parquet, '{inside}') "
            "settings use_hive_partitioning = 0"
        )

    def ask(self, sql: str, values: Mapping[str, object]) -> pl.DataFrame:
        """The rows of one portable question."""
        text = portable.translated(sql, "clickhouse", values)
        given = {name: str(value) if isinstance(value, dt.date) else value for name, value in values.items()}
        found = pl.from_arrow(self._session.query(text, "ArrowTable", params=given))
        assert isinstance(found, pl.DataFrame)
        return found

    def set(self, name: str, value: int) -> None:
        """Change a setting of the session."""
        self._session.query(f"set {name} = {value}")

    def close(self) -> None:
        self._session.close()
