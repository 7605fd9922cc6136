"""The formats Trueup reads, in the order they are tried: adding one is a module and a row here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from core.ingest.options import ReadOptions
from core.ledger.store import Batch

HEAD_BYTES = 64 * 1024


class Format(NamedTuple):
    """One format: `detect(head, name)` sees the first 64 KiB and the file's name, `read` yields batches."""

    name: str
    title: str
    detect: Callable[[bytes, str], bool]
    read: Callable[[BinaryIO, str, ReadOptions], Iterator[Batch]]


class UnknownFormat(ValueError):
    """No format recognises the bytes; the message lists the known ones."""


FORMATS: tuple[Format, ...] = ()


def detect(head: bytes, name: str) -> Format:
    """The format of a file from its first HEAD_BYTES; raises UnknownFormat naming every known format."""
    for known in FORMATS:
        if known.detect(head, name):
            return known
    titles = "; ".join(known.title for known in FORMATS)
    raise UnknownFormat(f"{name}: no known format recognises the content. Known formats: {titles}.")
