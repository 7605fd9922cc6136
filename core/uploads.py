"""Files dropped on the data page: through the same readers as the command line, with a sentence for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import BinaryIO, NamedTuple

from core.amounts import count
from core.ingest.files import read_upload
from core.ingest.options import ReadOptions
from core.intake import take_in
from core.ledger.store import Receipt, Store


class UploadReport(NamedTuple):
    """What became of one file."""

    sentence: str
    read: bool
    """False when the file could not be read to its end; what came before the bad part is kept."""


def take(store: Store, stream: BinaryIO, name: str, options: ReadOptions) -> UploadReport:
    """Read one file in, batch by batch; a file that cannot be read stops only itself."""
    shown = "".join(character for character in PurePath(name).name if character.isprintable()) or "file"
    taken = take_in(store, read_upload(stream, shown, options))
    if taken.problem:  # its text begins with the file's name
        kept = f" What came before was kept: {receipt_text(taken.receipts)}" if taken.receipts else ""
        return UploadReport(f"{taken.problem}{kept}", False)
    return UploadReport(f"{shown}: {receipt_text(taken.receipts)}", True)


def receipt_text(receipts: Sequence[Receipt]) -> str:
    """Rows read, new, refused and known before, and in so many words when nothing was new.

    >>> receipt_text([Receipt(3, 10, 8, 1, 1, False)])
    '10 rows read: 8 new, 1 refused (see Refused rows), 1 known before.'
    >>> receipt_text([Receipt(3, 10, 0, 0, 10, True)])
    '10 rows read: nothing new, all were known before.'
    """
    read, accepted, refused, repeated = (
        sum(getattr(receipt, f"rows_{kind}") for receipt in receipts)
        for kind in ("read", "accepted", "quarantined", "duplicate")
    )
    if not read:
        return "no rows found in it."
    if not accepted and not refused:
        return f"{count(read)} rows read: nothing new, all were known before."
    told = [f"{count(accepted)} new"]
    told += [f"{count(refused)} refused (see Refused rows)"] if refused else []
    told += [f"{count(repeated)} known before"] if repeated else []
    return f"{count(read)} rows read: {', '.join(told)}."


def finish(store: Store) -> None:
    """Bring calls, attempts and runs up to date, so that pages show the files at once."""
    store.derive()
