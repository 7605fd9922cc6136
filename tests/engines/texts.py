"""Every question the program asks of a ledger: texts by the name they have in the sources, and what audits really ask."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import NamedTuple

import polars as pl
from sqlglot.errors import SqlglotError

import core
from core.audit import Ask, Scope
from core.audits import every_audit, retry_ledger
from core.ledger import portable

WRITERS = ("core.ingest", "core.ledger", "core.export", "core.ui", "core.web", "core.__main__")
"""What fills the ledger may use all of DuckDB; so may nothing that only asks."""


class Asked(NamedTuple):
    """One question as an audit asked it."""

    audit: str
    sql: str
    values: Mapping[str, object]


def asking_modules() -> list[ModuleType]:
    names = [found.name for found in pkgutil.walk_packages(core.__path__, "core.")]
    return [
        importlib.import_module(name)
        for name in names
        if not name.startswith(WRITERS) or (name.startswith("core.ledger.") and name.endswith("_rows"))
    ]


def texts() -> dict[str, str]:
    """module.NAME or module.NAME[key] -> a whole question; beginnings that other texts go on with are left out."""
    found: dict[str, str] = {}
    for module in asking_modules():
        for name, value in vars(module).items():
            for where, text in _named(f"{module.__name__}.{name}", value):
                if text not in found.values() and _is_whole(text):
                    found[where] = text
    return found


def _named(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        yield from ((f"{name}[{key}]", text) for key, text in value.items() if isinstance(text, str))


def _is_whole(text: str) -> bool:
    words = text.split(maxsplit=1)
    if not words or words[0].lower() not in ("select", "with", "--"):
        return False
    try:
        return bool(portable.tables_of(text))
    except SqlglotError:  # a beginning, or English; the texts that begin with it are looked at
        return False


def asked(ask: Ask, scope: Scope) -> list[Asked]:
    """Everything the audits ask for a scope, drill-downs too, in their order, each with its values."""
    found: list[Asked] = []
    for audit in every_audit():

        def record(
            sql: str, _audit: str = audit.__name__.rpartition(".")[2], **values: object
        ) -> pl.DataFrame:
            named = {name: value for name, value in values.items() if f"${name}" in sql}
            found.append(Asked(_audit, sql, named))
            return ask(sql, **values)

        audit.load(record, scope)
        if audit is retry_ledger:
            worst = retry_ledger.evidence(record, scope)
            trace_id = worst["trace_id"][0] if len(worst) else ""
            retry_ledger.span_tree(record, trace_id, scope.as_of)
    return found
