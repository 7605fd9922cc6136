"""Serving under a path: Streamlit's own addresses know it (`server.baseUrlPath`), ours are found below it by this.

Ours are answered at the root too: the command line and probes on this machine need no proxy's path.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

OURS = ("/v1/", "/api/", "/shared/")
OUR_PAGES = ("/healthz", "/readyz", "/metrics")


class BasePath:
    """Takes the path off requests for our own addresses. It stands before the guard, which sees what routes see."""

    def __init__(self, app: ASGIApp, base: str) -> None:
        self.app = app
        self.base = base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the path taken off where the rest is ours."""
        if self.base and scope["type"] == "http" and scope["path"].startswith(f"{self.base}/"):
            rest = scope["path"].removeprefix(self.base)
            if rest in OUR_PAGES or rest.startswith(OURS):
                raw = bytes(scope.get("raw_path") or rest.encode()).removeprefix(self.base.encode())
                scope = {**scope, "path": rest, "raw_path": raw}
        await self.app(scope, receive, send)
