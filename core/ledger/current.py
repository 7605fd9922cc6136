"""The ledger this process has open, for pages, routes and tests alike.

DuckDB lets one process own the file, so there is one store a process and project; the app's lifespan publishes it here
and page scripts, which Streamlit runs in the same process, find that of their own project.
"""

from __future__ import annotations

from core.ledger.engine import EngineProblem, OnSpark
from core.ledger.store import Store
from core.projects import PerProject
from core.settings import Settings

_published = PerProject[Store]()


class NoStore(RuntimeError):
    """Nothing has opened the ledger in this process."""


def set_store(store: Store | None) -> None:
    """Publish the open store, or withdraw it with None."""
    _published.put(store)


def get_store() -> Store:
    """The open store; raises NoStore when the page runs outside the app."""
    store = _published.get()
    if store is None:
        raise NoStore("The ledger is not open in this process. Start the app with: make run")
    return store


def open_store(settings: Settings, in_memory: bool = False, memory_percent: int | None = None) -> Store:
    """The settings' ledger file, or an empty ledger with the same prices; raises StoreLocked and NewerSchema."""
    return Store.open(
        ":memory:" if in_memory else settings.store_path,
        queue_limit=settings.queue_limit,
        price_overrides=settings.price_overrides,
        currency=settings.currency,
        memory_percent=memory_percent,
    )


def open_default(settings: Settings, memory_percent: int | None = None) -> Store:
    """Open the settings' ledger file and publish it; raises StoreLocked when another process owns it, and
    EngineProblem when the settings name a cluster that cannot be asked.
    """
    store = open_store(settings, memory_percent=memory_percent)
    try:
        attach_engine(store, settings)
    except Exception:
        store.close()
        raise
    set_store(store)
    return store


def attach_engine(store: Store, settings: Settings) -> None:
    """Let the settings' engine answer the store's questions; nothing for the embedded one. Raises EngineProblem."""
    if not settings.engine:
        return
    # Imported here: translating SQL and Spark's client are only needed where an engine is set.
    from core.ledger.spark import Cluster

    if not settings.lake:
        raise EngineProblem(
            "engine is set and lake is not: write one with python -m core export-lake PATH, and give PATH, as Spark's "
            "workers see it, to the setting lake."
        )
    cluster = Cluster(settings.engine, str(settings.engine_token), settings.lake)
    store.engine = OnSpark(cluster, store.engine, Store.without_rows())
