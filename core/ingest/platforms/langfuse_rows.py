"""Rows of a Langfuse export: JSON lines, a list, pages of the API, whole traces, or the CSV of its user interface."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from core.ingest import row_texts, values
from core.ingest.cells import present
from core.ingest.row_texts import NotARow
from core.ledger.batch import Repaired


class Rows(NamedTuple):
    """What a file holds, and a note for a page that it names and lacks."""

    rows: list[Any]
    """Observations; a NotARow says why a line could not be taken apart."""
    missing: list[Repaired]


def rows(content: bytes) -> Rows:
    """Every observation and score of the file; traces hand what they say to each of theirs."""
    found: list[Any] = []
    missing: list[Repaired] = []
    for page in row_texts.rows(content.decode("utf-8-sig", "replace"), Decimal):
        held = None if isinstance(page, NotARow) else page.get("data")
        meta = page.get("meta") if isinstance(page, dict) and isinstance(held, list) else None
        for row in held if isinstance(held, list) else [page]:
            found.extend(_of_trace(row))
        missing = _next_page(meta) if isinstance(meta, dict) else []
    return Rows(found, missing)


def _of_trace(row: Any) -> list[Any]:
    """A trace with its observations and scores as rows that know what the trace says of all of them."""
    if not isinstance(row, dict) or not isinstance(row.get("observations"), list):
        return [row]
    shared = {field: row.get(field) for field in ("userId", "sessionId", "release", "environment")}
    shared |= {"traceName": row.get("name"), "traceId": row.get("id")}
    held = [*row["observations"], *(row.get("scores") or [])]
    return [{**shared, **_stated(one)} if isinstance(one, dict) else one for one in held]


def _stated(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _next_page(meta: dict[str, Any]) -> list[Repaired]:
    """A note where the file's last page points beyond it: by number in the first API, by cursor in the second."""
    page, pages = values.count(meta.get("page")), values.count(meta.get("totalPages"))
    cursor = present(meta.get("cursor"))
    if not cursor and (page is None or pages is None or page >= pages):
        return []
    at = cursor or f"page {page} of {pages}"
    reason = "The last page of the file names a next one that is not in this file. Fetch and import it too."
    return [Repaired(at, "langfuse_next_page", at, None, False, reason)]
