"""LangSmith's feedback: one object a score, as pages of its API or as lines saved by its client.

Runs and traces are UUIDs. Where runs are sent by OpenTelemetry, LangSmith's SDK makes the trace id of the trace's UUID
and the span id of the first eight bytes of the run's, so feedback joins to those spans; elsewhere it joins to nothing and
is counted. The UUIDs stay as attributes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from core.ingest import outcomes
from core.ingest.cells import Unreadable, present
from core.ingest.options import ReadOptions
from core.ingest.outcomes import KeptOutcomes, Outcome, sounds_human
from core.ingest.own_tables import table_cells
from core.ingest.row_texts import NotARow, storable
from core.ingest.values import hash16
from core.ledger.batch import Batch

NAME = "langsmith_feedback"
SHOWN = (
    "id", "run_id", "trace_id", "session_id", "key", "score", "value", "created_at", "modified_at",
    "feedback_group_id", "comparative_experiment_id",
)  # fmt: skip
"""Fields of a refused object that its quarantine entry keeps; none of them holds what people wrote."""

_SOURCES = {"model": "model", "auto_eval": "model", "app": "human"}
"""Who speaks by feedback_source.type; over the API it may be anybody, and the user or the name tells."""

_USER_KEYS = ("user_id", "ls_user_id", "user", "user_name")
_HEX = "0123456789abcdef"


def detect(head: bytes, name: str) -> bool:
    """JSON with the fields of a feedback object."""
    signs = (b'"feedback_source"', b'"run_id"', b'"key"', b'"score"')
    return all(sign in head for sign in signs) and b'"resourceSpans"' not in head


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file: an outcome a feedback object; one that says nothing is refused alone."""
    content = stream.read()
    found = KeptOutcomes()

    def take(row: dict[str, Any], number: int) -> None:
        found.add(_outcome(row, options.capture_content), number)

    rows_read, refused = table_cells.read_rows(_rows(content), take, SHOWN, capture=False)
    frames = {"outcomes": outcomes.frame(found.rows())}
    sha256 = hashlib.sha256(content).hexdigest()
    yield Batch(source, NAME, sha256, rows_read, frames, refused + found.repeated, demo=options.demo)


def _rows(content: bytes) -> Iterator[dict[str, Any] | NotARow]:
    """Objects, out of pages that hold them under `feedback`, `items` or `data`."""
    for row in table_cells.rows(content):
        held = None
        if not isinstance(row, NotARow) and "key" not in row:
            held = next(
                (row[key] for key in ("feedback", "items", "data") if isinstance(row.get(key), list)), None
            )
        for one in [row] if held is None else held:
            fine = isinstance(one, dict | NotARow)
            yield one if fine else NotARow(f"The row is {type(one).__name__} and not an object.")


def _outcome(row: dict[str, Any], capture: bool) -> Outcome:
    """One feedback object; raises Unreadable naming the field."""
    name, run = table_cells.needed(row, "key"), table_cells.word(row, "run_id")
    trace = table_cells.word(row, "trace_id") or run
    if trace is None:
        raise Unreadable(
            "run_id", None, "feedback on a run has it; feedback on whole experiments is left out."
        )
    said = row.get("feedback_source") if isinstance(row.get("feedback_source"), Mapping) else {}
    assert isinstance(said, Mapping)
    value, label = _score(row)
    user = _user(said)
    who, actor = _source(said, name, user), hash16(user)
    at = "modified_at" if present(row.get("modified_at")) else "created_at"
    kept: dict[str, Any] = {
        f"langsmith.{key}": present(row.get(key)) for key in ("id", "run_id", "trace_id", "session_id")
    }
    kept["langsmith.source_type"] = present(said.get("type"))
    if capture:
        kept |= {f"langsmith.{key}": storable(row.get(key)) for key in ("comment", "correction")}
    trace_id, span_id = _hex(trace, 32), _hex(run, 32)
    return Outcome(
        outcomes.outcome_key(run or trace, name, who, actor), table_cells.instant(row, at), trace_id,
        span_id[:16] if span_id else None, None, None, name, value, label, who, actor, None,
        table_cells.attributes({key: one for key, one in kept.items() if one is not None}),
    )  # fmt: skip


def _hex(uuid: str | None, digits: int) -> str | None:
    """A UUID without its dashes, where that is what the id is."""
    plain = (uuid or "").replace("-", "").lower()
    return plain if len(plain) == digits and not plain.strip(_HEX) and plain.strip("0") else None


def _score(row: Mapping[str, Any]) -> tuple[float | None, str | None]:
    """Number and word. A value that is a number stands in for a score that is absent; a structure is neither."""
    score, value = row.get("score"), row.get("value")
    number = table_cells.number(row, "score") if not isinstance(score, dict | list) else None
    label = table_cells.word(row, "value") if isinstance(value, str) else None
    if number is None and isinstance(value, int | float):
        number = table_cells.number(row, "value")
    if number is None and label is None:
        raise Unreadable(
            "score", score, "a score or a word in value is needed; a comment alone is no outcome."
        )
    return number, label


def _user(said: Mapping[str, Any]) -> str | None:
    metadata = said.get("metadata") if isinstance(said.get("metadata"), Mapping) else {}
    assert isinstance(metadata, Mapping)
    found = (present(held.get(key)) for held in (said, metadata) for key in _USER_KEYS)
    return next((user for user in found if user), None)


def _source(said: Mapping[str, Any], name: str, user: str | None) -> str:
    known = _SOURCES.get(str(said.get("type")).lower())
    return known or ("human" if user or sounds_human(name) else "code")
