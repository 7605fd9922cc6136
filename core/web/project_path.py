"""`/p/NAME/...` is what `...` is, of the project NAME: the name goes off the path and into the request, once and first.

`/p/default/...` says so of the default project, for programs that must not act on another one by their token.
Every page's session, every route and every token behind it is then of that project. A name nobody has is 404 for every
address below it. Pure ASGI, because a page's project is that of its WebSocket.
"""

from __future__ import annotations

from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from core import projects
from core.web.headers import ALWAYS

PROJECT = "trueup.project"
"""In the scope of a request: the project that its path names, later the one it was let into."""
_REFUSED = {"content-security-policy": "default-src 'none'; frame-ancestors 'none'"}


class ProjectPath:
    """Stands before everything else that looks at a path."""

    def __init__(self, app: ASGIApp, base: str) -> None:
        self.app = app
        self.base = base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with the project told; refuse one that is not there."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = [(key, value) for key, value in scope["headers"] if key.lower() != projects.HEADER.encode()]
        base = self.base if scope["path"].startswith(f"{self.base}{projects.PATH}") else ""
        name, slash, rest = self._split(scope["path"].removeprefix(base))
        if name is None:
            await self.app(_told(scope, headers, projects.DEFAULT), receive, send)
            return
        raw, before = bytes(scope.get("raw_path") or scope["path"].encode()), f"{base}{projects.PATH}{name}"
        if name not in projects.every() or not raw.startswith(before.encode()):
            await _refuse(scope, receive, send)
            return
        if not slash:  # else the page's own relative addresses would lead out of the project
            await RedirectResponse(f"{before}/")(scope, receive, send)
            return
        inside = {
            **scope,
            "path": f"{base}/{rest}",
            "raw_path": base.encode() + raw.removeprefix(before.encode()),
        }
        await self.app(_told(inside | {PROJECT: name}, headers, name), receive, send)

    def _split(self, path: str) -> tuple[str | None, str, str]:
        """The project a path names, None for one that names none, and what comes after it."""
        if not path.startswith(projects.PATH):
            return None, "", ""
        return path.removeprefix(projects.PATH).partition("/")


def _told(scope: Scope, headers: list[tuple[bytes, bytes]], name: str) -> Scope:
    """A page's session learns its project by a header, which never comes from outside."""
    own = [(projects.HEADER.encode(), name.encode())] if scope["type"] == "websocket" else []
    return {**scope, "headers": headers + own}


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    await PlainTextResponse("There is no such project.\n", 404, ALWAYS | _REFUSED)(scope, receive, send)
