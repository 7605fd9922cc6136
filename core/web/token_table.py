"""What the doors compare tokens with: those of the settings and those made in the app, in memory, a look every two seconds.

No request waits for the database: a thread looks there, and keeps when tokens were used, at most once a minute. A door is
open only where nobody signs in and its scope never had a token; one whose tokens have all expired stays shut.

A token lies in the database of its project and names it, so a sender needs no address of its own. Whoever names another
project beside it is refused as with a wrong one. Where there are several projects a token that nobody knows opens nothing,
not even an open door: what was meant for one project would land in another.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Iterator
from typing import Literal, NamedTuple

from core import projects
from core.projects import DEFAULT
from core.roles import signing_in
from core.settings import Settings
from core.state import State, StateProblem, now_ns
from core.tokens import SCOPES, Known, Scope, digest, keep_used, known_tokens, token_project

LOOK_S = 2.0
"""A revoked token opens nothing after this long, and the time of one question."""
USED_S = 60.0
"""Between two writes of when tokens were used."""

Outcome = Literal["open", "known", "missing", "wrong", "unreadable"]
REFUSED: tuple[Outcome, ...] = ("missing", "wrong", "unreadable")
CONFIGURED = "token of the settings"


class Checked(NamedTuple):
    """What a door learns of a request."""

    outcome: Outcome
    name: str = ""
    """The token's, for the audit log."""
    project: str = DEFAULT
    """Where it may go, and nowhere else."""

    @property
    def allowed(self) -> bool:
        """Whether it may pass."""
        return self.outcome not in REFUSED


class _Found(NamedTuple):
    """A live token."""

    project: str
    scope: str
    token_id: int
    """0 in the settings."""
    name: str


class TokenTable:
    """One for the process; every method may be called from any thread."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is known of tokens made in the app before the first `look`."""
        self._configured: dict[str, dict[str, tuple[str, ...]]] = {}
        self._known: dict[str, tuple[Known, ...]] = {}
        self._used: dict[tuple[str, int], int] = {}
        self._refused = {(scope, outcome): 0 for scope in SCOPES for outcome in REFUSED}
        self._lock = threading.Lock()
        self.add(settings)

    def add(self, settings: Settings) -> None:
        """Take up a project's own settings."""
        self._configured[settings.project] = {"ingest": settings.ingest_tokens, "read": settings.read_tokens}

    def look(self, state: State, project: str = DEFAULT) -> None:
        """Take over what a project's database holds; raises StateProblem, and what was known stays.

        A row that names another project opens nothing: it came with a copy of that one's database.
        """
        named = token_project(project)
        self._known[project] = tuple(
            one if one.project == named else one._replace(token_hash="") for one in known_tokens(state)
        )

    def keep_used(self, state: State, project: str = DEFAULT) -> None:
        """Write down the uses since the last time; raises StateProblem, and they are written next time."""
        with self._lock:
            used = {key: self._used.pop(key) for key in [*self._used] if key[0] == project}
        try:
            keep_used(state, {token_id: at_ns for (_, token_id), at_ns in used.items()})
        except StateProblem:
            with self._lock:
                self._used = used | self._used
            raise

    def is_open(self, scope: Scope, project: str = DEFAULT) -> bool:
        """Whether everyone who can connect may pass that door."""
        known = self._known.get(project)
        made = known is None or any(one.scope == scope for one in known)
        return not (signing_in() or made or self._configured.get(project, {}).get(scope))

    def check(self, scope: Scope, authorization: str, wanted: str | None = None) -> Checked:
        """What the text of an `Authorization` header is worth at a door, of the project `wanted` where the path names one.

        The time it takes tells nothing of any token.
        """
        scheme, _, text = authorization.partition(" ")
        given = text.strip() if scheme.lower() == "bearer" else ""
        found = self._found(scope, digest(given)) if given else None
        project = wanted or (found.project if found else DEFAULT)
        stray = (found.project != project) if found else bool(given) and projects.several()
        if found and not stray and found.scope == scope:
            if found.token_id:
                with self._lock:
                    self._used[project, found.token_id] = now_ns()
            return Checked("known", found.name, project)
        if self.is_open(scope, project) and not stray:
            return Checked("open", project=project)
        outcome = self._why(project, bool(given), found)
        with self._lock:
            self._refused[scope, outcome] += 1
        return Checked(outcome)

    def _why(self, project: str, given: bool, found: _Found | None) -> Outcome:
        asked = projects.every() if given and not found else (project,)
        if any(one not in self._known for one in asked):
            return "unreadable"
        return "wrong" if given else "missing"

    def refused(self) -> dict[tuple[str, str], int]:
        """How often each door refused, by scope and why, since the process began."""
        with self._lock:
            return {(scope, outcome): count for (scope, outcome), count in self._refused.items()}

    def _found(self, scope: str, hashed: str) -> _Found | None:
        """The live token with that hash, first of that scope; every hash is compared, whichever fits."""
        fits = [one for one, known in self._live() if hmac.compare_digest(hashed, known)]
        return next((one for one in fits if one.scope == scope), fits[0] if fits else None)

    def _live(self) -> Iterator[tuple[_Found, str]]:
        now = now_ns()
        for project, doors in self._configured.items():
            for scope, hashes in doors.items():
                yield from ((_Found(project, scope, 0, CONFIGURED), known) for known in hashes)
        for project, made in [*self._known.items()]:
            for one in made:
                if one.expires_at_ns is None or now < one.expires_at_ns:
                    name = f"token {one.token_id} {one.name}"
                    yield _Found(project, one.scope, one.token_id, name), one.token_hash
