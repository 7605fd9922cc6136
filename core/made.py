"""What people made and an audit needs, looked up before the audit runs: audits never open anything themselves.

An audit names what it needs in `MADE`; so far there is one kind, `breaks`. Its revision stands among the scope's
choices, so a link carries it, and its text in `scope.made`, so the answer depends on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from core import breaks
from core.audit import Scope
from core.state import NOTHING, Revision, State, StateProblem, get_state

BREAKS = "breaks"


def needs_breaks(audit: ModuleType | None) -> bool:
    """Whether an audit reads the break calendar."""
    return BREAKS in getattr(audit, "MADE", ())


def resolved(
    audit: ModuleType | None, scope: Scope, asked: str | None = None, state: State | None = None
) -> Scope:
    """The scope with the asked revision, else with the newest; `told` says when it is not the asked one."""
    if not needs_breaks(audit) or dict(scope.made).get(BREAKS) is not None:
        return scope
    state = state or get_state()
    try:
        found = _asked(state, asked) or state.newest_calendar()
    except StateProblem:
        found = NOTHING
    kept = tuple(pair for pair in scope.choices if pair[0] != BREAKS)
    return scope._replace(choices=(*kept, (BREAKS, str(found.number))), made=((BREAKS, found.text),))


def _asked(state: State, asked: str | None) -> Revision | None:
    number = asked is not None and asked.isascii() and asked.isdigit() and len(asked) < 10
    return state.calendar_at(int(asked)) if number and asked else None


def told(scope: Scope, asked: str | None = None, state: State | None = None) -> str:
    """What a reader must know of the calendar shown: it is not the asked one, not the newest, or none can be had."""
    own = scope.choice(BREAKS, "0")
    try:
        newest = str((state or get_state()).newest_calendar().number)
    except StateProblem as problem:
        return f"{problem} No breaks are applied."
    if asked is not None and asked != own:
        shown = "".join(character for character in asked[:20] if character.isprintable())
        return f'There is no break calendar "{shown}". Showing revision {own}.'
    if own == newest:
        return ""
    return f"This link shows break calendar {own}; the newest is {newest}. Open the page from the menu to see it."


def save(
    scope: Scope, rows: Iterable[Mapping[str, Any]], state: State | None = None
) -> tuple[Revision | None, str]:
    """Keep an edited table as the next revision, or say why not."""
    try:
        text = breaks.read_rows(rows)
        return (state or get_state()).save_calendar(text, int(scope.choice(BREAKS, "0"))), ""
    except (breaks.BadBreak, StateProblem) as problem:
        return None, str(problem)
