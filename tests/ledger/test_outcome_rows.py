"""Outcomes as of a version and the coverage of runs: revisions, sources apart, joins, and a naive count."""

from __future__ import annotations

import datetime as dt
import io
import random
from typing import Any

import polars as pl
import pytest

from core.ingest.options import ReadOptions
from core.ingest.own_tables.outcomes_csv import COLUMNS, read
from core.ledger.outcome_rows import COVERAGE, LATEST, UNJOINED, coverage
from core.ledger.store import Store
from tests.ingest.otlp_requests import START_NS, decoded, request, span

DAY_NS = 86_400 * 10**9
SCOPE = {"start": dt.date(2026, 3, 1), "end": dt.date(2026, 4, 30), "regions": "", "services": ""}
FIRST = dt.date(2026, 3, 31)


def runs(store: Store, count: int, day: int = 0, start: int = 1, conversation: str = "") -> None:
    """Runs of one chat each, with trace ids from `start`, so many days after FIRST."""
    values = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    spans = []
    for number in range(start, start + count):
        at = START_NS + day * DAY_NS + number * 10**6
        more = {"gen_ai.response.id": f"chatcmpl-{number}"} | (
            {"gen_ai.conversation.id": conversation} if conversation else {}
        )
        spans.append(
            span(values | more, traceId=f"{number:032x}", spanId=f"{number:016x}",
                 startTimeUnixNano=str(at), endTimeUnixNano=str(at + 10**5))
        )  # fmt: skip
    store.submit(decoded(request(*spans)))
    store.derive()


def rate(store: Store, *rows: dict[str, Any]) -> int:
    """Outcomes by the CSV reader; whatever a row leaves out is a thumb of a person on 2026-04-01."""
    usual = {"ts": "2026-04-01T12:00:00Z", "name": "thumbs", "value": "1", "source": "human"}
    lines = [",".join(str((usual | row).get(column, "")) for column in COLUMNS) for row in rows]
    content = "\n".join((",".join(COLUMNS), *lines)).encode()
    (batch,) = read(io.BytesIO(content), "outcomes.csv", ReadOptions())
    assert batch.quarantined == []
    return store.submit(batch).import_id


def counted(store: Store, as_of: int | None = None) -> list[tuple[Any, ...]]:
    found = store.ask(COVERAGE, as_of=as_of or store.latest_import(), **SCOPE)
    return found.select("day", "name", "source", "n_rated", "n_eligible").rows()


def trace(number: int) -> dict[str, str]:
    return {"trace_id": f"{number:032x}"}


def test_the_newest_row_of_a_key_wins_as_of_each_version_and_nothing_is_updated(store: Store) -> None:
    first = rate(store, trace(1) | {"value": "0"})
    revised = rate(store, trace(1) | {"value": "1", "ts": "2026-04-05"})
    late = rate(store, trace(1) | {"value": "0.5", "ts": "2026-04-02"})  # arrives last, but was said before
    same_time = rate(store, trace(1) | {"value": "0.25", "ts": "2026-04-05"})  # said again: the later import
    values = [store.ask(LATEST, as_of=one)["value"].to_list() for one in (first, revised, late, same_time)]
    assert values == [[0.0], [1.0], [1.0], [0.25]]
    assert store.ask("select count(*) from outcomes").item() == 4
    undone = store.undo([same_time], "test").import_id
    assert store.ask(LATEST, as_of=undone)["value"].to_list() == [1.0]


def test_sources_and_names_are_never_merged(store: Store) -> None:
    runs(store, 4)
    rate(store, trace(1), trace(2), trace(1) | {"source": "model"}, trace(1) | {"name": "csat"})
    assert counted(store) == [
        (FIRST, "csat", "human", 1, 4), (FIRST, "thumbs", "human", 2, 4), (FIRST, "thumbs", "model", 1, 4),
    ]  # fmt: skip


def test_two_people_on_one_run_are_one_rated_run(store: Store) -> None:
    runs(store, 2)
    rate(store, trace(1) | {"actor": "a"}, trace(1) | {"actor": "b"})
    assert counted(store) == [(FIRST, "thumbs", "human", 1, 2)]


def test_a_day_without_a_rating_has_zero_and_the_run_s_day_counts(store: Store) -> None:
    runs(store, 3)
    runs(store, 2, day=1, start=10)
    rate(store, trace(10) | {"ts": "2026-04-20"})
    assert counted(store) == [
        (FIRST, "thumbs", "human", 0, 3),
        (dt.date(2026, 4, 1), "thumbs", "human", 1, 2),
    ]


