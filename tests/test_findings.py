"""Findings are kept once for a scope and a version, found again, and computed by the worker, not by pages."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from types import ModuleType

import polars as pl
import pytest

from core import board, findings
from core.audit import Scope
from core.audits import every_audit, retry_ledger
from core.ledger.store import Store
from tests.audits.retry_world import DAY, send, worked_scenario

WEEK = Scope(DAY, DAY + dt.timedelta(days=6))


@pytest.fixture
def ledger() -> Iterator[Store]:
    """The worked scenario, with the version that pages would see."""
    opened = Store.open(":memory:")
    send(opened, **worked_scenario())
    opened._version = opened.latest_import()  # the scenario's rows are derived ones already
    yield opened
    opened.close()


def computed(store: Store, scope: Scope) -> list[tuple[int, int]]:
    heard: list[tuple[int, int]] = []
    findings.refresh(
        every_audit(), store.ask, scope, False, store.keep_finding, lambda done, of: heard.append((done, of))
    )
    return heard


def test_a_finding_comes_back_as_it_was(ledger: Store) -> None:
    scope = WEEK._replace(as_of=1)
    computed(ledger, scope)
    back = findings.kept(ledger.ask, scope)
    assert set(back) == {audit.__name__.rpartition(".")[2] for audit in every_audit()}
    now = retry_ledger.judge(retry_ledger.measure(retry_ledger.load(ledger.ask, scope), scope))
    assert back["retry_ledger"].finding == now._replace(audit="retry_ledger")
    assert back["retry_ledger"].version == 1
    assert back["retry_ledger"].newest_day == DAY


def test_only_this_scope_s_own_finding_stands_before_the_answer(ledger: Store) -> None:
    """A page shows it while the answer is made: another version's, range's or limit's would be another number."""
    scope = WEEK._replace(as_of=1)
    assert findings.exactly(ledger.ask, retry_ledger, scope) is None
    computed(ledger, findings.stamped(scope))
    now = retry_ledger.judge(retry_ledger.measure(retry_ledger.load(ledger.ask, scope), scope))
    assert findings.exactly(ledger.ask, retry_ledger, scope) == now._replace(audit="retry_ledger")
    for other in (
        scope._replace(as_of=2), scope._replace(end=DAY), scope._replace(regions=("eu-west-1",)),
        scope._replace(choices=(("limit", "0.50"),)),
    ):  # fmt: skip
        assert findings.exactly(ledger.ask, retry_ledger, other) is None


def test_what_is_kept_is_not_asked_again(ledger: Store) -> None:
    scope = WEEK._replace(as_of=1)
    assert computed(ledger, scope)[-1] == (len(every_audit()), len(every_audit()))
    assert computed(ledger, scope) == [(0, 0)]
    assert ledger.ask("select count(*) from findings").item() == len(every_audit())


def test_another_scope_or_version_is_another_finding(ledger: Store) -> None:
    computed(ledger, WEEK._replace(as_of=1))
    assert findings.kept(ledger.ask, WEEK._replace(as_of=1, regions=("eu-west-1",))) == {}
    send(ledger, **{name: [] for name in ("runs",)})
    assert {one.version for one in findings.kept(ledger.ask, WEEK._replace(as_of=9)).values()} == {1}
    assert findings.kept(ledger.ask, WEEK._replace(as_of=0)) == {}


def test_an_audit_that_fails_says_so_and_leaves_the_others(ledger: Store) -> None:
    broken = ModuleType("core.audits.broken_one")
    broken.__dict__.update(
        NEEDS=(), load=lambda ask, scope: {}, measure=lambda frames, scope: 1 / 0, judge=None
    )
    scope = WEEK._replace(as_of=1)
    findings.refresh(
        [broken, retry_ledger], ledger.ask, scope, False, ledger.keep_finding, lambda done, of: None
    )
    back = findings.kept(ledger.ask, scope)
    assert back["broken_one"].finding.status == "cannot tell"
    assert "ZeroDivisionError" in back["broken_one"].finding.missing
    assert findings.FAILED not in back["retry_ledger"].finding.missing


def test_since_when_is_the_first_of_the_last_run_of_a_status(ledger: Store) -> None:
    """holds, broken, broken, watch, broken, broken: broken since the fifth."""
    scope = WEEK._replace(as_of=1)
    row = findings.row_of(retry_ledger, ledger.ask, scope, True)
    for version, status in enumerate(("holds", "broken", "broken", "watch", "broken", "broken"), 1):
        ledger.keep_finding(
            row.with_columns(
                pl.lit(version).cast(pl.Int64).alias("version"),
                pl.lit(status).alias("status"),
                pl.lit(float(version)).alias("gap"),
                pl.lit(version * 10**9).alias("at_ns"),
            )
        )
    past = findings.past(ledger.ask, 6)["retry_ledger"]
    assert past.since == dt.datetime.fromtimestamp(5, dt.UTC)
    assert past.gaps == (1, 2, 3, 4, 5, 6)
    assert findings.past(ledger.ask, 3)["retry_ledger"].since == dt.datetime.fromtimestamp(2, dt.UTC)


def test_the_worker_keeps_the_board_and_what_people_ask_for(ledger: Store) -> None:
    worker, stopping = board.BoardWorker(ledger), threading.Event()
    narrow = WEEK._replace(as_of=1, regions=("eu-west-1",))
    worker.want(narrow)
    assert worker.progress(narrow) == (0, len(every_audit()))
    thread = threading.Thread(target=worker.run, args=(stopping,))
    thread.start()
    try:
        standard = findings.standard_scope(ledger.ask, 1, "USD")
        end = time.monotonic() + 60
        while time.monotonic() < end and not (
            len(findings.kept(ledger.ask, narrow))
            == len(findings.kept(ledger.ask, standard))
            == len(every_audit())
        ):
            time.sleep(0.05)
    finally:
        stopping.set()
        thread.join(timeout=240)
    assert len(findings.kept(ledger.ask, narrow)) == len(every_audit())
    assert set(findings.past(ledger.ask, 1)) == {audit.__name__.rpartition(".")[2] for audit in every_audit()}
    assert worker.progress(narrow) is None
    assert worker.error is None
