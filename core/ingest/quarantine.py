"""Entries for rows that are refused: kept with their reason, so that people can mend them and send them again."""

from __future__ import annotations

from core.ledger.batch import Quarantined

ROW_TEXT = 4_000
"""Characters of a refused row that are kept."""


def refused(row_number: int, field: str | None, reason: str, row_text: str) -> Quarantined:
    """The entry for a row, numbered from 1; `row_text` is cut, and must hold no content that was not asked for."""
    return Quarantined(row_number, field, reason, row_text[:ROW_TEXT])


def repeated(row_number: int, later: int, row_text: str = "") -> Quarantined:
    """The entry for a row that row `later` of the same file restates: the same calls must not be added twice."""
    reason = f"Row {later} of the file has the same identity and is kept in its place; export each row once."
    return refused(row_number, None, reason, row_text)
