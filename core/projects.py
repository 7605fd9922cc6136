"""Several products in one process, kept apart: whose turn it is, and what the process has once for each.

A project is a folder of its own, with a ledger, state and answers of its own (core.project_folders). Code below asks for
"the" store or "the" state; which one that is, is decided here and nowhere else: by the request, by the thread of a
project, or by the session of a page. Where nobody can say it, nothing is answered: there is no falling back to a project.
Why: docs/decisions/028-projects.md.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, ParamSpec, TypeVar

DEFAULT = "default"
"""The project of whoever has only one. Its files lie in data_dir itself, its pages at the root."""
PATH = "/p/"
"""Before the name of another project in addresses."""
HEADER = "x-trueup-project"
"""How a page's session learns its project: core.web.project_path sets it on the WebSocket, whatever a browser sent."""

Thing = TypeVar("Thing")
Given = ParamSpec("Given")

_turn: ContextVar[str | None] = ContextVar("project", default=None)
_session: list[Callable[[], str | None]] = []
_others: list[str] = []


class NoProject(RuntimeError):
    """It cannot be told for which project this is: nothing is answered."""


def settle(others: tuple[str, ...]) -> None:
    """Say at start which projects there are beside the default one; () at the end."""
    _others[:] = others


def several() -> bool:
    """Whether this process has another project than the default one."""
    return bool(_others)


def every() -> tuple[str, ...]:
    """The projects of this process, the default one first."""
    return (DEFAULT, *_others)


def ask_session(whose: Callable[[], str | None]) -> None:
    """Pages run in threads of their own: `whose` tells the project of the running page, None where no page runs."""
    _session[:] = [whose]


def current() -> str:
    """The project whose turn it is; raises NoProject where there are several and nobody can say."""
    told = _turn.get()
    if told is None and _session:
        told = _session[0]()
    if told is None and _others:
        raise NoProject("It is not known for which project this was asked, so nothing is answered.")
    return told or DEFAULT


@contextmanager
def within(project: str) -> Iterator[None]:
    """Everything inside is for that project, also in threads that are given this context."""
    before = _turn.set(project)
    try:
        yield
    finally:
        _turn.reset(before)


def bound(work: Callable[Given, Thing]) -> Callable[Given, Thing]:
    """The work, to be done later by any thread for the project whose turn it is now."""
    project = current()

    @functools.wraps(work)
    def done(*args: Given.args, **kwargs: Given.kwargs) -> Thing:
        with within(project):
            return work(*args, **kwargs)

    return done


def prefix(project: str) -> str:
    """What stands before a project's addresses.

    >>> prefix("default"), prefix("search")
    ('', '/p/search')
    """
    return "" if project == DEFAULT else f"{PATH}{project}"


class PerProject(Generic[Thing]):
    """Something the process has once for each project. `get` answers for whose turn it is, and for nobody else."""

    def __init__(self) -> None:
        self._things: dict[str, Thing] = {}

    def put(self, thing: Thing | None) -> None:
        """Publish it for the project whose turn it is, or withdraw it with None."""
        if thing is None:
            self._things.pop(current(), None)
        else:
            self._things[current()] = thing

    def get(self) -> Thing | None:
        """The project's own; None while it has none."""
        return self._things.get(current())
