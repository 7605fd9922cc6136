"""The ledger's promises: acknowledged means committed, twice means once, order does not matter."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ledger.batch import Batch, Quarantined, Repaired
from core.ledger.migrations import NEWEST, NewerSchema
from core.ledger.store import Overloaded, Store, StoreLocked

START_NS = 1_795_000_000 * 10**9


def span_row(
    trace: str, span: str, parent: str | None, role: str, at_ms: int, **fields: Any
) -> dict[str, Any]:
    started = START_NS + at_ms * 10**6
    row: dict[str, Any] = {
        "trace_id": trace,
        "span_id": span,
        "parent_span_id": parent,
        "name": {"http": "POST", "inference": "chat m"}.get(role, role),
        "kind": "client",
        "dialect": "genai",
        "service_name": "assist",
        "started_at_ns": started,
        "ended_at_ns": started + 10**7,
        "duration_ns": 10**7,
        "duration_bucket": 116,
        "day": dt.date(2026, 11, 18),
        "hour": started // (3600 * 10**9),
        "status_code": "UNSET",
        "span_role": role,
        "gen_ai_operation_name": "chat" if role == "inference" else None,
        "url_path": "/v1/chat/completions" if role == "http" else None,
        "content_hash": f"{trace}{span}{sorted(fields.items())}",
    }
    return {**row, **fields}


def a_trace(trace: str, sends: int) -> list[dict[str, Any]]:
    """root > call > `sends` HTTP spans, all but the last a 500."""
    rows = [span_row(trace, "r", None, "app", 0), span_row(trace, "c", "r", "inference", 1)]
    for number in range(sends):
        failed = number < sends - 1
        fields = {
            "http_response_status_code": 500 if failed else 200,
            "error_class": "server" if failed else None,
        }
        rows.append(span_row(trace, f"h{number}", "c", "http", 2 + number * 20, **fields))
    return rows


def spans_batch(rows: list[dict[str, Any]], sha256: str) -> Batch:
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return Batch("test", "otlp_traces", sha256, len(rows), {"spans": frame})


def ledger(store: Store) -> pl.DataFrame:
    columns = "trace_id, operation_id, attempt_number, call_span_id, span_id, ok, attempt_ok, rescued, grade"
    return store.ask(f"select {columns} from attempts where superseded_by = 9223372036854775807 order by all")


def test_batch_is_readable_once_acknowledged() -> None:
    store = Store.open(":memory:")
    receipt = store.submit(spans_batch(a_trace("t1", 3), "a"))
    assert (receipt.import_id, receipt.rows_accepted, receipt.already_known) == (1, 5, False)
    assert store.ask("select count(*) as n from spans where import_id = $id", id=1, unused=2).item() == 5
    assert store.derive() == store.version() == 1
    attempts = store.ask("select attempts, failed_attempts, grade from calls").rows()
    assert attempts == [(3, 2, "observed")]
    store.close()


def test_same_bytes_twice_change_nothing_and_are_counted() -> None:
    store = Store.open(":memory:")
    store.submit(spans_batch(a_trace("t1", 1), "a"))
    again = store.submit(spans_batch(a_trace("t1", 1), "a"))
    assert (again.import_id, again.already_known, again.rows_duplicate) == (1, True, 3)
    assert store.latest_import() == 1
    assert store.ask("select table_name, kind from duplicates").rows() == [("imports", "exact")]
    store.close()


def test_span_sent_twice_in_other_bytes_counts_once() -> None:
    store = Store.open(":memory:")
    rows = a_trace("t1", 2)
    store.submit(spans_batch(rows, "a"))
    store.submit(spans_batch(rows[2:], "b"))
    store.derive()
    assert store.ask("select count(*) as n from spans").item() == 4
    assert store.ask("select row_key, first_import_id, kind from duplicates order by 1").rows() == [
        ("t1/h0", 1, "exact"),
        ("t1/h1", 1, "exact"),
    ]
    assert store.ask("select attempts from calls where superseded_by > 2").rows() == [(2,)]
    store.close()


def test_changed_span_is_a_revision_and_the_later_one_is_seen() -> None:
    store = Store.open(":memory:")
    rows = a_trace("t1", 1)
    store.submit(spans_batch(rows, "a"))
    store.derive()
    changed = {**rows[1], "error_class": "server", "status_code": "ERROR", "content_hash": "changed"}
    store.submit(spans_batch([changed], "b"))
    store.derive()
    in_force = "select ok from calls where import_id <= $as_of and superseded_by > $as_of"
    assert store.ask(in_force, as_of=1).rows() == [(True,)]
    assert store.ask(in_force, as_of=2).rows() == [(False,)]
    assert store.ask("select kind from duplicates").rows() == [("revision",)]
    store.close()


def test_late_parent_attaches() -> None:
    store = Store.open(":memory:")
    rows = a_trace("t1", 2)
    store.submit(spans_batch(rows[2:], "a"))
    store.derive()
    assert store.ask("select orphan, operation from calls").rows() == [(True, "http")]
    store.submit(spans_batch(rows[:2], "b"))
    store.derive()
    seen = store.ask("select orphan, operation, attempts from calls where superseded_by > 2").rows()
    assert seen == [(False, "chat", 2)]
    store.close()


@given(
    sends=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    seed=st.integers(0, 10**6),
    pieces=st.integers(1, 5),
    derive_between=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_order_split_and_repetition_give_the_same_ledger(
    sends: list[int], seed: int, pieces: int, derive_between: bool
) -> None:
    rows = [row for number, count in enumerate(sends) for row in a_trace(f"t{number}", count)]
    plain = Store.open(":memory:")
    plain.submit(spans_batch(rows, "all"))
    plain.derive()
    shuffled = random.Random(seed).sample(rows + rows[: len(rows) // 2], len(rows) + len(rows) // 2)
    mixed = Store.open(":memory:")
    for piece in range(pieces):
        if shuffled[piece::pieces]:
            mixed.submit(spans_batch(shuffled[piece::pieces], f"{piece}"))
        if derive_between:
            mixed.derive()
    mixed.derive()
    assert ledger(plain).equals(ledger(mixed))
    plain.close()
    mixed.close()


def cost_batch(sha256: str, **amounts: str) -> Batch:
    lines = pl.DataFrame(
        {
            "line_key": list(amounts),
            "source_format": "focus",
            "measure": "cost",
            "charge_period_start_ns": START_NS,
            "charge_period_end_ns": START_NS + 86_400 * 10**9,
            "day": dt.date(2026, 11, 18),
            "charge_category": "Usage",
            "effective_cost": [Decimal(amount) for amount in amounts.values()],
        },
        schema_overrides={"effective_cost": pl.Decimal(24, 12)},
    )
    return Batch("bill.csv", "focus", sha256, lines.height, {"cost_lines": lines})


def test_restated_line_is_a_revision_and_a_repeated_one_is_dropped() -> None:
    """a: 1.00 stays, b: 2.00 is restated to 2.50; the old amount is still there as of the first import."""
    store = Store.open(":memory:")
    store.submit(cost_batch("x", a="1.00", b="2.00"))
    receipt = store.submit(cost_batch("y", a="1.00", b="2.50"))
    assert (receipt.rows_accepted, receipt.rows_duplicate) == (1, 1)
    newest = """
        select line_key, max_by(effective_cost, import_id)::varchar as cost
        from cost_lines where import_id <= $as_of group by 1 order by 1
    """
    assert store.ask(newest, as_of=1).rows() == [("a", "1.000000000000"), ("b", "2.000000000000")]
    assert store.ask(newest, as_of=2).rows() == [("a", "1.000000000000"), ("b", "2.500000000000")]
    store.close()


def test_refused_rows_and_repairs_are_kept_with_their_reason() -> None:
    store = Store.open(":memory:")
    batch = spans_batch(a_trace("t1", 1), "a")._replace(
        quarantined=[Quarantined(4, "traceId", "trace id has 3 bytes, must have 16", "{}")],
        repaired=[Repaired("t1/c", "end_before_start", "-1", "0", True, "clock stepped back")],
    )
    assert store.submit(batch).rows_quarantined == 1
    assert store.ask("select import_id, row_number, field from quarantine").rows() == [(1, 4, "traceId")]
    assert store.ask("select rule, applied from repairs").rows() == [("end_before_start", True)]
    assert store.ask("select rows_quarantined from imports").item() == 1
    store.close()


def test_bad_batch_fails_alone() -> None:
    store = Store.open(":memory:")
    bad = Batch("bad", "x", "bad", 1, {"spans": pl.DataFrame({"no_such_column": [1]})})
    answers = [store.submit_soon(batch) for batch in (spans_batch(a_trace("t1", 1), "a"), bad)]
    assert answers[0].result().rows_accepted == 3
    with pytest.raises(ValueError, match="spans has no column no_such_column"):
        answers[1].result()
    assert store.submit(spans_batch(a_trace("t2", 1), "c")).import_id == 2
    store.close()


def test_full_queue_says_when_to_come_back() -> None:
    store = Store.open(":memory:", queue_limit=1)
    batches = [spans_batch(a_trace(f"t{number}", 1), str(number)) for number in range(100)]

    def flood() -> None:
        for batch in batches:
            store.submit_soon(batch)

    with pytest.raises(Overloaded) as refused:
        flood()
    assert refused.value.retry_after_s >= 1
    store.close()


def test_reopened_file_knows_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    store = Store.open(path)
    store.submit(spans_batch(a_trace("t1", 2), "a"))
    store.derive()
    store.close()
    store = Store.open(path)
    assert (store.latest_import(), store.version()) == (1, 1)
    assert store.submit(spans_batch(a_trace("t1", 2), "a")).already_known
    store.close()


def test_second_process_is_told_who_owns_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"from core.ledger.store import Store; Store.open({str(path)!r}); print('up', flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "up\n"
    with pytest.raises(StoreLocked, match=f"process {holder.pid}"):
        Store.open(path)
    holder.communicate("\n")


def test_killed_process_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """The child prints an import number after each acknowledgement and is killed without warning."""
    path = tmp_path / "ledger.duckdb"
    program = f"""
