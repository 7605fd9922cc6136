"""Answers as plain rows: the one road behind the command line and the JSON API, so that both say the same.

Every function takes `ask` and `as_of`; nothing here knows whether a file or a running app is behind them.
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from types import ModuleType
from typing import Any

from core import made
from core.audit import Ask, Finding, Scope, TooLittle
from core.audits import every_audit, retry_ledger
from core.findings import Kept, found_by, kept, newest_day_of, stamped, standing
from core.view import name_of

Row = dict[str, Any]

ATTEMPT_COLUMNS = ("trace_id", "span_id", "operation", "service", "attempts", "failed_attempts", "grade")
FINDING_COLUMNS = (
    "audit", "status", "reported", "supported", "gap", "low", "high", "n", "missing", "bounds", "as_of", "unit",
    "sentence", "start", "end", "newest_day", "computed_at",
)  # fmt: skip
BRIDGE_COLUMNS = ("bridge", "bucket", "count", "usd")

_DAYS = """
with gone as (
    select import_id from undone where undone_by <= $as_of
),
days as (
    select min(day) as first_day, max(day) as last_day from spans
    where import_id <= $as_of and import_id not in (select import_id from gone)
    union all
    select min(day) as first_day, max(day) as last_day from cost_lines
    where import_id <= $as_of and import_id not in (select import_id from gone)
    union all
    select min(day) as first_day, max(day) as last_day from outcomes
    where import_id <= $as_of and import_id not in (select import_id from gone)
    union all
    select min(day) as first_day, max(day) as last_day from probes
    where import_id <= $as_of and import_id not in (select import_id from gone)
)
select
    min(first_day) as first_day,
    max(last_day)  as last_day
from days
"""

_ATTEMPTS = """
select
    trace_id,
    span_id,
    operation,
    service_name as service,
    attempts,
    failed_attempts,
    grade
from calls
where removed_rule is null
    and import_id <= $as_of
    and superseded_by > $as_of
    and day between $start and $end
    and ($regions = '' or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)
    and ($services = '' or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
    and ($models = '' or strpos($models, concat(chr(31), coalesce(response_model, request_model), chr(31))) > 0)
order by started_at_ns, trace_id, span_id
"""

_IMPORTS = """
select
    imports.import_id,
    imports.at_ns,
    imports.source,
    imports.format,
    imports.sha256,
    imports.rows_read,
    imports.rows_accepted,
    imports.rows_quarantined,
    imports.rows_duplicate,
    imports.rows_repaired,
    imports.min_event_ns,
    imports.max_event_ns,
    imports.demo,
    imports.file_id,
    files.door,
    files.name as file_name,
    undone.undone_by
from imports
left join files on files.file_id = imports.file_id
left join undone on undone.import_id = imports.import_id and undone.undone_by <= $as_of
where imports.import_id <= $as_of
order by imports.import_id desc
limit $most
"""


class UnknownAudit(ValueError):
    """No audit has that name; the message lists the known ones."""


def whole_ledger(ask: Ask, as_of: int, currency: str = "USD") -> Scope:
    """Everything the ledger holds at `as_of`; an empty ledger gives the one day 1970-01-01."""
    first_day, last_day = ask(_DAYS, as_of=as_of).row(0)
    nothing = dt.date(1970, 1, 1)
    return Scope(start=first_day or nothing, end=last_day or nothing, as_of=as_of, currency=currency)


def attempts(ask: Ask, scope: Scope) -> list[Row]:
    """One row a logical call in force, oldest first; attempts null where they cannot be known."""
    return ask(_ATTEMPTS, **scope.parameters()).rows(named=True)


def imports(ask: Ask, scope: Scope, most: int) -> list[Row]:
    """The newest imports, newest first."""
    return ask(_IMPORTS, as_of=scope.as_of, most=most).rows(named=True)


def findings(ask: Ask, scope: Scope, only: str = "") -> list[Row]:
    """One finding an audit, or of the audit named `only`, asked now; raises UnknownAudit.

    An audit that fails cannot tell, and says that it failed. `computed_at` is null: for this answer.
    """
    return [_asked(audit, ask, made.resolved(audit, scope)) for audit in chosen_audits(only)]


def kept_findings(ask: Ask, scope: Scope, only: str = "", own: bool = False) -> list[Row]:
    """What was last found and kept for a scope at or before its version, at most one row an audit; raises UnknownAudit.

    With `own` it is the board's own scope, whichever days that was when each finding was kept.
    """
    wanted = [name_of(audit) for audit in chosen_audits(only)]
    if own:
        known = {name: (one.kept, one.scope) for name, one in standing(ask, scope.as_of).items()}
    else:
        known = {name: (one, scope) for name, one in kept(ask, stamped(scope)).items()}
    return [_kept_row(*known[name]) for name in wanted if name in known]


def chosen_audits(only: str) -> list[ModuleType]:
    """Every audit, or the one with that name; raises UnknownAudit."""
    named = {audit_name(audit): audit for audit in every_audit()}
    wanted = only.replace("_", "-")
    if only and wanted not in named:
        raise UnknownAudit(f"There is no audit {only[:40]!r}. Known audits: {', '.join(named)}.")
    return [named[wanted]] if only else list(named.values())


def bridge(ask: Ask, scope: Scope) -> list[Row]:
    """The retry audit's bridges, one row a bucket: bridge, bucket, count, usd (Decimal or null)."""
    measure = retry_ledger.measure(retry_ledger.load(ask, scope), scope)
    if isinstance(measure, TooLittle):
        return []
    return [{column: row[column] for column in BRIDGE_COLUMNS} for row in retry_ledger.bridge_rows(measure)]


def audit_name(audit: ModuleType) -> str:
    """The name in the API and on the command line: the page's, with hyphens. An underscore is understood too."""
    return name_of(audit).replace("_", "-")


def _asked(audit: ModuleType, ask: Ask, scope: Scope) -> Row:
    return _finding_row(found_by(audit, ask, scope), scope, newest_day_of(audit, ask, scope), None)


def _kept_row(one: Kept, scope: Scope) -> Row:
    return _finding_row(one.finding, scope._replace(as_of=one.version), one.newest_day, one.at)


def _finding_row(finding: Finding, scope: Scope, newest_day: dt.date | None, at: dt.datetime | None) -> Row:
    told = {
        "audit": finding.audit.replace("_", "-"),
        "as_of": scope.as_of,
        "start": scope.start,
        "end": scope.end,
        "newest_day": newest_day,
        "computed_at": at,
    }
    values = finding._asdict() | told
    return {column: values[column] for column in FINDING_COLUMNS}


def jsonable(value: object) -> object:
    """What JSON can carry: money as text to the last digit, a number that is not one as null."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int) and abs(value) >= 2**63:  # more than most readers of JSON hold
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(inner) for inner in value]
    return value
