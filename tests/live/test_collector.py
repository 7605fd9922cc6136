"""The SDK's exporters → a real Collector → the app, with a token as the only way in: what arrives is what arrives without it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.ledger.rollups import IN_FORCE
from core.ledger.store import Store
from core.setting_values import token_hashes
from tests.live.collector import LACKING, collector
from tests.live.telemetry import Senders, logs, metrics, spans
from tests.web.over_http import full_queue, over_http, wait_for, writer_held
from tests.web.test_process import free_port

pytestmark = pytest.mark.skipif(bool(LACKING), reason=LACKING)
TOKEN = "a-token-of-24-characters"
BOOKS = ("imports", "derivations", "attempt_hours", "call_hours")
"""Which request brought rows, and hourly sums as each derivation added to them: with a Collector both differ and must."""
ORDER = ("import_id", "superseded_by", "first_import_id", "row_number")
"""Which import brought a row and where it stood there."""
HAVING_IMPORTS = """
select table_name, bool_or(column_name = 'superseded_by') as derived from duckdb_columns()
where not internal group by 1 having bool_or(column_name = 'import_id') order by 1
"""
SENT_AGAIN = "select count(*) from duplicates where table_name = 'imports'"


def app(folder: Path, **settings: Any) -> Any:
    folder.mkdir(exist_ok=True)
    return over_http(
        folder, **({"grpc_port": free_port(), "ingest_tokens": token_hashes([TOKEN])} | settings)
    )


def grpc_of(process: Any) -> str:
    return f"http://127.0.0.1:{process.settings.grpc_port}"


def count(store: Store, table: str) -> int:
    return int(store.ask(f"select count(*) from {table}").item())


def rows(store: Store) -> dict[str, list[str]]:
    """Every row in force of every table that telemetry comes into, without what ORDER names and the bytes of bodies, sorted."""
    store.derive()
    found = {}
    for name, derived in store.ask(HAVING_IMPORTS).rows():
        if name not in BOOKS:
            kept = (
                f"superseded_by = {IN_FORCE}"
                if derived
                else "table_name <> 'imports'"
                if name == "duplicates"
                else "true"
            )
            told = store.ask(f"select * from {name} where {kept}").drop(ORDER, strict=False)
            found[name] = sorted(map(repr, told.rows()))
    return {name: one for name, one in found.items() if one}


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_what_comes_through_the_collector_is_what_comes_directly(protocol: str, tmp_path: Path) -> None:
    """By its gRPC and its HTTP receiver: spans, metrics and logs once each, to the last attribute."""
    sent = spans(range(1, 41))
    points, records = metrics(), logs(sent[:10])
    with app(tmp_path / "direct") as process, closing(Senders("grpc", grpc_of(process), TOKEN)) as to_app:
        _send_all(to_app, sent, points, records)
        expected = rows(process.ledger())
    with (
        app(tmp_path / "through") as process,
        collector(tmp_path, grpc_of(process), TOKEN) as between,
        closing(Senders(protocol, getattr(between, protocol))) as to_collector,
    ):
        _send_all(to_collector, sent, points, records)
        store = process.ledger()
        wait_for(lambda: _all_there(store, expected))
        found = rows(store)
    assert {"spans", "calls", "attempts", "span_events", "metric_points", "outcomes"} <= set(expected)
    assert (len(expected["spans"]), len(expected["metric_points"]), len(expected["outcomes"])) == (
        len(sent),
        3,
        10,
    )
    for name in sorted(set(expected) | set(found)):
        assert found.get(name) == expected.get(name), name


def _send_all(to: Senders, sent: Any, points: Any, records: Any) -> None:
    for part in (sent[:50], sent[50:]):
        to.send(to.spans, part)
    to.send(to.metrics, points)
    to.send(to.logs, records)


def _all_there(store: Store, expected: dict[str, list[str]]) -> bool:
    tables = ("spans", "span_events", "metric_points", "outcomes")
    return all(count(store, name) >= len(expected[name]) for name in tables)


def test_what_was_sent_while_the_app_was_down_arrives_once(tmp_path: Path) -> None:
    """The app ends, the SDK goes on, the Collector is refused; a new app on the same ledger gets every span once."""
    sent, port = spans(range(1, 61)), free_port()
    parts = [sent[start : start + 20] for start in range(0, len(sent), 20)]
    with (
        collector(tmp_path, f"http://127.0.0.1:{port}", TOKEN) as between,
        closing(Senders("grpc", between.grpc)) as to_collector,
    ):
        with app(tmp_path / "app", grpc_port=port) as process:
            to_collector.send(to_collector.spans, parts[0])
            wait_for(lambda: count(process.ledger(), "spans") == len(parts[0]))
        for number, part in enumerate(parts[1:-1], 1):
            to_collector.send(to_collector.spans, part)
            wait_for(lambda least=number: between.said("will retry again") >= least)
        with app(tmp_path / "app", grpc_port=port) as process:
            to_collector.send(to_collector.spans, parts[-1])
            store = process.ledger()
            wait_for(lambda: count(store, "spans") >= len(sent), 240)
            found = store.ask("select trace_id, span_id from spans").rows()
            assert count(store, "duplicates") == 0
        assert between.said("dropping data") == 0
    assert sorted(found) == sorted((f"{s.context.trace_id:032x}", f"{s.context.span_id:016x}") for s in sent)


def test_an_answer_that_came_too_late_doubles_nothing(tmp_path: Path) -> None:
    """The app's writer is held until the Collector has given up waiting and sent the batch again; then both commit."""
    sent = spans(range(1, 11))
    with (
        app(tmp_path / "app") as process,
        collector(tmp_path, grpc_of(process), TOKEN, otlp_exporter_request_timeout="1s") as between,
        closing(Senders("grpc", between.grpc)) as to_collector,
    ):
        store = process.ledger()
        with writer_held(store):
            to_collector.send(to_collector.spans, sent)
            wait_for(lambda: store.queue_depth() >= 2, 120)
        wait_for(lambda: store.ask(SENT_AGAIN).item() >= 1)
        assert between.said("will retry again") >= 1
        assert count(store, "spans") == len(sent)
        assert store.ask("select count(*) from imports where rows_accepted > 0").item() == 1


