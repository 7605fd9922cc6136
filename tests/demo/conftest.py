"""Two small worlds, written once: one with everything planted, one quiet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from data.demo import generate


class World(NamedTuple):
    """A generated world: its files in ingest order and its truth."""

    files: list[Path]
    truth: dict[str, Any]


def make(folder: Path, spans: int, quiet: bool = False, seed: int = 7, days: int = 90) -> World:
    files = generate(folder / "files", spans, seed, quiet, days, truth_dir=folder / "truth")
    return World(files, json.loads((folder / "truth" / "truth.json").read_text()))


@pytest.fixture(scope="session")
def loud(tmp_path_factory: pytest.TempPathFactory) -> World:
    """About 20,000 spans with every planted effect."""
    return make(tmp_path_factory.mktemp("loud"), 20_000)


@pytest.fixture(scope="session")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> World:
    """About 3,000 spans with nothing planted."""
    return make(tmp_path_factory.mktemp("quiet"), 3_000, quiet=True)
