"""Trying to cross from one project into another, through the running app's routes, middleware and doors."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from core import answers, projects
from core.audits import every_audit
from core.board import running
from core.findings import standard_scope
from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.kept_answers import KeptAnswers
from core.ledger.current import get_store
from core.ledger.store import Store
from core.measured import measured
from core.projects import NoProject, prefix, within
from core.state import get_state
from core.web.server import api_routes
from tests import otlp_bodies
from tests.projects.world import BODIES, CALLS, NAMES, OCTETS, PROTOBUF, World, three, traces_of
from tests.web.over_http import wait_for

ROUND = [("alpha", "beta"), ("beta", "default"), ("default", "alpha")]
"""Each asks about another one."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Its tests only read; or try to write and must not succeed."""
    with three(tmp_path_factory.mktemp("three")) as running_world:
        yield running_world


def addresses(world: World) -> list[tuple[str, str]]:
    """Every address with a door, by method and path."""
    api = [route for route in api_routes(world.process) if isinstance(route, Route)]
    found = [(method, route.path) for route in api for method in route.methods or () if method != "HEAD"]
    filled = [(method, path.format(audit="retry_ledger", frame="attempts")) for method, path in found]
    return [*filled, ("GET", "/metrics"), *(("POST", path) for path in BODIES)]


def ask(world: World, method: str, path: str, headers: dict[str, str]) -> Any:
    body = next((body for end, body in BODIES.items() if path.endswith(end) and method == "POST"), None)
    kind = PROTOBUF if body else OCTETS
    return world.client.request(
        method, path, content=body or b"", headers=headers | (kind if method == "POST" else {})
    )


@pytest.mark.parametrize(("mine", "other"), [*itertools.permutations(NAMES, 2)])
def test_no_token_opens_any_address_of_another_project(world: World, mine: str, other: str) -> None:
    before = world.process.of(other).ledger().latest_import()
    for (method, path), scope in itertools.product(addresses(world), ("ingest", "read")):
        answer = ask(world, method, f"/p/{other}{path}", world.bearer(mine, scope))
        assert answer.status_code == 401, (method, path, scope)
        assert "as_of" not in answer.text
    assert world.process.of(other).ledger().latest_import() == before
    assert world.traces(other) == traces_of(CALLS[other])


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic eDp5"}])
def test_without_a_token_every_door_of_every_project_is_shut(world: World, headers: dict[str, str]) -> None:
    for name, (method, path) in itertools.product(NAMES, addresses(world)):
        assert ask(world, method, f"{prefix(name)}{path}", headers).status_code == 401, (name, path)


@pytest.mark.parametrize("name", NAMES)
def test_a_token_finds_its_own_project_without_naming_it(world: World, name: str) -> None:
    for path in ("/api/attempts", f"/p/{name}/api/attempts"):
        rows = world.client.get(path, headers=world.bearer(name)).json()["rows"]
        assert {row["trace_id"] for row in rows} == traces_of(CALLS[name])


@pytest.mark.parametrize(("mine", "other"), ROUND)
def test_ids_and_scopes_of_another_project_find_nothing(world: World, mine: str, other: str) -> None:
    def told(path: str, **query: Any) -> Any:
        return world.client.get(path, params=query, headers=world.bearer(mine))

    theirs = traces_of(CALLS[other])
    for path in ("/api/attempts", "/api/imports", "/api/findings?fresh=true", "/metrics"):
        answer = told(path)
        assert answer.status_code == 200
        assert not any(trace in answer.text for trace in theirs)
    for key in ("project", "trace", "schema"):
        assert told("/api/attempts", **{key: other}).status_code == 400
    for key in ("region", "service", "model"):
        assert told("/api/attempts", **{key: f"{other}.spans"}).json()["rows"] == []


