"""The calendar of one place as regressors: what a day is there, before anything is said about demand.

Terms, all on local days: weekday (six dummies against Monday), public holiday on a weekday, Saturday holiday,
bridge day, year-end, one term per named break, four pairs of yearly harmonics and a linear trend. This is
regression with calendar dummies (Young 1965, JASA 60:211; Cleveland & Devlin 1982, JASA 77:520); the harmonics
are those of dynamic harmonic regression (Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed.,
section 7.4). The effects are fitted in `core.stats.calendar_fit`; nothing here sees a token.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

YEAR_DAYS = 365.25
HARMONICS = 4
"""Pairs of sine and cosine: the shortest wave is a quarter of a year, so months show and single weeks do not."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SATURDAY, SUNDAY = 5, 6
TREND = "trend"
FOURIER = "yearly wave"
YEAR_END = "year-end"
HOLIDAY, SATURDAY_HOLIDAY, BRIDGE = "public holiday on a weekday", "Saturday holiday", "bridge day"
BREAK, STATED = "break: ", "stated break: "
"""Prefixes of the columns of named breaks, so that a break called "trend" is not the trend.

A column of a stated break holds the log effect that the user gave: its coefficient is 1 whatever was observed.
"""


class Place(NamedTuple):
    """A region and the calendar its people live by."""

    region: str
    time_zone: str = "UTC"
    """IANA name; local days and local holidays belong together."""
    country: str | None = None
    """ISO 3166-1 alpha-2 as in the holidays package; None = no public holidays are assumed."""
    subdivision: str | None = None


class Break(NamedTuple):
    """Days that are not normal demand and have a name: a school break, a launch, a freeze. Both ends included.

    Breaks of the same name are occurrences of one term, so last summer's effect is next summer's forecast.
    """

    name: str
    start: dt.date
    end: dt.date
    effect_share: float | None = None
    """The user's own statement, −0.4 = 40 % below normal; None = estimate it from past occurrences."""
    shape: tuple[float, ...] = ()
    """Weights of the effect along the break, stretched over its days: (0.5, 1, 1, 0.5) ramps. Empty = flat."""
    known_from: dt.date | None = None
    """First day on which a forecaster could know of it; None = always (a printed calendar). Backtests obey it."""


class Calendar(NamedTuple):
    """One row a local day, one column a term. `kinds` groups columns that stand or fall together."""

    first: dt.date
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    matrix: NDArray[np.float64]
    breaks: tuple[Break, ...]

    def rows(self, start: int, stop: int) -> NDArray[np.float64]:
        """Rows of the days `first` + start up to but without `first` + stop."""
        return self.matrix[start:stop]

    def day(self, row: int) -> dt.date:
        return self.first + dt.timedelta(days=row)


def calendar(
    place: Place, first: dt.date, last: dt.date, breaks: Sequence[Break] = (), known_on: dt.date | None = None
) -> Calendar:
    """The calendar from `first` to `last`, both included; breaks that were unknown on `known_on` are left out.

    Raises ValueError for an unknown country or subdivision, a break that ends before it starts, an effect
    at or below −100 %, or a weight outside [0, 1].
    """
    if last < first:
        raise ValueError(f"the calendar ends {last} before it starts {first}")
    known = tuple(
        _checked(b) for b in breaks if known_on is None or b.known_from is None or b.known_from <= known_on
    )
    days = [first + dt.timedelta(days=i) for i in range((last - first).days + 1)]
    weekday = np.array([day.weekday() for day in days])
    columns: list[tuple[str, str, NDArray[np.float64]]] = [
        (WEEKDAYS[i], "weekday", (weekday == i).astype(float)) for i in range(1, 7)
    ]
    columns += [(name, name, values) for name, values in _special_days(place, days, weekday).items()]
    columns += [(name, name, values) for name, values in _break_columns(known, first, len(days)).items()]
    position = np.arange(len(days)) + (first - dt.date(2000, 1, 1)).days
    columns += [(name, FOURIER, values) for name, values in _harmonics(position)]
    columns.append((TREND, TREND, np.arange(len(days)) / YEAR_DAYS))
    names, kinds, values = zip(*columns, strict=True)
    return Calendar(first, names, kinds, np.column_stack(values), known)


