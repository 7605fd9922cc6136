"""What audits said: computed once for a scope at a data version, kept, and read by the board, alerts and reviews.

The board's own scope, `standard` in code and table, is the newest 28 days of everything. A finding is a function of scope
and version, so a kept one is never wrong, only older than the newest version.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple
from urllib.parse import parse_qsl

import polars as pl

from core import links, made, view
from core.audit import Ask, Finding, Scope
from core.audits import every_audit
from core.coverage import have
from core.measured import measured
from core.state import State

_log = logging.getLogger("trueup")

KEPT = """
with ranked as (
    select
        *,
        row_number() over (partition by audit order by version desc, at_ns desc) as newest
    from findings
    where scope_key = $scope_key
        and version <= $version
)
select *
from ranked
where newest = 1
order by audit
"""
"""The newest finding of each audit for a scope, at or before a data version."""

HISTORY = """
select
    audit,
    version,
    at_ns,
    status,
    gap,
    low,
    high
from findings
where standard
    and version <= $version
order by audit, version, at_ns
"""
"""Every finding kept for the board's own scope: how the gap went, and since when a status holds."""

STANDING = """
with ranked as (
    select
        *,
        row_number() over (partition by audit order by version desc, at_ns desc) as newest
    from findings
    where standard
        and version <= $version
)
select *
from ranked
where newest = 1
order by audit
"""
"""The newest finding of each audit for the board's own scope, whichever days that was by then."""

FAILED = "the audit failed on these rows"
"""How `missing` begins for an audit that raised: core.check_result tells it from one that lacks data by this."""


class Kept(NamedTuple):
    """A finding as it was kept."""

    finding: Finding
    version: int
    at: dt.datetime
    newest_day: dt.date | None
    took_ms: float


class Standing(NamedTuple):
    """What an audit last said of the board's own scope, and which days and break calendar that was."""

    kept: Kept
    scope: Scope


class Past(NamedTuple):
    """How an audit's finding for the board's own scope went."""

    gaps: tuple[float, ...]
    """Oldest first, one a version."""
    since: dt.datetime
    """When the present status was first found."""


def standard_scope(ask: Ask, version: int, currency: str) -> Scope:
    """The board's own scope: the newest 28 days, everything, every choice at its default."""
    start, end = links.default_period(view.newest_day(ask, version))
    return stamped(Scope(start, end, as_of=version, currency=currency))


def stamped(scope: Scope, asked: str | None = None, state: State | None = None) -> Scope:
    """The scope with what people made that any audit reads: a newer break calendar is another scope.

    `asked`: the calendar's revision, else the newest; `state`: the database it is looked up in, else the process's own.
    """
    reading = next((audit for audit in every_audit() if made.needs_breaks(audit)), None)
    return made.resolved(reading, scope, asked, state)


def scope_key(scope: Scope) -> str:
    """The scope as text, the same for the same rows at one version.

    >>> scope_key(Scope(dt.date(2026, 1, 1), dt.date(2026, 1, 28), ("eu", "us"), currency="EUR"))
    'from=2026-01-01&to=2026-01-28&region=eu&region=us&currency=EUR'
    """
    query = links.share_link("", scope).partition("?")[2]
    parts = [part for part in query.split("&") if not part.startswith(f"{links.AS_OF}=")]
    return "&".join(part for part in (*parts, f"currency={scope.currency}"))


def kept(ask: Ask, scope: Scope) -> dict[str, Kept]:
    """By audit: what was last found for the scope at or before its version."""
    rows = ask(KEPT, scope_key=scope_key(scope), version=scope.as_of)
    return {row["audit"]: _kept(row) for row in rows.iter_rows(named=True)}


def exactly(ask: Ask, audit: ModuleType, scope: Scope) -> Finding | None:
    """What was found for this very scope at this very version; None where a setting is not the default, or it is not kept."""
    if any(name != made.BREAKS for name, _ in scope.choices):
        return None
    one = kept(ask, stamped(scope)).get(view.name_of(audit))
    if one is None or one.version != scope.as_of or one.finding.missing.startswith(FAILED):
        return None
    return one.finding


def _kept(row: dict[str, object]) -> Kept:
    finding = Finding(**{name: row[name] for name in Finding._fields})  # type: ignore[arg-type]
    at = dt.datetime.fromtimestamp(int(str(row["at_ns"])) / 1e9, dt.UTC)
    return Kept(finding, row["version"], at, row["newest_day"], row["took_ms"])  # type: ignore[arg-type]


