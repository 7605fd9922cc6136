"""From hours in UTC to the days of each region, and from the forecast's choices to which rows count."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from core import places
from core.audit import Scope
from core.stats.calendar_terms import Place
from core.stats.daily_series import local_days, whole_days

EPOCH = dt.date(1970, 1, 1)
RECENT_DAYS = 28
"""Days up to the end of the scope whose prices, mix of models and busiest minutes stand for what comes."""
ALL = "all regions"
"""The name of the sum, where a limit is shared by all regions."""


class RegionDays(NamedTuple):
    """One region: whole days in its own zone, an unseen day null, a silent one 0."""

    place: Place
    zone_known: bool
    days: pl.DataFrame
    """(day, region, tokens)."""


class RowsRead(NamedTuple):
    """What was read, beside the days themselves."""

    source: str
    """traces, or the format and kind of lines of a bill."""
    n_hours: int
    """Rows of region and hour (or day)."""
    requests: int
    without_usage: int
    """Requests that report no tokens; 0 for a bill."""
    throttled: int
    """Requests answered by a rate limit (429); 0 for a bill."""
    notes: tuple[str, ...]
    """What a reader must know about the days, one sentence each."""


class Spent(NamedTuple):
    """Money and the tokens it was for, of one region and UTC day."""

    region: str
    day: dt.date
    cost: Decimal
    tokens: int
    model: str = ""
    """Empty: of all models, or of one that a bill does not name."""


def chosen_hours(frames: dict[str, pl.DataFrame], scope: Scope) -> tuple[pl.DataFrame, str]:
    """The rows of the source the reader chose (region, day, hour or −1, tokens, ...), and its name."""
    if scope.choice("source", "traces") == "traces":
        day = pl.lit(EPOCH) + pl.duration(days=pl.col("hour") // 24)
        return frames["traced"].with_columns(day.cast(pl.Date).alias("day")).sort("region", "hour"), "traces"
    billed = frames["billed"]
    if billed.is_empty():
        return billed, "bill"
    source_format, measure = _bill_source(billed)
    rows = billed.filter((pl.col("source_format") == source_format) & (pl.col("measure") == measure))
    return rows.sort("region", "day", "hour"), f"{source_format} ({measure} lines)"


def _bill_source(billed: pl.DataFrame) -> tuple[str, str]:
    """Two sources may bill the same tokens: usage reports before cost lines, then the larger one, never both."""
    by_source = billed.group_by("source_format", "measure").agg(pl.col("tokens").sum()).sort(
        pl.col("measure") == "usage", "tokens", "source_format", descending=[True, True, False]
    )  # fmt: skip
    return by_source["source_format"][0], by_source["measure"][0]


def region_days(hours: pl.DataFrame, frames: dict[str, pl.DataFrame], scope: Scope) -> list[RegionDays]:
    """Every region with at least one whole day, largest first."""
    if hours.is_empty():
        return []
    by_hour = int(hours["hour"].min()) >= 0  # type: ignore[arg-type]
    seen = set(hours.filter(pl.col("tokens") > 0)["day"].unique().to_list())
    found = []
    for region in hours["region"].unique().sort().to_list():
        own = hours.filter(pl.col("region") == region)
        place = places.place_of(region)
        if by_hour:
            first, last = _covered(hours, frames, scope)
            days = local_days(own, place.time_zone, first, last)
            end = whole_days(first, last, place.time_zone)
        else:
            # A bill by days has UTC days and no others.
            place = place._replace(time_zone="UTC")
            days = own.group_by("day").agg(pl.col("tokens").sum()).sort("day")
            end = (hours["day"].min(), hours["day"].max())  # type: ignore[assignment]
        if days.height and end:
            found.append(RegionDays(place, places.known(region), _filled(days, region, end[1], seen)))
    return sorted(found, key=lambda one: (-int(one.days["tokens"].sum() or 0), one.place.region))


def _covered(hours: pl.DataFrame, frames: dict[str, pl.DataFrame], scope: Scope) -> tuple[int, int]:
    """First and last UTC hour that the source covers: of traces the whole ledger's, of a bill its own."""
    last_in_scope = (scope.end - EPOCH).days * 24 + 23
    extent = frames["extent"]
    if scope.choice("source", "traces") == "traces" and extent["last_hour"][0] is not None:
        return int(extent["first_hour"][0]), min(int(extent["last_hour"][0]), last_in_scope)
    return int(hours["hour"].min()), min(int(hours["hour"].max()), last_in_scope)  # type: ignore[arg-type]


