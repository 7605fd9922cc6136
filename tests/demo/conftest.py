"""Two small worlds, written once and read once: one with everything planted, one quiet."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from core.ingest.files import read_path
from core.ingest.options import ReadOptions
from core.ledger.batch import Receipt
from core.ledger.store import Store
from data.demo import generate


class World(NamedTuple):
    """A generated world: its files in ingest order and its truth."""

    files: list[Path]
    truth: dict[str, Any]


BESIDE = ("crossing-", "copilot.csv", "gateway-", "gateway.csv", "voice-", "concierge.csv")
"""Files that have tests, and a truth, of their own: the counts of truth.json are of the runs alone."""


def make(folder: Path, spans: int, quiet: bool = False, seed: int = 7, days: int = 90) -> World:
    files = generate(folder / "files", spans, seed, quiet, days, truth_dir=folder / "truth")
    files = [path for path in files if not path.name.startswith(BESIDE)]
    return World(files, json.loads((folder / "truth" / "truth.json").read_text()))


@pytest.fixture(scope="session")
def loud(tmp_path_factory: pytest.TempPathFactory) -> World:
    """About 20,000 spans with every planted effect."""
    return make(tmp_path_factory.mktemp("loud"), 20_000)


@pytest.fixture(scope="session")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> World:
    """About 3,000 spans with nothing planted."""
    return make(tmp_path_factory.mktemp("quiet"), 3_000, quiet=True)


class Loaded:
    """A world in a ledger, read by the ordinary readers. Closed by the fixture."""

    def __init__(self, world: World) -> None:
        self.truth = world.truth
        self.store = Store.open(":memory:")
        self.receipts: list[Receipt] = []
        for path in world.files:
            self.receipts += self.store.submit_many(read_path(path, ReadOptions(demo=True)))
        self.store.derive()

    def ask(self, sql: str) -> pl.DataFrame:
        return self.store.ask(sql)

    def by_service(self, column: str) -> dict[str, int]:
        """Truth by service."""
        counts: Counter[str] = Counter()
        for row in self.truth["rows"]:
            counts[row["service"]] += row[column]
        return dict(counts)


@pytest.fixture(scope="session")
def loud_ledger(loud: World) -> Iterator[Loaded]:
    loaded = Loaded(loud)
    yield loaded
    loaded.store.close()


@pytest.fixture(scope="session")
def quiet_ledger(quiet: World) -> Iterator[Loaded]:
    loaded = Loaded(quiet)
    yield loaded
    loaded.store.close()
