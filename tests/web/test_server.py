"""The HTTP side, through the real routes, middleware and lifespan on a ledger in a folder of its own."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core.ledger.current import NoStore, get_store
from core.ledger.store import Batch
from core.settings import Settings
from core.web.body import BadCompression, BodyTooLarge, gunzip
from core.web.process import Process
from core.web.server import lifespan, middleware, routes
from tests import otlp_bodies

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
FILE = {"content-type": "application/octet-stream"}
TOKEN = "a-token-of-some-length"
HASHED = (hashlib.sha256(TOKEN.encode()).hexdigest(),)


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[tuple[TestClient, Process]]:
    """A client of the app, and its process; without gRPC, whose port the machine may have given to something else."""
    given = {"derive_seconds": 0.1, "grpc_port": 0} | settings
    process = Process(Settings(data_dir=folder, **given), "127.0.0.1", 8501)
    application = Starlette(
        routes=routes(process), middleware=middleware(process), lifespan=lifespan(process)
    )
    with TestClient(application) as client:
        yield client, process


@pytest.fixture
def no_faults(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A decoder's own fault is answered 400 too, but logged: bad input must be refused knowingly."""
    yield
    faults = [record.exc_text for record in caplog.records if record.name == "trueup.ingest"]
    assert not faults, faults[0]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[TestClient, Process]]:
    with serving(tmp_path) as pair:
        yield pair


def wait_until_derived(process: Process, at_least: int) -> None:
    ends = time.monotonic() + 20
    while process.ledger().version() < at_least:
        assert process.derive_error is None, process.derive_error
        assert time.monotonic() < ends, "not derived in 20 s"
        time.sleep(0.05)


def span_rows(process: Process) -> list[dict[str, object]]:
    return process.ledger().ask("select * exclude (import_id) from spans order by span_id").rows(named=True)


def test_health_and_readiness(served: tuple[TestClient, Process]) -> None:
    client, _ = served
    assert client.get("/healthz").json()["status"] == "ok"
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["queue_depth"] == 0
    assert ready.json()["latest_import"] == 0


def test_readiness_is_503_before_the_ledger_is_open(tmp_path: Path) -> None:
    process = Process(Settings(data_dir=tmp_path), "127.0.0.1", 8501)
    client = TestClient(Starlette(routes=routes(process)))  # lifespan not entered
    assert client.get("/readyz").status_code == 503
    refused = client.post("/v1/traces", content=otlp_bodies.protobuf(range(1, 2)), headers=PROTOBUF)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")


def test_a_200_means_the_rows_are_committed(served: tuple[TestClient, Process]) -> None:
    client, process = served
    answer = client.post("/v1/traces", content=otlp_bodies.protobuf(range(1, 4)), headers=PROTOBUF)
    assert (answer.status_code, answer.content) == (200, b"")  # an empty response message: full success
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert len(span_rows(process)) == 3
    wait_until_derived(process, 1)
    rows = client.get("/api/attempts").json()["rows"]
    assert [row["span_id"] for row in rows] == [otlp_bodies.ids(n)[1] for n in (1, 2, 3)]
    assert client.get("/api/imports").json()["rows"][0]["rows_accepted"] == 3


def test_json_and_protobuf_give_the_same_rows(tmp_path: Path) -> None:
    tables = []
    for name, body, headers in (
        ("one", otlp_bodies.protobuf(range(1, 6)), PROTOBUF),
        ("two", otlp_bodies.json_body(range(1, 6)), JSON),
    ):
        (tmp_path / name).mkdir()
        with serving(tmp_path / name) as (client, process):
            assert client.post("/v1/traces", content=body, headers=headers).status_code == 200
            tables.append(span_rows(process))
    assert tables[0] == tables[1]
    assert len(tables[0]) == 5


def test_json_is_answered_in_json(served: tuple[TestClient, Process]) -> None:
    client, _ = served
    headers = {"content-type": "application/json; charset=utf-8"}
    answer = client.post("/v1/traces", content=otlp_bodies.json_body(range(1, 2)), headers=headers)
    assert (answer.status_code, answer.json()) == (200, {})


