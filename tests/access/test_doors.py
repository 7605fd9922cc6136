"""The doors of a running process: HTTP and gRPC take tokens made in the app, within seconds, and count what they refuse."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from core.audit_log import entries
from core.cli import main
from core.settings import Settings
from core.state import State, open_state
from core.tokens import make_token, revoke_token
from core.web.otlp_grpc import SERVICES, serve_grpc
from core.web.process import Process
from core.web.server import lifespan, middleware, routes
from tests import otlp_bodies

LIMIT_S = 90.0
"""A look is every two seconds; the rest is for a busy machine."""
PROTOBUF = {"content-type": "application/x-protobuf"}
OCTETS = {"content-type": "application/octet-stream"}
BODY = otlp_bodies.protobuf(range(1, 3))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[TestClient, Process, State]]:
    """The app without Streamlit: a page stands for all of them."""
    process = Process(Settings(data_dir=tmp_path, derive_seconds=0.1, grpc_port=0), "127.0.0.1", 8501)
    page = Route("/retry_ledger", lambda _request: PlainTextResponse("page"))
    app = Starlette(
        routes=[*routes(process), page], middleware=middleware(process), lifespan=lifespan(process)
    )
    with TestClient(app) as client:
        yield client, process, open_state(process.settings)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def wait_for(client: TestClient, token: str, status: int) -> None:
    """Until the read door answers that; the doors look by themselves."""
    stopping = threading.Event()
    for _ in range(int(LIMIT_S / 0.1)):
        if client.get("/api/imports", headers=bearer(token)).status_code == status:
            return
        stopping.wait(0.1)
    pytest.fail(f"the door did not answer {status} within {LIMIT_S} s")


def test_a_token_opens_its_door_within_seconds_and_only_that_one(
    running: tuple[TestClient, Process, State],
) -> None:
    client, _, state = running
    assert client.get("/api/imports").status_code == 200
    assert client.post("/v1/traces", content=BODY, headers=PROTOBUF).status_code == 200
    read = make_token(state, "grafana", "read", "ann")
    wait_for(client, "wrong", 401)
    assert client.get("/api/imports", headers=bearer(read)).status_code == 200
    assert client.get("/metrics").status_code == 401
    assert client.get("/healthz").status_code == 200
    assert client.get("/retry_ledger").status_code == 200
    assert client.post("/v1/traces", content=BODY, headers=PROTOBUF).status_code == 200
    told = client.get("/metrics", headers=bearer(read)).text
    assert 'trueup_tokens_refused_total{scope="read",why="missing"} 1.0' in told
    wrong = next(line for line in told.splitlines() if 'scope="read",why="wrong"' in line)
    assert float(wrong.split()[-1]) >= 1.0
    revoke_token(state, 1, "ann")
    wait_for(client, read, 401)


def test_what_a_token_does_is_in_the_log_under_its_name(running: tuple[TestClient, Process, State]) -> None:
    client, process, state = running
    token = make_token(state, "nightly", "ingest", "ann")
    process.tokens.look(state)
    refused = client.post("/api/empty-demo", headers=OCTETS)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="trueup"'
    sent = client.post("/api/ingest?name=x.csv", content=b"what is this", headers=OCTETS | bearer(token))
    assert sent.status_code == 422
    newest = entries(state)[0]
    assert (newest.who, newest.act, newest.what) == ("API, token 1 nightly", "file sent", "x.csv: 422")


def test_a_database_that_does_not_answer_lets_nobody_in_and_says_so(tmp_path: Path) -> None:
    process = Process(Settings(data_dir=tmp_path), "127.0.0.1", 8501)
    client = TestClient(Starlette(routes=routes(process), middleware=middleware(process)))
    for path in ("/api/imports", "/metrics"):
        answer = client.get(path, headers=bearer("x"))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert client.get("/healthz").status_code == 200


def test_grpc_takes_the_same_tokens(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = Process(Settings(data_dir=tmp_path, grpc_port=port), "127.0.0.1", 1)
    state = State(path=tmp_path / "state.sqlite")
    server = serve_grpc(process)

    def code(token: str) -> grpc.StatusCode:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary(f"/{next(iter(SERVICES))}/Export")
            with pytest.raises(grpc.RpcError) as error:
                call(BODY, metadata=(("authorization", f"Bearer {token}"),), timeout=240)
            found: grpc.StatusCode = error.value.code()
            return found

    try:
        assert code("x") is grpc.StatusCode.UNAVAILABLE  # nobody knows the tokens yet
        token = make_token(state, "collector", "ingest", "ann")
        process.tokens.look(state)
        assert code("x") is grpc.StatusCode.UNAUTHENTICATED
        assert code(token) is grpc.StatusCode.UNAVAILABLE  # past the door: no ledger is open
        assert process.tokens.refused()["ingest", "wrong"] == 1
    finally:
        server.stop(None)


def test_the_command_line_makes_lists_and_ends_tokens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--data", str(tmp_path)]
    assert main(["token", "make", "collector eu", "--scope", "ingest", "--days", "30", *where]) == 0
    text = capsys.readouterr().out.strip()
    assert text.startswith("trueup_ingest_")
    assert main(["token", "list", *where]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header == "token,name,may,status,made_by,made,ends,last_used"
    assert row.startswith("1,collector eu,ingest,live,command line")
    assert text not in row
    assert [main(["token", act, "1", *where]) for act in ("forget", "revoke", "forget", "revoke")] == [
        1,
        0,
        0,
        1,
    ]
    assert "is live" in (told := capsys.readouterr().err)
    assert "There is no token 1." in told
    assert main(["audit-log", *where]) == 0
    acts = [line.split(",")[3] for line in capsys.readouterr().out.splitlines()]
    assert acts == ["act", "token made", "token revoked", "token forgotten"]
    assert main(["audit-log", "--format", "json", *where]) == 0
    assert capsys.readouterr().out.count('"act": "token made"') == 1