def _filled(days: pl.DataFrame, region: str, last: dt.date, seen: set[dt.date]) -> pl.DataFrame:
    """Every day up to `last`: one on which nothing at all arrived from anywhere is missing, else it was silent."""
    first: dt.date = days["day"][0]
    grid = pl.DataFrame({"day": pl.date_range(first, max(last, first), "1d", eager=True)})
    joined = grid.join(days, on="day", how="left")
    silent = pl.col("tokens").is_null() & pl.col("day").is_in(list(seen))
    tokens = pl.when(silent).then(pl.lit(0)).otherwise(pl.col("tokens"))
    return joined.select("day", pl.lit(region).alias("region"), tokens.alias("tokens"))


def of_all(regions: list[RegionDays]) -> RegionDays:
    """The regions' sum by day, for limits they share: a day counts where every region's day is known."""
    both = pl.concat([one.days for one in regions])
    ends = [one.days["day"].max() for one in regions]
    known = pl.col("tokens").is_not_null().all()
    days = both.group_by("day").agg(pl.when(known).then(pl.col("tokens").sum()).alias("tokens")).sort("day")
    days = days.filter(pl.col("day") <= min(ends))  # type: ignore[type-var]
    return RegionDays(Place(ALL), True, days.select("day", pl.lit(ALL).alias("region"), "tokens"))


def spent(hours: pl.DataFrame, currency: str, kind: str) -> list[Spent]:
    """Money by region and UTC day; empty where the source has none, or only one kind of token is counted."""
    if kind != "all" or hours.is_empty():
        return []
    if "priced_tokens" in hours.columns:
        rows = hours.group_by("region", "day").agg(pl.col("cost").sum(), pl.col("priced_tokens").sum())
    else:
        rows = hours.filter(pl.col("currency") == currency).group_by("region", "day").agg(
            pl.col("cost").sum(), pl.col("tokens").sum()
        )  # fmt: skip
    kept = [Spent(region, day, cost, int(tokens)) for region, day, cost, tokens in rows.iter_rows() if tokens]
    return sorted(kept) if any(one.cost for one in kept) else []


def spent_by_model(frames: dict[str, pl.DataFrame], scope: Scope) -> list[Spent]:
    """The last four weeks of `spent`, from the same source, by model."""
    if scope.choice("source", "traces") == "traces":
        rows = frames["traced_models"]
    elif frames["billed"].is_empty():
        return []
    else:
        source_format, measure = _bill_source(frames["billed"])
        rows = frames["billed_models"].filter(
            (pl.col("source_format") == source_format)
            & (pl.col("measure") == measure)
            & (pl.col("currency") == scope.currency)
        )
    columns = rows.select("region", "day", "cost", "tokens", "model").iter_rows()
    return sorted(Spent(*row) for row in columns if row[3])


def rows_read(hours: pl.DataFrame, source: str, regions: list[RegionDays]) -> RowsRead:
    """Counts of what was read, and what a reader must know about the days."""
    notes = []
    unknown = sorted(one.place.region or "(no region)" for one in regions if not one.zone_known)
    if unknown:
        notes.append(
            f"days of {', '.join(unknown[:5])} are UTC days without holidays: data/reference/regions.toml does not know them"
        )
    if hours.height and int(hours["hour"].min()) < 0:  # type: ignore[arg-type]
        notes.append("the bill has days and no hours, so every region's days are UTC days")
    requests, without_usage, throttled = (
        int(hours[name].sum()) if name in hours.columns else 0
        for name in ("requests", "without_usage", "throttled")
    )
    return RowsRead(source, hours.height, requests, without_usage, throttled, tuple(notes))
