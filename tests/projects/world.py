"""An instance with three projects: the default one, `alpha` and `beta`, each with tokens and with calls of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from starlette.testclient import TestClient

from core import project_folders
from core.projects import DEFAULT, prefix
from core.settings import Settings
from core.state import open_state
from core.tokens import SCOPES, make_token, token_project
from core.web.process import Process
from tests import otlp_bodies
from tests.web.over_http import wait_for
from tests.web.test_server import serving

PROTOBUF = {"content-type": "application/x-protobuf"}
OCTETS = {"content-type": "application/octet-stream"}
NAMES = (DEFAULT, "alpha", "beta")
CALLS = {DEFAULT: range(1, 2), "alpha": range(11, 14), "beta": range(21, 26)}
"""1, 3 and 5 calls, of the same service and model in each."""

BODIES = {
    "/v1/traces": otlp_bodies.protobuf(range(91, 92)), "/v1/logs": otlp_bodies.logs_body(),
    "/v1/metrics": otlp_bodies.metrics_body(),
}  # fmt: skip
"""A body of each signal, by its address."""


class World(NamedTuple):
    """The running instance."""

    client: TestClient
    process: Process
    tokens: dict[tuple[str, str], str]
    """By project and scope."""

    def bearer(self, project: str, scope: str = "read") -> dict[str, str]:
        """The header with that project's token."""
        return {"authorization": f"Bearer {self.tokens[project, scope]}"}

    def send(self, project: str, calls: range, path: str = "/v1/traces") -> int:
        """Send calls with that project's token; the status."""
        body = otlp_bodies.protobuf(calls)
        return self.client.post(
            path, content=body, headers=PROTOBUF | self.bearer(project, "ingest")
        ).status_code

    def traces(self, project: str) -> set[str]:
        """Trace ids in that project's own ledger, past every door."""
        rows = self.process.of(project).ledger().ask("select distinct trace_id from spans")
        return set(rows["trace_id"])


def traces_of(calls: range) -> set[str]:
    """Their trace ids."""
    return {otlp_bodies.ids(number)[0] for number in calls}


def make_projects(folder: Path) -> None:
    """The folders of alpha and beta."""
    for name in NAMES[1:]:
        project_folders.add(Settings(data_dir=folder), name)


@contextmanager
def three(folder: Path, files: Mapping[str, str] | None = None, **settings: Any) -> Iterator[World]:
    """All three serve; each has its calls, and they are derived. `files` are settings of projects by name."""
    make_projects(folder)
    for name, text in (files or {}).items():
        (folder / "projects" / name / "trueup.toml").write_text(text)
    tokens = {}
    for own in project_folders.every_settings(Settings(data_dir=folder)):
        state = open_state(own)
        for scope in SCOPES:
            named = token_project(own.project)
            tokens[own.project, scope] = make_token(
                state, f"{own.project} {scope}", scope, "ann", project=named
            )
        state.close()
    with serving(folder, **({"grpc_port": 0} | settings)) as (client, process):
        world = World(client, process, tokens)
        for name, calls in CALLS.items():
            assert world.send(name, calls, f"{prefix(name)}/v1/traces") == 200
        wait_for(lambda: all(one.ledger().version() >= 1 for one in process.every()))
        yield world
