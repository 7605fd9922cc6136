"""Who answers a question: the ledger file's own DuckDB, or a Spark cluster over the same rows as Parquet.

`ask(sql, parameters)` is all the rest of the program knows. The ledger file always stays: ingest, imports, findings and what
is marked as DuckDB only are asked there. With Spark, whatever reads telemetry, bills, evals or outcomes goes to the cluster,
over what `python -m core export-lake` last wrote, and pages show that version. Measured: docs/beyond-one-machine.md.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import polars as pl

from core.ledger import portable
from core.ledger.lake import IN_LEDGER_ONLY, LakeProblem

if TYPE_CHECKING:
    from core.ledger.spark import Cluster

NEWEST = 9_223_372_036_854_775_807
_PARAMETER = re.compile(r"\$([a-z_][a-z0-9_]*)")
_BOOKKEEPING = IN_LEDGER_ONLY | {"imports", "undone", "redelivered", "derivations"}
"""A question of these alone is about the ledger itself, and its owner answers it."""
Done = TypeVar("Done")


class EngineProblem(RuntimeError):
    """Spark cannot be asked, or did not answer; the message names what to do."""


class Engine(Protocol):
    """What answers questions."""

    def ask(self, sql: str, parameters: Mapping[str, object]) -> pl.DataFrame:
        """The answer as a frame; parameters the text does not name are ignored."""

    def version(self) -> int:
        """The newest data version it can answer for."""

    def refresh(self) -> None:
        """Look whether there is a newer version."""


class Embedded:
    """DuckDB in this process: `run` asks one question, with the parameters that its text names."""

    def __init__(self, run: Callable[[str, dict[str, object]], pl.DataFrame]) -> None:
        self._run = run

    def ask(self, sql: str, parameters: Mapping[str, object]) -> pl.DataFrame:
        """Run one question."""
        return self._run(sql, named(sql, parameters))

    def version(self) -> int:
        """Whatever the ledger holds."""
        return NEWEST

    def refresh(self) -> None:
        """Nothing: the file is always as new as itself."""


class Plan(NamedTuple):
    """Where a question goes: its text for Spark, or None for the ledger file."""

    spark: str | None


class OnSpark:
    """A Spark cluster for the rows, the ledger file for the books."""

    def __init__(self, cluster: Cluster, ledger: Engine, empty: Engine) -> None:
        self._cluster = cluster
        self._ledger = ledger
        self._empty = empty
        self._shapes: dict[str, dict[str, Any]] = {}
        self._version = 0
        self.refresh()

    def ask(self, sql: str, parameters: Mapping[str, object]) -> pl.DataFrame:
        """Ask Spark or the ledger; raises EngineProblem, and NotPortable for a text that is on no list."""
        text = plan(sql).spark
        if text is None:
            return self._ledger.ask(sql, parameters)
        values = named(sql, parameters)
        return shaped(self._cluster.ask(text, values), self._shape(sql, values))

    def version(self) -> int:
        """The version of the lake when it was last looked at."""
        return self._version

    def refresh(self) -> None:
        """Read the newest lake; raises EngineProblem when it is another ledger's or cannot be read."""
        lake = self._cluster.open_newest()
        rows = self._ledger.ask(
            "select sha256 from imports where import_id = $version", {"version": lake.version}
        )
        known = rows["sha256"].to_list()
        if lake.version and known != [lake.proof]:
            raise EngineProblem(
                f"The lake's import {lake.version} is not this ledger's: it was written from another one. "
                "Export this ledger to a folder of its own: python -m core export-lake PATH"
            )
        self._version = lake.version

    def _shape(self, sql: str, values: Mapping[str, object]) -> dict[str, Any]:
        """Names and types as an empty ledger in DuckDB answers them."""
        if sql not in self._shapes:
            self._shapes[sql] = dict(self._empty.ask(sql, values).schema)
        return self._shapes[sql]


def named(sql: str, parameters: Mapping[str, object]) -> dict[str, object]:
    """The parameters that the text names."""
    return {name: parameters[name] for name in set(_PARAMETER.findall(sql))}


_plans: dict[str, Plan] = {}


def plan(sql: str) -> Plan:
    """Where a question goes; raises NotPortable for one that Spark must answer and cannot be trusted to."""
    if sql not in _plans:
        _plans[sql] = Plan(_for_spark(sql))
    return _plans[sql]


def _for_spark(sql: str) -> str | None:
    if portable.duckdb_only(sql):
        return None
    tables = {name for name in portable.tables_of(sql) if not name.startswith("information_schema.")}
    if not tables - _BOOKKEEPING:
        return None
    if missing := sorted(tables & IN_LEDGER_ONLY):
        raise portable.NotPortable(
            f"This question reads {', '.join(missing)}, which no lake holds: ask for it in a question of its own, "
            f"or begin the text with {portable.DUCKDB_ONLY} and the reason"
        )
    return portable.translated(sql, "spark")


def shaped(found: pl.DataFrame, shape: Mapping[str, Any]) -> pl.DataFrame:
    """An engine's frame with the names and types that DuckDB gives; raises EngineProblem when a value does not fit."""
    if found.columns != list(shape):
        raise EngineProblem(f"Spark answered the columns {found.columns}, not {list(shape)}.")
    try:
        return found.cast(pl.Schema(shape), strict=True)
    except pl.exceptions.PolarsError as error:
        raise EngineProblem(f"Spark's answer does not fit the types of DuckDB's: {error}") from error


def within(seconds: float, work: Callable[[], Done], late: str) -> Done:
    """What `work` returns, or EngineProblem with `late` when it takes longer; it goes on in its thread then."""
    finished: list[Done] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            finished.append(work())
        except BaseException as error:  # handed to whoever waits
            failed.append(error)

    thread = threading.Thread(target=run, name="trueup-engine", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not finished:
        raise EngineProblem(late)
    return finished[0]


__all__ = [
    "Embedded",
    "Engine",
    "EngineProblem",
    "LakeProblem",
    "OnSpark",
    "named",
    "plan",
    "shaped",
    "within",
]
