"""The API does what docs/openapi.json says: schemathesis asks the running app, with what is allowed and what is not."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis import checks
from schemathesis.generation import GenerationMode

from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.settings import Settings
from core.web.api import OPENAPI
from core.web.process import Process
from core.web.server import routes
from tests.test_scenario import steps_as_spans
from tests.web.over_http import over_http
from tests.web.test_server import HASHED, TOKEN

BEARER = {"Authorization": f"Bearer {TOKEN}"}
EXAMPLES = 8
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
"""Not negative_data_rejection: it counts model=true as a boolean where names are asked for, which HTTP cannot tell apart."""
DOCUMENT: dict[str, Any] = json.loads(OPENAPI.read_text(encoding="utf-8"))
READ = [path for path, item in DOCUMENT["paths"].items() if "get" in item]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A running app over the worked scenario, with a read token."""
    folder: Path = tmp_path_factory.mktemp("api")
    with over_http(folder, read_tokens=HASHED) as process:
        batch = decode_traces(steps_as_spans(), "application/x-protobuf", ReadOptions())
        process.ledger().submit(batch)
        process.ledger().derive()
        yield process


def fetch(process: Process, path: str) -> Any:
    request = urllib.request.Request(process.address() + path, headers=BEARER)
    with urllib.request.urlopen(request, timeout=240) as answer:
        return json.load(answer)


def test_every_address_under_api_is_described_and_no_other() -> None:
    served = {
        route.path: route.methods - {"HEAD"}
        for route in routes(Process(Settings(), "127.0.0.1", 8501))
        if (route.path.startswith("/api/") or route.path == "/metrics") and "{rest" not in route.path
    }
    assert served == {path: {method.upper() for method in item} for path, item in DOCUMENT["paths"].items()}


def test_the_description_is_served_and_is_openapi_3_1(app: Process) -> None:
    assert fetch(app, "/api/openapi.json") == DOCUMENT
    schemathesis.openapi.from_dict(DOCUMENT).validate()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("path", READ)
def test_answers_are_as_described(app: Process, path: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{app.address()}/api/openapi.json", headers=BEARER)
    operation = schema[path]["GET"]
    if mode is GenerationMode.NEGATIVE and not DOCUMENT["paths"][path]["get"]["parameters"]:
        pytest.skip("no parameter to get wrong; unknown ones are in test_api.py")

    @seed(19)
    @settings(max_examples=EXAMPLES, database=None, suppress_health_check=list(HealthCheck), deadline=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        if case.path_parameters:  # names made up at random are all unknown
            case.path_parameters = {"audit": "retry-ledger", "frame": "runs"}
        answer = case.call_and_validate(headers=BEARER, checks=CHECKS, timeout=240)
        statuses.append(answer.status_code)

    statuses: list[int] = []
    ask()
    assert (200 if mode is GenerationMode.POSITIVE else 400) in statuses, statuses


@pytest.mark.parametrize("path", READ)
def test_nothing_is_read_without_a_token_and_no_other_method_is_served(app: Process, path: str) -> None:
    address = app.address() + path.format(audit="retry-ledger", frame="runs")
    for method, headers, allowed in (
        ("GET", {}, 401),
        ("POST", BEARER, 405),
        ("GET", {"Authorization": "Bearer no"}, 401),
    ):
        request = urllib.request.Request(address, method=method, headers=headers)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=240)
        assert refused.value.code == allowed
