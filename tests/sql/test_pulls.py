"""Bills out of real databases: SQLite in the process, PostgreSQL started by the test."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import threading
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from core import pulls
from core.cli import main
from core.ingest.bills.sql_config import SqlSource, load
from core.ingest.options import ReadOptions
from core.ledger.store import Store
from core.settings import Settings
from core.web import pulling
from core.web.process import Process
from tests.live.app import running_app
from tests.sql.conftest import PASSWORD, Postgres
from tests.web.over_http import wait_for
from tests.web.test_process import fetch_json

NOW = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
MAP = {
    "charge_period_start": "used_at", "provider_name": "=openai", "model": "model", "token_type": "kind",
    "tokens": "tokens", "requests": "requests", "billed_cost": "usd", "billing_currency": "currency",
    "charge_category": "category",
}  # fmt: skip
SOURCE = SqlSource(
    "warehouse", "", "select * from bill order by id", "cost_lines", MAP, ("id",), "UTC", 1, 86_400 * 10**9, "lines",
    40, 0, 60, 1_000_000,
)  # fmt: skip
ROWS = (
    (1, "2026-11-20 00:00:00", "gpt-4o", "input", 1000, 3, "1.50", "USD", "Usage"),
    (2, "2026-11-20 00:00:00", "gpt-4o", "output", 100, None, "2.25", "USD", "Usage"),
    (3, "2026-11-20 00:00:00", None, "a new kind", None, None, "0.10", "EUR", "Tax"),
)
CREATE = (
    "create table bill (id integer, used_at {time}, model text, kind text, tokens bigint, requests integer, "
    "usd {money}, currency text, category text)"
)


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store.open(":memory:")
    yield opened
    opened.close()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    path = tmp_path / "bill.db"
    with sqlite3.connect(path) as connection:
        connection.execute(CREATE.format(time="text", money="text"))
        connection.executemany("insert into bill values (?,?,?,?,?,?,?,?,?)", ROWS)
    return f"sqlite:///{path}"


def pull(store: Store, source: SqlSource) -> Any:
    return pulls.pull(store, source, ReadOptions(), NOW)


def lines(store: Store) -> list[dict[str, Any]]:
    return store.ask("select * from cost_lines order by billed_cost desc").rows(named=True)


def test_rows_become_bill_lines(store: Store, sqlite_url: str) -> None:
    taken = pull(store, SOURCE._replace(url=sqlite_url))
    assert (taken.problem, taken.total("rows_accepted")) == ("", 3)
    output, fresh, tax = lines(store)
    assert (output["billed_cost"], output["tokens"], output["token_type"]) == (Decimal("2.25"), 100, "output")
    assert (fresh["model"], fresh["requests"], fresh["provider_name"]) == ("gpt-4o", 3, "openai")
    assert (fresh["source_format"], fresh["day"]) == ("sql:warehouse", dt.date(2026, 11, 20))
    assert fresh["charge_period_end_ns"] - fresh["charge_period_start_ns"] == 86_400 * 10**9
    # What cannot be mapped keeps its amount and its own currency.
    assert (tax["model"], tax["token_type"], tax["billed_cost"], tax["billing_currency"]) == (
        None, None, Decimal("0.10"), "EUR",
    )  # fmt: skip
    assert tax["charge_category"] == "Tax"
    (file,) = store.ask("select door, name, format, rows_read from files").rows()
    assert file == ("sql", "warehouse", "sql", 3)


def test_an_unchanged_result_changes_nothing_and_a_changed_row_restates(
    store: Store, sqlite_url: str
) -> None:
    source = SOURCE._replace(url=sqlite_url)
    pull(store, source)
    assert pull(store, source).total("rows_duplicate") == 3
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
        connection.execute("update bill set usd = '2.50' where id = 2")
    again = pull(store, source)
    assert (again.total("rows_accepted"), again.total("rows_duplicate")) == (1, 2)


def test_a_bad_row_is_refused_alone_by_the_querys_own_column(store: Store, sqlite_url: str) -> None:
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
        connection.execute("update bill set usd = '1.204,50' where id = 1")
        connection.execute("update bill set currency = null where id = 2")
    assert pull(store, SOURCE._replace(url=sqlite_url)).total("rows_accepted") == 1
    refused = store.ask("select field, row_number, reason from quarantine order by row_number").rows()
    assert [row[:2] for row in refused] == [("usd", 1), ("currency", 2)]
    assert "write a number with a point" in refused[0][2]


def test_units_zones_and_floats(store: Store, tmp_path: Path) -> None:
    """2.5 thousand tokens are 2,500; midnight in New York is 05:00 UTC; 0.1 as a float stays 0.1."""
    path = tmp_path / "b.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table t (id integer, at text, k real, usd real)")
        connection.execute("insert into t values (1, '2026-11-20 00:00:00', 2.5, 0.1)")
    columns = {
        "charge_period_start": "at",
        "tokens": "k",
        "effective_cost": "usd",
        "billing_currency": "=usd",
    }
    source = SOURCE._replace(
        url=f"sqlite:///{path}", query="select * from t", columns=columns, tokens_per_unit=1000,
        time_zone="America/New_York", key=(),
    )  # fmt: skip
    pull(store, source)
    (line,) = lines(store)
    assert (line["tokens"], line["effective_cost"], line["billing_currency"]) == (2500, Decimal("0.1"), "USD")
    at = dt.datetime(2026, 11, 20, 5, tzinfo=dt.UTC)
    assert line["charge_period_start_ns"] == int(at.timestamp()) * 10**9


def test_a_column_the_query_does_not_return_is_told(store: Store, sqlite_url: str) -> None:
    pull(store, SOURCE._replace(url=sqlite_url, columns=MAP | {"model": "modell"}))
    reason = store.ask("select min(reason) as r from quarantine").item()
    assert "returns no such column" in reason
    assert "used_at, model" in reason


def test_a_restating_source_replaces_its_months(store: Store, sqlite_url: str) -> None:
    """A row that has vanished from the month no longer counts: 1.50 + 2.25, then 1.50."""
    from core.audit import Scope
    from core.audits.retry_ledger_bill_sql import BILLS

    source = SOURCE._replace(
        url=sqlite_url, restates="month", query="select * from bill where currency = 'USD'"
    )
    pull(store, source)
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
        connection.execute("delete from bill where id = 2")
    pull(store, source)
    scope = Scope(dt.date(2026, 11, 1), dt.date(2026, 11, 30), as_of=store.latest_import())
    assert sum(store.ask(BILLS, **scope.parameters())["billed_usd"].to_list()) == Decimal("1.50")


def test_more_rows_than_allowed_stop_the_pull(store: Store, sqlite_url: str) -> None:
    assert "more than 2 rows (row_limit)" in pull(store, SOURCE._replace(url=sqlite_url, row_limit=2)).problem


def test_sqlite_cannot_be_written_and_is_interrupted(store: Store, sqlite_url: str) -> None:
    path = sqlite_url.removeprefix("sqlite:///")
    endless = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n"
    problem = pull(store, SOURCE._replace(url=sqlite_url, query=endless, timeout_seconds=1)).problem
    assert "interrupted" in problem
    writing = "with x as (select 1) insert into bill select 9, '', '', '', 0, 0, '', '', '' from x"
    assert "readonly" in pull(store, SOURCE._replace(url=sqlite_url, query=writing)).problem
    with sqlite3.connect(path) as connection:
        assert connection.execute("select count(*) from bill").fetchone() == (3,)


def test_a_missing_driver_says_so(store: Store) -> None:
    assert (
        "no driver for this URL is installed" in pull(store, SOURCE._replace(url="snowflake://a/b")).problem
    )


@pytest.fixture
def filled(postgres: Postgres) -> Iterator[Postgres]:
    """The bill with PostgreSQL's own types, and LiteLLM's table as its migrations make it."""
    with psycopg.connect(_dsn(postgres), autocommit=True) as connection:
        connection.execute(CREATE.format(time="timestamptz", money="numeric(20, 8)"))  # type: ignore[arg-type]
        with connection.cursor() as cursor:
            cursor.executemany("insert into bill values (%s,%s,%s,%s,%s,%s,%s,%s,%s)", ROWS)
        connection.execute(
            """
            create table "LiteLLM_SpendLogs" (
                request_id text primary key, call_type text not null, api_key text not null default '',
                spend double precision not null default 0, total_tokens integer not null default 0,
                prompt_tokens integer not null default 0, completion_tokens integer not null default 0,
                "startTime" timestamp(3) not null, "endTime" timestamp(3) not null, "completionStartTime" timestamp(3),
                model text not null default '', model_id text default '', model_group text default '',
                custom_llm_provider text default '', api_base text default '', "user" text default '',
                metadata jsonb default '{}', cache_hit text default '', request_tags jsonb default '[]',
                team_id text, end_user text, session_id text, status text, messages jsonb default '{}'
            )
            """
        )
        connection.execute(
            """
            insert into "LiteLLM_SpendLogs" (request_id, call_type, spend, total_tokens, prompt_tokens,
                completion_tokens, "startTime", "endTime", model, custom_llm_provider, team_id, status, metadata)
            values ('chatcmpl-real1', 'acompletion', 0.0001578, 1340, 1180, 160, '2026-11-20 10:00:00.5',
                    '2026-11-20 10:00:01.75', 'gpt-4o-mini', 'openai', 'team-1', 'success', '{"a": 1}')
            """
        )
    yield postgres
    with psycopg.connect(_dsn(postgres), autocommit=True) as connection:
        connection.execute('drop table bill; drop table "LiteLLM_SpendLogs"')


def _dsn(postgres: Postgres) -> str:
    return f"host={postgres.folder} user=reader password={PASSWORD} dbname=postgres"


def test_postgres_types(store: Store, filled: Postgres) -> None:
    taken = pull(store, SOURCE._replace(url=filled.url()))
    assert (taken.problem, taken.total("rows_accepted")) == ("", 3)
    assert [line["billed_cost"] for line in lines(store)] == [
        Decimal("2.25"),
        Decimal("1.50"),
        Decimal("0.10"),
    ]
    assert {line["day"] for line in lines(store)} == {dt.date(2026, 11, 20)}


def test_litellm_database(store: Store, filled: Postgres) -> None:
    """Timestamps without a zone are UTC: 10:00:00.5 to 10:00:01.75."""
    from core.ingest.bills.sql_config import LITELLM_QUERY

    source = SOURCE._replace(
        name="gateway", url=filled.url(), target="litellm", query=LITELLM_QUERY, columns={}, key=()
    )
    assert pull(store, source).problem == ""
    (line,) = lines(store)
    start = dt.datetime(2026, 11, 20, 10, 0, 0, 500_000, dt.UTC)
    assert line["charge_period_start_ns"] == int(start.timestamp() * 10) * 10**8
    assert (line["response_id"], line["tokens"], line["effective_cost"]) == (
        "chatcmpl-real1",
        1340,
        Decimal("0.0001578"),
    )
    assert (line["provider_name"], line["model"], line["sub_account_id"]) == (
        "openai",
        "gpt-4o-mini",
        "team-1",
    )
    assert pull(store, source).total("rows_duplicate") == 1


def test_postgres_is_read_only_and_times_out(store: Store, filled: Postgres) -> None:
    with psycopg.connect(_dsn(filled), autocommit=True) as connection:
        connection.execute(
            "create function sneaky() returns integer language plpgsql as "
            "$$ begin delete from bill; return 1; end $$"
        )
    for query in ("select sneaky()", "with gone as (delete from bill returning id) select * from gone"):
        problem = pull(store, SOURCE._replace(url=filled.url(), query=query)).problem
        assert "read-only transaction" in problem or "data-modifying statements" in problem
    problem = pull(
        store, SOURCE._replace(url=filled.url(), query="select pg_sleep(30)", timeout_seconds=1)
    ).problem
    assert "statement timeout" in problem
    with psycopg.connect(_dsn(filled), autocommit=True) as connection:
        assert connection.execute("select count(*) from bill").fetchone() == (3,)
        connection.execute("drop function sneaky()")


def test_a_wrong_password_is_never_repeated(store: Store, filled: Postgres) -> None:
    problem = pull(store, SOURCE._replace(url=filled.url("hunter2-secret"))).problem
    assert "password authentication failed" in problem
    assert "hunter2" not in problem
    assert "hunter2" not in str(store.ask("select * from files").rows())


def test_a_large_result_streams(store: Store, filled: Postgres) -> None:
    """100,000 rows of about 200 bytes as Python objects would be some 100 MB at once; pieces are 20,000."""
    query = (
        "select n as id, timestamptz '2026-11-20' as used_at, 'gpt-4o' as model, 'input' as kind, n as tokens, "
        "1 as requests, 0.01 as usd, 'USD' as currency, 'Usage' as category from generate_series(1, 100000) n"
    )
    tracemalloc.start()
    taken = pull(store, SOURCE._replace(url=filled.url(), query=query))
    peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    assert (taken.problem, taken.total("rows_accepted")) == ("", 100_000)
    assert len(taken.receipts) == 5
    print(f"100,000 rows, peak {peak_mb:.0f} MB of Python objects")


def configure(tmp_path: Path, url: str, minutes: int = 0) -> Path:
    path = tmp_path / "sources.toml"
    columns = "\n".join(f"{name} = {json.dumps(given)}" for name, given in MAP.items())
    path.write_text(
        f'[[source]]\nname = "warehouse"\nurl = "{url}"\nquery = "select * from bill"\nkey = ["id"]\n'
        f"every_minutes = {minutes}\n[source.columns]\n{columns}\n"
    )
    return path


def test_the_command_pulls_and_says_what_came(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = str(tmp_path / "ledger")
    assert main(["pull", "--data", ledger]) == 1
    assert "SQL sources are off" in capsys.readouterr().err
    monkeypatch.setenv("TRUEUP_SQL_SOURCES", str(configure(tmp_path, sqlite_url)))
    assert main(["pull", "--data", ledger]) == 0
    assert capsys.readouterr().out == "warehouse: 3 rows read: 3 new.\n"
    assert main(["pull", "nobody", "--data", ledger]) == 1
    assert "There is no source 'nobody'. Known: warehouse." in capsys.readouterr().err


def test_the_app_pulls_on_its_schedule_and_lists_it(tmp_path: Path, sqlite_url: str) -> None:
    path = configure(tmp_path, sqlite_url, minutes=60)
    with running_app(tmp_path / "ledger", sql_sources=str(path)) as address:
        rows: list[dict[str, Any]] = []
        ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=60)
        while not rows and dt.datetime.now(dt.UTC) < ends:
            rows = fetch_json(f"{address}/api/imports")["rows"]
        assert (rows[0]["door"], rows[0]["file_name"], rows[0]["rows_accepted"]) == ("sql", "warehouse", 3)
        assert fetch_json(f"{address}/readyz")["pull_error"] is None


def test_a_source_that_works_does_not_hide_one_that_fails(
    store: Store, tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of two sources names a table that is not there; the second, pulled after it, is sound."""
    sound = configure(tmp_path, sqlite_url, minutes=60).read_text()
    failing = sound.replace('"warehouse"', '"elsewhere"').replace("from bill", "from no_such_table")
    path = tmp_path / "both.toml"
    path.write_text(f"{failing}\n{sound}")
    process = Process(Settings(data_dir=tmp_path, sql_sources=path), "127.0.0.1", 8501, store)
    monkeypatch.setattr(pulling, "LOOK_S", 0.01)
    stopping = threading.Event()
    thread = threading.Thread(target=pulling.keep_pulling, args=(process, stopping))
    thread.start()
    wait_for(lambda: store.ask("select count(*) from files").item() == 2)
    stopping.set()
    thread.join(timeout=240)
    assert store.ask("select name from files where problem is null").item() == "warehouse"
    assert "no_such_table" in str(process.pull_error)


def test_the_data_pages_list(store: Store, tmp_path: Path, sqlite_url: str) -> None:
    settings = Settings(sql_sources=configure(tmp_path, sqlite_url))
    (before,) = pulls.listed(store.ask, settings).rows(named=True)
    assert (before["source"], before["every"], before["problem"]) == ("warehouse", "by hand", "never pulled")
    pull(store, load(configure(tmp_path, sqlite_url))[0])
    (after,) = pulls.listed(store.ask, settings).rows(named=True)
    assert (after["rows_read"], after["rows_new"], after["problem"]) == (3, 3, "")
    assert pulls.state_text(settings) == ""
    assert pulls.state_text(Settings()) == pulls.NONE_CONFIGURED
    assert pulls.listed(store.ask, Settings()).is_empty()
