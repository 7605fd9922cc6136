"""What came when: files, live traffic by the hour and undos, as the imports page lists them, and their refused rows.

Rows of spans that another import had brought already are found when their trace is derived; they count as repeats
here, so that accepted + quarantined + repeated is what was read, whatever the door.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from core.amounts import count
from core.audit import Ask
from core.imports_sql import ARRIVALS, IMPORTS_OF, REFUSED
from core.ledger.store import CannotUndo, Store

__all__ = ["ARRIVALS", "REFUSED", "ListedArrival", "imports_of", "imports_of_file"]

MENDING = (
    "Mend the rows where they come from, or in a copy of the file, and give the file again: rows that are in already "
    "are known and counted, only the mended ones are new. Trace spans and bill lines are recognised one by one; for "
    "other files, undo this import first."
)


class ListedArrival(NamedTuple):
    """One row of the list, as what can be done about it needs it: a file, an hour of live traffic, an undo."""

    name: str
    file_id: int
    """0 for live traffic."""
    first_import: int
    last_import: int
    what: str
    """file, live, undo, prices or emptied: see ARRIVALS."""
    undone_by: int | None
    rows_accepted: int
    rows_quarantined: int

    def parameters(self) -> dict[str, object]:
        """Of IMPORTS_OF and REFUSED."""
        return {
            "name": self.name,
            "file_id": self.file_id,
            "first_import": self.first_import,
            "last_import": self.last_import,
        }


def arrival_of(row: dict[str, object]) -> ListedArrival:
    """A row of ARRIVALS with unknown numbers as 0: a file that brought nothing has no imports."""

    def number(name: str) -> int:
        return int(str(row[name] or 0))

    return ListedArrival(
        name=str(row["name"]),
        file_id=number("file_id"),
        first_import=number("first_import"),
        last_import=number("last_import"),
        what=str(row["what"]),
        undone_by=number("undone_by") or None,
        rows_accepted=number("rows_accepted"),
        rows_quarantined=number("rows_quarantined"),
    )


def imports_of(ask: Ask, arrival: ListedArrival) -> list[int]:
    """The imports of a file or of an hour of live traffic that still count."""
    return [int(row[0]) for row in ask(IMPORTS_OF, **arrival.parameters()).iter_rows()]


def imports_of_file(ask: Ask, file_id: int) -> list[int]:
    """The imports of a file that still count; empty for an unknown file."""
    everything = {"name": "", "first_import": 1, "last_import": 2**62}
    return [int(row[0]) for row in ask(IMPORTS_OF, file_id=file_id, **everything).iter_rows()]


def can_undo(arrival: ListedArrival) -> bool:
    """Whether the arrival holds rows that count."""
    return arrival.what in ("file", "live") and bool(arrival.first_import) and arrival.undone_by is None


def what_undo_does(arrival: ListedArrival) -> str:
    """The sentence a person confirms."""
    return (
        f"{count(arrival.rows_accepted)} rows stop counting from now on. Links that pin an earlier data version keep "
        "their numbers. The file can be imported again at any time."
    )


def undo(store: Store, arrival: ListedArrival) -> str:
    """Undo a row of the imports list and bring calls up to date; the sentence says what happened."""
    try:
        receipt = store.undo(imports_of(store.ask, arrival), "asked on the imports page")
    except CannotUndo as error:
        return str(error)
    store.derive()
    return undone_text(receipt.rows_read, receipt.import_id)


def reasons(refused: pl.DataFrame) -> pl.DataFrame:
    """Refused rows by reason, the most frequent first: field, reason, rows, first_row."""
    return (
        refused.group_by("field", "reason")
        .agg(rows=pl.len(), first_row=pl.col("row_number").min())
        .sort("rows", "first_row", descending=[True, False])
    )


def listed(arrivals: pl.DataFrame) -> pl.DataFrame:
    """The list as a table shows it: counts first; what only the page's actions need is left out."""
    shown = {
        "committed_at": "committed at",
        "name": "name",
        "rows_read": "read",
        "rows_accepted": "accepted",
        "rows_quarantined": "refused",
        "rows_duplicate": "known before",
        "rows_repaired": "repaired",
        "remark": "remark",
        "door": "door",
        "format": "format",
        "first_event_at": "first event",
        "last_event_at": "last event",
        "demo": "demo",
        "file_id": "file",
        "first_import": "first import",
        "last_import": "last import",
    }
    return arrivals.select(pl.col(column).alias(title) for column, title in shown.items())


def selected(arrivals: pl.DataFrame, wanted: str | None) -> int | None:
    """The row a link names: `file-12`, or `import-7` for what holds import 7."""
    kind, _, number = (wanted or "").partition("-")
    if not (number.isascii() and number.isdigit()) or kind not in ("file", "import"):
        return None
    holds = (
        pl.col("file_id") == int(number)
        if kind == "file"
        else (pl.col("first_import") <= int(number)) & (pl.col("last_import") >= int(number))
    )
    found = arrivals.with_row_index("at").filter(holds)["at"].to_list()
    return int(found[0]) if found else None


def link_of(row: dict[str, object]) -> str:
    """The name a link gives to a row of the list."""
    return f"file-{row['file_id']}" if row["file_id"] else f"import-{row['last_import']}"


def sentence(row: dict[str, object]) -> str:
    """The selected row in words: counts that add up, and what is to be said of it."""
    numbers = {key: count(int(str(row[f"rows_{key}"] or 0))) for key in ("read", "accepted", "quarantined")}
    text = (
        f"{row['name']}: {numbers['read']} rows read, {numbers['accepted']} accepted, {numbers['quarantined']} refused, "
        f"{count(int(str(row['rows_duplicate'] or 0)))} known before, {count(int(str(row['rows_repaired'] or 0)))} repaired."
    )
    return f"{text} {row['remark']}" if row["remark"] else text


def undone_text(rows_undone: int, undone_by: int) -> str:
    """What an undo did, in one sentence."""
    return f"{count(rows_undone)} rows no longer count, from data version {undone_by} on."
