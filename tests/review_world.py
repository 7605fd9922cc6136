"""A review of two views over a ledger that has moved on since: forty runs in two imports, views of the first twenty."""

from __future__ import annotations

import datetime as dt

from core import findings, reviews, then_now
from core.audit import Scope
from core.audits import bill_reconciliation, retry_ledger
from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.ledger.store import Store
from core.reviews import Review
from core.state import State
from tests.test_app import RUNS, body

DAY = dt.date(2026, 3, 2)
SCOPE = Scope(DAY, DAY + dt.timedelta(days=6), as_of=1)
HOSTILE = "<script>alert(1)</script> & <img src=//evil.example> 表"


def half_sent(store: Store, first: int = 1, demo: bool = False) -> None:
    store.submit(decode_traces(body(first, first + RUNS // 2), "application/json", ReadOptions(demo=demo)))
    store.derive()


def view_saved(
    state: State, store: Store, name: str = "At noon", scope: Scope = SCOPE, note: str = ""
) -> int:
    finding = findings.found_by(retry_ledger, store.ask, scope)
    digest = then_now.method_digest(retry_ledger)
    return reviews.save_view(state, name, "Ana", scope, finding, digest, False, note)


def made_review(state: State, store: Store) -> Review:
    """Two views of the first import, with notes; the ledger then gets its second one."""
    half_sent(store)
    ids = [view_saved(state, store, HOSTILE, note="**Seen** [it](https://a.example/x)")]
    finding = findings.found_by(bill_reconciliation, store.ask, SCOPE)
    digest = then_now.method_digest(bill_reconciliation)
    ids.append(reviews.save_view(state, "The bill", HOSTILE[:60], SCOPE, finding, digest, False))
    number = reviews.make_review(state, "Incident 7 " + HOSTILE, "Bo")
    review = reviews.review_by(state, number)
    assert review is not None
    reviews.order_views(state, review, ids)
    reviews.add_note(state, "review", number, "Bo", HOSTILE)
    half_sent(store, 21)
    found = reviews.review_by(state, number)
    assert found is not None
    return found
