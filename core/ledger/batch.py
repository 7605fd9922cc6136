"""What a reader hands to the ledger, and what the ledger answers."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

UNDO, PRICES, EMPTIED, ERASED = "undo", "prices", "emptied", "erased"
ROWLESS_FORMATS = (UNDO, PRICES, EMPTIED, ERASED)
"""Formats of imports that hold no rows: they mark a data version from which others stop counting, cost otherwise, or are
gone. As a Python tuple it is also the list in SQL's `format in (...)`."""


class Quarantined(NamedTuple):
    """One input row that was refused; kept with its reason so that it can be mended and sent again."""

    row_number: int
    field: str | None
    reason: str
    row_text: str


class Repaired(NamedTuple):
    """One value a repair rule changed, or (applied=False) declined to change."""

    row_key: str
    rule: str
    before: str | None
    after: str | None
    applied: bool
    reason: str


class Batch(NamedTuple):
    """Rows of one import: they are committed together or not at all."""

    source: str
    format: str
    sha256: str
    rows_read: int
    frames: dict[str, pl.DataFrame]
    quarantined: list[Quarantined] = []
    repaired: list[Repaired] = []
    demo: bool = False
    file_id: int | None = None
    """The file it came from; None for live requests."""
    delivery_id: int | None = None
    """The file_id of the first file given in the same action."""


class Receipt(NamedTuple):
    """What became of a batch. `already_known`: the same bytes came before, nothing changed."""

    import_id: int
    rows_read: int
    rows_accepted: int
    rows_quarantined: int
    rows_duplicate: int
    already_known: bool


class TakenFile(NamedTuple):
    """One file as it was given and what became of it; the columns of `files` but its time."""

    file_id: int
    delivery_id: int
    door: str
    name: str
    format: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    modified_ns: int | None = None
    problem: str | None = None
    rows_read: int = 0
    rows_accepted: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
