"""What becomes of an attribute key, decided once for each: fills columns, is taken apart, kept, dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from core.ingest.otlp.conventions import TABLE as CONVENTIONS
from core.ingest.otlp.conventions import Column, Read
from core.ingest.otlp.embedded import EMBEDDED
from core.ingest.otlp.scored_spans import MARKS, marked
from core.ingest.privacy import is_content, is_person, is_secret
from core.ingest.values import hash16, url_host, url_path

TABLE = (*CONVENTIONS, Column("_scored", marked, MARKS))
COLUMNS = tuple(column.name for column in TABLE)
SLOTS = {name: slot for slot, name in enumerate(COLUMNS)}
KEYS = tuple(tuple(key if isinstance(key, str) else key[0] for key in column.keys) for column in TABLE)
NO_RANK = 1_000
"""Rank of an empty cell: a key's rank is its place in its column's list, and the lowest wins."""

PRIVATE_READS: tuple[Read, ...] = (hash16, url_path, url_host)
"""Readings after which the raw value must not stay in `attributes`: it names a user, or is a whole URL."""

Target = tuple[int, int, Read]


class Fate(NamedTuple):
    """What becomes of one attribute key: columns it may fill, a JSON text to take apart, kept or dropped."""

    targets: tuple[Target, ...]
    take_apart: Callable[[Any], dict[str, Any]] | None
    keep: bool
    flattened_input: bool


def _targets() -> dict[str, tuple[Target, ...]]:
    targets: dict[str, tuple[Target, ...]] = {}
    for slot, column in enumerate(TABLE):
        for rank, key in enumerate(column.keys):
            name, read = (key, column.read) if isinstance(key, str) else key
            targets[name] = (*targets.get(name, ()), (slot, rank, read))
    return targets


TARGETS = _targets()

_DECIDING = {"openinference.span.kind", "traceloop.span.kind", "ai.operationId", "langfuse.observation.type"}
_DECIDING |= set(MARKS)
"""Keys that also say something no column keeps; they stay in `attributes`."""

_FLATTENED_INPUT = ("gen_ai.prompt.", "llm.input_messages.", "llm.prompts.")
"""Prompts spread over numbered keys; hashed together when no single attribute holds them."""


def fate_of(key: str, capture_content: bool) -> Fate:
    """Decide about one attribute key; a pure function, so callers may remember the answer."""
    name = key
    if key.startswith(("http.request.header.", "http.response.header.")):
        name = key.lower().replace("_", "-")
    if is_secret(name):
        return Fate((), None, keep=False, flattened_input=False)
    targets = TARGETS.get(name, ())
    content = is_content(key)
    keep = capture_content if content else not targets or key in _DECIDING
    keep = keep and not is_person(key)
    flattened = content and key.startswith(_FLATTENED_INPUT)
    return Fate(targets, EMBEDDED.get(key), keep, flattened)
