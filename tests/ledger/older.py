"""What files of older versions lack."""

from __future__ import annotations

from core.ledger.migrations import MIGRATIONS


def columns_added_after(before: int) -> list[tuple[str, str]]:
    """(table, column) of every column that a file of version `before` does not have."""
    words = [text.split() for version, statements in MIGRATIONS if version > before for text in statements]
    return [(one[2], one[5]) for one in words]
