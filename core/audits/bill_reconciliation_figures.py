"""Pictures and tables of the reconciliation. Keys of `figures` are the names of the exports."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

import plotly.graph_objects as go
import polars as pl

from core.audits.bill_reconciliation_measure import CellRow, Reconciliation, bridge
from core.charts import Bar, Step, bars, waterfall
from core.charts.grid import GridCell, grid
from core.reconcile import ZERO
from core.reconcile.differences import TERMS, added, unexplained

LABELS = {
    "spans": "sum of every span",
    "duplicates": "calls told twice",
    "roll_ups": "sums on agent spans",
    "traced": "traced",
    "open": "open days",
    "cut_off": "cut-off",
    "uninstrumented": "callers without traces",
    "tier": "tier and batch",
    "region": "region uplift",
    "price": "price",
    "cache": "cache",
    "reasoning": "reasoning",
    "failed": "failed attempts",
    "hidden": "hidden requests",
    "unbilled": "traced, not billed",
    "unknown": "unknown",
    "unmapped": "not mapped to a model",
    "epsilon": "ε, does not close",
}
LOSS = ("uninstrumented", "hidden", "unknown", "failed")
MOST_ROWS = 500
MOST_CALLERS = 15


def figures(found: Reconciliation) -> dict[str, go.Figure]:
    """Every picture the data can carry; one that cannot be drawn is absent, never empty."""
    drawn = {"reconciliation_bridge": _bridge(found)}
    closed = [row for row in found.cells if not row.is_open]
    if len({row.cell.day for row in found.cells}) > 1:
        drawn["reconciliation_cells"] = _days(found)
    by_provider = [
        bar
        for provider in sorted({row.cell.provider for row in closed})
        if (bar := _provider(closed, provider))
    ]
    if by_provider:
        drawn["reconciliation_by_provider"] = bars(by_provider, "share", found.limit)
    callers = [caller for caller in found.callers if caller.project][:MOST_CALLERS]
    if callers:
        drawn["reconciliation_callers"] = bars(
            [Bar(f"{one.project} ({one.provider})", one.usd, colour_role="loss" if one.traced is False else "accent")
             for one in callers],
            found.currency,
        )  # fmt: skip
    if found.completeness:
        drawn["reconciliation_final_days"] = _final(found)
    return drawn


def _bridge(found: Reconciliation) -> go.Figure:
    steps = []
    for name, usd, kind in bridge(found):
        label = LABELS.get(name, name)
        if kind == "total":
            steps.append(Step(label, usd, "total"))
        elif name == "epsilon":
            steps.append(Step(label, usd, "rest"))
        else:
            steps.append(
                Step(label, usd, "plus" if usd >= 0 else "minus", "loss" if name in LOSS else "useful")
            )
    return waterfall(steps, found.currency)


def _days(found: Reconciliation) -> go.Figure:
    groups: dict[tuple[str, dt.date], list[CellRow]] = defaultdict(list)
    for row in found.cells:
        groups[(row.cell.provider, row.cell.day)].append(row)
    cells = []
    for (provider, day), rows in sorted(groups.items()):
        billed = sum((row.billed_usd for row in rows), ZERO)
        is_open = any(row.is_open for row in rows)
        part = (
            None
            if billed <= 0 or is_open
            else float(unexplained(added(row.terms for row in rows))[0] / billed)
        )
        state = "open" if is_open else "unknown" if part is None else ""
        cells.append(GridCell(provider or "(unnamed)", day, part, state, f"{billed:.2f} billed"))  # type: ignore[arg-type]
    return grid(cells, "share", top=max(4 * found.limit, 0.1))


def _provider(closed: Iterable[CellRow], provider: str) -> Bar | None:
    rows = [row for row in closed if row.cell.provider == provider]
    billed = sum((row.billed_usd for row in rows), ZERO)
    if billed <= 0:
        return None
    least, most = (float(amount / billed) for amount in unexplained(added(row.terms for row in rows)))
    return Bar(provider or "(unnamed)", least, least, most, "loss")


def _final(found: Reconciliation) -> go.Figure:
    rows = []
    for one in found.completeness:
        final = (one.closed_through - one.first).days + 1
        still_open = (one.last - one.closed_through).days
        rows.append(Bar(f"{one.provider}: final", max(final, 0), colour_role="good"))
        rows.append(Bar(f"{one.provider}: open", max(still_open, 0), colour_role="warn"))
    return bars(rows, "days")


def tables(found: Reconciliation) -> dict[str, pl.DataFrame]:
    """Rows to read: the worst cells first, what is not mapped, what each project or key costs."""
    return {
        name: rows
        for name, rows in {
            "Cells": _cells(found),
            "Not mapped": _not_mapped(found),
            "Projects and keys": _callers(found),
        }.items()
        if rows.height
    }


def _cells(found: Reconciliation) -> pl.DataFrame:
    def size(row: CellRow) -> Decimal:
        return sum((abs(row.terms.amounts.get(name, ZERO)) for name in LOSS), ZERO)

    worst = sorted(found.cells, key=lambda row: (-size(row), str(row.cell)))[:MOST_ROWS]
    shown = [name for name in TERMS if any(row.terms.amounts.get(name) for row in found.cells)]
    return pl.DataFrame(
        [
            {
                "provider": row.cell.provider,
                "project": row.cell.project,
                "model": row.cell.model,
                "day": row.cell.day,
                "hour": None if row.cell.hour is None else row.cell.hour % 24,
                "billed": row.billed_usd,
                "traced": row.traced_usd,
                **{LABELS[name]: row.terms.amounts.get(name, ZERO) for name in shown},
            }
            for row in worst
        ],
        infer_schema_length=None,
    )


def _not_mapped(found: Reconciliation) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"source": one.source_format, "provider": one.provider, "what": one.what, "why": one.why,
             "amount": one.usd, "lines": one.lines}
            for one in found.unmapped[:MOST_ROWS]
        ],
        infer_schema_length=None,
    )  # fmt: skip


def _callers(found: Reconciliation) -> pl.DataFrame:
    told = {
        None: "no callers file",
        True: "mapped to a traced service",
        False: "candidate: no traced service is mapped",
    }
    return pl.DataFrame(
        [
            {"provider": one.provider, "project or key": one.project or "(none on the bill)", "amount": one.usd,
             "requests": one.requests, "traces": told[one.traced]}
            for one in found.callers[:MOST_ROWS]
        ],
        infer_schema_length=None,
    )  # fmt: skip