def test_each_id_joins_and_a_conversation_is_one_run(store: Store) -> None:
    runs(store, 5, conversation="conv-1")
    rate(store, {"response_id": "chatcmpl-1"}, {"conversation_id": "conv-1"}, {"response_id": "unknown"})
    assert counted(store) == [
        (FIRST, "thumbs", "human", 2, 5)
    ]  # the answer's run, and the conversation's last
    told = store.ask(UNJOINED, as_of=store.latest_import(), **SCOPE)
    assert told.rows() == [("thumbs", "human", 3, 1)]


def test_a_span_without_its_trace_joins_by_the_span(store: Store) -> None:
    """Phoenix names the span alone."""
    import json

    from core.ingest.platforms.phoenix import read as read_phoenix

    runs(store, 3)
    annotation = {"created_at": "2026-04-01T00:00:00Z", "name": "thumbs", "annotator_kind": "HUMAN", "identifier": "u",
                  "span_id": f"{2:016x}", "result": {"score": 1.0}}  # fmt: skip
    judged = annotation | {"annotator_kind": "LLM", "result": {"score": 0.0}}
    content = json.dumps({"data": [annotation, judged]}).encode()
    (batch,) = read_phoenix(io.BytesIO(content), "x", ReadOptions())
    store.submit(batch)
    assert counted(store) == [(FIRST, "thumbs", "human", 1, 3), (FIRST, "thumbs", "model", 1, 3)]


def test_an_evaluator_that_failed_rated_nothing(store: Store) -> None:
    from tests.ingest.test_otlp_logs import decoded as decoded_logs
    from tests.ingest.test_otlp_logs import record

    runs(store, 1)
    broken = record({"gen_ai.evaluation.name": "judge", "error.type": "Timeout"}, eventName="gen_ai.evaluation.result",
                    traceId=f"{1:032x}", spanId=f"{1:016x}")  # fmt: skip
    store.submit(decoded_logs(broken))
    assert counted(store) == []


def test_the_scope_selects_runs(store: Store) -> None:
    runs(store, 3)
    rate(store, trace(1))
    elsewhere = SCOPE | {"services": "\x1fdesk\x1f"}
    assert store.ask(COVERAGE, as_of=store.latest_import(), **elsewhere).is_empty()
    here = SCOPE | {"services": "\x1fassist\x1f"}
    assert store.ask(COVERAGE, as_of=store.latest_import(), **here)["n_rated"].to_list() == [1]


@pytest.mark.parametrize("seed", range(5))
def test_against_a_naive_count(store: Store, seed: int) -> None:
    draw = random.Random(seed)
    runs(store, 20)
    said: dict[tuple[int, str, str], list[tuple[int, str]]] = {}
    for _ in range(3):
        rows = []
        for _ in range(15):
            number, name, source = (
                draw.randint(1, 25),
                draw.choice("ab"),
                draw.choice(("human", "model", "code")),
            )
            day = draw.randint(1, 28)
            if any(day == held for held, _ in said.get((number, name, source), [])):
                continue
            said.setdefault((number, name, source), []).append((day, str(draw.random())))
            value = said[number, name, source][-1][1]
            rows.append(
                trace(number) | {"name": name, "source": source, "value": value, "ts": f"2026-04-{day:02d}"}
            )
        rate(store, *rows)
    latest = {key: max(held)[1] for key, held in said.items()}
    found = store.ask(LATEST, as_of=store.latest_import()).rows(named=True)
    assert {(int(row["trace_id"], 16), row["name"], row["source"]): row["value"] for row in found} == {
        key: float(value) for key, value in latest.items()
    }
    kinds = {(name, source) for _, name, source in said}
    expected = {kind: sum(1 <= n <= 20 for n, *rest in said if tuple(rest) == kind) for kind in kinds}
    assert {(name, source): rated for _, name, source, rated, _ in counted(store)} == expected


def test_shares_over_days() -> None:
    day = dt.date(2026, 4, 1)
    daily = pl.DataFrame(
        [(day, "thumbs", "human", 1, 4), (day, "thumbs", "model", 4, 4), (day, "csat", "human", 0, 0),
         (day + dt.timedelta(1), "thumbs", "human", 0, 6)],
        schema={"day": pl.Date, "name": pl.String, "source": pl.String, "n_rated": pl.Int64, "n_eligible": pl.Int64},
        orient="row",
    )  # fmt: skip
    assert coverage(daily).select(
        "name", "source", "days", "days_rated", "n_rated", "n_eligible", "rated_share"
    ).rows() == [
        ("csat", "human", 1, 0, 0, 0, None),
        ("thumbs", "human", 2, 1, 1, 10, 0.1),  # (1 + 0) / (4 + 6)
        ("thumbs", "model", 1, 1, 4, 4, 1.0),
    ]
    assert coverage(daily.clear()).is_empty()
