"""The audits, one question a module. `every_audit()` lists the folder: there is no registry to keep in step.

Start in an audit's own module (`retry_ledger`, `reward_vs_outcome`, `token_forecast`, `regional_drift`,
`bill_reconciliation`, `mcp_cold_start`, `trace_clock`, `streaming_backend`, `voice_slo`, `tps_chunking`, `hyrum_stream`): its
docstring is the method box of its page, core/audit.py has the contract. Modules whose name begins with an audit's are its
parts. Data flow through them in this order:

    *_sql                          questions to the ledger, portable SQL; `load` asks them, a frame a question
    *_days, *_cells, *_passive ... frames to what is compared: whole days, cells of the bill, pairs of answers
    *_signals, *_time, *_money ... one part of the measure each
    *_measure                      the measure as one NamedTuple; `judge` in the audit's module makes the Finding of it
    *_figures, *_facts, *_tables   the measure as pictures, facts and rows

Which rows of a table count (revisions, undone imports) is said once a table, in core/ledger/*_rows.py. Arithmetic of
two or more audits is in core/stats, what settles a bill in core/reconcile.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

SECTIONS = (
    "Counts, money and capacity", "Speed as felt", "Same name, different model", "Can the evals still tell?",
    "What people actually got", "Isolation, privacy, deletion",
)  # fmt: skip
"""Of the navigation and the board, in their order."""


def every_audit() -> list[ModuleType]:
    """Every module of this folder that has a TITLE, by section (SECTIONS) and title.

    Modules without one hold SQL or pictures of an audit that does not fit one file.
    """
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return sorted(
        (m for m in modules if hasattr(m, "TITLE")), key=lambda m: (SECTIONS.index(m.SECTION), m.TITLE)
    )
