"""Amounts and times: exact, or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ingest.cells import Unreadable, amount, instant_ns, unix_ns, whole


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=12))
def test_an_amount_is_the_number_that_was_printed(number: Decimal) -> None:
    for text in (str(number), f"{number:f}", f"{number:,f}", f"${number.copy_abs():,f} "):
        expected = abs(number) if text.startswith("$") else number
        assert amount(text, "BilledCost") == expected


def test_digits_beyond_the_twelfth_are_rounded_half_to_even() -> None:
    """Float noise such as 0.0020604000000000004 becomes the number it stands for."""
    assert amount("0.0020604000000000004", "spend") == Decimal("0.002060400000")
    assert amount("0.0000000000005", "spend") == 0
    assert amount("0.0000000000015", "spend") == Decimal("0.000000000002")


@pytest.mark.parametrize("text", ["", "  ", "NULL", "null", "None", "NaN", None])
def test_an_empty_cell_is_no_amount_and_not_zero(text: str | None) -> None:
    assert amount(text, "BilledCost") is None


@pytest.mark.parametrize(
    "text", ["1.204,50", "1204,5", "1,20", "1_000", "0x10", "Infinity", "--5", "(-5)", "(5", "5 USD", "1e99"]
)
def test_what_could_be_two_numbers_or_none_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="BilledCost is"):
        amount(text, "BilledCost")


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001  # strategy bounds are naive
def test_a_time_survives_every_spelling(at: datetime) -> None:
    expected = (at.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    for text in (
        f"{at.isoformat()}Z",
        at.isoformat(" "),
        at.isoformat() + "+00:00",
        at.isoformat(" ") + " UTC",
    ):
        assert instant_ns(text, "start") == expected


def test_month_comes_first_in_dates_with_slashes() -> None:
    second_of_april = instant_ns("2025-04-02", "start")
    assert instant_ns("4/2/25", "start") == second_of_april
    assert instant_ns("04/02/2025 00:00", "start") == second_of_april
    assert instant_ns("4/2/2025 12:00:00 AM", "start") == second_of_april
    for text in ("13/4/25", "2/30/25", "yesterday", "1743552000"):
        with pytest.raises(Unreadable, match="start is"):
            instant_ns(text, "start")


def test_epoch_seconds_and_counts() -> None:
    assert unix_ns(Decimal("1795310962.350645"), "startTime") == 1_795_310_962_350_645_000
    assert whole("1276", "total_tokens") == 1276
    for value in (-1, "1.5", True):
        with pytest.raises(Unreadable, match="total_tokens"):
            whole(value, "total_tokens")


@pytest.mark.parametrize("text", ["9999-12-31T00:00:00Z", "0001-01-01", "12/31/9999"])
def test_a_time_that_no_column_holds_is_refused(text: str) -> None:
    """64 bits of ns reach from 1678 to 2261: beyond, one cell would cost its whole file."""
    with pytest.raises(Unreadable, match="between the years 1678 and 2261"):
        instant_ns(text, "at")
    with pytest.raises(Unreadable, match="write seconds since 1970"):
        unix_ns(9_999_999_999, "start_time")
