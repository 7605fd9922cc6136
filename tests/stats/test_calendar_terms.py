"""Calendar columns against days looked up by hand."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from core.stats.calendar_terms import (
    BREAK,
    BRIDGE,
    HOLIDAY,
    SATURDAY_HOLIDAY,
    STATED,
    YEAR_END,
    Break,
    Place,
    calendar,
)

BERLIN = Place("eu", "Europe/Berlin", "DE", "BE")


def days_of(
    name: str, first: dt.date, last: dt.date, place: Place = BERLIN, breaks: tuple[Break, ...] = ()
) -> list[str]:
    made = calendar(place, first, last, breaks)
    column = made.matrix[:, made.columns.index(name)]
    return [made.day(row).isoformat() for row in np.flatnonzero(column).tolist()]


def test_a_holiday_counts_by_the_weekday_it_falls_on() -> None:
    # Germany 2026: 1 May is a Friday, 3 October (Unity Day) a Saturday, 25 December a Friday, 26 December a Saturday.
    year = (dt.date(2026, 1, 1), dt.date(2026, 12, 31))
    assert {"2026-05-01", "2026-12-25"} <= set(days_of(HOLIDAY, *year))
    assert days_of(SATURDAY_HOLIDAY, *year) == ["2026-10-03", "2026-12-26"]


def test_a_bridge_lies_between_a_holiday_and_rest() -> None:
    # Ascension 2026 is Thursday 14 May: Friday 15 May is the bridge.
    assert days_of(BRIDGE, dt.date(2026, 5, 1), dt.date(2026, 5, 31)) == ["2026-05-15"]


def test_the_first_and_the_last_day_know_their_neighbours() -> None:
    assert days_of(BRIDGE, dt.date(2026, 5, 15), dt.date(2026, 5, 15)) == ["2026-05-15"]


def test_year_end_leaves_holidays_to_their_own_term() -> None:
    found = days_of(YEAR_END, dt.date(2026, 12, 20), dt.date(2027, 1, 5))
    assert found == ["2026-12-24", "2026-12-27", "2026-12-28", "2026-12-29", "2026-12-30", "2026-12-31"]


def test_a_place_without_a_country_has_no_holidays() -> None:
    assert days_of(HOLIDAY, dt.date(2026, 1, 1), dt.date(2026, 12, 31), Place("x")) == []


def test_an_unknown_country_says_what_to_write() -> None:
    with pytest.raises(ValueError, match=r'region "x".*ISO country code'):
        calendar(Place("x", "UTC", "XX"), dt.date(2026, 1, 1), dt.date(2026, 1, 2))


def test_breaks_of_one_name_are_one_term_and_overlaps_do_not_add() -> None:
    first = dt.date(2026, 7, 1)
    days = ((1, 1), (1, 2), (9, 9))
    twice = tuple(Break("summer", dt.date(2026, 7, a), dt.date(2026, 7, b)) for a, b in days)
    made = calendar(BERLIN, first, dt.date(2026, 7, 10), twice)
    assert made.matrix[:, made.columns.index(BREAK + "summer")].tolist() == [1, 1, 0, 0, 0, 0, 0, 0, 1, 0]


def test_a_stated_break_holds_the_log_effect_along_its_shape() -> None:
    first = dt.date(2026, 7, 1)
    ramp = Break("freeze", first, dt.date(2026, 7, 3), -0.4, (0.0, 1.0))
    made = calendar(BERLIN, first, dt.date(2026, 7, 4), (ramp,))
    # ln(0.6) = −0.5108: none of it, half, all.
    assert made.matrix[:, made.columns.index(STATED + "freeze")] == pytest.approx(
        [0, -0.2554, -0.5108, 0], abs=1e-4
    )


def test_what_was_not_known_is_left_out() -> None:
    first = dt.date(2026, 7, 1)
    late = Break("trough", first, first, known_from=dt.date(2026, 7, 2))
    assert calendar(BERLIN, first, first, (late,), known_on=first).breaks == ()
    assert calendar(BERLIN, first, first, (late,), known_on=dt.date(2026, 7, 2)).breaks == (late,)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (Break("b", dt.date(2026, 7, 2), dt.date(2026, 7, 1)), "ends 2026-07-01, before its start"),
        (Break("b", dt.date(2026, 7, 1), dt.date(2026, 7, 1), -1.0), "must be > -1"),
        (Break("b", dt.date(2026, 7, 1), dt.date(2026, 7, 1), None, (2.0,)), r"weights must lie in \[0, 1\]"),
    ],
)  # fmt: skip
def test_a_break_that_cannot_be_is_refused(named: Break, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        calendar(BERLIN, dt.date(2026, 7, 1), dt.date(2026, 7, 3), (named,))
