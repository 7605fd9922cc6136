"""Writing batches: one transaction for a group, duplicates counted, import numbers handed out in order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from core.ledger import empty, erase, undo
from core.ledger.batch import EMPTIED, Batch, Receipt, TakenFile
from core.ledger.file import insert, transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

EVENT_TIME = {
    "spans": "started_at_ns",
    "span_events": "at_ns",
    "metric_points": "at_ns",
    "outcomes": "at_ns",
    "cost_lines": "charge_period_start_ns",
    "change_events": "at_ns",
    "tickets": "created_at_ns",
    "probes": "at_ns",
    "responses": "at_ns",
    "eval_runs": "started_at_ns",
}
"""The column that dates a row, for the tables that have one."""

RESTATED = (
    "billed_cost", "effective_cost", "list_cost", "tokens", "requests", "consumed_quantity", "status", "invoice_id",
)  # fmt: skip
"""The values of a bill line; a later line with the same key and the same values is an exact repeat.

The invoice is one of them: a closing bill often changes nothing but fill it in.
"""

KNOWN_LINES = """
    select
        line_key,
        import_id as first_import_id,
        billed_cost,
        effective_cost,
        list_cost,
        tokens,
        requests,
        consumed_quantity,
        status,
        invoice_id
    from cost_lines
    where line_key in (select line_key from lines_arriving)
        and batch_key is null
        and import_id not in (select import_id from undone)
    order by import_id
"""

EMPTIED_AT = f"select coalesce(max(import_id), 0) from imports where format = '{EMPTIED}'"


class Ledger:
    """Write access to one connection, with what must be remembered between transactions."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection
        known = connection.execute(
            "select sha256, import_id from imports where import_id not in (select import_id from undone)"
        ).fetchall()
        self._known = {str(sha256): int(import_id) for sha256, import_id in known}
        newest = connection.execute("select coalesce(max(import_id), 0) from imports").fetchall()
        self.last_import_id = int(newest[0][0])
        self._columns: dict[str, set[str]] = {}

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def write(self, batches: list[Batch]) -> list[Receipt]:
        """Commit batches in one transaction and return a receipt for each, in order."""
        before = self.last_import_id
        added: dict[str, int] = {}
        receipts: list[Receipt] = []
        rows: dict[str, list[pl.DataFrame]] = {}
        try:
            with transaction(self._connection):
                for batch in batches:
                    receipts.append(self._place(batch, added, rows))
                for table, frames in rows.items():
                    insert(self._connection, table, pl.concat(frames, how="diagonal_relaxed"))
        except Exception:
            self.last_import_id = before
            for sha256 in added:
                del self._known[sha256]
            raise
        return receipts

    def undo(self, import_ids: Sequence[int], reason: str) -> Receipt:
        """Undo imports in one transaction: a new import after which their rows no longer count; raises CannotUndo."""
        import_id = self.last_import_id + 1
        with transaction(self._connection):
            rows_undone = undo.undo(self._connection, import_ids, import_id, reason)
        self.last_import_id = import_id
        gone = set(import_ids)
        self._known = {sha256: known for sha256, known in self._known.items() if known not in gone}
        return Receipt(import_id, rows_undone, 0, 0, 0, already_known=False)

    def empty_demo(self) -> empty.Emptied:
        """Delete all rows in one transaction when every one is demo data; raises CannotEmpty."""
        with transaction(self._connection):
            emptied = empty.empty_demo(self._connection, self.last_import_id + 1)
        self.last_import_id = emptied.import_id
        self._known = {}
        return emptied

    def erase(self, subject: erase.Subject) -> erase.Erased:
        """Erase whom the subject names in one transaction; raises NothingToErase."""
        with transaction(self._connection):
            erased = erase.erase(self._connection, subject, self.last_import_id + 1)
        self.last_import_id = erased.import_id
        return erased

    def add_file(self, file: TakenFile) -> None:
        """Record a file that was taken in, or could not be."""
        row = pl.DataFrame([{"at_ns": time.time_ns(), **file._asdict()}])
        with transaction(self._connection):
            insert(self._connection, "files", row)

    def _place(self, batch: Batch, added: dict[str, int], rows: dict[str, list[pl.DataFrame]]) -> Receipt:
        first = self._known.get(batch.sha256)
        if first is not None:
            _add(rows, "duplicates", [_duplicate(first, "imports", batch.sha256, first, "exact")])
            if batch.delivery_id is not None and _restates(batch):
                _add(rows, "redelivered", [{"import_id": first, "delivery_id": batch.delivery_id}])
            return Receipt(first, batch.rows_read, 0, 0, batch.rows_read, already_known=True)
        self.last_import_id += 1
        import_id = self.last_import_id
        for table, frame in batch.frames.items():
            self._check_columns(table, frame)
        self._known[batch.sha256] = added[batch.sha256] = import_id
        frames = dict(batch.frames)
        repeated = 0
        if "cost_lines" in frames:
            self._flush(rows, "cost_lines")
            lines = frames["cost_lines"].with_columns(delivery_id=pl.lit(batch.delivery_id, dtype=pl.Int64))
            frames["cost_lines"], repeats = self._without_known_lines(lines, import_id)
            repeated = sum(row["kind"] == "exact" for row in repeats)
            _add(rows, "duplicates", repeats)
        for table, frame in frames.items():
            if frame.height:
                arriving = frame.with_columns(pl.lit(import_id, dtype=pl.Int64).alias("import_id"))
                rows.setdefault(table, []).append(arriving)
        accepted = sum(frame.height for frame in frames.values())
        receipt = Receipt(
            import_id, batch.rows_read, accepted, len(batch.quarantined), repeated, already_known=False
        )
        _add(rows, "imports", [_import_row(batch, receipt, frames)])
        _add(rows, "quarantine", [{"import_id": import_id, **row._asdict()} for row in batch.quarantined])
        _add(rows, "repairs", [{"import_id": import_id, **row._asdict()} for row in batch.repaired])
        return receipt

    def _without_known_lines(
        self, lines: pl.DataFrame, import_id: int
    ) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
        """Bill lines that say something new, and one duplicates row for each that was seen before."""
        self._connection.register("lines_arriving", lines.select("line_key").to_arrow())
        known = {row["line_key"]: row for row in self._connection.sql(KNOWN_LINES).pl().rows(named=True)}
        self._connection.unregister("lines_arriving")
        keep: list[bool] = []
        repeats: list[dict[str, Any]] = []
        for row in lines.rows(named=True):
            seen = known.get(row["line_key"])
            # A delivery that restates its period as a whole must be in the ledger as a whole.
            if row.get("batch_key") is not None:
                seen = None
            exact = seen is not None and all(_equal(row.get(name), seen[name]) for name in RESTATED)
            keep.append(not exact)
            if seen is not None:
                kind = "exact" if exact else "revision"
                repeats.append(
                    _duplicate(import_id, "cost_lines", row["line_key"], seen["first_import_id"], kind)
                )
        return lines.filter(pl.Series(keep, dtype=pl.Boolean)), repeats

    def keep_finding(self, row: pl.DataFrame) -> None:
        """Keep what an audit said, unless its rows were deleted while it was asked; no rows of an import."""
        emptied = self._connection.execute(EMPTIED_AT).fetchall()
        insert(self._connection, "findings", row.filter(pl.col("version") >= int(emptied[0][0])))

    def _flush(self, rows: dict[str, list[pl.DataFrame]], table: str) -> None:
        """Write what the group holds for a table, so that its next batch is compared with it too."""
        if table in rows:
            insert(self._connection, table, pl.concat(rows.pop(table), how="diagonal_relaxed"))

    def _check_columns(self, table: str, frame: pl.DataFrame) -> None:
        if table not in self._columns:
            described = self._connection.execute(f"describe {table}").fetchall()
            self._columns[table] = {str(row[0]) for row in described}
        unknown = set(frame.columns) - self._columns[table]
        if unknown:
            raise ValueError(
                f"{table} has no column {', '.join(sorted(unknown))}: see core/ledger/schema.sql"
            )


