"""Hourly sums say what the rows say, as of every version, whatever came, came again, was undone or deleted."""

from __future__ import annotations

import datetime as dt
import math
import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from core import traffic
from core.ledger.store import Store
from tests.audits.retry_world import DAY, call, send
from tests.ledger.older import columns_added_after
from tests.ledger.test_store import a_trace, spans_batch
from tests.ledger.test_undo import spans

ATTEMPTS_EXACT = """
select
    day, hour, cloud_region, service_name, provider, model, line_kind, error_class, removed_rule is null as counted,
    count(*) as attempts,
    count(*) filter (where input_tokens is null and output_tokens is null) as without_usage,
    sum(coalesce(input_tokens, 0)) as input_tokens,
    sum(coalesce(output_tokens, 0)) as output_tokens,
    sum(coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)) as cached_tokens,
    count(expected_usd) as priced_attempts,
    coalesce(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) filter (where expected_usd is not null), 0)
        as priced_tokens,
    coalesce(sum(expected_usd), 0) as expected_usd
from attempts
where import_id <= $as_of and superseded_by > $as_of
group by all
"""
CALLS_EXACT = """
select
    day, hour, cloud_region, service_name, coalesce(response_model, request_model) as model, line_kind, ok, duration_bucket,
    count(*) as calls
from calls
where removed_rule is null and import_id <= $as_of and superseded_by > $as_of
group by all
"""
SUMS = """
select {names}, {sums}
from {table}
where import_id <= $as_of
group by all
having sum({rows}) <> 0
"""


def text_of(rows: pl.DataFrame) -> list[str]:
    """Rows as sorted text: whatever integer or decimal a sum came as."""

    def plain(value: object) -> str:
        return str(value).rstrip("0").rstrip(".") if "." in str(value) else str(value)

    return sorted(str([plain(value) for value in row]) for row in rows.rows())


def assert_sums_are_exact(store: Store) -> None:
    versions = store.ask("select distinct import_id from derivations order by 1")["import_id"].to_list()
    assert versions
    for exact, table, rows in (
        (ATTEMPTS_EXACT, "attempt_hours", "attempts"),
        (CALLS_EXACT, "call_hours", "calls"),
    ):
        columns = store.ask(f"select * from {table} limit 0").columns[1:]
        first_sum = columns.index(rows)
        question = SUMS.format(
            names=", ".join(columns[:first_sum]), table=table, rows=rows,
            sums=", ".join(f"sum({name}) as {name}" for name in columns[first_sum:]),
        )  # fmt: skip
        for as_of in versions:
            plain = store.ask(exact, as_of=as_of)
            assert text_of(store.ask(question, as_of=as_of)) == text_of(plain.select(columns)), (table, as_of)


ACTS = some.lists(some.sampled_from(["new", "again", "trace", "undo", "derive"]), min_size=2, max_size=9)


@given(acts=ACTS, seed=some.integers(0, 10**6))
@settings(max_examples=12)
def test_sums_equal_the_rows_as_of_every_version(acts: list[str], seed: int) -> None:
    """Bodies overlap, traces grow by late spans, imports are undone, in any order and derived at any time."""
    draw, store, undone = random.Random(seed), Store.open(":memory:"), set[int]()
    for number, act in enumerate(["new", *acts, "derive"]):
        if act in ("new", "again"):
            first = 1 if act == "again" else draw.randrange(1, 5_000)
            store.submit(spans(first, first + draw.randrange(1, 5), number))
        elif act == "trace":
            rows = a_trace(f"t{draw.randrange(3)}", 3)
            store.submit(spans_batch(draw.sample(rows, draw.randrange(1, 6)), f"trace {number}"))
        elif act == "undo":
            left = [one for one in range(1, store.latest_import() + 1) if one not in undone]
            one = draw.choice(left or [1])
            if (
                left
                and store.ask("select format from imports where import_id = $id", id=one).item()
                == "otlp_traces"
            ):
                undone |= {one, store.undo([one], "test").import_id}
        else:
            store.derive()
    assert_sums_are_exact(store)
    kept = {table: text_of(store.ask(f"select * from {table}")) for table in ("attempt_hours", "call_hours")}
    store.rebuild_rollups()
    assert {table: text_of(store.ask(f"select * from {table}")) for table in kept} == kept
    store.close()


