"""What a costly question answered is there after a restart, and never after anything it depends on has changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core import kept_answers, measured
from core.audit import Scope
from core.audits import every_audit, retry_ledger
from core.kept_answers import KeptAnswers
from core.ledger.store import Store
from tests.audits.retry_world import DAY, call, send, worked_scenario

WEEK = Scope(DAY, DAY + dt.timedelta(days=6), as_of=1)
CALLS = """
select cast(count(*) as bigint) as n, sum(waiting_ns) as waited
from calls
where import_id <= $as_of and superseded_by > $as_of
"""


class Counting:
    """A ledger's ask that counts the questions that are not about the standing of the ledger."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.asked = 0

    def ask(self, sql: str, **parameters: Any) -> pl.DataFrame:
        self.asked += sql != kept_answers.STANDING
        return self.store.ask(sql, **parameters)


def derived(store: Store) -> None:
    """What derive does at its end: rows of tests are calls already."""
    cursor = store._file.connection.cursor()
    cursor.execute("insert into derivations values (?, 0, 'test')", [store.latest_import()])
    cursor.close()


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    store = Store.open(tmp_path / "trueup.duckdb")
    send(store, **worked_scenario())
    derived(store)
    yield Counting(store)
    store.close()


def kept(counting: Counting, folder: Path, **limits: float) -> KeptAnswers:
    """Every answer counts as costly."""
    return KeptAnswers(counting.ask, folder / "answers", **{"costly_s": 0.0} | limits)  # type: ignore[arg-type]


def test_a_question_is_asked_once_and_answered_after_a_restart(counting: Counting, tmp_path: Path) -> None:
    first = kept(counting, tmp_path).ask(CALLS, as_of=1)
    again = kept(counting, tmp_path).ask(CALLS, as_of=1)
    assert counting.asked == 1
    assert again.equals(first)
    assert again.schema == first.schema
    assert first["n"].item() > 0


def test_every_frame_of_every_audit_comes_back_as_it_was(counting: Counting, tmp_path: Path) -> None:
    """Money, dates, NULLs, lists and empty frames among them."""
    for audit in every_audit():
        plain = audit.load(counting.ask, WEEK)
        for _ in range(2):
            frames = audit.load(kept(counting, tmp_path).ask, WEEK)
            assert {name: one.schema for name, one in frames.items()} == {
                name: one.schema for name, one in plain.items()
            }
            for name, one in frames.items():
                assert one.sort(one.columns).equals(plain[name].sort(plain[name].columns)), (audit, name)


def test_another_text_parameter_or_version_is_another_question(counting: Counting, tmp_path: Path) -> None:
    answers = kept(counting, tmp_path)
    send(counting.store, calls=[call("f" * 32, "s")])
    derived(counting.store)
    before = answers.ask(CALLS, as_of=1)["n"].item()
    newest = counting.store.latest_import()
    assert answers.ask(CALLS, as_of=newest)["n"].item() == before + 1
    assert answers.ask(CALLS + " and ok = $ok", as_of=1, ok=False)["n"].item() < before
    assert answers.ask(CALLS + " and ok = $ok", as_of=1, ok=True)["n"].item() > 0
    answers.ask(CALLS, as_of=1, unnamed="does not matter")
    assert counting.asked == 4


def test_a_version_that_is_not_derived_or_not_there_is_never_kept(counting: Counting, tmp_path: Path) -> None:
    answers, newest = kept(counting, tmp_path), counting.store.latest_import()
    send(counting.store, calls=[call("f" * 32, "s")])
    later = counting.store.latest_import()
    assert later > newest
    for as_of in (later, later + 1_000):
        answers.ask(CALLS, as_of=as_of)
        answers.ask(CALLS, as_of=as_of)
    answers.ask("select 1 as without_version")
    assert counting.asked == 5
    assert not (tmp_path / "answers").exists()


def test_after_a_deletion_nothing_from_before_is_read_or_left(counting: Counting, tmp_path: Path) -> None:
    answers = kept(counting, tmp_path)
    before = answers.ask(CALLS, as_of=1)["n"].item()
    assert counting.store.retain(1, DAY + dt.timedelta(days=400)) > 0
    assert answers.ask(CALLS, as_of=1)["n"].item() == 0 < before
    (left,) = (tmp_path / "answers").iterdir()
    assert not left.name.startswith("0-")


def test_a_damaged_file_is_worked_out_again(counting: Counting, tmp_path: Path) -> None:
    answers = kept(counting, tmp_path)
    whole = answers.ask(CALLS, as_of=1)
    (path,) = (tmp_path / "answers").iterdir()
    for damaged in (b"", path.read_bytes()[:-20], b"no Arrow file at all"):
        path.write_bytes(damaged)
        assert answers.ask(CALLS, as_of=1).equals(whole)
    assert counting.asked == 4


def test_the_longest_unused_leave_when_the_folder_is_full(counting: Counting, tmp_path: Path) -> None:
    answers = kept(counting, tmp_path)
    answers.ask(CALLS, as_of=1)
    (first,) = (tmp_path / "answers").iterdir()
    small = kept(counting, tmp_path, most_bytes=first.stat().st_size)
    small.ask(CALLS + " and ok", as_of=1)
    (left,) = (tmp_path / "answers").iterdir()
    assert left != first


def test_quick_answers_are_not_kept_and_a_full_disk_costs_only_time(
    counting: Counting, tmp_path: Path
) -> None:
    kept(counting, tmp_path, costly_s=60).ask(CALLS, as_of=1)
    assert not (tmp_path / "answers").exists()
    (tmp_path / "answers").write_text("a file where the folder should be")
    assert kept(counting, tmp_path).ask(CALLS, as_of=1)["n"].item() > 0


def test_the_app_s_measures_come_from_kept_answers(counting: Counting, tmp_path: Path) -> None:
    def measure() -> object:
        once = measured.Once(counting.store, kept(counting, tmp_path).ask)
        return once.of(retry_ledger, counting.store.ask, WEEK).measure

    first = measure()
    asked = counting.asked
    assert measure() == first
    assert asked == counting.asked > 0


def test_forgetting_leaves_no_file(counting: Counting, tmp_path: Path) -> None:
    kept(counting, tmp_path).ask(CALLS, as_of=1)
    kept_answers.forget(tmp_path)
    assert list((tmp_path / "answers").iterdir()) == []
    kept_answers.forget(tmp_path / "nowhere")