def test_gzip_is_the_same_body(served: tuple[TestClient, Process]) -> None:
    client, process = served
    body = otlp_bodies.protobuf(range(1, 4))
    zipped = client.post(
        "/v1/traces", content=gzip.compress(body), headers=PROTOBUF | {"content-encoding": "gzip"}
    )
    plain = client.post("/v1/traces", content=body, headers=PROTOBUF)
    assert (zipped.status_code, plain.status_code) == (200, 200)
    assert len(span_rows(process)) == 3  # the second is an exact resend of the first


def test_the_same_body_twice_is_200_and_stored_once(served: tuple[TestClient, Process]) -> None:
    client, process = served
    body = otlp_bodies.protobuf(range(1, 4))
    for _ in range(2):
        assert client.post("/v1/traces", content=body, headers=PROTOBUF).status_code == 200
    assert len(span_rows(process)) == 3


@pytest.mark.parametrize("signal", ["logs", "metrics"])
def test_logs_and_metrics_are_taken(signal: str, served: tuple[TestClient, Process]) -> None:
    client, process = served
    body = otlp_bodies.logs_body() if signal == "logs" else otlp_bodies.metrics_body()
    assert client.post(f"/v1/{signal}", content=body, headers=PROTOBUF).status_code == 200
    assert process.ledger().latest_import() == 1


def test_unfit_spans_are_rejected_with_a_count_and_a_reason(served: tuple[TestClient, Process]) -> None:
    client, process = served
    unfit = otlp_bodies.protobuf(range(1, 3), trace_id_bytes=5)
    both = unfit + otlp_bodies.protobuf(range(3, 4))  # protobuf messages concatenate: two groups, three spans
    answer = client.post("/v1/traces", content=both, headers=PROTOBUF)
    assert answer.status_code == 200
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_spans == 2
    assert "trace" in partial.error_message
    assert len(span_rows(process)) == 1
    assert process.ledger().ask("select count(*) as n from quarantine").item() == 2
    again = client.post("/v1/traces", content=both, headers=PROTOBUF)
    assert again.content == answer.content
    assert process.ledger().ask("select count(*) as n from quarantine").item() == 2


def test_partial_success_in_json_has_its_count_as_text(served: tuple[TestClient, Process]) -> None:
    client, _ = served
    body = json.loads(otlp_bodies.json_body(range(1, 3)))
    body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] = "not hex"
    answer = client.post("/v1/traces", content=json.dumps(body), headers=JSON)
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "1"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"\xff\xff\xff", PROTOBUF, 400),
        (b"{", JSON, 400),
        (b"[1]", JSON, 400),
        (b"not gzip", PROTOBUF | {"content-encoding": "gzip"}, 400),
        (gzip.compress(b"cut short" * 100, mtime=0)[:-12], PROTOBUF | {"content-encoding": "gzip"}, 400),
        (b"", PROTOBUF | {"content-encoding": "br"}, 415),
        (b"x", {"content-type": "text/plain"}, 415),
        (b"x", {"content-type": ""}, 415),
    ],
)
def test_bad_input_is_a_4xx_with_a_status_message(
    body: bytes, headers: dict[str, str], status: int, served: tuple[TestClient, Process]
) -> None:
    client, process = served
    answer = client.post("/v1/traces", content=body, headers=headers)
    assert answer.status_code == status
    if headers["content-type"] == PROTOBUF["content-type"]:
        assert Status.FromString(answer.content).message
    else:
        assert str(answer.json())
    assert process.ledger().latest_import() == 0


