"""Files with odd values through every reader and into the ledger: documented refusals, reasons, and nothing else.

A failure prints the smallest file hypothesis found; runs are derandomized, so the same code meets the same files.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.ingest.files import FileProblem, read_upload
from core.ingest.formats import FORMATS
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch
from core.ledger.store import Store
from tests.hostile.seeds import SOUND, kind_of, kinds_named
from tests.hostile.shapes import odd

NAMES = [known.name for known in FORMATS]
FAST, SLOW = 12, 700
"""Files of a format in the normal run, and in `make slow` together some minutes."""


@contextmanager
def throwaway() -> Iterator[Store]:
    store = Store.open(":memory:")
    try:
        yield store
    finally:
        store.close()


def files_of(name: str) -> st.SearchStrategy[bytes]:
    """By the seed's place: hypothesis prints what it draws from."""
    return st.integers(0, len(SOUND[name]) - 1).flatmap(lambda at: odd(SOUND[name][at]))


def take(store: Store, name: str, content: bytes) -> None:
    """By the front door, where no fault of ours may hide behind its sentence, and by the format's own reader."""
    reader = next(known for known in FORMATS if known.name == name)
    told = ""
    try:
        stored(store, read_upload(io.BytesIO(content), "file", ReadOptions()))
    except FileProblem as problem:
        told = str(problem)
    assert "the reader failed" not in told, told
    assert not told or len(told) > 20, told
    with suppress(ValueError, RecursionError, pl.exceptions.PolarsError):  # what the front door words
        stored(store, reader.read(io.BytesIO(content), "file", ReadOptions()))


def stored(store: Store, batches: Iterable[Batch]) -> None:
    for batch in batches:
        assert batch.rows_read >= len(batch.quarantined)
        assert all(len(row.reason) > 15 for row in batch.quarantined)
        store.submit(batch)


def fuzz(name: str, count: int) -> None:
    with throwaway() as store:

        @settings(
            max_examples=count,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(files_of(name))
        def run(content: bytes) -> None:
            take(store, name, content)

        run()
        store.derive()


@pytest.mark.parametrize("known", FORMATS, ids=NAMES)
def test_every_reader_is_fuzzed_in_every_kind_it_names(known: object) -> None:
    """A format or a kind of file that is added to FORMATS has no seed until tests/hostile/seeds.py gives it one."""
    name = known.name  # type: ignore[attr-defined]
    assert kinds_named(known) - {kind_of(seed) for seed in SOUND[name]} == set()  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_some_odd_files_of_every_format(name: str) -> None:
    fuzz(name, FAST)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_many_odd_files_of_every_format(name: str) -> None:
    fuzz(name, SLOW)
