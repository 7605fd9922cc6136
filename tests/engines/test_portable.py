"""Every question can be asked of every engine, or says why not; what is not on the closed list is refused with a remedy."""

from __future__ import annotations

import polars as pl
import pytest

from core.audit import Scope
from core.coverage import have, table_counts
from core.ledger import engine, portable
from core.ledger.store import Store
from tests.audits.retry_world import DAY
from tests.engines.texts import asked, texts

TEXTS = texts()
MARKED = {
    "core.ledger.change_rows.NEWEST", "core.coverage.NEWEST_DAY",
    "core.audits.streaming_backend.SQL[point_days]", "core.audits.streaming_backend.SQL[points]",
}  # fmt: skip
"""Texts that are answered by the ledger file on every installation: each begins with the reason."""
TYPES = {pl.Int64, pl.Int32, pl.Float64, pl.String, pl.Date, pl.Boolean, pl.Decimal}


def test_there_are_texts_of_every_audit() -> None:
    for audit in (
        "retry_ledger",
        "bill_reconciliation",
        "reward_vs_outcome",
        "token_forecast",
        "regional_drift",
        "mcp_cold_start",
        "trace_clock",
        "tps_chunking",
        "hyrum_stream",
        "streaming_backend",
        "voice_slo",
    ):
        assert any(f".{audit}" in name for name in TEXTS), audit
    assert len(TEXTS) > 50


@pytest.mark.parametrize("name", TEXTS)
def test_every_question_has_an_engine(name: str) -> None:
    """Fails with the name, the construct and what to write instead; a marked text says its reason itself."""
    spark = engine.plan(TEXTS[name]).spark
    assert bool(portable.duckdb_only(TEXTS[name])) == (name in MARKED)
    if spark is not None:
        values = dict.fromkeys(_names(TEXTS[name]), "")
        assert portable.translated(TEXTS[name], "clickhouse", values)


def _names(sql: str) -> list[str]:
    return engine._PARAMETER.findall(sql)


def test_questions_made_at_run_time_have_one_too(store: Store) -> None:
    """Needs are counted by a question an audit's columns make; tables by one the schema makes."""
    from core.audits import every_audit

    made: list[str] = []

    def ask(sql: str, **values: object) -> pl.DataFrame:
        made.append(sql)
        return store.ask(sql, **values)

    for audit in every_audit():
        have(ask, audit.NEEDS, Scope(DAY, DAY))
    table_counts(ask)
    plans = [engine.plan(sql).spark is not None for sql in made]
    assert any(plans)
    assert plans[-1] is False  # the ledger file's own tables


def test_answers_have_types_that_every_engine_has(store: Store) -> None:
    """sum(bigint) is a HUGEINT in DuckDB until it is cast: other engines have none."""
    for audit, sql, values in asked(store.ask, Scope(DAY, DAY)):
        for column, kind in store.ask(sql, **values).schema.items():
            assert kind.base_type() in TYPES, f"{audit}: cast {column}, which is {kind}, in\n{sql}"


