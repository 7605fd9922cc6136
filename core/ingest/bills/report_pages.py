"""Vendors' usage and cost reports as saved JSON: pages of time buckets, each with a list of results.

A file may hold one page, several (a list or one per line) or bare buckets. Numbers are read from their printed
digits. A result that cannot be read is refused alone; a later result with the same key replaces an earlier one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, BinaryIO, NamedTuple

from core.ingest import row_texts
from core.ingest.bills import cost_lines
from core.ingest.bills.cost_lines import CostLine
from core.ingest.cells import Unreadable
from core.ingest.options import ReadOptions
from core.ingest.quarantine import refused, repeated
from core.ingest.row_texts import NotARow
from core.ledger.batch import Batch, Repaired

LinesOf = Callable[[Any, Any], list[CostLine]]
"""(bucket, result) -> its lines, at least one; raises Unreadable naming the field."""


class _Pages(NamedTuple):
    buckets: list[Any]
    missing: list[Repaired]
    unreadable: list[str]


def read(
    stream: BinaryIO, source: str, options: ReadOptions, name: str, lines_of: LinesOf, next_page: str
) -> Batch:
    """One batch for the file; `next_page` says how to get the pages that a has_more points at."""
    content = stream.read()
    pages = _pages(content, name, next_page)
    quarantined = [refused(1, None, reason, "") for reason in pages.unreadable]
    rows_read = len(pages.unreadable)
    lines: dict[str, CostLine] = {}
    numbers: dict[str, int] = {}
    for bucket in pages.buckets:
        for group in _groups(bucket):
            rows_read += 1
            try:
                found = lines_of(bucket, group)
            except Unreadable as unreadable:
                shown = json.dumps(group, default=str)
                quarantined.append(refused(rows_read, unreadable.field, unreadable.reason, shown))
                continue
            earlier = numbers.get(found[0].line_key)
            if earlier is not None:
                quarantined.append(repeated(earlier, rows_read))
            lines |= {line.line_key: line for line in found}
            numbers |= dict.fromkeys((line.line_key for line in found), rows_read)
    frames = {"cost_lines": cost_lines.frame(list(lines.values()))}
    sha256 = hashlib.sha256(content).hexdigest()
    return Batch(source, name, sha256, rows_read, frames, quarantined, pages.missing, options.demo)


def _groups(bucket: Any) -> list[Any]:
    groups = bucket.get("results", bucket.get("result")) if isinstance(bucket, dict) else None
    return groups if isinstance(groups, list) else [bucket]


def _pages(content: bytes, name: str, next_page: str) -> _Pages:
    """Buckets of every page in order, and a note where a page names a next one that the file does not hold."""
    pages = _Pages([], [], [])
    for page in row_texts.json_rows(content.decode("utf-8-sig", "replace"), Decimal):
        _add_page(page, pages, name, next_page)
    return pages


def _add_page(page: dict[str, Any] | NotARow, pages: _Pages, name: str, next_page: str) -> None:
    pages.missing.clear()  # only the last page of a file may point beyond it
    if isinstance(page, NotARow):
        pages.unreadable.append(page.reason)
        return
    pages.buckets.extend(page["data"] if isinstance(page.get("data"), list) else [page])
    if page.get("has_more"):
        reason = (
            "The last page of the file says has_more: later buckets are in pages that are not in this file. "
            f"{next_page}"
        )
        rule = f"{name.partition('_')[0]}_next_page"
        pages.missing.append(Repaired(str(page.get("next_page")), rule, "has_more", None, False, reason))
