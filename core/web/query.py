"""What a request under /api/ may carry: every parameter is known by name and read strictly, or refused by name."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Sequence
from types import ModuleType

from starlette.datastructures import QueryParams

from core import answers, links, view
from core.audit import Ask, Scope
from core.coverage import VERSION_AT
from core.findings import standard_scope
from core.ledger.store import Store

SCOPE = ("start", "end", "region", "service", "model", "as_of")
"""Parameters that narrow what an address answers about."""
REPEATED = ("region", "service", "model", "choice", "import", "file")
"""Parameters that may be given more than once."""
MOST_TEXT = 200
"""Characters of a name; longer ones are in no telemetry worth a filter."""
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class BadQuery(ValueError):
    """A query parameter that cannot be read; the message names it."""


def check_names(query: QueryParams, known: Collection[str]) -> None:
    """Refuse parameters that are not known, and a second value where one is read. Raises BadQuery."""
    for name in query:
        if name not in known:
            listed = f"Known: {', '.join(known)}." if known else "None is."
            raise BadQuery(f"{_shown(name)} is no parameter of this address. {listed}")
        if name not in REPEATED and len(query.getlist(name)) > 1:
            raise BadQuery(f"{name} is given twice; give it once.")


def whole_scope(query: QueryParams, store: Store) -> Scope:
    """The scope a query asks for, else the whole ledger. Raises BadQuery."""
    as_of = version(query, store.ask, store.version())
    return _narrowed(query, answers.whole_ledger(store.ask, as_of, store.currency))


def board_scope(query: QueryParams, store: Store) -> Scope:
    """The scope a query asks for, else the board's own. Raises BadQuery."""
    as_of = version(query, store.ask, store.version())
    return _narrowed(query, standard_scope(store.ask, as_of, store.currency))


def version(query: QueryParams, ask: Ask, newest: int) -> int:
    """The data version asked for, moved to the one pages showed by then; one from the future is the newest."""
    text = query.get("as_of", str(newest))
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadQuery(f"as_of is {_shown(text)}; write an import number such as 12.")
    asked = min(int(text), newest)
    return int(ask(VERSION_AT, as_of=asked).item() or asked)


def names_scope(query: QueryParams) -> bool:
    """Whether a query asks for other rows than the address's own."""
    return any(name in query for name in SCOPE if name != "as_of")


def _narrowed(query: QueryParams, scope: Scope) -> Scope:
    start, end = _day(query, "start", scope.start), _day(query, "end", scope.end)
    if end < start:
        if "start" in query and "end" in query:
            raise BadQuery(f"start {start} lies after end {end}; exchange them.")
        start, end = (start, start) if "start" in query else (end, end)
    regions, services, models = (_names(query, name) for name in ("region", "service", "model"))
    return scope._replace(start=start, end=end, regions=regions, services=services, models=models)


def _names(query: QueryParams, name: str) -> tuple[str, ...]:
    found = query.getlist(name)
    for text in found:
        if not text or len(text) > MOST_TEXT or not text.isprintable():
            raise BadQuery(
                f"{name} is {_shown(text)}; write a name of 1 to {MOST_TEXT} printable characters."
            )
    return tuple(found)


def _day(query: QueryParams, name: str, otherwise: dt.date) -> dt.date:
    text = query.get(name)
    if text is None:
        return otherwise
    try:
        day = dt.date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not links.FIRST_DAY <= day <= links.LAST_DAY:
        raise BadQuery(
            f"{name} is {_shown(text)}; write a date from {links.FIRST_DAY} to {links.LAST_DAY} such as 2026-03-31."
        )
    return day


def switch(query: QueryParams, name: str) -> bool:
    """true or false; false when it is not given."""
    text = query.get(name, "false")
    if text not in ("true", "false"):
        raise BadQuery(f"{name} is {_shown(text)}; write true or false.")
    return text == "true"


def one_of(query: QueryParams, name: str, words: Sequence[str]) -> str:
    """One of the words; the first when it is not given."""
    text = query.get(name, words[0])
    if text not in words:
        raise BadQuery(f"{name} is {_shown(text)}; write {', '.join(words[:-1])} or {words[-1]}.")
    return text


def chosen(query: QueryParams, audit: ModuleType, scope: Scope) -> Scope:
    """The scope with the settings of `choice=name:value`. Raises BadQuery."""
    known = {choice.name: choice for choice in view.choices_of(audit)}
    found: dict[str, str] = {}
    for text in query.getlist("choice"):
        name, _, value = text.partition(":")
        if name not in known:
            listed = ", ".join(known) or "none"
            raise BadQuery(f"choice {_shown(name)} is not one of this audit's: {listed}. Write name:value.")
        if value not in known[name].options:
            options = ", ".join(known[name].options)
            raise BadQuery(f"choice {name} is {_shown(value)}; write one of: {options}.")
        found[name] = value
    return scope._replace(choices=(*scope.choices, *found.items()))


def _shown(text: str) -> str:
    return repr("".join(character for character in text if character.isprintable())[:40])
