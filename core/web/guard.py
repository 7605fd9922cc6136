"""Who may send and who may read: bearer tokens as pure ASGI middleware, checked before the body is read.

Pure ASGI because Streamlit's WebSocket passes through user middleware too, and a request-response wrapper would
buffer or break it. Tokens are for programs and never mix with people, who sign in on the pages (core.ui.access).
"""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from core.tokens import Scope as DoorScope
from core.web.otlp_answer import PROTOBUF, failure
from core.web.project_path import PROJECT
from core.web.token_table import Checked, TokenTable

INGEST_PREFIXES = (
    "/v1/",
    "/api/ingest",
    "/api/undo",
    "/api/empty-demo",
    "/api/backup",
    "/api/erase",
    "/api/compact",
    "/api/export-lake",
)
READ_PREFIXES = ("/api/", "/metrics")
TOKEN_NAME = "trueup.token"
"""In the scope of a request that passed: the name of its token, for the audit log."""

NEEDS_TOKEN = "This address needs a bearer token. Send the header: Authorization: Bearer <token>."
UNREADABLE = "The tokens cannot be read just now, so nobody is let in. Send again later."
RETRY_AFTER_S = 5


class BearerTokens:
    """Answers 401 where the path's door needs a token and the request has none that opens it."""

    def __init__(self, app: ASGIApp, tokens: TokenTable) -> None:
        self.app = app
        self.tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on but HTTP requests without a valid token."""
        door = door_of(scope["path"]) if scope["type"] == "http" else None
        if door is None:
            await self.app(scope, receive, send)
            return
        checked = self.tokens.check(door, _header(scope, b"authorization"), scope.get(PROJECT))
        if checked.allowed:
            scope[TOKEN_NAME] = checked.name
            scope[PROJECT] = checked.project
            await self.app(scope, receive, send)
            return
        await _refusal(scope, checked)(scope, receive, send)


def door_of(path: str) -> DoorScope | None:
    """Which tokens a path needs; None for pages and what is open to all."""
    if path.startswith(INGEST_PREFIXES):
        return "ingest"
    return "read" if path.startswith(READ_PREFIXES) else None


def _header(scope: Scope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return ""


def _refusal(scope: Scope, checked: Checked) -> ASGIApp:
    status, message, headers = 401, NEEDS_TOKEN, {"www-authenticate": 'Bearer realm="trueup"'}
    if checked.outcome == "unreadable":
        status, message, headers = 503, UNREADABLE, {"retry-after": str(RETRY_AFTER_S)}
    if scope["path"].startswith("/v1/"):
        kind = PROTOBUF if _header(scope, b"content-type").startswith(PROTOBUF) else ""
        return failure(status, message, kind, headers)
    return JSONResponse({"error": message}, status_code=status, headers=headers)
