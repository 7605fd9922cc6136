"""`python -m core pull`: the configured SQL sources into the ledger, a sentence each.

It needs the ledger file itself: while the app runs, the app pulls by every source's `every_minutes`.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence

from core import pulls
from core.ingest.options import ReadOptions
from core.ledger.current import open_store
from core.settings import Settings
from core.uploads import receipt_text


def pull_sources(names: Sequence[str], settings: Settings) -> int:
    """Pull these, or all; 1 when a source is unknown or could not be read, the others are in all the same."""
    sources = pulls.configured(settings)
    known = [source.name for source in sources]
    unknown = [name for name in names if name not in known]
    if not sources or unknown:
        text = (
            f"There is no source {unknown[0]!r}. Known: {', '.join(known)}."
            if sources
            else pulls.NONE_CONFIGURED
        )
        sys.stderr.write(f"{text}\n")
        return 1
    problems = 0
    store = open_store(settings)
    try:
        options, now = ReadOptions(settings.capture_content), dt.datetime.now(dt.UTC)
        for source in sources:
            if not names or source.name in names:
                taken = pulls.pull(store, source, options, now)
                problems += bool(taken.problem)
                print(taken.problem or f"{source.name}: {receipt_text(taken.receipts)}")
        store.derive()
    finally:
        store.close()
    return int(problems > 0)
