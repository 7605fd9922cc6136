"""A saved view's finding as it was, beside what the audit says now of the same days, and of the same days as of then.

Told apart are the two ways in which a number can move: rows that arrived since (then against now), and a past that no
longer gives what it gave (then against the same data version asked again): rows deleted by retention, or a method that
an upgrade changed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import inspect
import math
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

from core import made, view
from core.amounts import count, interval, number
from core.audit import Ask, Finding, Scope
from core.audits import every_audit
from core.coverage import DELETED_BEFORE, ERASED_BEFORE
from core.reviews import SavedView

SAME = 1e-9
"""Relative: sums of floats may differ in their last digits between machines."""


class Change(NamedTuple):
    """One field that differs, ready to show."""

    what: str
    then: str
    now: str


class ThenNow(NamedTuple):
    """A view's three findings and what differs."""

    now: Finding | None
    """None when the audit is no longer there."""
    changes: tuple[Change, ...]
    """From then to now."""
    moved: str
    """What is to know of the past; empty when it still gives what it gave."""
    past_changes: tuple[Change, ...] = ()
    """From then to the same version asked again."""


Found = Callable[[ModuleType, Scope], Finding]
"""Asks an audit of a scope: pages keep answers, exports ask anew."""


def audit_of(saved: SavedView) -> ModuleType | None:
    """The audit a view is of; None when this version of Trueup has it no more."""
    return next((audit for audit in every_audit() if view.name_of(audit) == saved.audit), None)


def scope_at(saved: SavedView, version: int | None = None) -> Scope:
    """The view's scope at its own data version, or at another one; the break calendar stays the one it was saved with."""
    return saved.scope if version is None else saved.scope._replace(as_of=version)


def method_digest(audit: ModuleType) -> str:
    """What an audit says of itself, as one text: it changes when question, method, limit, choices or SQL change."""
    parts = [inspect.getdoc(audit) or "", repr(audit.LIMIT), repr(view.choices_of(audit))]
    parts += [text for pair in sorted(view.sql_texts(audit).items()) for text in pair]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def resolved(audit: ModuleType, scope: Scope) -> Scope:
    """The scope as the audit takes it, with what people made."""
    return made.resolved(audit, scope, scope.choice(made.BREAKS, "") or None)


def compared(saved: SavedView, found: Found, version: int, ask: Ask) -> ThenNow:
    """Ask the audit twice: as of the newest version, and as of the view's own."""
    audit = audit_of(saved)
    if audit is None:
        return ThenNow(
            None, (), f"The audit {saved.audit} is not in this version of Trueup: only then is shown."
        )
    if saved.scope.as_of > version:
        return ThenNow(
            None,
            (),
            f"The view is of data version {saved.scope.as_of}, newer than this ledger's {version}: was another one restored?",
        )
    now = found(audit, resolved(audit, scope_at(saved, version)))
    again = found(audit, resolved(audit, scope_at(saved)))
    past = differences(saved.finding, again)
    return ThenNow(now, differences(saved.finding, now), _why(saved, audit, ask) if past else "", past)


def _why(saved: SavedView, audit: ModuleType, ask: Ask) -> str:
    """Why the same data version no longer gives the same finding."""
    reasons = []
    gone = ask(DELETED_BEFORE).item()
    if isinstance(gone, dt.date) and saved.scope.start < gone:
        reasons.append(f"retention has deleted telemetry before {gone}")
    erased = ask(ERASED_BEFORE).item()
    if isinstance(erased, dt.date) and saved.scope.start < erased:
        reasons.append(f"rows from before {erased} were erased on request")
    if method_digest(audit) != saved.method:
        reasons.append("the audit's method was changed since")
    told = (
        " and ".join(reasons)
        or "neither a deletion nor a changed method text explains it; the code may have changed"
    )
    return (
        f"Asked again as of import {saved.scope.as_of}, the audit no longer says what it said then: {told}."
    )


def differences(then: Finding, now: Finding) -> tuple[Change, ...]:
    """Status, reported, supported, gap with its interval, and rows, as far as they differ.

    >>> a = Finding("x", "holds", "1", "1", 0.0, None, None, "count", 40, "s")
    >>> differences(a, a._replace(status="watch", n=41))
    (Change(what='status', then='holds', now='watch'), Change(what='rows (n)', then='40', now='41'))
    """
    pairs = [
        ("status", then.status, now.status),
        ("reported", then.reported, now.reported),
        ("supported", then.supported, now.supported),
        *([] if _same_gap(then, now) else [("gap", gap_text(then), gap_text(now))]),
        ("rows (n)", count(then.n), count(now.n)),
        ("missing", then.missing or "nothing", now.missing or "nothing"),
    ]
    return tuple(Change(*pair) for pair in pairs if pair[1] != pair[2] or pair[0] == "gap")


def gap_text(finding: Finding) -> str:
    """The gap with its interval."""
    if finding.gap is None:
        return "none"
    bounds = (
        f" {finding.bounds} {interval(finding.low, finding.high, finding.unit)}"
        if finding.low is not None
        else ""
    )
    return f"{number(finding.gap, finding.unit)}{bounds}"


def _same_gap(one: Finding, other: Finding) -> bool:
    pairs = ((one.gap, other.gap), (one.low, other.low), (one.high, other.high))
    return one.unit == other.unit and all(
        a == b or (a is not None and b is not None and math.isclose(a, b, rel_tol=SAME, abs_tol=1e-12))
        for a, b in pairs
    )
