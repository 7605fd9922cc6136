"""What pages say before they are drawn: scope from widgets, run order, receipts, coverage, chance."""

from __future__ import annotations

import datetime as dt
import doctest
import io
import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as some

from core import coverage, imports, links, recipes, runs, uploads, view
from core.audit import Finding, Need, Scope
from core.audits import every_audit, retry_ledger
from core.ingest.options import ReadOptions
from core.intake import Arrival, take_file
from core.ledger.store import Batch, Store
from core.multiplicity import chance_text
from tests.ledger.test_store import a_trace, spans_batch

FINDING = Finding(
    "x", "broken", "$1.00 per conversion", "$2.00 per conversion", 1.0, 0.5, 1.5, "share", 40, "s"
)
SCOPE = Scope(dt.date(2026, 3, 1), dt.date(2026, 3, 28), as_of=3)


def spans(*rows: tuple[str, str | None, int]) -> pl.DataFrame:
    """(span id, parent, start in ms) each 10 ms long."""
    return pl.DataFrame(
        [
            {
                "span_id": name, "parent_span_id": parent, "name": name, "started_at_ns": start * 10**6,
                "duration_ns": 10**7, "status_code": "UNSET", "attempt_number": None, "attempt_ok": None,
                "error_class": None,
            }
            for name, parent, start in rows
        ],
        infer_schema_length=None,
    )  # fmt: skip


OUTCOME = b"""ts,trace_id,name,value,source
2026-03-02T00:00:00Z,858bfae005a281be2a05aa6c0d3117cc,conversion,1,business
"""
BILL = b"""BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,ServiceName,ProviderName
1.50,USD,Usage,2026-03-01T00:00:00Z,2026-03-02T00:00:00Z,Models,OpenAI
"""


def give(store: Store, name: str, content: bytes) -> None:
    taken = take_file(store, io.BytesIO(content), Arrival("upload", name), ReadOptions())
    assert (taken.problem, taken.total("rows_accepted")) == ("", 1)


def eval_run(started_at: dt.datetime) -> Batch:
    run = {"run_id": "r", "tool": "inspect", "started_at_ns": int(started_at.timestamp()) * 10**9}
    return Batch("r.eval", "inspect", "r", 1, {"eval_runs": pl.DataFrame([run])})


def drawn(frame: pl.DataFrame) -> list[tuple[str, int]]:
    return [(row.label, row.depth) for row in runs.span_rows(frame)]


@pytest.mark.parametrize("module", [view, uploads])
def test_examples_in_docstrings(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_children_stand_under_their_parents_by_start() -> None:
    frame = spans(("root", None, 0), ("late", "root", 50), ("early", "root", 10), ("inner", "late", 60))
    assert drawn(frame) == [("root", 0), ("early", 1), ("late", 1), ("inner", 2)]


def test_a_missing_parent_and_a_circle_lose_no_span() -> None:
    frame = spans(("orphan", "gone", 5), ("a", "b", 10), ("b", "a", 20), ("self", "self", 30))
    assert sorted(name for name, _ in drawn(frame)) == ["a", "b", "orphan", "self"]


@given(some.lists(some.integers(-1, 30), min_size=1, max_size=30))
def test_any_parents_draw_every_span_once(parents: list[int]) -> None:
    rows = [(str(place), None if parent < 0 else str(parent), place) for place, parent in enumerate(parents)]
    assert sorted(name for name, _ in drawn(spans(*rows))) == sorted(str(place) for place in range(len(rows)))


def test_a_failed_attempt_is_named_and_marked() -> None:
    frame = spans(("send", None, 0)).with_columns(
        attempt_number=2, attempt_ok=0, error_class=pl.lit("rate_limit")
    )
    (row,) = runs.span_rows(frame)
    assert (row.attempt, row.failed, row.duration_ms) == ("attempt 2, rate_limit", True, 10.0)


def test_scope_takes_what_is_set_and_defaults_the_rest(store: Store) -> None:
    state = {
        "from": dt.date(2026, 3, 2),
        "to": dt.date(2026, 3, 3),
        "region": ["eu"],
        "retry_ledger_limit": "0.50",
    }
    scope = view.scope_of(state, store.ask, 3, retry_ledger)
    assert scope == Scope(
        dt.date(2026, 3, 2), dt.date(2026, 3, 3), ("eu",), as_of=3, choices=(("limit", "0.50"),)
    )
    backwards = view.scope_of({"from": dt.date(2026, 3, 3), "to": dt.date(2026, 3, 2)}, store.ask, 3)
    assert (backwards.end - backwards.start).days == links.DEFAULT_DAYS - 1


def test_a_ledger_without_traffic_opens_on_the_days_of_its_outcomes(store: Store) -> None:
    """An outcome of 2 March and an eval of the 4th; the 4th is the last day, until a bill line of the 1st has the say."""
    empty = view.newest_day(store.ask, 0)
    give(store, "outcome.csv", OUTCOME)
    assert view.newest_day(store.ask, 1) == dt.date(2026, 3, 2)
    store.submit(eval_run(dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)))
    assert view.newest_day(store.ask, 2) == dt.date(2026, 3, 4)
    give(store, "bill.csv", BILL)
    assert view.newest_day(store.ask, 3) == dt.date(2026, 3, 1)
    assert view.newest_day(store.ask, 0) == empty  # an older version does not see them