def test_mangled_bodies_never_give_a_5xx(served: tuple[TestClient, Process], no_faults: None) -> None:
    """Every answer to 300 bodies with a few bytes changed, seed 5, is a 200 or a 4xx."""
    client, _ = served
    draw = random.Random(5)
    good = ((otlp_bodies.protobuf(range(1, 3)), PROTOBUF), (otlp_bodies.json_body(range(1, 3)), JSON))
    for _ in range(300):
        body, headers = draw.choice(good)
        mangled = bytearray(body)
        for _ in range(draw.randint(1, 6)):
            mangled[draw.randrange(len(mangled))] = draw.randrange(256)
        answer = client.post("/v1/traces", content=bytes(mangled), headers=headers)
        assert answer.status_code in (200, 400), (answer.status_code, bytes(mangled))


@pytest.mark.parametrize(
    "odd",
    [
        {"resourceSpans": None},
        {"resourceSpans": {}},
        {"resourceSpans": ["x"]},
        {"resourceSpans": [{"scopeSpans": [{"spans": [None, 3, {}]}]}]},
        {"resourceSpans": [{"resource": {"attributes": [{"key": 3}]}, "scopeSpans": [{"spans": []}]}]},
        {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": 5, "startTimeUnixNano": "soon"}]}]}]},
        {
            "resourceSpans": [
                {
                    "scopeSpans": [
                        {
                            "spans": [
                                {
                                    "traceId": "0" * 31 + "1",
                                    "spanId": "0" * 15 + "1",
                                    "startTimeUnixNano": str(10**30),
                                    "endTimeUnixNano": "-5",
                                    "attributes": [
                                        {
                                            "key": "gen_ai.usage.input_tokens",
                                            "value": {"intValue": str(10**40)},
                                        }
                                    ],
                                }
                            ]
                        }
                    ]
                }
            ]
        },
    ],
)
def test_odd_json_never_gives_a_5xx(
    odd: dict[str, Any], served: tuple[TestClient, Process], no_faults: None
) -> None:
    client, _ = served
    assert client.post("/v1/traces", content=json.dumps(odd), headers=JSON).status_code in (200, 400)


def test_a_body_over_the_limit_is_413_however_it_comes(tmp_path: Path) -> None:
    """Limit 1 MiB: declared, sent without a length, and unfolding from 2 kB of gzip."""
    big = b"\0" * (1024 * 1024 + 1)

    def in_chunks() -> Iterator[bytes]:
        yield from (big[start : start + 65_536] for start in range(0, len(big), 65_536))

    with serving(tmp_path, body_limit_mib=1) as (client, _):
        declared = client.post("/v1/traces", content=big, headers=PROTOBUF)
        undeclared = client.post("/v1/traces", content=in_chunks(), headers=PROTOBUF)
        bomb = client.post(
            "/v1/traces", content=gzip.compress(big, mtime=0), headers=PROTOBUF | {"content-encoding": "gzip"}
        )
    assert [answer.status_code for answer in (declared, undeclared, bomb)] == [413, 413, 413]
    assert "1 MiB" in Status.FromString(bomb.content).message


def test_gunzip_reads_members_one_after_another_and_stops_at_the_limit() -> None:
    two = gzip.compress(b"a" * 10, mtime=0) + gzip.compress(b"b" * 10)
    assert gunzip(two, 20) == b"a" * 10 + b"b" * 10
    with pytest.raises(BodyTooLarge):
        gunzip(two, 19)
    with pytest.raises(BadCompression, match="cut short"):
        gunzip(two[:-4], 20)


def test_tokens_are_asked_for_by_kind(tmp_path: Path) -> None:
    other = (hashlib.sha256(b"another-long-token").hexdigest(),)
    bearer = {"authorization": f"Bearer {TOKEN}"}
    body = otlp_bodies.protobuf(range(1, 2))
    with serving(tmp_path, ingest_tokens=HASHED, read_tokens=other) as (client, _):
        missing = client.post("/v1/traces", content=body, headers=PROTOBUF)
        wrong = client.post("/v1/traces", content=body, headers=PROTOBUF | {"authorization": "Bearer no"})
        right = client.post("/v1/traces", content=body, headers=PROTOBUF | bearer)
        lower = client.post(
            "/v1/traces", content=body, headers=PROTOBUF | {"authorization": f"bearer {TOKEN}"}
        )
        file = client.post("/api/ingest?name=x", content=b"", headers=FILE)
        emptying = client.post("/api/empty-demo", headers=FILE)
        read_with_ingest_token = client.get("/api/imports", headers=bearer)
        read = client.get("/api/imports", headers={"authorization": "Bearer another-long-token"})
        health = client.get("/healthz")
    assert {answer.status_code for answer in (missing, wrong, file, emptying)} == {401}
    assert missing.headers["www-authenticate"].startswith("Bearer")
    assert Status.FromString(missing.content).code == 16  # google.rpc.Code.UNAUTHENTICATED
    assert [right.status_code, lower.status_code, read.status_code] == [200, 200, 200]
    assert read_with_ingest_token.status_code == 401
    assert health.status_code == 200


def many_points(number: int) -> Batch:
    """A batch that keeps the writer busy for a second or more."""
    points = pl.DataFrame({"value": range(1_500_000)}).select(
        pl.lit("calls").alias("name"),
        pl.lit("gauge").alias("kind"),
        pl.lit(otlp_bodies.AT_NS).alias("at_ns"),
        pl.lit(dt.date(2026, 3, 31)).alias("day"),
        pl.col("value").cast(pl.Float64),
    )
    return Batch("busy", "otlp_metrics", f"sha-{number}", len(points), {"metric_points": points})


def test_a_full_queue_is_429_with_retry_after(tmp_path: Path) -> None:
    """A queue of one: the first large batch is being written, the second waits, the sender is turned away."""
    body = otlp_bodies.protobuf(range(1, 2))
    with serving(tmp_path, queue_limit=1) as (client, process):
        store = process.ledger()
        first = store.submit_soon(many_points(1))
        while store.queue_depth():
            time.sleep(0.001)
        second = store.submit_soon(many_points(2))
        refused = client.post("/v1/traces", content=body, headers=PROTOBUF)
        assert not first.done(), "the machine wrote the first batch too fast for this test to say anything"
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert "waiting" in Status.FromString(refused.content).message
        assert second.result(timeout=240).rows_accepted == 1_500_000
        assert client.post("/v1/traces", content=body, headers=PROTOBUF).status_code == 200


def test_unknown_addresses_and_methods_are_404_in_json(served: tuple[TestClient, Process]) -> None:
    client, _ = served
    for answer in (client.get("/v1/traces"), client.post("/v1/profiles"), client.get("/api/nothing")):
        assert answer.status_code == 404
        assert "is not served" in str(answer.json())


def test_a_file_goes_in_by_the_api(served: tuple[TestClient, Process]) -> None:
    client, process = served
    line = otlp_bodies.json_body(range(1, 4)) + b"\n"
    answer = client.post("/api/ingest?name=../../spans.jsonl", content=line, headers=FILE)
    assert answer.status_code == 200
    assert sum(receipt["rows_accepted"] for receipt in answer.json()["receipts"]) == 3
    assert process.ledger().ask("select source from imports").item() == "spans.jsonl"
    assert client.post("/api/ingest", content=line, headers=FILE).status_code == 400
    assert client.post("/api/ingest?name=a.jsonl", content=line, headers=JSON).status_code == 415
    unknown = client.post("/api/ingest?name=a.bin", content=b"\x00\x01\x02", headers=FILE)
    assert unknown.status_code == 422
    assert "a.bin" in unknown.json()["error"]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (
            "ingest?name=a.jsonl&dmeo=1",
            "'dmeo' is no parameter of this address. Known: name, delivery, demo.",
        ),
        ("ingest?name=a.jsonl&demo=true", "demo is 'true'; write 0 or 1."),
        ("ingest?name=a.jsonl&name=b.jsonl", "name is given twice"),
        ("undo?import=1&fiel=2", "'fiel' is no parameter"),
        ("empty-demo?sure=yes", "'sure' is no parameter"),
    ],
)
def test_a_misspelt_parameter_changes_nothing(
    served: tuple[TestClient, Process], address: str, words: str
) -> None:
    """Left out in silence, a misspelt demo=1 would have made demo rows real ones."""
    client, process = served
    line = otlp_bodies.json_body(range(1, 4)) + b"\n"
    answer = client.post(f"/api/{address}", content=line, headers=FILE)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert process.ledger().latest_import() == 0


