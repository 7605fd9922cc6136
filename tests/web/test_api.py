"""The read API: kept findings, frames in three formats, strict parameters, and errors that give their reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow.ipc
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core.answers import FINDING_COLUMNS
from core.audits import every_audit
from core.findings import standard_scope
from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.ledger.store import Store
from core.settings import Settings
from core.web.api import frame_answer
from core.web.process import Process
from core.web.server import routes
from tests.alerts.board import LATER_NS, keep
from tests.test_scenario import steps_as_spans
from tests.web.test_server import HASHED, TOKEN, serving

DAY = "2026-11-18"
"""Of the worked scenario: 1,795,000,000 s after 1970."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Process]]:
    with serving(tmp_path_factory.mktemp("api")) as (client, process):
        process.ledger().submit(decode_traces(steps_as_spans(), "application/x-protobuf", ReadOptions()))
        process.ledger().derive()
        yield client, process


def test_kept_findings_are_answered_without_asking(store: Store) -> None:
    keep(store, 2, "broken", "retry_ledger", at_ns=LATER_NS)
    client = TestClient(Starlette(routes=routes(Process(Settings(), "127.0.0.1", 8501, store))))
    answer = client.get("/api/findings?audit=retry-ledger").json()
    assert answer["not_kept"] == []
    (row,) = answer["rows"]
    assert tuple(row) == FINDING_COLUMNS
    assert (row["status"], row["as_of"], row["start"], row["end"]) == (
        "broken",
        2,
        "2026-10-26",
        "2026-11-22",
    )
    assert row["computed_at"].startswith("2033-05-18T03:33:20")
    other = client.get("/api/findings?audit=retry-ledger&start=2026-11-01&end=2026-11-02").json()
    assert (other["rows"], other["not_kept"]) == ([], ["retry-ledger"])
    older = client.get("/api/findings?audit=retry-ledger&as_of=0").json()
    assert (older["as_of"], older["rows"]) == (0, [])


def test_fresh_findings_are_asked_now(served: tuple[TestClient, Process]) -> None:
    client, _ = served
    (row,) = client.get(f"/api/findings?audit=retry_ledger&fresh=true&start={DAY}&end={DAY}").json()["rows"]
    assert (row["start"], row["end"], row["computed_at"]) == (DAY, DAY, None)
    assert row["n"] == 1


def test_every_frame_comes_in_every_format_with_the_same_rows(served: tuple[TestClient, Process]) -> None:
    store = served[1].ledger()
    scope = standard_scope(store.ask, store.version(), "USD")
    for audit in every_audit():
        for name, frame in audit.load(store.ask, scope).items():
            as_json = orjson.loads(frame_answer(1, frame, "json", name).body)
            table = pyarrow.ipc.open_stream(frame_answer(1, frame, "arrow", name).body).read_all()
            text = bytes(frame_answer(1, frame, "csv", name).body).decode("utf-8-sig")
            rows = list(csv.reader(io.StringIO(text)))
            assert as_json["columns"] == table.column_names == rows[0] == frame.columns
            assert len(as_json["rows"]) == table.num_rows == len(rows) - 1 == frame.height


def test_a_frame_holds_what_the_audit_loaded(served: tuple[TestClient, Process]) -> None:
    client, _ = served
    arrow = client.get("/api/frames/retry-ledger/attempts?format=arrow").content
    rows = pl.read_ipc_stream(io.BytesIO(arrow))
    assert rows.height == len(client.get("/api/frames/retry_ledger/attempts").json()["rows"]) > 0


