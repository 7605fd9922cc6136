"""Outcomes in a CSV of your own: what became of a run, an answer or a conversation, and who says so.

    ts,trace_id,response_id,conversation_id,span_id,name,value,label,source,actor,comment
    2026-11-20T10:05:00Z,858bfae005a281be2a05aa6c0d3117cc,,,,user_feedback,0,thumbs_down,human,user-17,wrong city
    2026-11-23T08:00:00Z,,,conv-81,,refund_issued,1,,business,,

A row needs a time, a name, a source, a value or a label, and one of the ids. A later row with the same target, name,
source and actor revises the earlier one; both stay. The actor is kept as a hash, the comment only with content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from core.ingest import outcomes
from core.ingest.cells import Unreadable
from core.ingest.options import ReadOptions
from core.ingest.outcomes import KeptOutcomes, Outcome
from core.ingest.own_tables import table_cells
from core.ingest.values import hash16
from core.ledger.batch import Batch

NAME = "outcomes_csv"
COLUMNS = (
    "ts", "trace_id", "response_id", "conversation_id", "span_id", "name", "value", "label", "source", "actor", "comment",
)  # fmt: skip
TARGETS = frozenset({"trace_id", "response_id", "conversation_id"})
TEMPLATE = (
    "ts,trace_id,response_id,conversation_id,span_id,name,value,label,source,actor,comment\n"
    "2026-11-20T10:05:00Z,858bfae005a281be2a05aa6c0d3117cc,,,,user_feedback,0,thumbs_down,human,user-17,wrong city\n"
    "2026-11-20T10:06:00Z,,chatcmpl-9,,,correctness,0.9,,model,judge-v2,\n"
    "2026-11-23T08:00:00Z,,,conv-81,,refund_issued,1,,business,,\n"
)


def detect(head: bytes, name: str) -> bool:
    """A CSV with ts, name and source beside one of the ids."""
    columns = table_cells.header(head)
    return {"ts", "name", "source"} <= columns and bool(columns & TARGETS)


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file; a row that judges nothing, or says nothing, is refused alone."""
    content = stream.read()
    found = KeptOutcomes()

    def take(row: dict[str, Any], number: int) -> None:
        found.add(_outcome(row, options.capture_content), number)

    rows_read, refused = table_cells.read_rows(
        table_cells.rows(content), take, COLUMNS, options.capture_content
    )
    frames = {"outcomes": outcomes.frame(found.rows())}
    sha256 = hashlib.sha256(content).hexdigest()
    yield Batch(source, NAME, sha256, rows_read, frames, refused + found.repeated, demo=options.demo)


def _outcome(row: dict[str, Any], capture: bool) -> Outcome:
    """One row; raises Unreadable naming the field."""
    trace_id, span_id = table_cells.hex_id(row, "trace_id", 32), table_cells.hex_id(row, "span_id", 16)
    response_id, conversation_id = (table_cells.word(row, one) for one in ("response_id", "conversation_id"))
    if not (trace_id or response_id or conversation_id):
        fix = "name what is judged by trace_id, response_id or conversation_id."
        raise Unreadable("trace_id", None, fix)
    value, label = table_cells.number(row, "value"), table_cells.word(row, "label")
    if value is None and label is None:
        raise Unreadable("value", None, "write a value or a label; a score that is absent is no row.")
    name, said_by = table_cells.needed(row, "name"), table_cells.one_of(row, "source", outcomes.SOURCES)
    actor = hash16(table_cells.word(row, "actor"))
    extra = table_cells.extra(row, COLUMNS, capture)
    comment = table_cells.word(row, "comment", 100_000)
    if capture and comment:
        extra["comment"] = comment
    target = outcomes.target_of(response_id, trace_id, span_id, conversation_id)
    return Outcome(
        outcomes.outcome_key(target, name, said_by, actor), table_cells.instant(row, "ts"), trace_id, span_id,
        response_id, conversation_id, name, value, label, said_by, actor, None, table_cells.attributes(extra),
    )  # fmt: skip
