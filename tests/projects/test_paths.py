"""Whose project an address is: what the path names, once, and nothing a browser or program says beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core import projects
from core.web.project_path import PROJECT, ProjectPath

HEADER = projects.HEADER.encode()


@pytest.fixture(autouse=True)
def settled() -> Iterator[None]:
    projects.settle(("alpha", "beta"))
    yield
    projects.settle(())


def reached(path: str, base: str = "", kind: str = "http", raw: bytes | None = None) -> tuple[Any, list[Any]]:
    """The scope that came through, or None, and what was answered instead."""
    came: list[MutableMapping[str, Any]] = []
    answered: list[Any] = []

    async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        came.append(scope)

    async def send(message: Any) -> None:
        answered.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {
        "type": kind, "path": path, "raw_path": path.encode() if raw is None else raw, "method": "GET", "query_string": b"",
        "headers": [(b"host", b"x"), (HEADER, b"beta"), (b"X-Trueup-Project", b"beta")], "server": ("x", 80), "scheme": "http",
    }  # fmt: skip
    asked = ProjectPath(app, base)(scope, receive, send)
    with ThreadPoolExecutor(
        1
    ) as beside:  # a browser test before this one may have left a loop running in this thread
        beside.submit(asyncio.run, asked).result()
    return (came[0] if came else None), answered


@pytest.mark.parametrize(
    ("path", "base", "inside"),
    [("/p/alpha/api/x", "", "/api/x"), ("/p/alpha/", "", "/"), ("/t/p/alpha/api/x", "/t", "/t/api/x"),
     ("/p/alpha/api/x", "/t", "/api/x"), ("/p/alpha/p/beta/api/x", "", "/p/beta/api/x")],
)  # fmt: skip
def test_the_first_name_goes_off_the_path_and_into_the_request(path: str, base: str, inside: str) -> None:
    scope, _ = reached(path, base)
    assert (scope[PROJECT], scope["path"], scope["raw_path"]) == ("alpha", inside, inside.encode())


@pytest.mark.parametrize(
    "path",
    ["/p/gamma/", "/p/gamma/api/x", "/p//api/x", "/p/Alpha/api/x", "/p/alpha%2f/", "/p/../", "/p/a\x00/"],
)  # fmt: skip
def test_a_name_that_nobody_has_is_404_and_a_page_is_closed(path: str) -> None:
    scope, answered = reached(path)
    assert scope is None
    assert answered[0]["status"] == 404
    scope, answered = reached(path, kind="websocket")
    assert scope is None
    assert answered[0]["type"] == "websocket.close"


def test_a_path_that_reads_otherwise_than_it_came_is_404() -> None:
    assert reached("/p/alpha/api/x", raw=b"/p/%61lpha/api/x")[0] is None


@pytest.mark.parametrize("path", ["/api/x", "/", "/pages", "/P/beta/x", "//p/beta/x", "/x/p/beta/y"])
def test_an_address_that_names_none_is_told_none(path: str) -> None:
    scope, _ = reached(path)
    assert PROJECT not in scope
    assert scope["path"] == path


def test_only_the_path_tells_a_page_its_project() -> None:
    for path, name in (("/p/alpha/_stcore/stream", b"alpha"), ("/_stcore/stream", b"default")):
        scope, _ = reached(path, kind="websocket")
        assert [value for key, value in scope["headers"] if key.lower() == HEADER] == [name]
        scope, _ = reached(path)
        assert [value for key, value in scope["headers"] if key.lower() == HEADER] == []


def test_the_address_of_a_project_ends_with_a_slash() -> None:
    scope, answered = reached("/p/alpha")
    assert scope is None
    assert dict(answered[0]["headers"])[b"location"] == b"/p/alpha/"
