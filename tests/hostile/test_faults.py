"""Where a reader or the ledger itself fails at one input, the sender hears of it and the next input is taken."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from core.ingest import formats
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch
from core.ledger.store import Store
from core.settings import Settings
from core.web.ingest import receive_otlp
from core.web.otlp_door import Signal
from core.web.process import Process
from tests import otlp_bodies
from tests.web.test_server import FILE, PROTOBUF, serving


def broken(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    yield from ()
    raise ZeroDivisionError("a fault in a reader")


def with_no_such_column(body: bytes, content_type: str, options: ReadOptions) -> Batch:
    return Batch("x", "otlp_traces", "sha", 1, {"spans": pl.DataFrame({"no_such_column": [1]})})


def test_a_reader_that_fails_is_a_problem_of_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faulty = formats.Format("faulty", "Faulty", lambda head, name: head.startswith(b"faulty"), broken)
    monkeypatch.setattr(formats, "FORMATS", (faulty, *formats.FORMATS))
    with serving(tmp_path) as (client, process):
        answer = client.post("/api/ingest?name=a.bin", content=b"faulty", headers=FILE)
        assert answer.status_code == 422
        assert "a.bin: the reader failed (ZeroDivisionError)" in answer.json()["error"]
        assert "a fault in a reader" in caplog.text
        assert process.ledger().ask("select problem from files").item().startswith("a.bin: ")
        sound = client.post("/api/ingest?name=b.pb", content=otlp_bodies.protobuf(range(1, 3)), headers=FILE)
        assert sound.status_code == 200


def test_a_body_the_ledger_cannot_hold_is_a_400_and_the_next_is_taken(
    tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """A 5xx would be sent again and again, and fail again and again."""
    process = Process(Settings(data_dir=tmp_path), "127.0.0.1", 8501, store=store)
    faulty = Signal("traces", with_no_such_column)
    app = Starlette(routes=[Route("/v1/traces", partial(receive_otlp, faulty, process), methods=["POST"])])
    with caplog.at_level(logging.CRITICAL, "trueup.ingest"):
        refused = TestClient(app).post("/v1/traces", content=b"", headers=PROTOBUF)
    assert refused.status_code == 400
    assert b"could not be stored: ValueError" in refused.content
    assert store.writable()
    assert store.latest_import() == 0
