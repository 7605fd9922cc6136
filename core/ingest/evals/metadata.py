"""What the metadata of a sample or a run says by convention, and what of the rest may be kept.

No eval tool has fields for these, so they are read from metadata (Inspect, promptfoo, DeepEval, Braintrust) under the
ledger's own names: trace_id, arm, slices (a map, or the names of SLICES), and of the item source, created_on,
twin_of, canary_guid, source_trace_id, subject_key, store, reader_groups; of the run region and quantization.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any, NamedTuple

from core.ingest import values
from core.ingest.errors import class_of_text, error_class_of
from core.ingest.privacy import SHORT_TEXT, is_person, kept_attributes
from core.ingest.row_texts import storable

SLICES = (
    "language", "lang", "locale", "category", "topic", "difficulty", "tier", "length_bucket", "context_length", "channel",
)  # fmt: skip
"""Metadata that results are split by, also when nobody put it under `slices`."""
_IN_COLUMNS = frozenset(
    {
        "slices",
        "subject_key",
        "subject",
        "subject_hash",
        "source",
        "created_on",
        "twin_of",
        "canary_guid",
        "canary",
    }
    | {"store", "reader_groups"}
)
"""Metadata that has columns of its own and is not kept twice; who a case is about is kept as a hash alone."""
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_HASH = re.compile(r"[0-9a-f]{16}")
_ERROR_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_.]{0,80}(?:Error|Exception|Timeout|Interrupt|Exit))\b")


class SampleTags(NamedTuple):
    """Columns of eval_samples that metadata fills, and the short labels that are kept with them."""

    trace_id: str | None
    arm: str | None
    slices: dict[str, Any]
    kept: dict[str, Any]


def as_dict(value: Any) -> dict[str, Any]:
    """A JSON object, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """A JSON list, or an empty one."""
    return value if isinstance(value, list) else []


def label(value: Any, longest: int = 200) -> str | None:
    """A name as text; a structure has none, and a longer text is prose."""
    found = str(value) if isinstance(value, int | float) else value
    return found if isinstance(found, str) and 0 < len(found) <= longest else None


def trace_id(value: Any) -> str | None:
    """An OpenTelemetry trace id, 32 lower-case hex, also written as a UUID."""
    if not isinstance(value, str):
        return None
    found = value.strip().lower().replace("-", "")
    return found if _TRACE_ID.fullmatch(found) else None


def sample_tags(metadata: Any, capture_content: bool) -> SampleTags:
    """What a sample's metadata says of it."""
    known = as_dict(metadata)
    slices = {name: known[name] for name in SLICES if isinstance(known.get(name), str | int | float)}
    slices |= short(as_dict(known.get("slices")), capture_content)
    trace, arm = trace_id(known.get("trace_id")), label(known.get("arm"))
    read = {"trace_id" if trace else "", "arm" if arm else ""}
    read |= {"source_trace_id" if trace_id(known.get("source_trace_id")) else ""}
    rest = {name: value for name, value in known.items() if name not in read and name not in _IN_COLUMNS}
    return SampleTags(trace, arm, slices, short(rest, capture_content))


def item_fields(metadata: Any) -> dict[str, Any]:
    """Columns of eval_items that metadata fills."""
    known = as_dict(metadata)
    groups = known.get("reader_groups")
    subject = known.get("subject_key", known.get("subject"))
    named = known.get("subject_hash")
    hashed = named if isinstance(named, str) and _HASH.fullmatch(named) else None
    return {
        "source": label(known.get("source")),
        "created_on": _day(known.get("created_on", known.get("created_at"))),
        "source_trace_id": trace_id(known.get("source_trace_id")),
        "subject_hash": hashed or (values.hash16(plain(subject)) if subject is not None else None),
        "twin_of": label(known.get("twin_of")),
        "canary_guid": label(known.get("canary_guid", known.get("canary"))),
        "store": label(known.get("store")),
        "reader_groups": ",".join(map(str, groups)) if isinstance(groups, list) else label(groups),
    }


def run_fields(*metadata: Any) -> dict[str, Any]:
    """Columns of eval_runs that metadata or arguments of a run fill; the first that names one is believed."""
    names = {
        "region": ("region", "cloud.region", "cloud_region"),
        "quantization": ("quantization", "quantize", "quant"),
        "git_commit": ("git_commit", "git_sha", "commit", "revision"),
    }
    found: dict[str, Any] = {}
    for column, spellings in names.items():
        given = (label(as_dict(known).get(name)) for known in metadata for name in spellings)
        found[column] = next((value for value in given if value), None)
    return found


def short(metadata: dict[str, Any], capture_content: bool) -> dict[str, Any]:
    """Numbers, switches and labels of metadata; longer texts and structures only with content."""
    kept = kept_attributes({str(name): value for name, value in metadata.items()}, capture_content)
    if capture_content:
        return kept
    return {
        name: value
        for name, value in kept.items()
        if isinstance(value, int | float) or (isinstance(value, str) and len(value) <= SHORT_TEXT)
    }


def plain(value: Any) -> str | None:
    """An input or an expected answer as one text: equal ones are equal texts.

    Chat messages keep role and content only, because tools give every message a random id; a list of one text is
    that text.
    """
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return value[0] or None
    if isinstance(value, list) and value and all(isinstance(one, dict) and "role" in one for one in value):
        value = [{"role": one["role"], "content": one.get("content")} for one in value]
    if value in ([], {}):
        return None
    return json.dumps(storable(value), sort_keys=True, separators=(",", ":"))


def failure(text: Any, capture_content: bool) -> dict[str, Any]:
    """Type and class of an error by its text; the text itself is content."""
    message = text if isinstance(text, str) else plain(text) or ""
    named = _ERROR_NAME.search(message[:1_000])
    kind = named.group(1) if named and not is_person(named.group(1)) else None
    found = {
        "error_type": kind,
        "error_class": error_class_of(kind, None, class_of_text(message[:10_000]), ""),
        "error_text": message if capture_content and message else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _day(value: Any) -> dt.date | None:
    if not isinstance(value, str):
        return None
    try:
        at = dt.datetime.fromisoformat(value.strip())
        return (at.astimezone(dt.UTC) if at.tzinfo else at).date()
    except (ValueError, OverflowError):
        return None
