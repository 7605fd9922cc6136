"""`python -m core rollups`: the hourly sums anew from what they stand for."""

from __future__ import annotations

from core.ledger.current import open_store
from core.settings import Settings


def rebuild_rollups(settings: Settings) -> int:
    """Rebuild in the file and say how many rows; raises StoreLocked while the app owns it."""
    store = open_store(settings)
    try:
        rows = store.rebuild_rollups()
    finally:
        store.close()
    print(", ".join(f"{table}: {count:,} rows" for table, count in rows.items()))
    return 0