def test_the_demo_is_marked_and_emptied_while_the_app_runs(served: tuple[TestClient, Process]) -> None:
    client, process = served
    line = otlp_bodies.json_body(range(1, 4)) + b"\n"
    assert client.post("/api/ingest?name=spans.jsonl&demo=1", content=line, headers=FILE).status_code == 200
    assert process.ledger().ask("select demo from imports").rows() == [(True,)]
    assert client.post("/api/empty-demo", headers=JSON).status_code == 415
    answer = client.post("/api/empty-demo", headers=FILE)
    assert (answer.status_code, answer.json()["import_id"]) == (200, 2)
    assert span_rows(process) == []
    assert client.post("/v1/traces", content=otlp_bodies.protobuf(range(1, 4)), headers=PROTOBUF).is_success
    refused = client.post("/api/empty-demo", headers=FILE)
    assert (refused.status_code, len(span_rows(process))) == (422, 3)
    assert "no demo data" in refused.json()["error"]


def test_a_file_over_the_limit_is_413(tmp_path: Path) -> None:
    with serving(tmp_path, file_limit_mib=1) as (client, _):
        answer = client.post("/api/ingest?name=a", content=b"\0" * (1024 * 1024 + 1), headers=FILE)
    assert answer.status_code == 413


def test_the_scope_of_a_question_comes_from_the_query(served: tuple[TestClient, Process]) -> None:
    client, process = served
    client.post("/v1/traces", content=otlp_bodies.protobuf(range(1, 3)), headers=PROTOBUF)
    wait_until_derived(process, 1)
    client.post("/v1/traces", content=otlp_bodies.protobuf(range(3, 4)), headers=PROTOBUF)
    wait_until_derived(process, 2)
    assert len(client.get("/api/attempts").json()["rows"]) == 3
    assert len(client.get("/api/attempts?as_of=1").json()["rows"]) == 2
    assert len(client.get("/api/attempts?start=2026-03-31&end=2026-03-31").json()["rows"]) == 3
    assert client.get("/api/attempts?start=2026-04-01").json()["rows"] == []
    for query, calls in (("service=assist", 3), ("service=other", 0), ("model=gpt-4o-mini-2024-07-18", 3), ("model=x", 0),
                         ("region=eu-west-1", 0), ("service=assist&model=x", 0), ("service=x&service=assist", 3)):  # fmt: skip
        assert len(client.get(f"/api/attempts?{query}").json()["rows"]) == calls, query
    assert len(client.get("/api/imports?as_of=1").json()["rows"]) == 1
    for query in ("start=soon", "as_of=-1", "as_of=latest"):
        assert client.get(f"/api/attempts?{query}").status_code == 400
    assert client.get("/api/findings?audit=nothing").status_code == 400


def test_findings_and_bridge_answer_on_an_empty_ledger(served: tuple[TestClient, Process]) -> None:
    client, _ = served
    found = client.get("/api/findings?fresh=true").json()
    assert found["as_of"] == 0
    assert {row["status"] for row in found["rows"]} == {"cannot tell"}
    assert all(row["missing"] for row in found["rows"])
    assert client.get("/api/bridge").status_code == 200


def test_the_ledger_is_published_while_the_app_runs(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, process):
        assert get_store() is process.ledger()
        note = json.loads((tmp_path / "trueup.duckdb.app.json").read_text())
        assert note["address"] == "http://127.0.0.1:8501"
    with pytest.raises(NoStore, match="make run"):
        get_store()
    assert not (tmp_path / "trueup.duckdb.app.json").exists()
