"""The timeline: when verdicts changed, what happened, and where each point leads."""

from __future__ import annotations

import datetime as dt
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest

from core import findings, timeline
from core.audit import Scope
from core.audits import every_audit, retry_ledger, token_forecast
from core.charts import themed
from core.export import alt_text
from core.ingest.options import ReadOptions
from core.ledger.store import Store
from core.timeline import DATA_DAY, FIRST, FOUND, Moment, Timeline
from core.uploads import add_change
from tests.review_world import DAY, half_sent

WIDE = Scope(DAY - dt.timedelta(days=90), DAY + dt.timedelta(days=90), as_of=9)
HOSTILE = "<b>deploy</b> [x](javascript:y)"
FOUND_AT = dt.datetime(2026, 4, 1, 12, tzinfo=dt.UTC)


def change(store: Store, moment: str, title: str, **more: str) -> None:
    typed = {"kind": "deploy", "ts": moment, "title": title, "service": "", "region": "", "model": ""} | more
    told = add_change(store, typed, ReadOptions())
    assert "Not added" not in told, told
    store.derive()


def keep(store: Store, statuses: tuple[str, ...], standard: bool = True) -> None:
    """Findings of the retry audit at versions 1, 2, ...: a day of data and an hour of finding each."""
    row = findings.row_of(retry_ledger, store.ask, WIDE._replace(as_of=1), standard)
    for place, status in enumerate(statuses):
        at = FOUND_AT + dt.timedelta(hours=place)
        store.keep_finding(
            row.with_columns(
                pl.lit(place + 1).cast(pl.Int64).alias("version"), pl.lit(status).alias("status"),
                pl.lit(DAY + dt.timedelta(days=place)).alias("newest_day"),
                pl.lit(int(at.timestamp()) * 10**9).alias("at_ns"),
            )
        )  # fmt: skip


@pytest.fixture
def ledger(store: Store) -> Store:
    half_sent(store)
    return store


def read(store: Store, scope: Scope = WIDE, dated_by: str = DATA_DAY, within_days: bool = False) -> Timeline:
    return timeline.read(store.ask, scope, every_audit(), dated_by, within_days)


def test_only_changes_of_a_status_are_points_and_bars_tell_how_long(ledger: Store) -> None:
    """holds, holds, broken, broken, watch on days 0 to 4: changes on days 0, 2 and 4; bars of 2 days each."""
    keep(ledger, ("holds", "holds", "broken", "broken", "watch"))
    told = read(ledger)
    oldest_first = told.moments[::-1]
    assert [(one.at.date() - DAY).days for one in oldest_first] == [0, 2, 4]
    assert [one.what for one in oldest_first] == [f"{FIRST}: holds", "holds → broken", "broken → watch"]
    assert [(one.state, (one.end - one.start).days) for one in told.stretches] == [
        ("holds", 2),
        ("broken", 2),
    ]
    assert [one.as_of for one in oldest_first] == [1, 3, 5]
    assert told.lanes == (retry_ledger.TITLE,)


def test_a_verdict_can_stand_where_it_was_found(ledger: Store) -> None:
    keep(ledger, ("holds", "broken"))
    assert [one.at for one in read(ledger, dated_by=FOUND).moments[::-1]] == [
        FOUND_AT,
        FOUND_AT + dt.timedelta(hours=1),
    ]


def test_findings_of_other_scopes_and_later_versions_are_left_out(ledger: Store) -> None:
    keep(ledger, ("holds", "broken", "watch"))
    keep(ledger, ("broken",) * 3, standard=False)
    assert len(read(ledger, WIDE._replace(as_of=2)).moments) == 2


def test_events_stand_beside_verdicts_and_the_scope_chooses_among_them(ledger: Store) -> None:
    change(ledger, "2026-03-03T10:00:00Z", HOSTILE, region="eu-west-1")
    change(ledger, "2026-03-04T10:00:00Z", "everywhere")
    keep(ledger, ("holds",))
    told = read(ledger)
    assert told.lanes == (retry_ledger.TITLE, "deploy")
    assert [one.what for one in told.moments] == ["everywhere", HOSTILE, f"{FIRST}: holds"]
    elsewhere = read(ledger, WIDE._replace(regions=("us-east-1",)))
    assert [one.what for one in elsewhere.moments if not one.audit] == ["everywhere"]
    short = read(ledger, WIDE._replace(start=DAY, end=DAY + dt.timedelta(days=1)), within_days=True)
    assert [one.what for one in short.moments] == [HOSTILE, f"{FIRST}: holds"]


def test_a_verdict_leads_to_its_own_days_and_version_and_an_event_to_every_audit(ledger: Store) -> None:
    change(ledger, "2026-03-03T10:00:00Z", "x")
    keep(ledger, ("holds",))
    event, verdict = read(ledger).moments
    ((title, address),) = timeline.links_at(verdict, every_audit(), "http://h")
    query = parse_qs(urlsplit(address).query)
    assert (title, urlsplit(address).path) == (retry_ledger.TITLE, "/retry_ledger")
    assert (query["from"], query["to"], query["as_of"]) == ([str(WIDE.start)], [str(WIDE.end)], ["1"])
    around = timeline.links_at(event, every_audit(), "http://h")
    assert len(around) == len(every_audit())
    assert "from=2026-02-17&to=2026-03-16&as_of=9" in around[0][1]


def test_the_break_calendar_of_a_finding_is_in_its_link() -> None:
    days = (DAY, DAY)
    moment = Moment(FOUND_AT, "x", "y", "", 4, "token_forecast", "holds", days, "3")
    ((_, address),) = timeline.links_at(moment, every_audit(), "http://h")
    assert address.endswith("token_forecast_breaks=3&as_of=4")
    ((_, other),) = timeline.links_at(moment._replace(audit="retry_ledger"), every_audit(), "http://h")
    assert "breaks" not in other
    assert token_forecast.MADE


def test_chart_and_table_tell_the_same_rows(ledger: Store) -> None:
    change(ledger, "2026-03-03T10:00:00Z", HOSTILE)
    keep(ledger, ("holds", "broken"))
    told = read(ledger)
    figure, rows = timeline.figure(told), timeline.table(told)
    points = [
        (row, text)
        for trace in figure.data
        if trace.customdata
        for row, text in zip(trace.customdata, trace.text, strict=True)
    ]
    assert sorted(row for row, _ in points) == list(range(rows.height)) == list(range(len(told.moments)))
    assert not any("<b>" in text for _, text in points)
    assert rows["what"].to_list() == [one.what for one in told.moments]
    told_in_words = alt_text("Timeline", figure)
    assert "holds → broken" in told_in_words
    assert "on 2026-03-03 00:00:00" in told_in_words
    dark = themed(figure, True)
    assert dark.data[0].line.color != figure.data[0].line.color


def test_an_empty_ledger_has_no_moments(store: Store) -> None:
    assert read(store) == Timeline((), (), ())
    assert timeline.table(read(store)).height == 0


def test_a_verdict_without_rows_stands_at_the_end_of_its_days(ledger: Store) -> None:
    row = findings.row_of(retry_ledger, ledger.ask, WIDE._replace(as_of=1), True)
    ledger.keep_finding(row.with_columns(pl.lit(None, pl.Date).alias("newest_day")))
    (moment,) = read(ledger).moments
    assert moment.at.date() == WIDE.end
