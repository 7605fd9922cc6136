"""How far back a derivation looks: never past a span that counts, and not into what lies before the first of them."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ledger import derive
from core.ledger.batch import EMPTIED
from core.ledger.lookback import no_spans_by
from core.ledger.store import Store, Subject
from tests.ledger.test_store import a_trace, ledger, spans_batch

EARLIER, LATE = dt.date(2026, 1, 1), 3


@pytest.fixture
def store() -> Iterator[Store]:
    """Imports 1, 2 and 3 brought the calls of t1, t2 and t3, and each was derived before the next came."""
    opened = Store.open(":memory:")
    for number in (1, 2, 3):
        opened.submit(spans_batch(a_trace(f"t{number}", 1), f"first of t{number}"))
        opened.derive()
    yield opened
    opened.close()


def looked_back_to(store: Store, *traces: str) -> int:
    """The import by which none of these traces had a span, after one more span of each has come."""
    after = store.derived_version()
    rows = [row for trace in traces for row in a_trace(trace, 2)[LATE:]]
    store.submit(spans_batch(rows, f"more of {traces}"))
    through = store.latest_import()
    bounds = {"after": after, "through": through}
    with store._file.cursor() as cursor:
        cursor.execute(derive.TOUCHED, {**bounds, "traces_at_once": derive.TRACES_AT_ONCE})
        return no_spans_by(cursor, 0, after, through)


@pytest.mark.parametrize(
    ("traces", "import_id"),
    [
        (["new"], 3),  # all its spans are in import 4
        (["t3"], 2),  # derived first at version 3; version 2 had everything up to import 2
        (["t2"], 1),
        (["new", "t3", "t2"], 1),  # the earliest of them
        (["t1"], 0),
        (["new", "t1"], 0),
    ],
)
def test_worked_by_hand(store: Store, traces: list[str], import_id: int) -> None:
    assert looked_back_to(store, *traces) == import_id


def test_the_first_time_counts_however_often_a_trace_was_derived_since(store: Store) -> None:
    for number in range(2):  # versions 4 and 5 close the run of version 2
        store.submit(spans_batch(a_trace("t2", 3)[LATE + number : LATE + 1 + number], f"again {number}"))
        store.derive()
    assert store.ask("select count(*) from runs where trace_id = 't2'").item() == 3
    assert looked_back_to(store, "t2") == 1


def test_all_is_looked_through_when_runs_may_be_gone_without_their_spans(store: Store) -> None:
    with store._file.cursor() as cursor:
        cursor.execute("insert into deletions values (1, 'retention', ?, 'runs', 1)", [EARLIER])
    assert looked_back_to(store, "new") == 0


def test_all_is_looked_through_after_an_erasure(store: Store) -> None:
    store.erase(Subject(traces=("t1",)))
    store.derive()
    assert looked_back_to(store, "new") == 0


def test_an_emptied_demo_took_runs_and_spans_alike(store: Store) -> None:
    with store._file.cursor() as cursor:
        cursor.execute("insert into deletions values (1, ?, ?, 'runs', 1)", [EMPTIED, EARLIER])
    assert looked_back_to(store, "new") == 3


def test_all_is_looked_through_once_after_an_undo(store: Store) -> None:
    store.undo([2], "test")
    assert looked_back_to(store, "new") == 0
    version = store.derive()
    assert looked_back_to(store, "newer") == version


def test_nothing_derived_yet() -> None:
    store = Store.open(":memory:")
    assert looked_back_to(store, "new") == 0
    store.close()


@given(seed=st.integers(0, 10**6), steps=st.lists(st.sampled_from(["send", "derive", "undo"]), max_size=14))
@settings(max_examples=40, deadline=None)
def test_what_comes_in_pieces_and_is_undone_now_and_then_ends_as_what_is_left_does(
    seed: int, steps: list[str]
) -> None:
    """Spans of few traces in pieces that overlap: late ones, repeats, and repeats whose first import is undone."""
    chance = random.Random(seed)
    rows = [row for number in range(4) for row in a_trace(f"t{number}", 1 + number % 3)]
    mixed, plain = Store.open(":memory:"), Store.open(":memory:")
    left: dict[int, list[dict[str, Any]]] = {}
    for place, step in enumerate([*steps, "derive"]):
        if step == "send":
            piece = chance.sample(rows, chance.randint(1, 6))
            left[mixed.submit(spans_batch(piece, f"{place}")).import_id] = piece
        elif step == "derive":
            mixed.derive()
        elif left:
            gone = chance.choice(list(left))
            mixed.undo([gone], "test")
            del left[gone]
    for import_id, piece in left.items():
        plain.submit(spans_batch(piece, f"{import_id}"))
    plain.derive()
    assert ledger(mixed).equals(ledger(plain))
    mixed.close()
    plain.close()
