"""Demo data as pages and exports tell of it: the note, the way through its five stories, and how it is emptied.

The stories name days of the demo that `python -m core demo` makes unless it is given another seed; its last day is
fixed, so the days are too.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode

from core.amounts import count
from core.audit import Ask
from core.coverage import SUMMARY
from core.ledger.store import CannotEmpty, Store

WHOLLY = "Demo data: nothing here was measured"
PARTLY = "Partly demo data: generated rows are among these"
WHAT_EMPTYING_DOES = (
    "Every row of the demo is deleted for good, and the board begins anew with what you send. It cannot be undone; "
    "python -m core demo --force makes the demo again. Break calendars stay."
)


class Story(NamedTuple):
    """One stop of the way through the demo: a page with the scope that shows it."""

    title: str
    page: str
    """The audit's module, which is its address."""
    query: tuple[tuple[str, str], ...]
    look_at: str

    @property
    def address(self) -> str:
        """The address relative to the app's root."""
        return f"/{self.page}?{urlencode(self.query)}"


STORIES = (
    Story(
        "A retry storm of three days in one region",
        "retry_ledger",
        (("from", "2026-10-05"), ("to", "2026-11-01"), ("region", "ap-southeast-1")),
        "Retry error rate over time: attempts fail from 19 to 21 October while runs hardly notice.",
    ),
    Story(
        "A reward that parted from the outcome",
        "reward_vs_outcome",
        (("from", "2026-09-10"), ("to", "2026-11-22"), ("service", "support-triage")),
        "Reward divergence: the reward rises, task success falls; planted after the fourth checkpoint, in the page's interval.",
    ),
    Story(
        "Three holiday weeks that a forecast takes for demand",
        "token_forecast",
        (("from", "2026-10-26"), ("to", "2026-11-22"), ("region", "eu-central-1")),
        "Token forecast fan: 29 October to 18 November runs low; Breaks proposes those days: tick them and save.",
    ),
    Story(
        "One region serves the generation before",
        "regional_drift",
        (("from", "2026-09-24"), ("to", "2026-11-22"), ("regional_drift_window", "90")),
        "Drift strip: from 12 October on eu-central-1 answers unlike the others, under the same model name.",
    ),
    Story(
        "Calls that are on the bill and in no trace",
        "bill_reconciliation",
        (("from", "2026-10-01"), ("to", "2026-11-22")),
        "Hidden re-sends from 13 October on, and nightly evaluations without tracing from 31 October on.",
    ),
)


def note(ask: Ask) -> str:
    """What every page and export says while the ledger holds demo data; nothing when it holds none."""
    held = ask(SUMMARY).row(0, named=True)
    if not held["demo_imports"]:
        return ""
    return PARTLY if held["real_imports"] else WHOLLY


def can_empty(ask: Ask) -> bool:
    """Whether the ledger holds demo data and nothing else."""
    return note(ask) == WHOLLY


def empty(store: Store) -> str:
    """Delete the demo data and bring the data version up to date; the sentence says what happened."""
    try:
        emptied = store.empty_demo()
    except CannotEmpty as error:
        return str(error)
    store.derive()
    return told(emptied.row_count, emptied.import_id)


def told(row_count: int, import_id: int) -> str:
    """What emptying did, in one sentence."""
    return f"{count(row_count)} rows of demo data were deleted; from data version {import_id} on the ledger is empty."
