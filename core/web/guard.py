"""Who may send and who may read: bearer tokens as pure ASGI middleware, checked before the body is read.

Pure ASGI because Streamlit's WebSocket passes through user middleware too, and a request-response wrapper would
buffer or break it. Tokens are for programs: pages ask nobody for one, so whoever wants people to sign in puts a proxy
that does before them.
"""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from core.settings import Settings, token_matches
from core.web.otlp_answer import PROTOBUF, failure

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


class BearerTokens:
    """Answers 401 where tokens are configured for the path and the request has none of them."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on but HTTP requests without a valid token."""
        if scope["type"] != "http" or self._allowed(scope):
            await self.app(scope, receive, send)
            return
        await _refusal(scope)(scope, receive, send)

    def _allowed(self, scope: Scope) -> bool:
        hashes = _hashes_for(scope["path"], self.settings)
        if not hashes:
            return True
        scheme, _, token = _header(scope, b"authorization").partition(" ")
        return scheme.lower() == "bearer" and token_matches(token.strip(), hashes)


def _hashes_for(path: str, settings: Settings) -> tuple[str, ...]:
    if path.startswith(INGEST_PREFIXES):
        return settings.ingest_tokens
    if path.startswith(READ_PREFIXES):
        return settings.read_tokens
    return ()


def _header(scope: Scope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return ""


def _refusal(scope: Scope) -> ASGIApp:
    message = "This address needs a bearer token. Send the header: Authorization: Bearer <token>."
    headers = {"www-authenticate": 'Bearer realm="trueup"'}
    if scope["path"].startswith("/v1/"):
        kind = PROTOBUF if _header(scope, b"content-type").startswith(PROTOBUF) else ""
        return failure(401, message, kind, headers)
    return JSONResponse({"error": message}, status_code=401, headers=headers)
