"""The ledger this process has open, for pages, routes and tests alike.

DuckDB lets one process own the file, so there is one store a process; the app's lifespan publishes it here and
page scripts, which Streamlit runs in the same process, find it.
"""

from __future__ import annotations

from core.ledger.store import Store
from core.settings import Settings

_published: list[Store] = []


class NoStore(RuntimeError):
    """Nothing has opened the ledger in this process."""


def set_store(store: Store | None) -> None:
    """Publish the open store, or withdraw it with None."""
    _published[:] = [] if store is None else [store]


def get_store() -> Store:
    """The open store; raises NoStore when the page runs outside the app."""
    if not _published:
        raise NoStore("The ledger is not open in this process. Start the app with: make run")
    return _published[0]


def open_store(settings: Settings, in_memory: bool = False) -> Store:
    """The settings' ledger file, or an empty ledger with the same prices; raises StoreLocked and NewerSchema."""
    return Store.open(
        ":memory:" if in_memory else settings.store_path,
        queue_limit=settings.queue_limit,
        price_overrides=settings.price_overrides,
        currency=settings.currency,
    )


def open_default(settings: Settings) -> Store:
    """Open the settings' ledger file and publish it; raises StoreLocked when another process owns it."""
    store = open_store(settings)
    set_store(store)
    return store
