"""Change events as of a version: the newest row of an id, and versions as the traces first show them."""

from __future__ import annotations

import csv
import io
from typing import Any

from core.ingest.options import ReadOptions
from core.ingest.own_tables.change_events import read
from core.ledger.change_rows import CHANGE_EVENTS, MARKS, NEWEST, STATED
from core.ledger.store import Store
from tests.ingest.otlp_requests import START_NS, decoded, request, span

DAY_NS = 86_400 * 10**9
SCOPE = {"start": "2026-01-01", "end": "2026-12-31"}


def state(store: Store, **event: str) -> int:
    text = io.StringIO()
    csv.writer(text).writerows((event.keys(), event.values()))
    (batch,) = read(io.BytesIO(text.getvalue().encode()), "changes.csv", ReadOptions())
    assert batch.quarantined == []
    return store.submit(batch).import_id


def seen(store: Store, number: int, day: int, version: str | None, model: str, service: str = "shop") -> int:
    """One model call of a service's version, so many days after the start."""
    start = START_NS + day * DAY_NS
    one = span(
        {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.response.model": model},
        traceId=f"{number:032x}", spanId=f"{number:016x}", startTimeUnixNano=str(start), endTimeUnixNano=str(start + 10**9),
    )  # fmt: skip
    resource = {"service.name": service} | ({"service.version": version} if version else {})
    return store.submit(decoded(request(one, resource=resource))).import_id


def titles(store: Store, sql: str, as_of: int, column: str = "title") -> list[Any]:
    return sorted(store.ask(sql, as_of=as_of, regions="", services="", models="", **SCOPE)[column].to_list())


def test_the_newest_import_of_an_id_counts_as_of_each_version(store: Store) -> None:
    first = state(store, event_id="d-1", ts="2026-03-01", kind="deploy", title="shop 2")
    second = state(store, event_id="d-1", ts="2026-03-02", kind="deploy", title="shop 2.0.1")
    other = state(store, event_id="d-2", ts="2026-03-03", kind="limit", title="Tier 4")
    assert titles(store, STATED, first) == ["shop 2"]
    assert titles(store, STATED, second) == ["shop 2.0.1"]
    assert titles(store, STATED, other) == ["Tier 4", "shop 2.0.1"]
    gone = store.undo([second], "test").import_id
    assert titles(store, STATED, gone) == ["Tier 4", "shop 2"]
    assert titles(store, STATED, other) == ["Tier 4", "shop 2.0.1"]  # an old link still sees what it saw


def test_charts_mark_a_restated_event_once(store: Store) -> None:
    state(store, event_id="d-1", ts="2026-03-01", kind="deploy", title="shop 2")
    newest = state(store, event_id="d-1", ts="2026-03-02", kind="deploy", title="shop 2.0.1")
    assert titles(store, MARKS, newest) == ["shop 2.0.1"]


def test_a_version_is_an_event_where_it_is_first_seen_but_for_those_of_the_first_day(store: Store) -> None:
    seen(store, 1, 0, "1.0", "gpt-a")
    seen(store, 5, 0, "1.0", "gpt-fallback")
    seen(store, 2, 5, "1.1", "gpt-a")
    seen(store, 3, 6, "1.1", "gpt-b")
    last = seen(store, 4, 2, "1.1", "gpt-a")  # arrived late, and moves the first sight to day 2
    rows = store.ask(CHANGE_EVENTS, as_of=last).sort("at_ns").rows(named=True)
    assert [(row["kind"], row["title"], row["model"], row["at_ns"] - START_NS) for row in rows] == [
        ("deploy", "shop 1.1", None, 2 * DAY_NS),
        ("checkpoint", "shop gpt-b", "gpt-b", 6 * DAY_NS),
    ]
    assert {row["evidence"] for row in rows} == {"first seen"}
    before = store.ask(CHANGE_EVENTS, as_of=3).rows(named=True)
    assert [(row["title"], row["at_ns"] - START_NS) for row in before] == [("shop 1.1", 5 * DAY_NS)]


def test_services_are_apart_and_one_version_is_no_change(store: Store) -> None:
    seen(store, 1, 0, "1.0", "gpt-a")
    seen(store, 2, 1, "2.0", "gpt-a", service="desk")
    last = seen(store, 3, 2, None, "gpt-a")
    assert store.ask(CHANGE_EVENTS, as_of=last).is_empty()


def test_the_table_shows_the_newest_first(store: Store) -> None:
    state(store, ts="2026-04-01", kind="incident", title="slow")
    last = state(store, ts="2026-04-02", kind="price", title="cheaper", price="0.15")
    rows = store.ask(NEWEST, as_of=last).rows(named=True)
    assert [(row["title"], row["attributes"]) for row in rows] == [
        ("cheaper", '{"price":0.15}'),
        ("slow", None),
    ]
