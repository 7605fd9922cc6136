"""One file into the ledger, by whatever door it came: its batches, and a row in `files` that says what became of it.

What came before a bad part is kept. A file that no format recognises, or that cannot be opened, is recorded too:
nothing that was given vanishes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from core.ingest.files import FileProblem, read_upload
from core.ingest.options import ReadOptions
from core.ledger.store import Batch, Receipt, Store, TakenFile

Door = Literal["upload", "command", "api", "folder", "sql", "demo"]
NAME_LENGTH = 200
_PIECE = 1024 * 1024


class Taken(NamedTuple):
    """Receipts of every batch read; `problem` is empty when the file was read to its end."""

    receipts: list[Receipt]
    problem: str
    file_id: int = 0
    """0: the file was not reached."""
    delivery_id: int = 0

    def total(self, column: str) -> int:
        """The sum of one receipt column."""
        return sum(getattr(receipt, column) for receipt in self.receipts)


class Arrival(NamedTuple):
    """How a file came. `delivery_id`: of the first file of the same action; None makes this file the first."""

    door: Door
    name: str
    delivery_id: int | None = None
    modified_ns: int | None = None


def take_file(store: Store, stream: BinaryIO, arrival: Arrival, options: ReadOptions) -> Taken:
    """Read one open file in; returns after its last commit. A file that cannot be read stops only itself."""
    shown = printable(arrival.name)
    sha256, size = _identity(stream)
    batches = read_upload(stream, shown, options)
    return take_in(store, batches, arrival._replace(name=shown), sha256, size)


def take_path(store: Store, path: Path, arrival: Arrival, options: ReadOptions) -> Taken:
    """Read one file of the disk in; one that cannot be opened is recorded with its problem."""
    try:
        with path.open("rb") if arrival.door != "folder" else _unlinked(path) as stream:
            return take_file(store, stream, arrival, options)
    except OSError as error:
        problem = f"{printable(path.name)}: {error.strerror or error}."
        return _recorded(
            store, arrival._replace(name=printable(arrival.name)), store.next_file_id(), [], problem
        )


def _unlinked(path: Path) -> BinaryIO:
    """Open a file that is no link: who may write into the watched folder may not read through the app. Raises OSError."""
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW))


def take_in(
    store: Store,
    batches: Iterator[Batch],
    arrival: Arrival,
    sha256: str | None = None,
    size: int | None = None,
) -> Taken:
    """Store batches until the source ends or cannot be read further, then record it."""
    file_id = store.next_file_id()
    delivery_id = arrival.delivery_id or file_id
    problems: list[str] = []
    formats: list[str] = []

    def readable() -> Iterator[Batch]:
        try:
            for batch in batches:
                formats.append(batch.format)
                yield batch._replace(file_id=file_id, delivery_id=delivery_id)
        except FileProblem as problem:
            problems.append(str(problem))

    receipts = store.submit_many(readable())
    given = arrival._replace(delivery_id=delivery_id)
    problem = "\n".join(problems)
    return _recorded(store, given, file_id, receipts, problem, next(iter(formats), None), sha256, size)


def _recorded(
    store: Store,
    arrival: Arrival,
    file_id: int,
    receipts: list[Receipt],
    problem: str,
    form: str | None = None,
    sha256: str | None = None,
    size: int | None = None,
) -> Taken:
    taken = Taken(receipts, problem, file_id, arrival.delivery_id or file_id)
    store.add_file(
        TakenFile(
            file_id, taken.delivery_id, arrival.door, arrival.name, form, sha256, size, arrival.modified_ns,
            problem or None, taken.total("rows_read"), taken.total("rows_accepted"),
            taken.total("rows_quarantined"), taken.total("rows_duplicate"),
        )
    )  # fmt: skip
    return taken


def printable(name: str) -> str:
    """A file's name as pages and logs may show it: printable characters, at most NAME_LENGTH of them."""
    return "".join(character for character in name if character.isprintable())[:NAME_LENGTH] or "file"


def _identity(stream: BinaryIO) -> tuple[str | None, int | None]:
    """SHA-256 and size of a stream that can be read twice; None for one that cannot."""
    if not stream.seekable():
        return None, None
    digest, start = hashlib.sha256(), stream.tell()
    while piece := stream.read(_PIECE):
        digest.update(piece)
    size = stream.tell() - start
    stream.seek(start)
    return digest.hexdigest(), size
