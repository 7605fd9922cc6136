"""What is done in one project, over the running app's doors, leaves the others as they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from core import decks, reviews, shared_links
from core.audit_log import entries
from core.projects import prefix, within
from core.state import get_state
from core.tokens import forget_token, list_tokens, revoke_token
from core.web.otlp_grpc import SERVICES
from tests import otlp_bodies
from tests.projects.world import BODIES, CALLS, NAMES, OCTETS, PROTOBUF, World, three, traces_of
from tests.web.test_process import free_port


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    """For tests that write."""
    with three(tmp_path, grpc_port=free_port()) as running_world:
        yield running_world


def test_what_people_make_stays_in_its_project(fresh: World) -> None:
    with within("alpha"):
        number = reviews.make_review(get_state(), "Outage of alpha", "Ann")
        decks.create("Quarter")
        token = shared_links.make_link(get_state(), number, b"<p>alpha</p>", 7)
    for name in ("default", "beta"):
        with within(name):
            assert reviews.reviews(get_state()) == []
            assert dict(decks.ids_by_name()) == {}
            assert shared_links.links_of(get_state(), number) == []
        assert fresh.client.get(f"{prefix(name)}/shared/{token}").status_code == 404
        assert (
            fresh.client.get(f"{prefix(name)}/shared/{token}", headers=fresh.bearer("alpha")).status_code
            == 404
        )
    assert fresh.client.get(f"/p/alpha/shared/{token}").text == "<p>alpha</p>"


def test_acts_over_the_api_reach_one_project_and_its_log_alone(fresh: World) -> None:
    """Import 1, trace ids and folders of the same names are there in each."""
    client, mine = fresh.client, OCTETS | fresh.bearer("alpha", "ingest")
    erased = client.post(
        "/api/erase", content=b'{"trace": ["%s"]}' % otlp_bodies.ids(21)[0].encode(), headers=mine
    )
    assert erased.status_code == 422  # beta's trace is nobody's here
    made = client.post("/api/backup", headers=mine).json()
    assert Path(made["folder"]).is_relative_to(fresh.process.of("alpha").settings.data_dir.resolve())
    assert made["rows"]["spans"] == len(CALLS["alpha"])
    assert client.post("/api/undo?import=1", headers=mine).status_code == 200
    assert client.post("/api/ingest?name=a.csv", content=b"what is this", headers=mine).status_code == 422
    for name in ("default", "beta"):
        store = fresh.process.of(name).ledger()
        assert store.ask("select count(*) from undone").item() == 0
        assert store.ask("select count(*) from files").item() == 0
        assert fresh.traces(name) == traces_of(CALLS[name])
        with within(name):
            assert {one.act for one in entries(get_state())} == {"token made"}
    with within("alpha"):
        acts = {one.act for one in entries(get_state())}
    assert acts == {"token made", "backup made", "import undone", "file sent"}


def test_grpc_goes_where_its_token_belongs(fresh: World) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{fresh.process.settings.grpc_port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=240)
        for service, body in zip(
            SERVICES, (otlp_bodies.protobuf(range(31, 33)), *[*BODIES.values()][1:]), strict=True
        ):
            call = channel.unary_unary(f"/{service}/Export")
            for name in NAMES:
                call(
                    body, metadata=(("authorization", f"Bearer {fresh.tokens[name, 'ingest']}"),), timeout=240
                )
            for text in (fresh.tokens["alpha", "read"], "wrong", ""):
                with pytest.raises(grpc.RpcError) as error:
                    call(body, metadata=(("authorization", f"Bearer {text}"),), timeout=240)
                assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
        call = channel.unary_unary(f"/{next(iter(SERVICES))}/Export")
        more = otlp_bodies.protobuf(range(41, 42))
        call(more, metadata=(("authorization", f"Bearer {fresh.tokens['beta', 'ingest']}"),), timeout=240)
    assert traces_of(range(41, 42)) <= fresh.traces("beta")
    for name in ("default", "alpha"):
        assert not traces_of(range(41, 42)) & fresh.traces(name)


def test_a_token_that_ended_does_not_send_into_another_project(fresh: World) -> None:
    """The default project's door is open to all: data of beta must not fall through it."""
    with within("default"):
        state = get_state()
        for one in list_tokens(state):
            revoke_token(state, one.token_id, "ann")
        for one in list_tokens(state):
            forget_token(state, one.token_id, "ann")
        fresh.process.tokens.look(state)
    assert fresh.client.post("/v1/traces", content=BODIES["/v1/traces"], headers=PROTOBUF).status_code == 200
    with within("beta"):
        for one in list_tokens(get_state()):
            revoke_token(get_state(), one.token_id, "ann")
        fresh.process.tokens.look(get_state(), "beta")
    assert fresh.send("beta", range(51, 52)) == 401
    assert fresh.client.get("/api/imports", headers=fresh.bearer("beta", "ingest")).status_code == 401
    assert fresh.client.get("/api/imports").status_code == 200
    assert fresh.client.get("/p/beta/api/imports").status_code == 401
    for name in NAMES:
        assert not traces_of(range(51, 52)) & fresh.traces(name)


def test_a_copied_database_brings_no_token_across(fresh: World) -> None:
    """As when a backup of alpha is restored into beta."""
    with within("alpha"):
        alpha = get_state()
    fresh.process.tokens.look(alpha, "beta")
    for wanted in ("/p/beta/api/imports", "/p/alpha/api/imports"):
        status = fresh.client.get(wanted, headers=fresh.bearer("alpha")).status_code
        assert status == (401 if "beta" in wanted else 200)
