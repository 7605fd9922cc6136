"""The SQL that means the same on every engine: a closed list of what a question may use, and its translation.

Questions are written once, in DuckDB's dialect, and translated by sqlglot for Spark and ClickHouse. What sqlglot cannot map
it may pass on, or change, in silence (a percentile became an approximate one), so nothing outside the list is translated at
all. The list grows only after the rows, nulls included, were compared on every engine: docs/decisions/024-beyond-one-machine.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

Dialect = Literal["spark", "clickhouse"]
DUCKDB_ONLY = "-- DuckDB only:"
"""How a question that is asked of the ledger file on every installation begins; the reason follows on the same line."""

_NAMES = """
    Select From Where Group Having Order Ordered Limit Distinct With CTE Subquery Union Join GroupingSets Tuple
    Table TableAlias Column Alias Identifier Star Literal Null Boolean Placeholder Paren
    And Or Not EQ NEQ GT GTE LT LTE Between In Is NullSafeEQ Add Sub Mul Div Neg
    Case If Coalesce Nullif Cast DataType DataTypeParam
    Sum Count Min Max Window RowNumber DenseRank Lag Lead
    Concat Chr StrPosition Substring Lower Upper Length MD5 Floor Ln Abs
"""
_PLAIN = frozenset(_NAMES.split())
"""What a question may be made of, as sqlglot names it."""

_INSTEAD = {
    "Qualify": "number the rows in a CTE and keep those you want in the next step's where",
    "Filter": "count cases: sum(case when ... then 1 else 0 end)",
    "LogicalOr": "max(case when ... then 1 else 0 end)",
    "LogicalAnd": "min(case when ... then 1 else 0 end)",
    "IntDiv": "cast(floor(cast(a as double) / nullif(b, 0)) as bigint)",
    "ArgMax": "row_number() over (... order by ... desc) in a CTE, then where it is 1",
    "ArgMin": "row_number() over (... order by ...) in a CTE, then where it is 1",
    "PercentileCont": "count a stored log-spaced bucket such as duration_bucket and read the quantile from the counts",
    "PercentileDisc": "count a stored log-spaced bucket such as duration_bucket and read the quantile from the counts",
    "Quantile": "count a stored log-spaced bucket such as duration_bucket and read the quantile from the counts",
    "ApproxQuantile": "count a stored log-spaced bucket such as duration_bucket and read the quantile from the counts",
    "Median": "count a stored log-spaced bucket such as duration_bucket and read the quantile from the counts",
    "JSONExtract": "give the value a typed column at ingest and read that",
    "JSONExtractScalar": "give the value a typed column at ingest and read that",
    "Array": "list what you mean with in (...), or one row each",
    "ArrayAgg": "one row each, or typed columns filled at ingest",
    "List": "list what you mean with in (...), or one row each",
    "Struct": "one column each",
    "Bracket": "typed columns filled at ingest",
    "Unnest": "typed columns filled at ingest",
    "Lambda": "typed columns filled at ingest",
    "TimestampTrunc": "the day and hour columns",
    "DateTrunc": "the day and hour columns",
    "Extract": "the day and hour columns",
    "ILike": "lower(a) = lower(b), or strpos(lower(a), b) > 0",
    "Like": "strpos(a, b) > 0",
    "Round": "keep the digits and round where they are shown: halves are rounded differently",
    "AnyValue": "min(...)",
    "First": "row_number() over (... order by ...) in a CTE, then where it is 1",
    "Last": "row_number() over (... order by ... desc) in a CTE, then where it is 1",
    "WindowSpec": "row_number, lag, lead, or an aggregate over the whole partition",
    "Lateral": "a join",
    "Pivot": "case when in the aggregates",
    "TryCast": "cast at ingest",
    "DPipe": "concat(...), in which a missing part is empty on every engine",
    "WithinGroup": "count a stored log-spaced bucket such as duration_bucket and read the quantile from the counts",
    "IgnoreNulls": "leave the nulls out in a step before",
    "Explode": "typed columns filled at ingest",
    "Mod": "a - floor(cast(a as double) / nullif(b, 0)) * b",
    "Offset": "row_number() over (...) in a CTE and a range of it",
    "TableSample": "rows by a hash of their key: substr(md5(key), 1, 4) < $keep",
}
"""For what is asked for most: what to write instead."""

_TYPES = frozenset({"BIGINT", "INT", "DOUBLE", "VARCHAR", "TEXT", "DATE", "BOOLEAN", "DECIMAL"})


class Problem(NamedTuple):
    """One piece of a question that is not on the list."""

    construct: str
    instead: str

    def __str__(self) -> str:
        return f"{self.construct}: write {self.instead}"


class NotPortable(ValueError):
    """The question uses what other engines read differently; the message says what to write instead."""


def duckdb_only(sql: str) -> str:
    """Why this question is asked of the ledger file only, in its author's words; empty for a portable one."""
    first = sql.lstrip().partition("\n")[0]
    return first.removeprefix(DUCKDB_ONLY).strip() if first.startswith(DUCKDB_ONLY) else ""


def problems(sql: str) -> list[Problem]:
    """Everything in the question that is not on the closed list, each named once. Raises sqlglot's ParseError."""
    return list(dict.fromkeys(found for node in _parsed(sql).walk() for found in _problems_of(node)))