@pytest.mark.parametrize(("protocol", "answer"), [("grpc", "ResourceExhausted"), ("http", "429")])
def test_a_full_app_is_asked_again_until_it_takes_the_batch(
    protocol: str, answer: str, tmp_path: Path
) -> None:
    sent = spans(range(1, 11))
    with app(tmp_path / "app", queue_limit=1) as process:
        address = grpc_of(process) if protocol == "grpc" else process.address()
        with (
            collector(tmp_path, address, TOKEN, otlp_exporter_protocol=protocol) as between,
            closing(Senders("grpc", between.grpc)) as to_collector,
        ):
            store = process.ledger()
            with full_queue(store):
                to_collector.send(to_collector.spans, sent)
                wait_for(lambda: between.said("will retry again", answer) >= 2)
                assert count(store, "spans") == 0
            wait_for(lambda: count(store, "spans") >= len(sent))
            assert between.said("dropping data") == 0
        assert (count(store, "spans"), count(store, "duplicates")) == (len(sent), 0)


@pytest.mark.parametrize(("protocol", "answer"), [("grpc", "Unauthenticated"), ("http", "401")])
def test_a_wrong_token_lets_nothing_in_and_the_collector_says_why(
    protocol: str, answer: str, tmp_path: Path
) -> None:
    with app(tmp_path / "app") as process:
        address = grpc_of(process) if protocol == "grpc" else process.address()
        with (
            collector(
                tmp_path, address, "another-token-of-24-chars", otlp_exporter_protocol=protocol
            ) as between,
            closing(Senders("grpc", between.grpc)) as to_collector,
        ):
            to_collector.send(to_collector.spans, spans(range(1, 3)))
            wait_for(lambda: between.said("dropping data", answer, "needs a bearer token") == 1)
            assert between.said("will retry again") == 0
        assert count(process.ledger(), "spans") == 0
        assert count(process.ledger(), "imports") == 0
