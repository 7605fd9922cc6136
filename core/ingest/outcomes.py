"""An outcome as the ledger keeps it: the columns of `outcomes`, their frame and the key that revisions share.

Outcomes come days later and are revised: every row is kept, and a query takes the newest of a key. The source is part
of the key, so a person's score is never overwritten by a judge's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl

from core.ingest.frames import day_of
from core.ingest.frames import frame as frame_of

SOURCES = ("human", "model", "code", "business")


class Outcome(NamedTuple):
    """One row of outcomes, in the order of core/ledger/schema.sql; see there for each column."""

    outcome_key: str
    at_ns: int
    trace_id: str | None
    span_id: str | None
    response_id: str | None
    conversation_id: str | None
    name: str
    value: float | None
    label: str | None
    source: str
    actor_hash: str | None
    error_type: str | None
    attributes: str | None


OUTCOME_SCHEMA: dict[str, Any] = dict.fromkeys(Outcome._fields, pl.String) | {
    "at_ns": pl.Int64,
    "value": pl.Float64,
}


def target_of(
    response_id: str | None, trace_id: str | None, span_id: str | None, conversation_id: str | None
) -> str:
    """What was judged: an answer, else a span or trace, else a conversation."""
    return response_id or f"{trace_id or ''}/{span_id or ''}".strip("/") or conversation_id or ""


def outcome_key(target: str, name: str, source: str, actor_hash: str | None) -> str:
    """32 hex that a revision shares with what it revises."""
    said = "\x1f".join((target, name, source, actor_hash or ""))
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def frame(rows: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    """Rows of outcomes with their UTC day."""
    return frame_of(list(rows), OUTCOME_SCHEMA).with_columns(day_of("at_ns"))
