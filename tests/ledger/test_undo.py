"""Undo: what was undone counts as if it had never come, other imports keep their rows, older versions their numbers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import answers
from core.audit import Scope
from core.audits.retry_ledger_bill_sql import BILLS
from core.imports import imports_of_file
from core.ingest.bills import cost_lines
from core.ingest.bills.cost_lines import CostLine
from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.intake import Arrival, take_in
from core.ledger.store import Batch, CannotUndo, Store
from tests import otlp_bodies

PROTOBUF = "application/x-protobuf"
DAY_NS = 86_400 * 10**9
START_NS = otlp_bodies.AT_NS // DAY_NS * DAY_NS
WHOLE = Scope(dt.date(2026, 3, 1), dt.date(2026, 4, 30))


def spans(first: int, last: int, salt: int) -> Batch:
    """A body of the calls first..last; the same call is the same span in every body, `salt` makes other bytes."""
    body = otlp_bodies.protobuf(range(first, last + 1))
    batch = decode_traces(body, PROTOBUF, ReadOptions())
    return batch._replace(sha256=f"{batch.sha256[:40]}{salt:024d}")


def bill(salt: int, *lines: tuple[str, str], month: str | None = None) -> Batch:
    """Lines (key, dollars) of one day; with `month` they restate it as a whole."""
    made = [
        CostLine(
            line_key=key, source_format="aws_cur" if month else "focus", measure="cost", batch_key=month,
            charge_period_start_ns=START_NS, charge_period_end_ns=START_NS + DAY_NS, charge_category="Usage",
            provider_name="openai", billing_account_id="acct", model="gpt-4o-mini", token_type="mixed", tokens=120,
            requests=1, billed_cost=Decimal(usd), effective_cost=Decimal(usd), billing_currency="USD",
        )
        for key, usd in lines
    ]  # fmt: skip
    return Batch("bill", "focus", f"bill-{salt}-{lines}", len(made), {"cost_lines": cost_lines.frame(made)})


def told(store: Store, as_of: int | None = None) -> dict[str, Any]:
    """Everything a page could show, without the numbers of imports."""
    version = store.version() if as_of is None else as_of
    scope = WHOLE._replace(as_of=version)
    parameters = scope.parameters()
    found: dict[str, Any] = {"bills": store.ask(BILLS, **parameters).sort(pl_all()).rows()}
    for table in ("runs", "calls", "attempts"):
        rows = store.ask(
            f"select * exclude (import_id, superseded_by) from {table} "
            "where import_id <= $as_of and superseded_by > $as_of order by all",
            as_of=version,
        )
        found[table] = rows.rows()
    found["findings"] = [
        {name: value for name, value in row.items() if name != "as_of"}
        for row in answers.findings(store.ask, scope)
    ]
    return found


def pl_all() -> Any:
    import polars as pl

    return pl.all()


@pytest.fixture
def ledger() -> Iterator[Store]:
    store = Store.open(":memory:")
    yield store
    store.close()


def imported(store: Store, batches: list[Batch], derive_after: set[int]) -> list[int]:
    """Import numbers of the batches, 0 where the bytes had come before; calls are derived now and then."""
    numbers = []
    for place, batch in enumerate(batches):
        receipt = store.submit(batch)
        numbers.append(0 if receipt.already_known else receipt.import_id)
        if place in derive_after:
            store.derive()
    store.derive()
    return numbers


BATCHES = st.one_of(
    st.builds(spans, st.integers(1, 4), st.integers(4, 7), st.integers(0, 9)),
    st.builds(
        lambda salt, lines: bill(salt, *lines.items()),
        st.integers(0, 9),
        st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["1", "2"]), min_size=1),
    ),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(BATCHES, min_size=2, max_size=5), st.data())
def test_undone_is_as_if_it_had_never_come(batches: list[Batch], data: st.DataObject) -> None:
    """For spans and bills in any order, overlapping or not, derived in between or not, for every audit."""
    place = data.draw(st.integers(0, len(batches) - 1))
    derive_after = data.draw(st.sets(st.integers(0, 4)))
    with_it, without = Store.open(":memory:"), Store.open(":memory:")
    try:
        numbers = imported(with_it, batches, derive_after)
        if not numbers[place]:
            return
        before, version = told(with_it), with_it.version()
        receipt = with_it.undo([numbers[place]], "test")
        assert receipt.import_id == max(numbers) + 1
        with_it.derive()
        same_bytes = batches[place].sha256
        imported(without, [batch for batch in batches if batch.sha256 != same_bytes], set())
        assert told(with_it) == told(without)
        assert told(with_it, version) == before
    finally:
        with_it.close()
        without.close()


def test_what_was_undone_can_come_again(ledger: Store) -> None:
    body = spans(1, 3, 0)
    first = ledger.submit(body)
    ledger.derive()
    whole = told(ledger)
    ledger.undo([first.import_id], "wrong file")
    ledger.derive()
    assert told(ledger)["calls"] == []
    again = ledger.submit(body)
    assert (again.already_known, again.rows_accepted) == (False, 3)
    ledger.derive()
    assert told(ledger) == whole


def test_a_dropped_repeat_comes_back_as_its_own_import(ledger: Store) -> None:
    """b said the same as a and was dropped; without a, b must say it: 1 + 2 dollars before and after."""
    first = ledger.submit(bill(1, ("x", "1"), ("y", "2")))
    second = ledger.submit(bill(2, ("y", "2")))
    assert second.rows_duplicate == 1
    ledger.undo([first.import_id], "test")
    kept = ledger.ask(
        "select line_key, import_id from cost_lines where import_id <> $gone", gone=first.import_id
    )
    assert kept.rows() == [("y", second.import_id)]


def test_what_cannot_be_undone_says_why(ledger: Store) -> None:
    number = ledger.submit(spans(1, 1, 0)).import_id
    undone_by = ledger.undo([number], "test").import_id
    for named, words in (
        ([number], "undone already"),
        ([99], "There is no import 99"),
        ([undone_by], "holds no rows"),
        ([], "No import was named"),
    ):
        with pytest.raises(CannotUndo, match=words):
            ledger.undo(named, "test")
    assert ledger.latest_import() == undone_by
    assert ledger.ask("select count(*) from undone").item() == 1


def test_an_undo_outlives_the_process(tmp_path: Any) -> None:
    store = Store.open(tmp_path / "ledger.duckdb")
    body = spans(1, 2, 0)
    number = store.submit(body).import_id
    store.undo([number], "test")
    store.close()
    again = Store.open(tmp_path / "ledger.duckdb")
    assert again.latest_import() == 2
    again.derive()
    assert told(again)["calls"] == []
    assert not again.submit(body).already_known
    again.close()


def billed(store: Store, as_of: int) -> Decimal:
    rows = store.ask(BILLS, **WHOLE._replace(as_of=as_of).parameters())
    return sum(rows["billed_usd"].to_list(), Decimal(0))


def test_a_restated_month_replaces_it_and_parts_of_one_delivery_add_up(ledger: Store) -> None:
    """First delivery 1 + 2; the second comes in two parts, 4 and 8; a link of before still says 3."""
    arrival = Arrival("command", "cur.csv")
    take_in(ledger, iter([bill(1, ("k1", "1"), ("k2", "2"), month="2026-03")]), arrival)
    then = ledger.latest_import()
    part = take_in(ledger, iter([bill(2, ("k1", "4"), month="2026-03")]), arrival)
    follow = arrival._replace(delivery_id=part.delivery_id)
    take_in(ledger, iter([bill(3, ("k9", "8"), month="2026-03")]), follow)
    assert billed(ledger, then) == 3
    assert billed(ledger, ledger.latest_import()) == 12


def test_an_unchanged_line_of_a_restated_month_is_not_dropped_as_a_repeat(ledger: Store) -> None:
    """The second delivery repeats 1 and changes 2 to 5: 6, and undoing it brings 3 back."""
    arrival = Arrival("command", "cur.csv")
    take_in(ledger, iter([bill(1, ("k1", "1"), ("k2", "2"), month="2026-03")]), arrival)
    again = take_in(ledger, iter([bill(2, ("k1", "1"), ("k2", "5"), month="2026-03")]), arrival)
    assert billed(ledger, ledger.latest_import()) == 6
    ledger.undo(imports_of_file(ledger.ask, again.file_id), "test")
    assert billed(ledger, ledger.latest_import()) == 3


def test_an_unchanged_part_of_a_new_delivery_stays_part_of_the_month(ledger: Store) -> None:
    """Parts 1 and 2 are delivered again; only part 2 has changed, from 2 to 5: 1 + 5, and before 1 + 2."""
    arrival = Arrival("command", "cur.csv")
    part_1, part_2 = (bill(n, (f"k{n}", str(n)), month="2026-03") for n in (1, 2))
    first = take_in(ledger, iter([part_1]), arrival)
    take_in(ledger, iter([part_2]), arrival._replace(delivery_id=first.delivery_id))
    then = ledger.latest_import()
    again = take_in(ledger, iter([part_1]), arrival)
    assert billed(ledger, ledger.latest_import()) == 3
    changed = bill(9, ("k2", "5"), month="2026-03")
    take_in(ledger, iter([changed]), arrival._replace(delivery_id=again.delivery_id))
    assert billed(ledger, ledger.latest_import()) == 6
    assert billed(ledger, then) == 3


def test_another_month_and_another_account_stay(ledger: Store) -> None:
    arrival = Arrival("command", "cur.csv")
    take_in(ledger, iter([bill(1, ("k1", "1"), month="2026-03")]), arrival)
    take_in(ledger, iter([bill(2, ("k2", "2"), month="2026-04")]), arrival)
    assert billed(ledger, ledger.latest_import()) == 3


def test_a_closing_bill_that_only_names_its_invoice_is_a_restatement(ledger: Store) -> None:
    open_line = bill(1, ("x", "1"))
    closed = open_line.frames["cost_lines"].with_columns(invoice_id=pl_text("INV-1"))
    ledger.submit(open_line)
    receipt = ledger.submit(open_line._replace(sha256="closed", frames={"cost_lines": closed}))
    assert (receipt.rows_accepted, receipt.rows_duplicate) == (1, 0)


def pl_text(text: str) -> Any:
    import polars as pl

    return pl.lit(text)