def test_retention_takes_the_same_days_from_both(store: Store) -> None:
    days = [DAY - dt.timedelta(days=n) for n in range(3)]
    send(store, calls=[call(f"{n:032x}", "s", day=day) for n, day in enumerate(days)])
    assert store.retain(1, DAY) > 0
    left = store.ask("select distinct day from call_hours order by 1")["day"].to_list()
    assert left == store.ask("select distinct day from calls order by 1")["day"].to_list() == sorted(days[:2])


def test_a_file_from_before_there_were_sums_has_them_once_opened(tmp_path: Path) -> None:
    path = tmp_path / "trueup.duckdb"
    store = Store.open(path)
    store.submit(spans(1, 4, 1))
    store.derive()
    kept = text_of(store.ask("select * from attempt_hours"))
    cursor = store._file.connection.cursor()
    cursor.execute("drop table attempt_hours")
    cursor.execute("drop table call_hours")
    for table, column in columns_added_after(3):
        cursor.execute(f"alter table {table} drop column {column}")
    cursor.execute("delete from schema_version")
    cursor.execute("insert into schema_version values (3, now()::timestamp)")
    cursor.close()
    store.close()
    store = Store.open(path)
    assert text_of(store.ask("select * from attempt_hours")) == kept != []
    assert_sums_are_exact(store)
    store.close()


@pytest.mark.parametrize("shape", ["lognormal", "uniform", "heavy"])
def test_quantiles_from_sums_are_within_one_percent(store: Store, shape: str) -> None:
    """Against the sorted durations themselves, over three hours that are added up."""
    draw = random.Random(8)
    draws = {
        "lognormal": lambda: draw.lognormvariate(7, 1.2),
        "uniform": lambda: draw.uniform(1, 60_000),
        "heavy": lambda: 10 * draw.paretovariate(1.1),
    }
    durations = [draws[shape]() for _ in range(3_000)]
    rows = [
        call(f"{n:032x}", "s", hour=493_000 + n % 3, duration_ns=int(ms * 1e6),
             duration_bucket=math.floor(math.log(max(ms, 0.001)) / math.log(1.02)), ok=True)
        for n, ms in enumerate(durations)
    ]  # fmt: skip
    send(store, calls=[*rows, call("f" * 32, "s", ok=False)])
    (row,) = traffic.traffic(store.ask, store.latest_import()).rows(named=True)
    assert (row["calls"], row["failed_share"]) == (3_001, pytest.approx(1 / 3_001))
    ordered = sorted(durations)
    for name, share in traffic.SHARES.items():
        exact = ordered[math.ceil(share * len(ordered)) - 1]
        assert row[name] == pytest.approx(exact, rel=0.0101), name


def test_traffic_lists_kinds_and_models_apart_and_never_a_zero_for_no_success(store: Store) -> None:
    send(
        store,
        calls=[
            call("1" * 32, "a"),
            call("2" * 32, "b", removed_rule="response_id", kept_span_id="a"),
            call("3" * 32, "c", ok=False, response_model=None),
            call("4" * 32, "d", line_kind="tool", response_model=None, request_model=None),
        ],
    )
    found = traffic.traffic(store.ask, store.latest_import())
    assert found.select("line_kind", "model", "calls", "failed_share").rows() == [
        ("tool", "", 1, 0.0),
        ("inference", "gpt-4o-mini", 1, 1.0),
        ("inference", "gpt-4o-mini-2024-07-18", 1, 0.0),
    ]
    assert found.filter(model="gpt-4o-mini")["p50_ms"].to_list() == [None]
    assert traffic.traffic(store.ask, 0).is_empty()