from tests.ledger.test_store import Store, a_trace, spans_batch
store = Store.open({str(path)!r})
for number in range(10_000):
    print(store.submit(spans_batch(a_trace(str(number), 2), str(number))).import_id, flush=True)
"""
    writer = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = 0
    for line in writer.stdout:
        acknowledged = int(line)
        if acknowledged == 25:
            writer.kill()
            break
    rest = writer.stdout.read().split()
    acknowledged = int(rest[-1]) if rest else acknowledged
    writer.wait()
    store = Store.open(path)
    assert store.latest_import() >= acknowledged
    halves = store.ask("select import_id from spans group by 1 having count(*) <> 4")
    assert halves.height == 0
    store.close()


def test_file_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    store = Store.open(path)
    store.submit(spans_batch(a_trace("t1", 1), hashlib.sha256(b"a").hexdigest()))
    store._file.connection.execute("insert into schema_version values (?, now()::timestamp)", [NEWEST + 1])
    store.close()
    with pytest.raises(NewerSchema, match=f"schema version {NEWEST + 1}, this Trueup knows {NEWEST}"):
        Store.open(path)


def test_retention_deletes_old_telemetry_and_records_it() -> None:
    """Spans are dated 2026-11-18: kept 10 days later with 10 days of retention, gone a day after that."""
    store = Store.open(":memory:")
    store.submit(spans_batch(a_trace("t1", 2), "a"))
    store.submit(cost_batch("x", a="1.00"))
    store.derive()
    assert store.retain(10, dt.date(2026, 11, 28)) == 0
    assert (
        store.retain(10, dt.date(2026, 11, 29)) == 11
    )  # 4 spans, 1 run, 1 call, 2 attempt lines, their hourly sums
    recorded = store.ask("select table_name, row_count from deletions order by 1").rows()
    assert recorded == [
        ("attempt_hours", 2), ("attempts", 2), ("call_hours", 1), ("calls", 1), ("runs", 1), ("spans", 4),
    ]  # fmt: skip
    assert store.ask("select count(*) as n from cost_lines").item() == 1
    store.close()


def test_other_prices_are_a_version_of_their_own(tmp_path: Path) -> None:
    """1,000 tokens at $10 per million are $0.01; doubled prices give $0.02 from the next version on."""
    prices = tmp_path / "prices.toml"
    entry = '[[model]]\nprovider = "*"\nmodel = "*"\ninput = {}\noutput = 0.0\n'
    prices.write_text(entry.format("10.0"))
    path = tmp_path / "ledger.duckdb"
    usage = {"gen_ai_usage_input_tokens": 1000, "gen_ai_usage_output_tokens": 0, "gen_ai_request_model": "m"}
    row = span_row("t1", "c", None, "inference", 0, gen_ai_provider_name="p", **usage)
    spent = (
        "select sum(expected_usd)::double as usd from attempts where import_id <= $n and superseded_by > $n"
    )
    store = Store.open(path, price_overrides=prices)
    store.submit(spans_batch([row], "a"))
    assert store.derive() == 1
    store.close()
    prices.write_text(entry.format("20.0"))
    store = Store.open(path, price_overrides=prices)
    assert store.derive() == store.derive() == 2
    assert (store.ask(spent, n=1).item(), store.ask(spent, n=2).item()) == (0.01, 0.02)
    store.close()
