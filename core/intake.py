"""Batches of one file into the ledger, keeping what came before a bad part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from core.ingest.files import FileProblem
from core.ledger.store import Batch, Receipt, Store


class Taken(NamedTuple):
    """Receipts of every batch read; `problem` is empty when the file was read to its end."""

    receipts: list[Receipt]
    problem: str


def take_in(store: Store, batches: Iterator[Batch]) -> Taken:
    """Store batches until the file ends or cannot be read further; returns after the last commit."""
    problems: list[str] = []

    def readable() -> Iterator[Batch]:
        try:
            yield from batches
        except FileProblem as problem:
            problems.append(str(problem))

    receipts = store.submit_many(readable())
    return Taken(receipts, "\n".join(problems))