def tables_of(sql: str) -> frozenset[str]:
    """The ledger's tables that the question reads, without its own CTEs."""
    from sqlglot import exp

    tree = _parsed(sql)
    steps = {cte.alias for cte in tree.find_all(exp.CTE)}
    return frozenset(
        f"{table.db}.{table.name}".lstrip(".")
        for table in tree.find_all(exp.Table)
        if table.db or table.name not in steps
    )


def translated(sql: str, dialect: Dialect, values: Mapping[str, object] | None = None) -> str:
    """The question in another engine's dialect, parameters still parameters. Raises NotPortable.

    Spark names a parameter `:name`; ClickHouse `{name:Type}`, so that its type is read from `values`.
    """
    from sqlglot import ErrorLevel, exp

    if found := problems(sql):
        raise NotPortable("This question is not portable: " + "; ".join(map(str, found)))
    tree = _parsed(sql).copy()
    if dialect == "clickhouse":
        for place in list(tree.find_all(exp.Placeholder)):
            place.replace(
                exp.Placeholder(this=place.this, kind=exp.var(_clickhouse_type((values or {})[place.this])))
            )
    return tree.sql(dialect=dialect, unsupported_level=ErrorLevel.RAISE, comments=False)


@lru_cache(maxsize=512)
def _parsed(sql: str) -> Expr:
    import sqlglot

    return sqlglot.parse_one(sql, read="duckdb")


def _problems_of(node: Expr) -> Iterator[Problem]:
    from sqlglot import exp

    kind = type(node).__name__
    if isinstance(node, exp.Anonymous):
        yield Problem(
            f"{node.name}()", "a function of the list in core/ledger/portable.py, or compute it at ingest"
        )
    elif kind not in _PLAIN:
        yield Problem(kind, _INSTEAD.get(kind, "it with what core/ledger/portable.py lists"))
    elif isinstance(node, exp.Join):
        yield from _join(node)
    elif isinstance(node, exp.Lag | exp.Lead) and node.args.get("default") is None:
        yield Problem(f"{kind} without a default", "lag(value, 1, otherwise): past the end engines disagree")
    elif isinstance(node, exp.Div):
        yield from _division(node)
    elif isinstance(node, exp.DataType) and node.this.name not in _TYPES:
        yield Problem(
            f"type {node.this.name}", "bigint, integer, double, varchar, date, boolean or decimal(p, s)"
        )
    elif isinstance(node, exp.Star) and any(node.args.values()):
        yield Problem("* exclude or replace", "the columns by name")
    elif isinstance(node, exp.Distinct) and node.args.get("on") is not None:
        yield Problem("distinct on", "row_number() over (...) in a CTE, then where it is 1")
    elif isinstance(node, exp.Group | exp.Order) and node.args.get("all"):
        yield Problem("group by all", "the columns by name")
    elif isinstance(node, exp.Select):
        yield from _hidden_order(node)
    elif isinstance(node, exp.Column) and node.args.get("db") is not None:
        yield Problem("a field of a struct", "one column each")
    elif isinstance(node, exp.Union) and node.args.get("by_name"):
        yield Problem("union by name", "the columns in the same order on both sides")


def _hidden_order(node: Expr) -> Iterator[Problem]:
    """`min(a) as a ... order by a`: to some engines a is the column there, to others the aggregate."""
    from sqlglot import exp

    order = node.args.get("order")
    ordered = {column.name for column in order.find_all(exp.Column)} if order else set()
    for taken in node.expressions:
        inside = {column.name for one in taken.find_all(exp.AggFunc) for column in one.find_all(exp.Column)}
        if taken.alias in ordered & inside:
            yield Problem(
                f"order by {taken.alias}, an aggregate that hides a column",
                "the aggregate in a CTE and order what comes out of it",
            )


def _join(node: Expr) -> Iterator[Problem]:
    method, kind = (node.args.get("method") or "").upper(), (node.args.get("kind") or "").upper()
    if method:
        yield Problem(f"{method} join", "a join on a range: prices and limits carry the day they end")
    if kind in ("SEMI", "ANTI"):
        yield Problem(f"{kind} join", "where ... in (select ...), or not in")
    if node.args.get("using"):
        yield Problem("join using", "join ... on a.x = b.x")


def _division(node: Expr) -> Iterator[Problem]:
    """Engines divide by zero differently, and whole numbers and decimals too: only floating point is the same on all."""
    from sqlglot import exp

    divisor = node.args["expression"].unnest()
    if divisor.find(exp.Column, exp.Placeholder) and not isinstance(divisor, exp.Nullif):
        yield Problem("division unguarded", "a / nullif(b, 0)")
    if not any(_floating(side.unnest()) for side in (node.this, divisor)):
        yield Problem("division of whole numbers or decimals", "cast(a as double) / nullif(b, 0)")


def _floating(side: Expr) -> bool:
    from sqlglot import exp

    return isinstance(side, exp.Ln) or (isinstance(side, exp.Cast) and side.to.this.name == "DOUBLE")


def _clickhouse_type(value: object) -> str:
    if isinstance(value, bool):
        return "Bool"
    if isinstance(value, int):
        return "Int64"
    if isinstance(value, float):
        return "Float64"
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return "Date32"
    if isinstance(value, Decimal):
        return "Decimal(38, 12)"
    if isinstance(value, str):
        return "String"
    raise TypeError(f"a parameter cannot be a {type(value).__name__}")
