"""What the doors compare tokens with: those of the settings and those made in the app, in memory, a look every two seconds.

No request waits for the database: a thread looks there, and keeps when tokens were used, at most once a minute. A door is
open only where nobody signs in and its scope never had a token; one whose tokens have all expired stays shut.
"""

from __future__ import annotations

import hmac
import threading
from typing import Literal, NamedTuple

from core.roles import signing_in
from core.settings import Settings
from core.state import State, StateProblem, now_ns
from core.tokens import SCOPES, Known, Scope, digest, keep_used, known_tokens

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

    @property
    def allowed(self) -> bool:
        """Whether it may pass."""
        return self.outcome not in REFUSED


class TokenTable:
    """One for the process; every method may be called from any thread."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is known of tokens made in the app before the first `look`."""
        self._configured: dict[str, tuple[str, ...]] = {
            "ingest": settings.ingest_tokens,
            "read": settings.read_tokens,
        }
        self._known: tuple[Known, ...] | None = None
        self._used: dict[int, int] = {}
        self._refused = {(scope, outcome): 0 for scope in SCOPES for outcome in REFUSED}
        self._lock = threading.Lock()

    def look(self, state: State) -> None:
        """Take over what the database holds; raises StateProblem, and what was known stays."""
        self._known = tuple(known_tokens(state))

    def keep_used(self, state: State) -> None:
        """Write down the uses since the last time; raises StateProblem, and they are written next time."""
        with self._lock:
            used, self._used = self._used, {}
        try:
            keep_used(state, used)
        except StateProblem:
            with self._lock:
                self._used = used | self._used
            raise

    def is_open(self, scope: Scope) -> bool:
        """Whether everyone who can connect may pass that door."""
        return not (signing_in() or self._configured[scope] or self._known is None or self._made(scope))

    def check(self, scope: Scope, authorization: str) -> Checked:
        """What the text of an `Authorization` header is worth at a door. The time it takes tells nothing of any token."""
        if self.is_open(scope):
            return Checked("open")
        scheme, _, text = authorization.partition(" ")
        given = text.strip() if scheme.lower() == "bearer" else ""
        found = self._found(scope, digest(given)) if given else None
        if found is None:
            outcome: Outcome = "unreadable" if self._known is None else "wrong" if given else "missing"
            with self._lock:
                self._refused[scope, outcome] += 1
            return Checked(outcome)
        token_id, name = found
        if token_id:
            with self._lock:
                self._used[token_id] = now_ns()
        return Checked("known", name)

    def refused(self) -> dict[tuple[str, str], int]:
        """How often each door refused, by scope and why, since the process began."""
        with self._lock:
            return {(scope, outcome): count for (scope, outcome), count in self._refused.items()}

    def _found(self, scope: str, hashed: str) -> tuple[int, str] | None:
        """Number (0 in the settings) and name; every hash is compared, whichever fits."""
        now, fits = now_ns(), list[tuple[int, str]]()
        for known in self._configured[scope]:
            if hmac.compare_digest(hashed, known):
                fits.append((0, CONFIGURED))
        for one in self._made(scope):
            alive = one.expires_at_ns is None or now < one.expires_at_ns
            if hmac.compare_digest(hashed, one.token_hash) and alive:
                fits.append((one.token_id, f"token {one.token_id} {one.name}"))
        return fits[0] if fits else None

    def _made(self, scope: str) -> list[Known]:
        return [one for one in self._known or () if one.scope == scope]