def test_no_frame_of_an_audit_holds_a_row_of_another_project(world: World) -> None:
    theirs = {trace for name in NAMES if name != "alpha" for trace in traces_of(CALLS[name])}
    for audit in every_audit():
        name = answers.audit_name(audit)
        frames = audit.load(world.process.of("alpha").ledger().ask, _scope(world, "alpha"))
        for frame in frames:
            answer = world.client.get(f"/api/frames/{name}/{frame}?format=csv", headers=world.bearer("alpha"))
            assert answer.status_code == 200, answer.text
            assert not any(trace in answer.text for trace in theirs)


def _scope(world: World, name: str) -> Any:
    store = world.process.of(name).ledger()
    with within(name):
        return standard_scope(store.ask, store.version(), store.currency)


@pytest.mark.parametrize("name", NAMES)
def test_every_audit_says_what_it_says_of_a_ledger_that_is_alone(
    world: World, name: str, tmp_path: Path
) -> None:
    alone = Store.open(tmp_path / "alone.duckdb")
    alone.submit(decode_traces(otlp_bodies.protobuf(CALLS[name]), "application/x-protobuf", ReadOptions()))
    alone.derive()
    scope = _scope(world, name)
    with within(name):
        beside = answers.findings(world.process.of(name).ledger().ask, scope)
    with within("nobody's"):  # nothing is published there: no measure of the app's is taken
        assert beside == answers.findings(alone.ask, scope)
    alone.close()


def test_a_connection_has_one_ledger_and_no_other(world: World) -> None:
    for own in world.process.every():
        files = own.ledger().ask("select path from duckdb_databases() where not internal")["path"].to_list()
        assert [Path(path).resolve() for path in files if path] == [own.settings.store_path.resolve()]


def test_a_question_without_a_project_is_not_answered(world: World) -> None:
    for asked in (get_store, get_state, running, projects.current):
        with pytest.raises(NoProject):
            asked()
    for name in NAMES:
        with within(name):
            assert get_store() is world.process.of(name).ledger()


def test_worker_measures_and_kept_answers_are_of_one_project(world: World, tmp_path: Path) -> None:
    audit = every_audit()[-1]
    found, kept = {}, {}
    for name in NAMES:
        with within(name):
            worker = running()
            assert worker is not None
            assert worker.store is get_store()
            scope = _scope(world, name)
            found[name] = measured(audit, get_store().ask, scope).frames
            answer = KeptAnswers(get_store().ask, tmp_path, costly_s=0.0)  # even in one folder
            kept[name] = answer.ask(
                "select count(*) as n from spans where import_id <= $as_of", as_of=1
            ).item()
    assert kept == {name: len(calls) for name, calls in CALLS.items()}
    folders = {own.settings.data_dir / "answers" for own in world.process.every()}
    assert len(folders) == len(NAMES)
    assert len({id(frames) for frames in found.values()}) == len(NAMES)


def test_kept_findings_are_of_one_project(world: World) -> None:
    def counted(name: str) -> dict[str, int]:
        rows = world.client.get("/api/findings", headers=world.bearer(name)).json()["rows"]
        return {row["audit"]: row["n"] for row in rows}

    wait_for(lambda: all(len(counted(name)) == len(every_audit()) for name in NAMES))
    fresh = {
        name: {
            row["audit"]: row["n"]
            for row in world.client.get("/api/findings?fresh=true", headers=world.bearer(name)).json()["rows"]
        }
        for name in NAMES
    }
    assert {name: counted(name) for name in NAMES} == fresh
    assert len({str(one) for one in fresh.values()}) > 1


def test_metrics_are_of_one_project_and_named(world: World) -> None:
    told = {name: world.client.get("/metrics", headers=world.bearer(name)).text for name in NAMES}
    for name in ("alpha", "beta"):
        points = [line for line in told[name].splitlines() if not line.startswith("#")]
        assert points
        assert all(f'project="{name}"' in line for line in points)
    assert "project=" not in told["default"]
    assert "trueup_tokens_refused_total" not in told["beta"]


def test_strangers_learn_of_another_project_whether_it_is_ready_and_nothing_else(world: World) -> None:
    assert world.client.get("/p/beta/readyz").json() == {"ready": True}
    assert "latest_import" in world.client.get("/readyz").json()
