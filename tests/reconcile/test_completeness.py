"""Until when a bill is final: learned from how its days changed, else from the vendors' documentation."""

from __future__ import annotations

import datetime as dt

from core.reconcile.completeness import DayHistory, completeness, vendor_lag

FIRST = dt.date(2026, 3, 1)


def days(count: int, lag: int, imports: int) -> list[DayHistory]:
    return [
        DayHistory(FIRST + dt.timedelta(days=n), imports, FIRST + dt.timedelta(days=n + lag))
        for n in range(count)
    ]


def test_by_the_vendor_until_enough_days_were_billed_again() -> None:
    """openai_costs: 2 days. Imported on the 21st: the 18th is final, the 19th and 20th are not yet."""
    found = completeness("openai_costs", "openai", days(20, 3, 1), dt.date(2026, 3, 21))
    assert (found.lag_days, found.closed_through) == (2, dt.date(2026, 3, 18))
    assert found.basis == "by the vendor's documentation"
    assert completeness("openai_costs", "openai", days(4, 3, 2), dt.date(2026, 3, 21)).lag_days == 2


def test_learned_from_the_days_that_changed() -> None:
    """Every day changed up to 4 days later: on the 21st the 16th is final."""
    found = completeness("openai_costs", "openai", days(20, 4, 2), dt.date(2026, 3, 21))
    assert (found.lag_days, found.closed_through) == (4, dt.date(2026, 3, 16))
    assert found.basis == "learned from 20 days that were billed again"


def test_a_correction_months_later_is_not_lateness() -> None:
    corrected = [*days(6, 1, 2), DayHistory(FIRST, 2, FIRST + dt.timedelta(days=90))]
    assert completeness("openai_costs", "openai", corrected, dt.date(2026, 6, 1)).lag_days == 1


def test_no_day_after_the_last_billed_one_is_final() -> None:
    found = completeness("litellm", "openai", days(5, 0, 1), dt.date(2027, 1, 1))
    assert found.closed_through == found.last == dt.date(2026, 3, 5)


def test_an_unknown_source_waits_as_long_as_the_slowest() -> None:
    assert vendor_lag("something new") == max(
        vendor_lag(name) for name in ("openai", "focus", "azure_costs", "litellm")
    )
