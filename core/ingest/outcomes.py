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
from core.ingest.quarantine import repeated
from core.ledger.batch import Quarantined

SOURCES = ("human", "model", "code", "business")
"""Who says so: a person, a judging model, a rule in code, or what the business saw happen."""

_HUMAN_WORDS = ("feedback", "thumbs", "rating", "csat", "human", "annotat")


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


def sounds_human(words: str) -> bool:
    """Whether a score's name is one that people's scores have, for doors that do not say who judged."""
    return any(word in words.lower() for word in _HUMAN_WORDS)


class KeptOutcomes:
    """Outcomes of a file. Of two with the same key and time, which nothing orders, the later row is kept."""

    def __init__(self) -> None:
        self._by_moment: dict[tuple[str, int], tuple[int, Outcome]] = {}
        self.repeated: list[Quarantined] = []

    def add(self, outcome: Outcome, number: int) -> None:
        """Keep an outcome read from row `number`."""
        moment = (outcome.outcome_key, outcome.at_ns)
        if moment in self._by_moment:
            self.repeated.append(repeated(self._by_moment[moment][0], number))
        self._by_moment[moment] = (number, outcome)

    def rows(self) -> list[Outcome]:
        """What is kept."""
        return [outcome for _, outcome in self._by_moment.values()]
