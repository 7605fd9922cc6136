"""The break calendar as people edit it and as an audit reads it: one line of canonical text a break.

A line is five fields between tabs, such as

    2026-12-21..2026-12-31  eu-central-1  effect=estimated  known=always  Christmas freeze

Lines are sorted, so that the same calendar is the same text however it was typed. Region * is every region.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from core.stats.calendar_terms import Break

EVERY_REGION = "*"
NO_REGION = "(no region)"
"""What calls without a region are called: an empty name would be read as every region."""
LONGEST_DAYS = 400
MOST_BREAKS = 500
NAME_LENGTH = 80
_ESTIMATED, _ALWAYS = "estimated", "always"
COLUMNS = ("accept", "region", "start", "end", "name", "effect_share", "known_from", "found")
"""Of the table people edit. effect_share: a stated effect, empty to estimate it. found: what proposed the row."""

LABELS = {
    "region": "region (* = all)", "name": "name", "effect_share": "effect, share",
    "found": "what the data say",
}  # fmt: skip
DATES = {"start": "first day", "end": "last day", "known_from": "known from"}
HELP = (
    "Tick what is true and save: the forecast takes ticked days out of the level. Rows that are not ticked are "
    "forgotten. An effect of 0 says that the days were normal. Days ahead repeat past days of the same name, or the "
    "effect you state (−0.4 = 40 % less). Known from: the day before which no forecast could know of it; empty = always."
)


class RegionBreak(NamedTuple):
    """A break of one region, or of every region."""

    region: str
    named: Break


class BadBreak(ValueError):
    """A break that cannot be used; the message names the row and what to change."""


def canonical(breaks: Iterable[RegionBreak]) -> str:
    """The calendar as text: one sorted line a break, duplicates once."""
    return "\n".join(sorted({_line(one) for one in breaks}))


def _line(one: RegionBreak) -> str:
    named = one.named
    effect = _ESTIMATED if named.effect_share is None else f"{named.effect_share:g}"
    known = named.known_from.isoformat() if named.known_from else _ALWAYS
    fields = (f"{named.start}..{named.end}", one.region, f"effect={effect}", f"known={known}", named.name)
    return "\t".join(fields)


def parse(text: str) -> tuple[RegionBreak, ...]:
    """The breaks of a canonical text; raises BadBreak for a line that `canonical` cannot have written."""
    return tuple(_parsed(line, number) for number, line in enumerate(text.splitlines(), 1) if line)


def _parsed(line: str, number: int) -> RegionBreak:
    try:
        days, region, effect, known, name = line.split("\t")
        start, end = days.split("..")
        share, day = effect.removeprefix("effect="), known.removeprefix("known=")
        return RegionBreak(
            region,
            Break(
                name,
                dt.date.fromisoformat(start),
                dt.date.fromisoformat(end),
                None if share == _ESTIMATED else float(share),
                known_from=None if day == _ALWAYS else dt.date.fromisoformat(day),
            ),
        )
    except ValueError as error:
        raise BadBreak(
            f"line {number} of the break calendar cannot be read ({error}): {line[:120]!r}"
        ) from error


def of_region(breaks: Iterable[RegionBreak], region: str) -> tuple[Break, ...]:
    """The breaks that a region lives by: its own and those of every region."""
    return tuple(one.named for one in breaks if one.region in (region or NO_REGION, EVERY_REGION))


class Proposed(NamedTuple):
    """What the data propose for one region, as a row of the table before anyone has said yes."""

    region: str
    start: dt.date
    end: dt.date
    found: str
    """Size, interval and q-value, ready to show."""
    ongoing: bool


def editor_rows(text: str, proposed: Sequence[Proposed]) -> pl.DataFrame:
    """The calendar and, below it and not accepted, what the data propose."""
    rows: list[Mapping[str, Any]] = [
        {"accept": True, "region": one.region, "start": one.named.start, "end": one.named.end,
         "name": one.named.name, "effect_share": one.named.effect_share, "known_from": one.named.known_from,
         "found": ""}
        for one in parse(text)
    ]  # fmt: skip
    rows += [
        {"accept": False, "region": one.region, "start": one.start, "end": one.end,
         "name": f"unusual days from {one.start}", "effect_share": None,
         "known_from": one.end + dt.timedelta(days=1), "found": one.found}
        for one in proposed
    ]  # fmt: skip
    schema = {
        "accept": pl.Boolean, "region": pl.String, "start": pl.Date, "end": pl.Date, "name": pl.String,
        "effect_share": pl.Float64, "known_from": pl.Date, "found": pl.String,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema)


def read_rows(rows: Iterable[Mapping[str, Any]]) -> str:
    """The canonical text of the rows that are accepted; raises BadBreak naming the first row that cannot be used."""
    kept = [
        _checked(row, number)
        for number, row in enumerate(rows, 1)
        if row.get("accept") and any(row.get(name) for name in ("region", "start", "end", "name"))
    ]
    if len(kept) > MOST_BREAKS:
        raise BadBreak(f"{len(kept)} breaks are accepted, {MOST_BREAKS} are the most; delete old ones")
    return canonical(kept)


def _checked(row: Mapping[str, Any], number: int) -> RegionBreak:
    where = f"row {number}"
    start, end = row.get("start"), row.get("end")
    if not isinstance(start, dt.date) or not isinstance(end, dt.date):
        raise BadBreak(f"{where} lacks its first or last day; enter both")
    start, end = _day(start), _day(end)
    if end < start:
        raise BadBreak(f"{where} ends {end}, before its first day {start}; swap the two")
    if (end - start).days >= LONGEST_DAYS:
        raise BadBreak(f"{where} lasts {(end - start).days + 1} days; {LONGEST_DAYS} are the most")
    name = _one_line(row.get("name"))
    if not name or len(name) > NAME_LENGTH:
        raise BadBreak(f"{where} needs a name of 1 to {NAME_LENGTH} characters")
    region = _one_line(row.get("region")) or EVERY_REGION
    share = row.get("effect_share")
    share = None if share is None or math.isnan(share) else float(share)
    if share is not None and not -1 < share <= 100:
        raise BadBreak(
            f"{where}: the effect is {share}; write a share above −1, such as −0.4 for 40 % below normal"
        )
    known = row.get("known_from")
    return RegionBreak(
        region,
        Break(name, start, end, share, known_from=known and _day(known)),
    )


def _one_line(text: object) -> str:
    """Without the tabs and line ends that part fields and breaks; nothing else is changed, for a region is found by its name."""
    return " ".join(str(text or "").split())


def _day(value: dt.date) -> dt.date:
    return value.date() if isinstance(value, dt.datetime) else value
