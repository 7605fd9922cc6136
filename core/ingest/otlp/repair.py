"""Repairs of single spans: one ordered list, each rule bounded, each leaving a row also when it declines.

A duration is the difference of two readings of the span's own clock; no rule compares clocks of two hosts.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import NamedTuple

from core.ingest.otlp.wire import WireSpan
from core.ledger.batch import Repaired


def _utc_ns(year: int) -> int:
    return int(dt.datetime(year, 1, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000_000


EARLIEST_NS = _utc_ns(1990)
LATEST_NS = _utc_ns(2100)
"""Times outside these years are no times of a span."""

LONGEST_STEP_BACK_NS = 1_000_000_000
"""A clock that is set while a span runs steps by less than this; more is another mistake."""

MOST_EVENTS = 200
"""Events kept of one span: streams report every chunk as an event."""

_HEX = re.compile(r"[0-9a-f]*", re.IGNORECASE)
_ZERO_SPAN = "0" * 16


class Repair(NamedTuple):
    """The span after a rule, and the row that says what the rule did; None when there was nothing to do."""

    span: WireSpan
    note: Repaired | None


def _note(
    span: WireSpan, rule: str, before: object, after: object, reason: str, *, applied: bool = True
) -> Repaired:
    kept = None if after is None else str(after)
    return Repaired(f"{span.trace_id}/{span.span_id}", rule, str(before), kept, applied, reason)


def lower_case_ids(span: WireSpan) -> Repair:
    """Hex ids are case-insensitive; joins are not."""
    ids = (span.trace_id, span.span_id, span.parent_span_id)
    lower = tuple(one.lower() for one in ids)
    if lower == ids or not all(_HEX.fullmatch(one) for one in ids):
        return Repair(span, None)
    mended = span._replace(trace_id=lower[0], span_id=lower[1], parent_span_id=lower[2])
    reason = "Ids came in upper case; OTLP ids are case-insensitive."
    return Repair(mended, _note(mended, "lower_case_ids", "/".join(ids), "/".join(lower), reason))


def no_parent(span: WireSpan) -> Repair:
    """A parent of zeros, or the span itself, is no parent."""
    if span.parent_span_id not in (_ZERO_SPAN, span.span_id) or not span.parent_span_id:
        return Repair(span, None)
    reason = "A parent id of zeros, or the span's own id, means that there is no parent."
    return Repair(span._replace(parent_span_id=""), _note(span, "no_parent", span.parent_span_id, "", reason))


def unset_kind(span: WireSpan) -> Repair:
    """The specification lets a receiver read an unset kind as internal; an unknown number is read alike."""
    if 1 <= span.kind <= 5:
        return Repair(span, None)
    reason = "The span kind is unset or unknown; OTLP reads it as internal."
    return Repair(span._replace(kind=1), _note(span, "unset_kind", span.kind, "internal", reason))


def time_unit(span: WireSpan) -> Repair:
    """Times sent in micro-, milli- or whole seconds: both must fall into 2000 to 2100 by the same factor."""
    started, ended = span.started_at_ns, span.ended_at_ns
    if started >= EARLIEST_NS or started <= 0 or ended <= 0:
        return Repair(span, None)
    for unit, factor in (("microseconds", 1_000), ("milliseconds", 1_000_000), ("seconds", 1_000_000_000)):
        if _utc_ns(2000) <= started * factor < LATEST_NS and _utc_ns(2000) <= ended * factor < LATEST_NS:
            mended = span._replace(started_at_ns=started * factor, ended_at_ns=ended * factor)
            reason = f"The times are in 1970 as nanoseconds and after 2000 as {unit}: read as {unit}."
            return Repair(mended, _note(span, "time_unit", started, mended.started_at_ns, reason))
    reason = "The times fall into 2000 to 2100 by no unit from ns to s; the span is refused."
    return Repair(span, _note(span, "time_unit", started, None, reason, applied=False))


def negative_duration(span: WireSpan) -> Repair:
    """An end up to 1 s before the start is a clock that was set: the duration is unknown, stored as 0."""
    back = span.started_at_ns - span.ended_at_ns
    if back <= 0 or span.ended_at_ns <= 0 or span.started_at_ns < EARLIEST_NS:
        return Repair(span, None)
    if back <= LONGEST_STEP_BACK_NS:
        reason = f"The end is {back / 1e6:,.3f} ms before the start: the clock was set; stored as 0."
        mended = span._replace(ended_at_ns=span.started_at_ns)
        return Repair(mended, _note(span, "negative_duration", -back, 0, reason))
    reason = f"The end is {back / 1e9:,.3f} s before the start, more than 1 s: the span is refused."
    return Repair(span, _note(span, "negative_duration", -back, None, reason, applied=False))


def many_events(span: WireSpan) -> Repair:
    """At most MOST_EVENTS events of a span are stored; what they say about timing is read before."""
    if len(span.events) <= MOST_EVENTS:
        return Repair(span, None)
    reason = f"The span has {len(span.events):,} events; the first {MOST_EVENTS} are kept."
    mended = span._replace(events=span.events[:MOST_EVENTS])
    return Repair(mended, _note(span, "many_events", len(span.events), MOST_EVENTS, reason))


REPAIRS: tuple[Callable[[WireSpan], Repair], ...] = (
    lower_case_ids,
    no_parent,
    unset_kind,
    time_unit,
    negative_duration,
    many_events,
)
"""In this order: ids before the rows that name them, units before differences."""


def is_sound(span: WireSpan) -> bool:
    """Whether no rule and no check has anything to say: the quick way for almost every span."""
    trace_id, span_id, parent_id, _, kind, started, ended, _, _, _, events = span
    return (
        EARLIEST_NS <= started <= ended < LATEST_NS
        and 1 <= kind <= 5
        and len(trace_id) == 32
        and len(span_id) == 16
        and len(parent_id) in (0, 16)
        and not (trace_id + span_id + parent_id).strip(_DIGITS)
        and parent_id not in (_ZERO_SPAN, span_id)
        and span_id != _ZERO_SPAN
        and trace_id != _ZERO_SPAN * 2
        and len(events) <= MOST_EVENTS
    )


_DIGITS = "0123456789abcdef"
_IDS = re.compile(f"[{_DIGITS}]*")


def repaired(span: WireSpan) -> tuple[WireSpan, list[Repaired]]:
    """The span after every rule in order, with a row for each rule that acted or declined."""
    notes: list[Repaired] = []
    for rule in REPAIRS:
        span, note = rule(span)
        if note is not None:
            notes.append(note)
    return span, notes


def refusal(span: WireSpan) -> tuple[str, str] | None:
    """Field and reason when a repaired span still cannot be stored, None when it can."""
    for field, digits in (("trace_id", 32), ("span_id", 16)):
        one = str(getattr(span, field))
        if len(one) != digits or not _IDS.fullmatch(one) or one == "0" * digits:
            return (
                field,
                f"{field} {one[:40]!r} is not {digits} hex digits other than zeros; fix the exporter.",
            )
    parent = span.parent_span_id
    if parent and (len(parent) != 16 or not _IDS.fullmatch(parent)):
        return "parent_span_id", f"parent_span_id {parent[:40]!r} is not 16 hex digits; fix the exporter."
    for field in ("started_at_ns", "ended_at_ns"):
        at_ns = int(getattr(span, field))
        if not EARLIEST_NS <= at_ns < LATEST_NS:
            what = "missing" if at_ns == 0 else f"{at_ns}, outside the years 1990 to 2100"
            return field, f"{field} is {what}; send UTC nanoseconds since 1970."
    if span.ended_at_ns < span.started_at_ns:
        back = (span.started_at_ns - span.ended_at_ns) / 1e9
        return "ended_at_ns", f"The span ends {back:,.3f} s before it starts; check the sender's clock."
    return None