@pytest.mark.parametrize(
    ("sql", "construct", "instead"),
    [
        ("select a from t qualify row_number() over (order by a) = 1", "Qualify", "next step's where"),
        ("select a from t asof join u on t.a >= u.b", "ASOF join", "the day they end"),
        ("select list(a) as b from t", "ArrayAgg", "one row each"),
        ("select [1, 2] as b from t", "Array", "in (...)"),
        ("select {'a': 1} as b from t", "Struct", "one column each"),
        ("select unnest(a) as b from t", "Explode", "at ingest"),
        ("select lead(a) over (order by b) as c from t", "Lead without a default", "lag(value, 1, otherwise)"),
        ("select lag(a, 1) over (order by b) as c from t", "Lag without a default", "lag(value, 1, otherwise)"),
        ("select percentile_cont(0.5) within group (order by a) as b from t", "PercentileCont", "duration_bucket"),
        ("select quantile_cont(a, 0.9) as b from t", "PercentileCont", "duration_bucket"),
        ("select median(a) as b from t", "Median", "duration_bucket"),
        ("select approx_quantile(a, 0.5) as b from t", "ApproxQuantile", "duration_bucket"),
        ("select attributes->>'$.x' as b from t", "JSONExtractScalar", "typed column"),
        ("select cast(a as double) / b as c from t", "division unguarded", "nullif(b, 0)"),
        ("select cast(a as double) / $b as c from t", "division unguarded", "nullif(b, 0)"),
        ("select a / nullif(b, 0) as c from t", "division of whole numbers", "cast(a as double)"),
        ("select a / 60000000000.0 as c from t", "division of whole numbers", "cast(a as double)"),
        ("select a // 2 as c from t", "IntDiv", "floor("),
        ("select count(*) filter (where a) as b from t", "Filter", "sum(case when"),
        ("select bool_or(a) as b from t", "LogicalOr", "max(case when"),
        ("select arg_max(a, b) as c from t", "ArgMax", "row_number()"),
        ("select a || b as c from t", "DPipe", "concat("),
        ("select make_timestamp_ns(a) as b from t", "make_timestamp_ns()", "core/ledger/portable.py"),
        ("select date_trunc('day', a) as b from t", "TimestampTrunc", "day and hour columns"),
        ("select cast(a as timestamptz) as b from t", "type TIMESTAMPTZ", "bigint"),
        ("select round(a) as b from t", "Round", "halves are rounded differently"),
        ("select * exclude (a) from t", "* exclude or replace", "by name"),
        ("select a from t semi join u on t.a = u.a", "SEMI join", "where ... in"),
        ("select a from t join u using (a)", "join using", "on a.x = b.x"),
        ("select distinct on (a) a, b from t", "distinct on", "row_number()"),
        ("select a, sum(b) as c from t group by all", "group by all", "by name"),
        ("select a from t union by name select b from u", "union by name", "same order"),
        ("select b, min(a) as a from t group by b order by a", "order by a, an aggregate", "in a CTE"),
        ("select a from t using sample 10", "TableSample", "md5"),
        ("select sum(a) over (order by b rows between 1 preceding and current row) as c from t", "WindowSpec", "whole partition"),
    ],
)  # fmt: skip
def test_what_is_not_on_the_list_is_refused_with_a_remedy(sql: str, construct: str, instead: str) -> None:
    found = [str(problem) for problem in portable.problems(sql)]
    assert any(one.startswith(construct) and instead in one for one in found), found
    with pytest.raises(portable.NotPortable, match="write "):
        portable.translated(sql, "spark")


def test_parameters_stay_parameters() -> None:
    sql = "select a from t where a = $name and day between $start and $end"
    assert ":name" in portable.translated(sql, "spark")
    assert "'" not in portable.translated(sql, "spark")
    told = portable.translated(sql, "clickhouse", {"name": "x' or 1 = 1", "start": DAY, "end": DAY})
    assert "{name: String}" in told
    assert "{start: Date32}" in told
    assert "or 1" not in told


def test_a_missing_name_in_a_concat_is_empty_everywhere() -> None:
    """DuckDB's concat leaves nulls out, Spark's is null with them: a region that is null would match no scope."""
    assert "COALESCE(region, '')" in portable.translated("select concat('a', region) as b from t", "spark")


def test_nulls_come_last_everywhere() -> None:
    assert "ORDER BY a NULLS LAST" in portable.translated("select a from t order by a", "spark")


def test_books_are_asked_of_the_ledger_and_rows_of_spark() -> None:
    assert engine.plan("select max(import_id) as newest from imports").spark is None
    assert engine.plan("select table_name from information_schema.columns").spark is None
    assert engine.plan("select count(*) as n from spans where import_id <= $as_of").spark is not None
    assert engine.plan("-- DuckDB only: for a table\nselect median(a) as m from spans").spark is None
    with pytest.raises(portable.NotPortable, match="reads quarantine, which no lake holds"):
        engine.plan("select a from spans join quarantine on spans.import_id = quarantine.import_id")
