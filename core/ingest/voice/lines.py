"""What lines of LiveKit and of Pipecat have in common: the call, seconds, what a client measured, and the batch they make."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from core.ingest.cells import Unreadable
from core.ingest.options import ReadOptions
from core.ingest.otlp.requests import traces
from core.ingest.own_tables import table_cells
from core.ingest.voice import turns
from core.ingest.voice.turns import Turn
from core.ledger.batch import Batch, Quarantined, Repaired

NS = 1_000_000_000
LONGEST_S = 3_600.0
"""Seconds of one stage; what takes an hour is no wait of a caller."""
CLIENT = "client_audio"
CALLS = ("room", "session_id", "conversation_id")
Row = Mapping[str, Any]


class Heard(NamedTuple):
    """What a caller's client or a recording measured of one turn, in seconds."""

    transport_s: float | None
    jitter_buffer_s: float | None
    heard_after_s: float | None
    leading_silence_s: float | None


class Source(NamedTuple):
    """Who sent the lines of a call."""

    service: str | None
    region: str | None


def call_of(row: Row, source: str) -> str:
    """The call a line belongs to; without a word of it the file is one call."""
    found = (table_cells.word(row, name) for name in CALLS)
    return next((name for name in found if name), source)


def source_of(row: Row) -> Source:
    """Service and region, where the recipe was told."""
    return Source(table_cells.word(row, "service_name"), table_cells.word(row, "region"))


def seconds(row: Row, field: str, unknown_below: float | None = None) -> float | None:
    """A duration; None where it is absent, or where the tool writes -1 for it. Raises Unreadable."""
    found = table_cells.number(row, field)
    if found is not None and unknown_below is not None and found < unknown_below:
        return None
    if found is not None and not 0 <= found <= LONGEST_S:
        raise Unreadable(field, row.get(field), f"write seconds from 0 to {LONGEST_S:,.0f}.")
    return found


def needed_seconds(row: Row, field: str) -> float:
    """A duration that every such line has. Raises Unreadable."""
    found = seconds(row, field)
    if found is None:
        raise Unreadable(field, row.get(field), "every such line has it, in seconds.")
    return found


def after(at_ns: int, wait_s: float | None) -> int | None:
    """An instant so many seconds later; None where the wait is unknown."""
    return None if wait_s is None else at_ns + round(wait_s * NS)


def heard(row: Row) -> Heard:
    """A `client_audio` line. Raises Unreadable."""
    found = Heard(
        *(
            seconds(row, name)
            for name in (
                "transport_secs",
                "jitter_buffer_secs",
                "voice_to_voice_secs",
                "leading_silence_secs",
            )
        )
    )
    if all(value is None for value in found):
        raise Unreadable(
            "voice_to_voice_secs",
            None,
            "a client_audio line has it, or transport_secs and jitter_buffer_secs.",
        )
    return found


def batch(
    content: bytes, source: str, dialect: str, options: ReadOptions, columns: tuple[str, ...],
    take: Callable[[dict[str, Any], int], None], made: Callable[[], Iterable[Turn]], left_out: Counter[str],
) -> Batch:  # fmt: skip
    """The lines of a file as one batch: `take` reads each, `made` turns what it took into turns."""
    rows_read, refused = table_cells.read_rows(table_cells.rows(content), take, columns, False)
    decoded = traces([(None, turns.groups(dialect, made()))], options)
    quarantined: list[Quarantined] = refused + decoded.quarantined
    notes = decoded.repaired + _notes(dialect, left_out)
    sha256 = hashlib.sha256(content).hexdigest()
    return Batch(source, dialect, sha256, rows_read, decoded.frames, quarantined, notes, options.demo)


def _notes(dialect: str, left_out: Counter[str]) -> list[Repaired]:
    return [
        Repaired(
            what,
            f"{dialect}_left_out",
            f"{count} of {what}",
            None,
            False,
            f"No part of a turn's wait: {what}.",
        )
        for what, count in sorted(left_out.items())
    ]
