"""Files dropped on the data page: through the same readers as the command line, with a sentence for each."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import BinaryIO, NamedTuple

from core.amounts import count
from core.ingest.options import ReadOptions
from core.ingest.own_tables import change_events
from core.intake import Arrival, printable, take_file
from core.ledger.store import Receipt, Store


class UploadReport(NamedTuple):
    """What became of one file."""

    sentence: str
    read: bool
    """False when the file could not be read to its end; what came before the bad part is kept."""
    delivery_id: int


def take_all(
    store: Store,
    files: Sequence[tuple[BinaryIO, str]],
    options: ReadOptions,
    tell: Callable[[float, str], object],
) -> list[UploadReport]:
    """Read files given together, in order, then bring calls up to date; `tell` hears the share done and a text.

    The text holds no file name: a progress bar shows Markdown, and names are anybody's.
    """
    reports: list[UploadReport] = []
    for place, (stream, name) in enumerate(files):
        tell(place / len(files), f"Reading file {place + 1} of {len(files)}")
        delivery_id = reports[0].delivery_id if reports else None
        reports.append(take(store, stream, Arrival("upload", name, delivery_id), options))
    tell(1.0, f"{len(files)} files read")
    store.derive()
    return reports


def take(store: Store, stream: BinaryIO, arrival: Arrival, options: ReadOptions) -> UploadReport:
    """Read one file in, batch by batch; a file that cannot be read stops only itself."""
    name = PurePath(arrival.name).name
    taken = take_file(store, stream, arrival._replace(name=name), options)
    if taken.problem:  # its text begins with the file's name
        kept = f" What came before was kept: {receipt_text(taken.receipts)}" if taken.receipts else ""
        return UploadReport(f"{taken.problem}{kept}", False, taken.delivery_id)
    return UploadReport(f"{printable(name)}: {receipt_text(taken.receipts)}", True, taken.delivery_id)


def receipt_text(receipts: Sequence[Receipt]) -> str:
    """Rows read, new, refused and known before, and in so many words when nothing was new.

    >>> receipt_text([Receipt(3, 10, 8, 1, 1, False)])
    '10 rows read: 8 new, 1 refused (see Imports), 1 known before.'
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
    told += [f"{count(refused)} refused (see Imports)"] if refused else []
    told += [f"{count(repeated)} known before"] if repeated else []
    return f"{count(read)} rows read: {', '.join(told)}."


def add_change(store: Store, given: Mapping[str, str], options: ReadOptions) -> str:
    """One change event typed on the data page, by the reader of files; the sentence says what happened.

    What that reader refuses is told and not stored: the writer is there to mend it.
    """
    text = io.StringIO()
    csv.writer(text).writerows((given.keys(), given.values()))
    content = text.getvalue().encode("utf-8", "replace")
    (batch,) = change_events.read(io.BytesIO(content), "form", options)
    if batch.quarantined:
        return f"Not added: {batch.quarantined[0].reason}"
    report = take(store, io.BytesIO(content), Arrival("upload", "change event.csv"), options)
    store.derive()
    return report.sentence