def standing(ask: Ask, version: int) -> dict[str, Standing]:
    """By audit: what was last found for the board's own scope at or before a version, and that scope."""
    # An audit that was renamed leaves its findings behind.
    named = {view.name_of(audit) for audit in every_audit()}
    rows = [row for row in ask(STANDING, version=version).iter_rows(named=True) if row["audit"] in named]
    return {row["audit"]: Standing(_kept(row), _scope_of(row["scope_key"], row["version"])) for row in rows}


def _scope_of(key: str, version: int) -> Scope:
    """The board's own scope out of its key: days, currency, and the break calendar's revision."""
    told = dict(parse_qsl(key, keep_blank_values=True))
    choices = tuple((name[1:], text) for name, text in told.items() if name.startswith("_"))
    start, end = (dt.date.fromisoformat(told[name]) for name in (links.FROM, links.TO))
    return Scope(start, end, as_of=version, currency=told.get("currency", "USD"), choices=choices)


def link_to(address: str, audit: ModuleType, scope: Scope) -> str:
    """The share link of an audit's page with a finding's scope; only its own choices are in it."""
    own = scope if made.needs_breaks(audit) else scope._replace(choices=())
    return links.share_link(f"{address}/{view.name_of(audit)}", own, view.name_of(audit))


def newest(ask: Ask) -> int:
    """The newest data version the board's own scope was asked at; 0 for none."""
    return int(ask("select coalesce(max(version), 0) as version from findings where standard").item())


def past(ask: Ask, version: int, most: int = 60) -> dict[str, Past]:
    """By audit: gaps and since when, for the board's own scope."""
    found: dict[str, Past] = {}
    for (audit,), rows in ask(HISTORY, version=version).group_by("audit", maintain_order=True):
        statuses, moments = rows["status"].to_list(), rows["at_ns"].to_list()
        since = next((at + 1 for at in range(len(statuses) - 2, -1, -1) if statuses[at] != statuses[-1]), 0)
        gaps = rows.group_by("version", maintain_order=True).last()["gap"].drop_nulls().tail(most)
        found[str(audit)] = Past(tuple(gaps), dt.datetime.fromtimestamp(moments[since] / 1e9, dt.UTC))
    return found


def found_by(audit: ModuleType, ask: Ask, scope: Scope) -> Finding:
    """What the audit says of the scope; one that fails says so, with what failed, and the log has the rest.

    The finding carries the module's name, so that pages, links and exports name it alike.
    """
    try:
        finding: Finding = audit.judge(measured(audit, ask, scope).measure)
    except Exception as error:  # one audit must not take the board along; it is shown, not swallowed
        _log.exception("audit %s failed for %s", audit.__name__, scope_key(scope))
        said = f"{FAILED}: {type(error).__name__}: {str(error)[:300]}. The log has more; the page shows it as well."
        finding = Finding(
            view.name_of(audit), "cannot tell", "unknown", "unknown", None, None, None, "count", 0,
            "This audit failed, so it says nothing about the data.", said,
        )  # fmt: skip
    return finding._replace(audit=view.name_of(audit))


def newest_day_of(audit: ModuleType, ask: Ask, scope: Scope) -> dt.date | None:
    """The last day in scope on which a table the audit needs has rows."""
    return max((one.newest for one in have(ask, audit.NEEDS, scope) if one.newest), default=None)


def row_of(audit: ModuleType, ask: Ask, scope: Scope, standard: bool) -> pl.DataFrame:
    """One row of the table findings: the audit asked now."""
    began = time.perf_counter()
    finding = found_by(audit, ask, scope)
    newest_day = newest_day_of(audit, ask, scope)
    row = {
        "version": scope.as_of,
        "scope_key": scope_key(scope),
        "standard": standard,
        "at_ns": time.time_ns(),
        "took_ms": 1e3 * (time.perf_counter() - began),
        "newest_day": newest_day,
        **finding._asdict(),
    }
    return pl.DataFrame(
        [row], schema_overrides={"newest_day": pl.Date, **dict.fromkeys(("gap", "low", "high"), pl.Float64)}
    )


Keep = Callable[[pl.DataFrame], None]


def refresh(
    audits: list[ModuleType],
    ask: Ask,
    scope: Scope,
    standard: bool,
    keep: Keep,
    told: Callable[[int, int], None],
) -> None:
    """Ask every audit that has no finding at exactly this version, keep each as soon as it is known.

    `told(done, of)` hears of progress, first with nothing done.
    """
    known = {name for name, one in kept(ask, scope).items() if one.version == scope.as_of}
    due = [audit for audit in audits if view.name_of(audit) not in known]
    for done, audit in enumerate(due):
        told(done, len(due))
        keep(row_of(audit, ask, scope, standard))
    told(len(due), len(due))
