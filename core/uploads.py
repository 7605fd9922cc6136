"""Files dropped on the data page: through the same readers as the command line, with a sentence for each."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import BinaryIO, NamedTuple

from core.amounts import count
from core.ingest.files import FileProblem, read_path
from core.ingest.options import ReadOptions
from core.ledger.store import Overloaded, Receipt, Store


class UploadReport(NamedTuple):
    """What became of one file."""

    name: str
    sentence: str
    read: bool
    """False when the file could not be read to its end; what came before the bad part is kept."""


def take(store: Store, stream: BinaryIO, name: str) -> UploadReport:
    """Read one file in. Readers look at a file by name and may seek in it, so it is put on disk for the moment."""
    shown = "".join(character for character in PurePath(name).name if character.isprintable()) or "file"
    with tempfile.TemporaryDirectory(prefix="trueup-") as folder:
        path = Path(folder) / shown[-120:].lstrip(".")
        with path.open("wb") as target:
            shutil.copyfileobj(stream, target)
        try:
            receipts = store.submit_many(read_path(path, ReadOptions()))
        except (FileProblem, Overloaded) as problem:
            return UploadReport(shown, f"{shown}: {problem}", False)
    return UploadReport(shown, f"{shown}: {receipt_text(receipts)}", True)


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
