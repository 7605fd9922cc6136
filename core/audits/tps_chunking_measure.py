"""The measure of the chunking audit: streams of one kind before and now, the unit's ratio, the rate's, placebo, reader."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import polars as pl

from core.audits.tps_chunking_compare import (
    FEWEST_HOURS,
    Change,
    Placebo,
    Rate,
    compared,
    held,
    placebo,
)
from core.audits.tps_chunking_sides import (
    METRICS,
    Hours,
    Key,
    Read,
    Side,
    full_hours,
    hours,
    read,
    side,
    sized,
)
from core.audits.tps_chunking_typical import Typical, typical

ALPHA = 0.05
MOST_ROWS = 500
Verdict = Literal["rate held, unit changed", "unit and rate changed", "same unit", "unsure", "too few"]


class Kind(NamedTuple):
    """One kind of stream."""

    key: Key
    of: str
    """tokens or characters: what a chunk is measured in."""
    before: Side
    now: Side
    changes: tuple[Change, ...]
    """In the order of METRICS; empty where there are too few."""
    rate: Rate | None
    placebo: Placebo
    verdict: Verdict
    days: tuple[tuple[dt.date, int, tuple[float, float, float], tuple[float, float, float]], ...]
    """Day, streams, median and quartiles of rate and of unit."""

    @property
    def name(self) -> str:
        """Provider, model and region; what measured only where it is no recording."""
        source, provider, model, region = self.key
        told = " ".join(part for part in (provider, model, region) if part) or "unnamed"
        return told if source == "recorder" else f"{told} ({source.replace('_', ' ')})"

    @property
    def unit(self) -> Change | None:
        """The change of tokens a chunk."""
        return self.changes[0] if self.changes else None


class Chunking(NamedTuple):
    """Every kind of stream, the one that tells most first."""

    kinds: tuple[Kind, ...]
    since: dt.date
    limit: float
    rate_band: float
    paints_per_s: float
    level: float
    """Of every interval: together they are wrong in at most 5 % of the times."""
    unsized: int
    """Streams without token counts or characters."""
    streams: int
    sampled: int
    tickets: tuple[int, int, int, int]
    """Tickets and complaints about streams before, and now."""
    changes: tuple[tuple[dt.date, str], ...]
    shown: tuple[tuple[str, Typical], ...]
    """A typical stream of the first kind before and now."""
    furthest: tuple[tuple[dt.date, str, float, float, float, str | None, str | None], ...]
    """Streams of the first kind, now, by distance from what was usual: day, key, unit, rate, chunks a second, ids."""

    @property
    def method(self) -> str:
        """How intervals were made."""
        return f"Hodges-Lehmann ratio between medians of hours, hours resampled, {self.level:.2%} each so that 95 % hold together"


def measured(
    frames: Mapping[str, pl.DataFrame], since: dt.date, limit: float, rate_band: float, paints_per_s: float
) -> Chunking | None:
    """The measure; None where no stream says how large its chunks were."""
    streams = frames["streams"].sort("source", "provider", "model", "region", "stream_key", "hour", "day")
    full = full_hours(frames["hours"])
    keyed = streams.partition_by("source", "provider", "model", "region", as_dict=True)
    found = {(str(k[0]), str(k[1]), str(k[2]), str(k[3])): rows for k, rows in keyed.items()}
    known = {key: made for key, rows in found.items() if (made := sized(rows)) is not None}
    if not known:
        return None
    sides = {key: hours(rows, full.get(key, frozenset()), since) for key, (rows, _) in known.items()}
    enough = [key for key, (before, now) in sides.items() if min(len(before), len(now)) >= FEWEST_HOURS]
    level = 1 - ALPHA / max(len(enough), 1)
    readers = read(frames["lists"], since)
    kinds = [
        _kind(key, rows, of, sides[key], _Asked(since, limit, rate_band, level, key in enough), readers)
        for key, (rows, of) in known.items()
    ]
    kinds.sort(key=_rank)
    lead = kinds[0]
    rows = known[lead.key][0]
    sized_rows = sum(rows.height for rows, _ in known.values())
    return Chunking(
        tuple(kinds), since, limit, rate_band, paints_per_s, level, streams.height - sized_rows,
        int(frames["hours"]["streams"].sum()), streams.height, _tickets(frames["tickets"], since),
        tuple(sorted({(row["day"], row["title"]) for row in frames["changes"].to_dicts()})),
        typical(frames["lists"], lead.key, since, lead.before.unit, lead.now.unit, lead.of), _furthest(rows, since, lead),
    )  # fmt: skip


class _Asked(NamedTuple):
    since: dt.date
    limit: float
    rate_band: float
    level: float
    enough: bool


def _kind(
    key: Key,
    rows: pl.DataFrame,
    of: str,
    medians: tuple[Hours, Hours],
    asked: _Asked,
    readers: Mapping[tuple[Key, bool], Sequence[Read]],
) -> Kind:
    before, now = medians
    sides = []
    for later, one in ((False, before), (True, now)):
        of_side = rows.filter((pl.col("day") >= asked.since) == later)
        sides.append(side(of_side, len(one), readers.get((key, later), ())))
    changes: tuple[Change, ...] = ()
    rate = None
    if asked.enough:
        found = (
            compared(name, [one[name] for one in before], [one[name] for one in now], asked.level)
            for name in METRICS
        )
        changes = tuple(change for change in found if change is not None)
        rate = held(
            [one["rate"] for one in before], [one["rate"] for one in now], asked.rate_band, 1 - asked.level
        )
    split = placebo([one["unit"] for one in before], asked.limit)
    return Kind(
        key, of, sides[0], sides[1], changes, rate, split, _verdict(changes, rate, asked.limit), _days(rows),
    )  # fmt: skip


def _verdict(changes: Sequence[Change], rate: Rate | None, limit: float) -> Verdict:
    if not changes or rate is None:
        return "too few"
    unit = changes[0]
    if unit.low > 1 + limit or unit.high < 1 - limit:
        return "rate held, unit changed" if rate.held else "unit and rate changed"
    return "same unit" if unit.low >= 1 - limit and unit.high <= 1 + limit else "unsure"


_RANKS = {"rate held, unit changed": 0, "unit and rate changed": 1, "unsure": 2, "same unit": 3, "too few": 4}


def _rank(kind: Kind) -> tuple[int, float, int, Key]:
    moved = -abs(math.log(kind.unit.value)) if kind.unit else 0.0
    return (_RANKS[kind.verdict], moved, -(kind.before.streams + kind.now.streams), kind.key)


def _days(
    rows: pl.DataFrame,
) -> tuple[tuple[dt.date, int, tuple[float, float, float], tuple[float, float, float]], ...]:
    shares = (0.5, 0.25, 0.75)
    days = rows.group_by("day").agg(
        pl.len().alias("n"),
        *(
            pl.col(name).quantile(share, "nearest").alias(f"{name} {share}")
            for name in ("rate", "unit")
            for share in shares
        ),
    )
    return tuple((row[0], row[1], row[2:5], row[5:8]) for row in days.sort("day").rows())


def _tickets(tickets: pl.DataFrame, since: dt.date) -> tuple[int, int, int, int]:
    sides = (tickets.filter(pl.col("day") < since), tickets.filter(pl.col("day") >= since))
    before, now = ((int(side["tickets"].sum()), int(side["complaints"].sum())) for side in sides)
    return (*before, *now)


def _furthest(
    rows: pl.DataFrame, since: dt.date, kind: Kind
) -> tuple[tuple[dt.date, str, float, float, float, str | None, str | None], ...]:
    far = (pl.col("unit") / (kind.before.unit or kind.now.unit or 1.0)).log().abs().alias("distance")
    ordered = rows.filter(pl.col("day") >= since).with_columns(far)
    ordered = ordered.sort(["distance", "stream_key"], descending=[True, False]).head(MOST_ROWS)
    columns = ("day", "stream_key", "unit", "rate", "chunks_per_s", "response_id", "trace_id")
    return tuple(ordered.select(columns).rows())
