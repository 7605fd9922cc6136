"""The contract every audit shares: what it is asked, what it may answer, how an answer is judged.

Source: docs/decisions/001-audit-contract.md. Nothing in this module reads data.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Literal, NamedTuple

import polars as pl

Status = Literal["holds", "watch", "broken", "cannot tell"]
Ask = Callable[..., pl.DataFrame]
"""ask(sql, **parameters) -> frame: the only road to the ledger, passed in so page, CLI and test share code."""


Progress = Callable[[float, str], None]
"""progress(share done, what is being done): third argument of a `measure` whose audit also says of which scopes it
`takes_long`."""


class Scope(NamedTuple):
    """Which rows a question is about. An empty tuple means all; both days are included."""

    start: dt.date
    end: dt.date
    regions: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    as_of: int = 9_223_372_036_854_775_806
    """The newest import to see. The default is one below superseded_by of a row in force."""
    choices: tuple[tuple[str, str], ...] = ()
    currency: str = "USD"
    """Of the bills that are compared; lines in others are listed apart and never converted."""
    made: tuple[tuple[str, str], ...] = ()
    """What people made, by name, as canonical text: the `breaks` of the revision that `choices` names."""

    def choice(self, name: str, default: str) -> str:
        """One audit-specific setting of the page (a limit, a switch), as text from the URL."""
        return dict(self.choices).get(name, default)

    def limit(self, default: float) -> float:
        """What the page's `limit` choice says, else the audit's own LIMIT; so too where it says no number.

        Pages and the API refuse such a text aloud before it comes here.
        """
        try:
            return float(self.choice("limit", str(default)))
        except ValueError:
            return default

    def parameters(self) -> dict[str, object]:
        """The SQL parameters every audit query may use.

        Choices of several names travel as one text with chr(31) around each name, because lists are not
        portable SQL: `($regions = '' or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)`.
        """
        return {
            "start": self.start,
            "end": self.end,
            "regions": _joined(self.regions),
            "services": _joined(self.services),
            "models": _joined(self.models),
            "as_of": self.as_of,
            "currency": self.currency,
        }


def _joined(names: tuple[str, ...]) -> str:
    return "".join(f"\x1f{name}\x1f" for name in names)


class Measure(NamedTuple):
    """A number with its 95 % interval; `method` says how the interval was made."""

    value: float
    low: float
    high: float
    n: int
    method: str


class TooLittle(NamedTuple):
    """The answer when the data cannot carry one: never a zero."""

    missing: str
    """What is missing, naming the table and column or the count that is short."""
    how: str
    """How to supply it, one sentence."""
    n: int = 0


class Need(NamedTuple):
    """A column an audit reads: drives the need/have strip and the set-up recipe."""

    column: str
    """table.column of the ledger."""
    why: str
    how: str
    """How to make it appear: a setting, a file, a recipe."""
    required: bool = True


class Choice(NamedTuple):
    """One setting of an audit's page. Its URL key is the audit's name, an underscore and `name`."""

    name: str
    label: str
    options: tuple[str, ...]
    default: str
    help: str = ""

    def key(self, audit: str) -> str:
        """The widget key and URL parameter: prefixed, so that two pages never share one."""
        return f"{audit}_{self.name}"


def limit_choice(label: str, limits: tuple[str, ...], default: float, help: str) -> Choice:
    """The setting that moves an audit's LIMIT. `limits` are written as the address has them; LIMIT is one of them.

    >>> limit_choice("Limit on the gap", ("0.05", "0.10"), 0.1, "").default
    '0.10'
    """
    return Choice("limit", label, limits, next(text for text in limits if float(text) == default), help)


class Count(NamedTuple):
    """One party's count of the same events: a number ready to show, and what it counts."""

    label: str
    value: str
    of: str


class Fact(NamedTuple):
    """A measured number that stands in a table: ready to show, with its 95 % interval where it has one."""

    about: str
    name: str
    value: str
    interval: str
    n: int | None
    note: str = ""


class Finding(NamedTuple):
    """One audit's verdict. `low`/`high` bound the gap; text fields are ready to show."""

    audit: str
    """Its module, without the package."""
    status: Status
    reported: str
    """What the dashboard under audit says, with its unit."""
    supported: str
    """What the evidence says of the same thing."""
    gap: float | None
    """Between the two, in `unit`; None: it cannot be told."""
    low: float | None
    high: float | None
    unit: str
    """A unit of core.amounts; a gap of shares in `points` is 0.25 for 25 points."""
    n: int
    """Rows, items or runs behind it."""
    sentence: str
    missing: str = ""
    """What is missing and how to supply it; empty when nothing is."""
    bounds: str = "95%"
    """What `low` and `high` are: a 95 % interval, or the range of an estimate that is no sample."""


def against_limit(low: float, high: float, limit: float) -> Status:
    """Judge a whole interval: inside the limit, past it, or across it.

    >>> against_limit(0.01, 0.04, 0.05), against_limit(0.06, 0.09, 0.05), against_limit(0.04, 0.06, 0.05)
    ('holds', 'broken', 'watch')
    """
    if high <= limit:
        return "holds"
    if low > limit:
        return "broken"
    return "watch"
