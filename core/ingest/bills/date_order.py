"""The order of day, month and year in a file's dates, decided once for the whole file.

4/5/2026 is the fifth of April in one export and the fourth of May in another. A value above 12 settles it for
every date of the file; so does a billing period that only one reading falls into. What stays open is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from core.ingest.cells import Unreadable

_PARTS = re.compile(
    r"(\d{1,4})([/.-])(\d{1,2})\2(\d{1,4})(?:[ T]+[\d:.]+(?:\s?[AaPp][Mm]|Z|\s?UTC|\+00:00)?)?"
)

LONGEST_PERIOD_DAYS = 45


class Order(StrEnum):
    """How dates that do not begin with the year are read."""

    MONTH_FIRST = "month first"
    DAY_FIRST = "day first"


class Dated(NamedTuple):
    """The dates of one row as written; "" where the row has none."""

    at: str
    period_start: str
    period_end: str


class Decision(NamedTuple):
    """The order of the file. `mixed`: dates prove both orders, so that a row must be readable one way only."""

    order: Order
    mixed: bool


class Ambiguous(Unreadable):
    """No date of the file tells the order; the reason names the column and what to do."""


def decide(rows: Iterable[Dated], column: str) -> Decision:
    """The order of the dates in `column`, from the file's rows; raises Ambiguous."""
    distinct = Counter(rows)
    votes: Counter[Order] = Counter()
    for row, rows_count in distinct.items():
        if vote := _vote(row.at):
            votes[vote] += rows_count
    if not votes:
        ends = {vote for row in distinct for text in row[1:] if (vote := _vote(text))}
        votes = Counter(ends) if len(ends) == 1 else votes
    if not votes:
        fitting = [order for order in Order if all(_fits(row, order) for row in distinct)]
        votes = Counter(fitting[:1]) if len(fitting) == 1 else Counter()
    if votes:
        return Decision(votes.most_common(1)[0][0], len(votes) > 1)
    unclear = next((row.at for row in sorted(distinct) if len(set(_readings(row.at))) > 1), None)
    if unclear is None:
        return Decision(Order.MONTH_FIRST, False)  # every date reads the same either way
    raise Ambiguous(
        column,
        unclear,
        "no date of the file is after the 12th and no billing period tells, so day and month cannot be told "
        "apart. Export a longer range or the columns BillingPeriodStartDate and BillingPeriodEndDate, or write "
        f"{column} as 2026-04-05.",
    )


def read(row: Dated, decision: Decision, column: str) -> date:
    """The row's date; raises Unreadable for what is no date, or in a mixed file could be two."""
    readings = set(_readings(row.at))
    if not readings:
        raise Unreadable(column, row.at, "write a date like 2026-04-05.")
    if len(readings) == 1:
        return readings.pop()
    if not decision.mixed:
        found = reading(row.at, decision.order)
        assert found is not None  # both readings are dates
        return found
    within = [order for order in Order if _fits(row, order)]
    found = reading(row.at, within[0]) if len(within) == 1 else None
    if found is None:
        raise Unreadable(
            column, row.at, "the file mixes month first and day first; write the date as 2026-04-05."
        )
    return found


def period_start(row: Dated, decision: Decision) -> date | None:
    """The first day of the row's billing period; a period that is no month long is read in the other order."""
    orders = sorted(Order, key=lambda order: order is not decision.order)
    for order in orders:
        start, end = reading(row.period_start, order), reading(row.period_end, order)
        if start and end and 0 <= (end - start).days <= LONGEST_PERIOD_DAYS:
            return start
    return reading(row.period_start, decision.order) if not row.period_end else None


def reading(text: str, order: Order) -> date | None:
    """The date that a text is in an order; dates that begin with the year are the same in both."""
    found = _PARTS.fullmatch(text.strip())
    if found is None:
        return None
    first, middle, last = found[1], found[3], found[4]
    if len(first) == 4:
        year, month, day = first, middle, last
    elif len(last) == 4:
        year, month, day = (last, first, middle) if order is Order.MONTH_FIRST else (last, middle, first)
    else:
        return None  # a year of two digits could be any of the three
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _readings(text: str) -> list[date]:
    return [at for order in Order if (at := reading(text, order))]


def _vote(text: str) -> Order | None:
    """The only order in which a text is a date; None for dates that begin with the year."""
    if re.match(r"\d{4}", text.strip()):
        return None
    orders = [order for order in Order if reading(text, order)]
    return orders[0] if len(orders) == 1 else None


def _fits(row: Dated, order: Order) -> bool:
    """Whether the date falls into the row's billing period, both read in this order; without a period it does."""
    at, start, end = (reading(text, order) for text in row)
    if not row.period_start or not row.period_end:
        return True
    return at is not None and start is not None and end is not None and start <= at <= end
