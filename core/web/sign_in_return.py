"""After signing in people come back to the page they wanted: Streamlit itself always leads to `/`.

On the way out the page's address is taken from `Referer` and kept in a cookie for ten minutes; on the way back, when the
sign-in has worked, the redirect leads there. Only addresses of this app count, as paths, so nobody can be led elsewhere.
"""

from __future__ import annotations

import re
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, unquote, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "trueup_return"
LASTS_S = 600
SIGN_IN, BACK = "/auth/login", "/oauth2callback"
SIGNED_IN = b"_streamlit_user="
"""Begins the cookie that Streamlit sets when a sign-in has worked."""
LONGEST = 3000
"""Characters: browsers keep cookies of 4096."""
_SAFE = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")


class SignInReturn:
    """Wraps the two steps of a sign-in; everything else passes untouched."""

    def __init__(self, app: ASGIApp, base: str = "") -> None:
        self.app = app
        self.base = base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Remember on the way out, lead back on the way in."""
        path = scope["path"].removeprefix(self.base) if scope["type"] == "http" else ""
        if path not in (SIGN_IN, BACK):
            await self.app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                change = self._remembered if path == SIGN_IN else self._led_back
                message = {**message, "headers": change(scope, list(message.get("headers", ())))}
            await send(message)

        await self.app(scope, receive, told)

    def _remembered(self, scope: Scope, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        wanted = wanted_page(_header(scope, b"referer"), _header(scope, b"host"), self.base)
        return [*headers, (b"set-cookie", self._cookie(wanted, LASTS_S if wanted else 0))]

    def _led_back(self, scope: Scope, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        worked = any(key == b"set-cookie" and value.startswith(SIGNED_IN) for key, value in headers)
        wanted = kept_page(_header(scope, b"cookie"), self.base)
        if worked and wanted:
            headers = [(key, wanted.encode() if key == b"location" else value) for key, value in headers]
        return [*headers, (b"set-cookie", self._cookie("", 0))]

    def _cookie(self, wanted: str, lasts_s: int) -> bytes:
        text = quote(wanted, safe="")
        return f"{COOKIE}={text}; Max-Age={lasts_s}; Path={self.base or '/'}; HttpOnly; SameSite=Lax".encode()


def wanted_page(referer: str, host: str, base: str = "") -> str:
    """Path and query of the page a sign-in was asked on; nothing for another site's, or one that is no page.

    >>> wanted_page("https://t.example/retry_ledger?region=eu", "t.example")
    '/retry_ledger?region=eu'
    >>> wanted_page("https://evil.example/x", "t.example"), wanted_page("https://t.example//evil.example", "t.example")
    ('', '')
    """
    try:
        parts = urlsplit(referer)
    except ValueError:
        return ""
    page = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return page if parts.netloc == host and _usable(page, base) else ""


def kept_page(cookies: str, base: str = "") -> str:
    """What the cookie remembers, when it is still something to lead to.

    >>> kept_page("trueup_return=%2Fdata%3Fx%3D1"), kept_page("trueup_return=%2F%2Fevil.example"), kept_page("a=b")
    ('/data?x=1', '', '')
    """
    try:
        kept = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return ""
    page = unquote(kept.value) if kept else ""
    return page if _usable(page, base) else ""


def _usable(page: str, base: str) -> bool:
    inside = page == base or page.startswith((f"{base}/", f"{base}?"))
    own = not page.removeprefix(base).startswith((SIGN_IN, BACK, "/auth/"))
    return (
        bool(_SAFE.fullmatch(page))
        and page.isascii()
        and len(quote(page, safe="")) <= LONGEST
        and inside
        and own
    )


def _header(scope: Scope, name: bytes) -> str:
    return next((bytes(value).decode("latin-1") for key, value in scope["headers"] if key == name), "")