def test_cells_a_spreadsheet_would_run_are_neutralised(tmp_path: Path) -> None:
    hostile = steps_as_spans().replace(b"\x04shop", b"\x04=1+1")
    with serving(tmp_path) as (client, process):
        process.ledger().submit(decode_traces(hostile, "application/x-protobuf", ReadOptions()))
        process.ledger().derive()
        text = client.get("/api/frames/retry-ledger/calls?format=csv").text
        text += client.get("/api/frames/retry-ledger/attempts?format=csv").text
        text += client.get("/api/frames/bill-reconciliation/traced?format=csv").text
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert "'=1+1" in cells
        assert "=1+1" not in cells


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("findings?regoin=eu", "'regoin' is no parameter of this address. Known: start, end, region"),
        ("findings?fresh=yes", "fresh is 'yes'; write true or false"),
        ("findings?audit=nothing", "There is no audit 'nothing'. Known audits: "),
        ("findings?start=2026-1-1", "start is '2026-1-1'; write a date"),
        ("findings?start=20260101", "start is '20260101'"),
        ("findings?start=9999-12-31", "write a date from 1970-01-01 to 2200-01-01"),
        ("findings?start=2026-03-02&end=2026-03-01", "start 2026-03-02 lies after end 2026-03-01"),
        ("findings?start=2026-03-02&start=2026-03-03", "start is given twice"),
        ("findings?region=", "region is ''"),
        ("findings?region=a%00b", "region is 'ab'"),
        ("findings?as_of=1.5", "as_of is '1.5'"),
        ("imports?start=2026-03-02", "'start' is no parameter of this address. Known: as_of."),
        ("health?x=1", "'x' is no parameter of this address. None is."),
        ("openapi.json?x=1", "'x' is no parameter"),
        ("attempts?limit=10", "'limit' is no parameter"),
        ("bridge?audit=x", "'audit' is no parameter"),
        ("frames/retry-ledger/calls?format=xml", "format is 'xml'; write json, arrow or csv"),
        ("frames/retry-ledger/calls?choice=speed:9", "choice 'speed' is not one of this audit's: "),
        ("frames/retry-ledger/calls?choice=double_counting:never", "choice double_counting is 'never'; write one of"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_name(
    served: tuple[TestClient, Process], query: str, words: str
) -> None:
    answer = served[0].get(f"/api/{query}")
    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_metrics_refuse_parameters_too(served: tuple[TestClient, Process]) -> None:
    assert "'x' is no parameter" in served[0].get("/metrics?x=1").json()["error"]


@pytest.mark.parametrize(
    "path", ["frames/nothing/calls", "frames/retry-ledger/nothing", "frames/retry-ledger", "nope"]
)
def test_what_is_not_there_is_404_in_json(served: tuple[TestClient, Process], path: str) -> None:
    answer = served[0].get(f"/api/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_another_method_is_405_with_the_right_one(served: tuple[TestClient, Process], method: str) -> None:
    answer = served[0].request(method, "/api/findings")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert "is not served" in answer.json()["error"]


def test_health_is_what_readyz_says_and_more(served: tuple[TestClient, Process]) -> None:
    client, _ = served
    health, ready = client.get("/api/health").json(), client.get("/readyz").json()
    assert health["status"] == "ok"
    assert {name: health[name] for name in ready} == ready
    assert {"alert_error", "metrics_error"} <= set(ready)


def test_a_choice_changes_the_frame(served: tuple[TestClient, Process]) -> None:
    """One scope, two settings: the audit's own parameter reaches its SQL."""
    client, _ = served
    for option in ("removed", "kept"):
        answer: Any = client.get(f"/api/frames/retry-ledger/calls?choice=double_counting:{option}")
        assert answer.status_code == 200, answer.text


def test_read_tokens_guard_all(tmp_path: Path) -> None:
    paths = [
        "findings",
        "frames/retry-ledger/runs",
        "imports",
        "health",
        "openapi.json",
        "attempts",
        "bridge",
    ]
    with serving(tmp_path, read_tokens=HASHED) as (client, _):
        for path in (*(f"/api/{path}" for path in paths), "/metrics"):
            refused = client.get(path)
            assert refused.status_code == 401, path
            assert refused.json()["error"]
            assert client.get(path, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200, path
