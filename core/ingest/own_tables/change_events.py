"""Change events: what was changed, when, so that a chart can say what a step in a curve may come from.

    ts,kind,title,service_name,region,model,tpm
    2026-11-20T09:00:00Z,deploy,checkout 2.4.1,checkout,,,
    2026-11-21T00:00:00Z,limit,Tier 4,,,gpt-4o-mini,2000000

CSV, JSON or JSON lines. `event_id` is optional: without it an event is what it says, and a later row with the same id
restates it. Other columns, such as tpm, rpm or factor, become attributes.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import polars as pl

from core.ingest.bills import cost_lines
from core.ingest.cells import Unreadable, present
from core.ingest.frames import day_of, frame
from core.ingest.options import ReadOptions
from core.ingest.own_tables import table_cells
from core.ingest.privacy import kept_attributes
from core.ingest.row_texts import storable
from core.ledger.batch import Batch

NAME = "change_events"
KINDS = ("deploy", "release", "checkpoint", "incident", "price", "limit", "holiday")
COLUMNS = ("event_id", "ts", "kind", "title", "service_name", "region", "model", "attributes")
FIELDS = {
    "ts": "When, UTC, like 2026-11-25T09:00:00Z",
    "title": "Title",
    "service_name": "Service; empty: all",
    "region": "Region; empty: all",
    "model": "Model; empty: all",
    "tpm": "Tokens a minute, of a limit",
    "rpm": "Requests a minute, of a limit",
    "streams": "Streams a node holds, of a limit",
    "factor": "New price over old, of a price change: 0.8 is a fifth less",
}
"""What a person types beside the kind: column -> label."""

LONGEST_TITLE = 200
TEMPLATE = (
    "event_id,ts,kind,title,service_name,region,model,tpm,rpm,factor\n"
    "deploy-241,2026-11-20T09:00:00Z,deploy,checkout 2.4.1,checkout,eu-west-1,,,,\n"
    ",2026-11-21T00:00:00Z,limit,Tier 4,,,gpt-4o-mini,2000000,10000,\n"
    ",2026-12-01T00:00:00Z,price,A fifth less,,,gpt-4o-mini,,,0.8\n"
    ",2026-12-24,holiday,Christmas Eve,,,,,,\n"
)
_KIND = re.compile(rb'"kind"\s*:\s*"(?:' + "|".join(KINDS).encode() + rb')"', re.IGNORECASE)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?", re.ASCII)


class ChangeEvent(NamedTuple):
    """One row of change_events, in the order of core/ledger/schema.sql; see there for each column."""

    event_id: str
    at_ns: int
    kind: str
    title: str
    service_name: str | None
    region: str | None
    model: str | None
    attributes: str | None


SCHEMA: dict[str, Any] = dict.fromkeys(ChangeEvent._fields, pl.String) | {"at_ns": pl.Int64}


def detect(head: bytes, name: str) -> bool:
    """A CSV with ts, kind and title, or JSON with the three and a kind that is ours."""
    if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"[", b"{"):
        return b'"ts"' in head and b'"title"' in head and _KIND.search(head) is not None
    return {"ts", "kind", "title"} <= table_cells.header(head)


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file; a row that is no event is refused alone, of two with one id the later is kept."""
    content = stream.read()
    rows_read, made, refused = table_cells.read_keyed(
        content, _event, "event_id", COLUMNS, options.capture_content
    )
    dated = frame(made, SCHEMA).with_columns(day_of("at_ns"))
    frames = {"change_events": dated}
    sha256 = hashlib.sha256(content).hexdigest()
    yield Batch(source, NAME, sha256, rows_read, frames, refused, demo=options.demo)


def _event(row: dict[str, Any], capture: bool) -> ChangeEvent:
    """One row; raises Unreadable naming the field."""
    at_ns, kind = table_cells.instant(row, "ts"), table_cells.one_of(row, "kind", KINDS)
    title = _line(table_cells.needed(row, "title", LONGEST_TITLE))
    if not title:
        raise Unreadable("title", row.get("title"), "write what a chart may say beside the mark.")
    service, region, model = (table_cells.word(row, column) for column in ("service_name", "region", "model"))
    derived = cost_lines.key(NAME, at_ns, kind, title, service, region, model)
    stated = kept_attributes(storable(_stated(row)), capture)
    attributes = stated | {key: _value(one) for key, one in table_cells.extra(row, COLUMNS, capture).items()}
    event_id = table_cells.word(row, "event_id") or derived
    return ChangeEvent(
        event_id, at_ns, kind, title, service, region, model, table_cells.attributes(attributes)
    )


def _line(text: str) -> str:
    """One line of what can be printed: control and direction characters could forge the text around it."""
    return "".join(one for one in " ".join(text.split()) if one.isprintable()).strip()


def _stated(row: dict[str, Any]) -> dict[str, Any]:
    """The `attributes` column: an object, or its JSON in a cell. Raises Unreadable."""
    held = row.get("attributes")
    if isinstance(held, dict):
        return held
    text = present(held)
    try:
        read = json.loads(text) if text else {}
    except (json.JSONDecodeError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise Unreadable("attributes", text, 'write a JSON object, like {"tpm": 2000000}.')
    return read


def _value(value: Any) -> Any:
    """A number out of a cell of CSV; what only looks like one (a version, a phone number) stays a text."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        number = float(value)
        return int(number) if number == math.floor(number) and "." not in value else number
    return value
