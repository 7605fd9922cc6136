"""Each repair: what it mends, where its bound is, and the row it leaves."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from core.ingest.otlp.repair import LATEST_NS, MOST_EVENTS, REPAIRS, is_sound, refusal, repaired
from core.ingest.otlp.wire import WireEvent, WireSpan
from core.ledger.batch import Repaired
from tests.ingest.otlp_requests import SPAN_ID, START_NS, TRACE_ID, decoded, request, span

SECOND = 1_000_000_000


def wire(**fields: Any) -> WireSpan:
    sound = WireSpan(TRACE_ID, SPAN_ID, "", "chat", 3, START_NS, START_NS + SECOND, {}, 0, "", [])
    return sound._replace(**fields)


def rules(notes: list[Repaired]) -> list[tuple[str, bool]]:
    return [(note.rule, note.applied) for note in notes]


def test_a_sound_span_is_left_alone() -> None:
    assert is_sound(wire())
    assert repaired(wire()) == (wire(), [])
    assert refusal(wire()) is None


def test_upper_case_ids() -> None:
    mended, notes = repaired(wire(trace_id=TRACE_ID.upper(), parent_span_id="00F067AA0BA902B7"))
    assert (mended.trace_id, mended.parent_span_id) == (TRACE_ID, "00f067aa0ba902b7")
    assert notes[0].row_key == f"{TRACE_ID}/{SPAN_ID}"
    assert rules(notes) == [("lower_case_ids", True)]


def test_a_parent_of_zeros_or_itself_is_no_parent() -> None:
    for parent in ("0" * 16, SPAN_ID):
        mended, notes = repaired(wire(parent_span_id=parent))
        assert mended.parent_span_id == ""
        assert rules(notes) == [("no_parent", True)]


def test_unset_kind_is_internal() -> None:
    for kind in (0, 9, -1):
        mended, notes = repaired(wire(kind=kind))
        assert mended.kind == 1
        assert (notes[0].before, notes[0].after) == (str(kind), "internal")


def test_negative_duration_up_to_one_second() -> None:
    mended, notes = repaired(wire(ended_at_ns=START_NS - SECOND))
    assert mended.ended_at_ns == START_NS
    assert rules(notes) == [("negative_duration", True)]
    assert (notes[0].before, notes[0].after) == (str(-SECOND), "0")
    assert refusal(mended) is None


def test_negative_duration_beyond_one_second_is_declined_and_refused() -> None:
    kept, notes = repaired(wire(ended_at_ns=START_NS - SECOND - 1))
    assert kept.ended_at_ns == START_NS - SECOND - 1
    assert rules(notes) == [("negative_duration", False)]
    assert notes[0].after is None
    refused = refusal(kept)
    assert refused is not None
    assert refused[0] == "ended_at_ns"


def test_times_in_another_unit() -> None:
    for factor in (10**3, 10**6, 10**9):
        mended, notes = repaired(wire(started_at_ns=START_NS // factor, ended_at_ns=START_NS // factor + 1))
        assert mended.started_at_ns // factor == START_NS // factor
        assert rules(notes) == [("time_unit", True)]


def test_a_time_that_fits_no_unit_is_declined() -> None:
    kept, notes = repaired(wire(started_at_ns=5, ended_at_ns=9))
    assert rules(notes) == [("time_unit", False)]
    assert refusal(kept) is not None


def test_events_are_capped() -> None:
    events = [WireEvent("chunk", START_NS, {})] * (MOST_EVENTS + 1)
    mended, notes = repaired(wire(events=events))
    assert len(mended.events) == MOST_EVENTS
    assert rules(notes) == [("many_events", True)]
    assert is_sound(wire(events=events[:MOST_EVENTS]))


def test_rules_are_named_once_and_in_order() -> None:
    assert [rule.__name__ for rule in REPAIRS] == [
        "lower_case_ids",
        "no_parent",
        "unset_kind",
        "time_unit",
        "negative_duration",
        "many_events",
    ]


times = st.one_of(st.integers(0, 2**64 - 1), st.integers(START_NS - 2 * SECOND, START_NS + 2 * SECOND))


@example(946_684_800, 1, 1, "")  # seconds of 2000 for a start, nothing for an end: no clock that was set
@given(times, times, st.integers(-2, 7), st.sampled_from(["", "0" * 16, SPAN_ID, "12", "00F067AA0BA902B7"]))
def test_what_passes_is_storable(started: int, ended: int, kind: int, parent: str) -> None:
    mended, notes = repaired(wire(started_at_ns=started, ended_at_ns=ended, kind=kind, parent_span_id=parent))
    if refusal(mended) is None:
        assert is_sound(mended)
        assert 0 <= mended.ended_at_ns - mended.started_at_ns < LATEST_NS
        assert all(note.applied for note in notes)
    again, more = repaired(mended)
    assert again == mended
    assert not any(note.applied for note in more)


def test_repairs_reach_the_batch_with_the_span() -> None:
    batch = decoded(request(span(endTimeUnixNano=str(START_NS - 1000))))
    assert batch.frames["spans"]["duration_ns"].to_list() == [0]
    assert rules(batch.repaired) == [("negative_duration", True)]