def test_a_missing_table_is_not_a_full_one(store: Store) -> None:
    needs = (Need("spans.trace_id", "", ""), Need("nowhere.x", "", ""), Need("spans.nothing", "", ""))
    found = coverage.have(store.ask, needs, SCOPE)
    assert [(one.row_count, one.known_share) for one in found] == [(0, None)] * 3
    assert view.blocked(found)
    assert view.needs_text(found) == "Data needed and found: 0 of 3 columns have values"


def test_every_need_names_a_column_of_the_ledger(store: Store) -> None:
    known = {f"{table}.{column}" for table, column in store.ask(coverage._COLUMNS).iter_rows()}
    for audit in every_audit():
        assert {need.column for need in audit.NEEDS} <= known
        assert view.page_of(audit).is_file()


def test_questions_of_the_data_page_run_on_an_empty_ledger(store: Store) -> None:
    for question in (imports.ARRIVALS, coverage.DUPLICATES, coverage.REPAIRS):
        assert store.ask(question).is_empty()
    nothing = {"name": "", "file_id": 1, "first_import": 1, "last_import": 9}
    assert store.ask(imports.REFUSED, **nothing).is_empty()
    assert "spans" in coverage.table_counts(store.ask)["table_name"].to_list()
    assert store.ask(coverage.SUMMARY).row(0, named=True)["newest_import"] == 0


def test_chance_of_a_false_broken_grows_with_the_verdicts() -> None:
    # 1 − 0.975^24 = 0.4554
    assert "45.5% of cases" in chance_text([FINDING] * 24)
    assert chance_text([FINDING._replace(status="cannot tell")]) == "No audit can tell yet."


def test_the_pair_has_its_interval_and_n() -> None:
    assert view.cells(FINDING) == [
        ("Reported", "$1.00", "per conversion"),
        ("Supported", "$2.00", "per conversion"),
        ("Gap", "100%", "95% [50.0%, 150.0%]"),
        ("n", "40", None),
    ]
    assert view.cells(FINDING._replace(low=None))[2][2] == "no interval"


def test_cannot_tell_is_grey() -> None:
    assert view.STATUS_COLOURS["cannot tell"] == "gray"


def test_age_is_told_in_units_a_reader_uses() -> None:
    now = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.UTC)
    state = {"committed_at": dt.datetime(2026, 3, 10, 11, 30)}  # noqa: DTZ001
    assert view.age_text(state, 7, now) == "Data version 7; newest import 30 min ago."
    assert view.age_text({"committed_at": dt.datetime(2026, 3, 1)}, 7, now).endswith("9 days ago.")  # noqa: DTZ001
    assert view.age_text({"committed_at": None}, 0, now) == "No data yet."


def test_recipes_point_back_at_this_app() -> None:
    texts = "\n".join(recipe.text for recipe in recipes.recipes("http://host:9/"))
    assert texts.count("http://host:9/v1/traces") == 5
    assert "{" + "endpoint}" not in texts
    assert json.dumps(recipes.REQUEST_HEADERS) in texts


def test_an_upload_that_cannot_be_read_says_which_file(store: Store) -> None:
    import io

    report = uploads.take(
        store, io.BytesIO(b"nothing we know"), Arrival("upload", "../odd.bin"), ReadOptions()
    )
    assert not report.read
    assert report.sentence.startswith("odd.bin: ")


def test_a_link_to_an_import_that_was_never_shown_moves_to_the_nearest(store: Store) -> None:
    """Imports 1 and 2 are derived together: pages went from nothing to 2, then to 3."""
    for name in ("a", "b"):
        store.submit(spans_batch(a_trace(name, 1), name))
    store.derive()
    store.submit(spans_batch(a_trace("c", 1), "c"))
    store.derive()
    assert view.pinned_version(store.ask, "2", 3) == (2, "")
    assert view.pinned_version(store.ask, "1", 3)[0] == 2
    assert "No page was ever shown as of import 1" in view.pinned_version(store.ask, "1", 3)[1]
    assert view.pinned_version(store.ask, None, 3) == (None, "")


def test_a_scope_that_reaches_behind_retention_says_so(store: Store) -> None:
    """Spans are dated 2026-11-18; ten days of retention on 2026-11-29 delete what is before 2026-11-19."""
    store.submit(spans_batch(a_trace("a", 1), "a"))
    store.retain(10, dt.date(2026, 11, 29))
    behind = Scope(dt.date(2026, 11, 18), dt.date(2026, 11, 30))
    assert view.notes(store.ask, behind, None)[0][0] == "Deleted"
    assert "before 2026-11-19" in view.notes(store.ask, behind, None)[0][1]
    assert view.notes(store.ask, behind._replace(start=dt.date(2026, 11, 19)), None) == []
    assert view.notes(store.ask, behind, (SCOPE, ["not for this scope"])) == view.notes(
        store.ask, behind, None
    )
