"""Probes: fixed prompts sent to every region on purpose, an answer a row, as JSON lines, a JSON list or CSV.

The format is Trueup's own (docs/recipes/regional_probes); a runner writes it, the dashboard calls no model. One row:

    {"probe_id": "3f…", "prompt_id": "happy-017", "region": "eu-central-1", "at": "2026-11-02T04:00:07Z",
     "request_model": "gpt-4o", "response_model": "gpt-4o-2024-08-06", "system_fingerprint": "fp_a1",
     "input_tokens": 57, "output_tokens": 212, "first_chunk_ms": 412.0, "last_chunk_ms": 2904.5,
     "finish_reason": "stop", "refusal": false, "format_ok": true, "score": 1, "scorer": "boxed-integer 2",
     "text": "…", "header_names": ["date", "server"]}

probe_id, prompt_id, region and at are required; what a row leaves out is unknown, never zero. A probe_id that comes
again restates its row. Answers are kept, cut at 4,000 characters, because probes hold no user's words.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import polars as pl

from core.ingest import row_texts, values
from core.ingest.bills import cost_lines
from core.ingest.cells import Unreadable, instant_ns, present, whole
from core.ingest.options import ReadOptions
from core.ingest.quarantine import refused, repeated
from core.ingest.row_texts import NotARow, json_text
from core.ledger.batch import Batch, Quarantined

NAME = "probes"
TEXT_CHARACTERS = 4_000
_REQUIRED = ("probe_id", "prompt_id", "region", "at")
_YES, _NO = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})
SCHEMA: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(("probe_id", "kind", "prompt_id", "region"), pl.String),
    "at_ns": pl.Int64,
    "day": pl.Date,
    **dict.fromkeys(("request_model", "response_model", "system_fingerprint"), pl.String),
    **dict.fromkeys(("input_tokens", "output_tokens"), pl.Int64),
    **dict.fromkeys(("first_chunk_ms", "last_chunk_ms"), pl.Float64),
    "finish_reason": pl.String,
    **dict.fromkeys(("refusal", "format_ok"), pl.Boolean),
    "score": pl.Float64,
    "scorer": pl.String,
    "text": pl.String,
    "text_chars": pl.Int64,
    **dict.fromkeys(("text_hash", "header_names", "features", "attributes"), pl.String),
}
_KNOWN = frozenset(SCHEMA) - {"day", "text_chars", "attributes"} | {"at"}


def detect(head: bytes, name: str) -> bool:
    """JSON or a CSV header that names probe_id, prompt_id and region."""
    return all(field in head for field in (b"probe_id", b"prompt_id", b"region"))


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the whole file; rows that cannot be read are refused one by one."""
    content = stream.read()
    kept: dict[str, tuple[int, dict[str, Any]]] = {}
    quarantined: list[Quarantined] = []
    rows_read = 0
    for rows_read, row in enumerate(row_texts.rows(content.decode("utf-8-sig", "replace")), 1):
        if isinstance(row, NotARow):
            quarantined.append(refused(rows_read, None, row.reason, ""))
            continue
        try:
            probe = _probe(row)
        except Unreadable as unreadable:
            shown = json_text({name: value for name, value in row.items() if name != "text"})
            quarantined.append(refused(rows_read, unreadable.field, unreadable.reason, shown))
            continue
        if probe["probe_id"] in kept:
            quarantined.append(repeated(kept[probe["probe_id"]][0], rows_read))
        kept[probe["probe_id"]] = (rows_read, probe)
    frame = pl.DataFrame([probe for _, probe in kept.values()], schema=SCHEMA)
    sha256 = hashlib.sha256(content).hexdigest()
    yield Batch(source, NAME, sha256, rows_read, {"probes": frame}, quarantined, demo=options.demo)


def _probe(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `probes`; raises Unreadable naming the field."""
    required = {name: present(row.get(name)) for name in _REQUIRED}
    for name, value in required.items():
        if value is None:
            raise Unreadable(name, row.get(name), "every probe has probe_id, prompt_id, region and at.")
    at_ns = instant_ns(required["at"], "at")
    if at_ns is None or not 0 < at_ns < 2**62:
        raise Unreadable("at", row.get("at"), "write a time like 2026-11-02T04:00:07Z.")
    text = row.get("text") if isinstance(row.get("text"), str) else None
    features = row.get("features")
    extra = {name: value for name, value in row.items() if name not in _KNOWN and name and present(value)}
    return {
        **{name: required[name] for name in _REQUIRED if name != "at"},
        "kind": present(row.get("kind")) or "model",
        "at_ns": at_ns,
        "day": cost_lines.utc_date(at_ns),
        **{
            name: present(row.get(name)) for name in ("request_model", "response_model", "system_fingerprint")
        },
        **{name: whole(row.get(name), name) for name in ("input_tokens", "output_tokens")},
        **{name: _number(row, name, 0.0, 1e9) for name in ("first_chunk_ms", "last_chunk_ms")},
        "finish_reason": values.finish_reasons(present(row.get("finish_reason"))),
        **{name: _switch(row, name) for name in ("refusal", "format_ok")},
        "score": _number(row, "score", 0.0, 1.0),
        "scorer": present(row.get("scorer")),
        "text": None if text is None else text[:TEXT_CHARACTERS],
        "text_chars": None if text is None else len(text),
        "text_hash": present(row.get("text_hash")) or values.hash16(text),
        "header_names": _names(row.get("header_names")),
        "features": json_text(features) if isinstance(features, dict) else None,
        "attributes": json_text(extra) if extra else None,
    }


def _number(row: Mapping[str, Any], field: str, low: float, high: float) -> float | None:
    text = present(row.get(field))
    if text is None:
        return None
    text = {"true": "1", "false": "0"}.get(text.lower(), text)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise Unreadable(field, text, f"write a number from {low:g} to {high:g}, or leave it out.")
    return value


def _switch(row: Mapping[str, Any], field: str) -> bool | None:
    text = (present(row.get(field)) or "").lower()
    if text and text not in _YES | _NO:
        raise Unreadable(field, row.get(field), "write true or false, or leave it out.")
    return text in _YES if text else None


def _names(value: Any) -> str | None:
    """Header names in lower case, sorted; values are never kept."""
    names = value if isinstance(value, list) else (present(value) or "").split(",")
    return ",".join(sorted({str(name).strip().lower() for name in names if str(name).strip()})) or None
