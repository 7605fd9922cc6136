"""Shared by all tests: an empty ledger, and settings that do not see the developer's own."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from core.ledger.store import Store

# Slow is a finding for `make bench`; here a busy machine must not turn a right answer into a failure.
settings.register_profile("trueup", deadline=None)
settings.load_profile("trueup")


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No TRUEUP_ variable of the machine reaches a test."""
    for variable in list(os.environ):
        if variable.startswith("TRUEUP_"):
            monkeypatch.delenv(variable)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty ledger on disk."""
    opened = Store.open(tmp_path / "trueup.duckdb")
    yield opened
    opened.close()


def pytest_unconfigure() -> None:
    """DuckDB's binding reports what it calls leaks on stderr when the interpreter ends; that must not bury the summary."""
    atexit.register(lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), 2))
