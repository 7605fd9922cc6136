"""Changes of verdicts and of the world on one axis: rows for a table, and the lanes that draw them.

A verdict's change can be dated in two ways. By the newest day of the data it was found with it stands beside what
happened; by when it was found it tells when anybody could have known. History that was read in at once has many days of
the first kind and one moment of the second.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple
from urllib.parse import parse_qs

import plotly.graph_objects as go
import polars as pl

from core import links, made, view
from core.audit import Ask, Scope
from core.charts.timeline import Happening, Stretch, timeline
from core.ledger.change_rows import STATED

STATUSES = """
select
    audit,
    version,
    at_ns,
    newest_day,
    scope_key,
    status
from findings
where standard
    and version <= $as_of
order by audit, version, at_ns
"""
"""Every finding kept for the board's own scope, with the days it was of: core.findings.HISTORY for a time axis."""

EVENTS = f"""
select
    at_ns,
    kind,
    title,
    service_name,
    region,
    model,
    import_id
from (
{STATED}
) as changes
order by at_ns desc, event_id
limit 2000
"""
"""The newest 2,000 stated change events; older ones are left out."""

DATA_DAY, FOUND = "newest day of its data", "when it was found"
DATED_BY = (DATA_DAY, FOUND)
FIRST = "first found"
AROUND_DAYS = 14


class Moment(NamedTuple):
    """One row of the timeline."""

    at: dt.datetime
    """UTC."""
    lane: str
    what: str
    more: str
    as_of: int
    audit: str
    """Module of the audit whose status changed; empty for an event."""
    status: str
    days: tuple[dt.date, dt.date]
    """Of the finding, or around the event."""
    breaks: str = ""
    """Revision of the break calendar the finding was made with."""


class Timeline(NamedTuple):
    """Rows, newest first, and what the chart needs."""

    moments: tuple[Moment, ...]
    lanes: tuple[str, ...]
    stretches: tuple[Stretch, ...]


def read(ask: Ask, scope: Scope, audits: Sequence[ModuleType], dated_by: str, within_days: bool) -> Timeline:
    """Everything at the scope's data version; `within_days` leaves out what lies outside its days.

    Regions, services and models of the scope choose among events that name one; verdicts are of the board's own scope.
    """
    titles = {view.name_of(audit): str(audit.TITLE) for audit in audits}
    statuses, stretches = _statuses(ask(STATUSES, as_of=scope.as_of), titles, dated_by)
    moments = [*statuses, *_events(ask(EVENTS, as_of=scope.as_of), scope)]
    if within_days:
        moments = [one for one in moments if scope.start <= one.at.date() <= scope.end]
        first, last = _midnight(scope.start), _midnight(scope.end + dt.timedelta(days=1))
        cut = [one._replace(start=max(one.start, first), end=min(one.end, last)) for one in stretches]
        stretches = [one for one in cut if one.end > one.start]
    moments.sort(key=lambda one: (one.at, one.lane, one.what), reverse=True)
    told = {one.lane for one in moments} | {one.lane for one in stretches}
    kinds = sorted({one.lane for one in moments if not one.audit})
    lanes = [title for title in titles.values() if title in told] + kinds
    return Timeline(tuple(moments), tuple(lanes), tuple(stretches))


def _statuses(
    rows: pl.DataFrame, titles: dict[str, str], dated_by: str
) -> tuple[list[Moment], list[Stretch]]:
    moments: list[Moment] = []
    stretches: list[Stretch] = []
    for (name,), own in rows.group_by("audit", maintain_order=True):
        audit = str(name)
        if audit not in titles:
            continue
        changes = [_change(row, audit, titles[audit], dated_by) for row in own.iter_rows(named=True)]
        kept = [one for at, one in enumerate(changes) if not at or one.status != changes[at - 1].status]
        for at, one in enumerate(kept):
            what = f"{kept[at - 1].status} → {one.status}" if at else f"{FIRST}: {one.status}"
            moments.append(one._replace(what=what))
            end = kept[at + 1].at if at + 1 < len(kept) else changes[-1].at
            if end > one.at:
                stretches.append(Stretch(one.lane, one.at, end, one.status))
    return moments, stretches


def _change(row: dict[str, object], audit: str, title: str, dated_by: str) -> Moment:
    found = dt.datetime.fromtimestamp(int(str(row["at_ns"])) / 1e9, dt.UTC)
    told = parse_qs(str(row["scope_key"]))
    start, end = (dt.date.fromisoformat(told[key][0]) for key in (links.FROM, links.TO))
    newest = (
        row["newest_day"] if isinstance(row["newest_day"], dt.date) else end
    )  # null: the audit had no rows
    at = _midnight(newest) if dated_by == DATA_DAY else found
    more = f"found {found:%Y-%m-%d %H:%M} UTC"
    status, breaks = str(row["status"]), told.get(f"_{made.BREAKS}", [""])[0]
    return Moment(at, title, "", more, int(str(row["version"])), audit, status, (start, end), breaks)


def _events(rows: pl.DataFrame, scope: Scope) -> list[Moment]:
    wanted = (("region", scope.regions), ("service_name", scope.services), ("model", scope.models))
    found = []
    for row in rows.iter_rows(named=True):
        if any(names and row[key] is not None and row[key] not in names for key, names in wanted):
            continue
        at = dt.datetime.fromtimestamp(row["at_ns"] / 1e9, dt.UTC)
        more = ", ".join(str(row[key]) for key, _ in wanted if row[key])
        room = dt.timedelta(days=AROUND_DAYS)
        days = (at.date() - room, at.date() + room - dt.timedelta(days=1))
        found.append(Moment(at, str(row["kind"]), str(row["title"]), more, scope.as_of, "", "", days))
    return found


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def figure(told: Timeline) -> go.Figure:
    """The lanes; a point's customdata is its row in `moments`."""
    happenings = [
        Happening(one.lane, one.at.replace(tzinfo=None), f"{one.what} {one.more}".strip(), one.status, row)
        for row, one in enumerate(told.moments)
    ]
    plain = [
        one._replace(start=one.start.replace(tzinfo=None), end=one.end.replace(tzinfo=None))
        for one in told.stretches
    ]
    return timeline(told.lanes, plain, happenings)


def table(told: Timeline) -> pl.DataFrame:
    """The same rows for eyes that read, and for screen readers."""
    rows = [(one.at.replace(tzinfo=None), one.lane, one.what, one.more, one.as_of) for one in told.moments]
    frame = pl.DataFrame(rows, schema=["at", "lane", "what", "more", "as of import"], orient="row")
    return frame.with_columns(pl.col("at").cast(pl.Datetime("us")))


def links_at(one: Moment, audits: Sequence[ModuleType], origin: str) -> list[tuple[str, str]]:
    """Title and address of the audit whose verdict changed, as it was; around an event, of every audit."""
    shown = [audit for audit in audits if not one.audit or view.name_of(audit) == one.audit]
    found = []
    for audit in shown:
        choices = ((made.BREAKS, one.breaks),) if one.breaks and made.needs_breaks(audit) else ()
        scope = Scope(*one.days, as_of=one.as_of, choices=choices)
        name = view.name_of(audit)
        found.append((str(audit.TITLE), links.share_link(f"{origin}/{name}", scope, name)))
    return found