def newest_file_id(connection: DuckDBPyConnection) -> int:
    """The largest file_id given out so far, also to a file that a crash cut off."""
    rows = connection.execute(
        "select greatest(coalesce((select max(file_id) from files), 0), coalesce((select max(file_id) from imports), 0))"
    ).fetchall()
    return int(rows[0][0])


def _equal(arriving: object, known: object) -> bool:
    if arriving is None or known is None:
        return arriving is known
    return arriving == known


def _restates(batch: Batch) -> bool:
    """Whether it holds lines of a period that is restated as a whole."""
    lines = batch.frames.get("cost_lines")
    return (
        lines is not None and "batch_key" in lines.columns and lines["batch_key"].null_count() < lines.height
    )


def _add(rows: dict[str, list[pl.DataFrame]], table: str, records: list[dict[str, Any]]) -> None:
    if records:
        rows.setdefault(table, []).append(pl.DataFrame(records, infer_schema_length=None))


def _duplicate(import_id: int, table: str, key: str, first: int, kind: str) -> dict[str, Any]:
    return {
        "import_id": import_id,
        "table_name": table,
        "row_key": key,
        "first_import_id": first,
        "kind": kind,
    }


def _import_row(batch: Batch, receipt: Receipt, frames: dict[str, pl.DataFrame]) -> dict[str, Any]:
    times = [
        (frame[EVENT_TIME[table]].min(), frame[EVENT_TIME[table]].max())
        for table, frame in frames.items()
        if table in EVENT_TIME and frame.height
    ]
    return {
        "import_id": receipt.import_id,
        "at_ns": time.time_ns(),
        "source": batch.source,
        "format": batch.format,
        "sha256": batch.sha256,
        "rows_read": receipt.rows_read,
        "rows_accepted": receipt.rows_accepted,
        "rows_quarantined": receipt.rows_quarantined,
        "rows_duplicate": receipt.rows_duplicate,
        "min_event_ns": min((low for low, _ in times if low is not None), default=None),
        "max_event_ns": max((high for _, high in times if high is not None), default=None),
        "demo": batch.demo,
        "file_id": batch.file_id,
        "rows_repaired": len({row.row_key for row in batch.repaired if row.applied}),
    }