def _checked(named: Break) -> Break:
    if named.end < named.start:
        raise ValueError(
            f'break "{named.name}" ends {named.end}, before its start {named.start}; swap the two dates'
        )
    if named.effect_share is not None and not named.effect_share > -1:
        raise ValueError(f'break "{named.name}": effect_share is {named.effect_share}, must be > -1 (−100 %)')
    if any(not 0 <= weight <= 1 for weight in named.shape):
        raise ValueError(f'break "{named.name}": shape is {named.shape}, weights must lie in [0, 1]')
    return named


def _break_columns(breaks: Sequence[Break], first: dt.date, n_days: int) -> dict[str, NDArray[np.float64]]:
    """One column a name and way of knowing: weights where the effect is estimated, log effects where it is stated.

    Where occurrences overlap the stronger one counts, so the same week entered twice is not twice as low.
    """
    columns: dict[str, NDArray[np.float64]] = {}
    for named in breaks:
        length = (named.end - named.start).days + 1
        shape = np.asarray(named.shape or (1.0,), dtype=float)
        along = np.interp(np.linspace(0, 1, length), np.linspace(0, 1, len(shape)), shape)
        if named.effect_share is not None:
            along = along * np.log1p(named.effect_share)
        key = (BREAK if named.effect_share is None else STATED) + named.name
        column = columns.setdefault(key, np.zeros(n_days))
        at = (named.start - first).days + np.arange(length)
        inside = (at >= 0) & (at < n_days)
        old, new = column[at[inside]], along[inside]
        column[at[inside]] = np.where(np.abs(new) > np.abs(old), new, old)
    return columns


def _special_days(
    place: Place, days: list[dt.date], weekday: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Public holidays by the weekday they fall on, bridges between them, and the days around new year.

    A holiday on the last rest day (Sunday in most countries) changes nothing and has no term.
    A bridge is a working day with rest or a holiday on both sides. Year-end (24 December to 1 January) leaves
    public holidays out: their own term says what they are, and adding both would count them twice.
    """
    # A day more at each end: whether the first and last day are bridges depends on their neighbours.
    around = [days[0] - dt.timedelta(days=1), *days, days[-1] + dt.timedelta(days=1)]
    festive, weekend = public_holidays(place, around)
    rest = np.array([day.weekday() in weekend for day in around])
    off = rest | festive
    bridge = (~off)[1:-1] & off[:-2] & off[2:] & (festive[:-2] | festive[2:])
    holiday = festive[1:-1]
    working = ~rest[1:-1]
    year_end = np.array([(day.month, day.day) >= (12, 24) or (day.month, day.day) == (1, 1) for day in days])
    return {
        HOLIDAY: (holiday & working).astype(float),
        SATURDAY_HOLIDAY: (holiday & ~working & (weekday == SATURDAY)).astype(float),
        BRIDGE: (bridge & ~year_end).astype(float),
        YEAR_END: (year_end & ~holiday).astype(float),
    }


def public_holidays(place: Place, days: Sequence[dt.date]) -> tuple[NDArray[np.bool_], frozenset[int]]:
    """Which days are public holidays at the place, and its weekly rest days (Monday = 0)."""
    if place.country is None:
        return np.zeros(len(days), dtype=bool), frozenset({SATURDAY, SUNDAY})
    import holidays

    years = range(min(days).year, max(days).year + 1)
    try:
        festive = holidays.country_holidays(place.country, subdiv=place.subdivision, years=years)
    except NotImplementedError as error:
        raise ValueError(
            f'region "{place.region}": {error}; use an ISO country code and one of its subdivisions, or none'
        ) from error
    return np.array([day in festive for day in days]), frozenset(festive.weekend)


def _harmonics(position: NDArray[np.int64]) -> list[tuple[str, NDArray[np.float64]]]:
    waves = []
    for k in range(1, HARMONICS + 1):
        angle = 2 * np.pi * k * position / YEAR_DAYS
        waves += [(f"{FOURIER} sin {k}", np.sin(angle)), (f"{FOURIER} cos {k}", np.cos(angle))]
    return waves
