"""What came when: counts that add up whatever the door, refused rows, what a link names, what undo says."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import imports
from core.ingest.options import ReadOptions
from core.intake import Arrival, take_file, take_path
from core.ledger.store import Store
from tests import otlp_bodies
from tests.ledger.older import columns_added_after

GOOD = otlp_bodies.json_body(range(1, 4)) + b"\n"
FOCUS = b"""BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,ServiceName,ProviderName
1.50,USD,Usage,2026-03-02T00:00:00Z,2026-03-03T00:00:00Z,Models,OpenAI
many,USD,Usage,2026-03-02T00:00:00Z,2026-03-03T00:00:00Z,Models,OpenAI
"""


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store.open(":memory:")
    yield opened
    opened.close()


def give(store: Store, content: bytes, name: str = "a.jsonl") -> int:
    return take_file(store, io.BytesIO(content), Arrival("upload", name), ReadOptions()).file_id


def rows(store: Store) -> list[dict[str, object]]:
    store.derive()
    return store.ask(imports.ARRIVALS).rows(named=True)


def test_counts_of_a_file_add_up_to_what_was_read(store: Store) -> None:
    """Three spans; then two of them and a new one in other bytes: 1 accepted, 2 known, found when derived."""
    give(store, GOOD)
    give(store, otlp_bodies.json_body(range(2, 5)) + b"\n", "b.jsonl")
    second, first = rows(store)
    assert [first[f"rows_{kind}"] for kind in ("read", "accepted", "quarantined", "duplicate")] == [
        3,
        3,
        0,
        0,
    ]
    assert [second[f"rows_{kind}"] for kind in ("read", "accepted", "quarantined", "duplicate")] == [
        3,
        1,
        0,
        2,
    ]


def test_the_same_bytes_again_are_a_row_that_says_so(store: Store) -> None:
    give(store, GOOD)
    give(store, GOOD, "copy.jsonl")
    copy = rows(store)[0]
    assert (copy["name"], copy["rows_duplicate"], copy["remark"]) == (
        "copy.jsonl",
        3,
        "known before: nothing new",
    )
    assert not imports.can_undo(imports.arrival_of(copy))


def test_a_file_nobody_can_read_is_listed_with_its_problem(store: Store, tmp_path: Path) -> None:
    give(store, b"hello", "odd.txt")
    taken = take_path(store, tmp_path / "gone.csv", Arrival("command", "gone.csv"), ReadOptions())
    assert taken.problem == "gone.csv: No such file or directory."
    listed = {str(row["name"]): str(row["remark"]) for row in rows(store)}
    assert listed["gone.csv"] == taken.problem
    assert listed["odd.txt"].startswith("odd.txt: No known format recognises the content.")


def test_refused_rows_are_counted_by_reason_and_mended_by_the_file_again(store: Store) -> None:
    give(store, FOCUS, "march.csv")
    (row,) = rows(store)
    assert (row["rows_read"], row["rows_accepted"], row["rows_quarantined"]) == (2, 1, 1)
    refused = store.ask(imports.REFUSED, **imports.arrival_of(row).parameters())
    assert imports.reasons(refused).select("field", "rows", "first_row").rows() == [("BilledCost", 1, 2)]
    give(store, FOCUS.replace(b"many", b"2.50"), "march.csv")
    mended = rows(store)[0]
    assert (mended["rows_accepted"], mended["rows_duplicate"], mended["rows_quarantined"]) == (1, 1, 0)
    assert store.ask("select sum(billed_cost)::double from cost_lines").item() == 4.0


def test_live_traffic_is_a_row_an_hour(store: Store) -> None:
    from core.ingest.otlp import decode_traces

    for number in range(1, 6):
        body = otlp_bodies.protobuf(range(number, number + 1))
        store.submit(decode_traces(body, "application/x-protobuf", ReadOptions()))
    found = rows(store)
    assert sum(int(str(row["rows_accepted"])) for row in found) == 5
    assert 1 <= len(found) <= 2  # two when an hour ends in between
    assert sum(len(imports.imports_of(store.ask, imports.arrival_of(row))) for row in found) == 5


def test_undo_is_listed_and_marks_what_it_undid(store: Store) -> None:
    file_id = give(store, GOOD)
    receipt = store.undo(imports.imports_of_file(store.ask, file_id), "test")
    assert (
        imports.undone_text(receipt.rows_read, receipt.import_id)
        == "3 rows no longer count, from data version 2 on."
    )
    undo, file = rows(store)
    assert (undo["what"], undo["name"]) == ("undo", "undo of import 1")
    assert file["remark"] == "undone by import 2"
    assert not imports.can_undo(imports.arrival_of(file))
    assert imports.imports_of_file(store.ask, file_id) == []


def test_a_link_names_a_file_or_an_import(store: Store) -> None:
    file_id = give(store, GOOD)
    listed = store.ask(imports.ARRIVALS)
    assert imports.selected(listed, f"file-{file_id}") == 0
    assert imports.selected(listed, "import-1") == 0
    assert imports.link_of(listed.row(0, named=True)) == f"file-{file_id}"
    for wrong in (None, "", "file-", "file-9", "run-1", "file-1; drop", "import-²"):
        assert imports.selected(listed, wrong) is None


def test_a_file_cut_off_by_a_crash_is_listed(tmp_path: Path) -> None:
    """Its batches are in, its row in `files` is not: as after a kill between the two commits."""
    store = Store.open(tmp_path / "ledger.duckdb")
    give(store, GOOD)
    store._file.connection.execute("delete from files")
    (row,) = rows(store)
    assert str(row["remark"]).startswith("The app ended while the file was read.")
    store.close()
    again = Store.open(tmp_path / "ledger.duckdb")
    assert again.next_file_id() == 2
    again.close()


def test_names_are_shown_as_printable_text(store: Store) -> None:
    give(store, GOOD, "a\u202eb\x00" + "x" * 300)
    assert rows(store)[0]["name"] == ("ab" + "x" * 300)[:200]


def test_a_file_of_version_one_comes_forward(tmp_path: Path) -> None:
    """Without what later versions added, as version 1 left it; the row that was there stays."""
    path = tmp_path / "ledger.duckdb"
    store = Store.open(path)
    give(store, FOCUS, "march.csv")
    cursor = store._file.connection.cursor()
    for table, column in columns_added_after(1):
        cursor.execute(f"alter table {table} drop column {column}")
    for statement in (
        "drop table files", "drop table undone", "drop table redelivered", "delete from schema_version",
        "insert into schema_version values (1, now()::timestamp)",
    ):  # fmt: skip
        cursor.execute(statement)
    cursor.close()
    store.close()
    forward = Store.open(path)
    (row,) = rows(forward)
    assert (row["what"], row["rows_accepted"], row["rows_repaired"]) == ("live", 1, 0)
    assert forward.ask("select count(*) from cost_lines").item() == 1
    forward.close()
