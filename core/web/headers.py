"""Security headers on every answer over HTTP, and what is never answered: pure ASGI, the page's WebSocket passes untouched.

The policy lets pages load from this app alone. What it must allow beyond that, and why: docs/decisions/026-access.md.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import re
from pathlib import Path

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.settings import Settings

NEVER = ("/_stcore/metrics", "/_stcore/agent/")
"""Streamlit's own numbers and its remote control: the one tells of use, the other would drive pages."""
ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # not less: sign-in finds the way back by it
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "server": "trueup",
}
HSTS = "max-age=31536000"
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_IMPORTED = re.compile(r'(?:from|import)"\./([\w.-]+\.js)"')


class Headers:
    """Adds the headers an answer does not have yet; 404 for what is never answered."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.secure = settings.public_url.startswith("https://")
        self.base = settings.base_path
        self.link = first_scripts()
        more = {"strict-transport-security": HSTS} if self.secure else {}
        self.headers = ALWAYS | more | {"content-security-policy": policy(inline_scripts())}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self._whole(list(message.get("headers", ())))}
            await send(message)

        path = "/" + scope["path"].removeprefix(self.base).lstrip("/")
        app = PlainTextResponse("Not found.\n", 404) if f"{path}/".startswith(NEVER) else self.app
        await app(scope, receive, told)

    def _whole(self, given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        if self.secure:  # Streamlit leaves it out on purpose; behind TLS no cookie may cross in the open
            given = [(key, _secured(value)) if key == b"set-cookie" else (key, value) for key, value in given]
        there = {key.lower() for key, _ in given}
        missing = ((key.encode(), value.encode()) for key, value in self.headers.items())
        page = any(key.lower() == b"content-type" and value.startswith(b"text/html") for key, value in given)
        if (
            page and b"content-security-policy" not in there
        ):  # one with its own policy is no page of Streamlit's
            given = [*given, (b"link", self.link.encode())]
        return given + [(key, value) for key, value in missing if key not in there]


def _secured(cookie: bytes) -> bytes:
    return cookie if b"; secure" in cookie.lower() else cookie + b"; Secure"


def policy(hashes: list[str]) -> str:
    """The Content-Security-Policy of pages; `hashes` are those of the page's own inline scripts."""
    allowed = {
        "default-src": "'none'",
        "script-src": " ".join(["'self'", *(f"'sha256-{one}'" for one in hashes)]),
        "style-src": "'self' 'unsafe-inline'",  # Streamlit's styles are written by its scripts, with other texts each time
        "img-src": "'self' data: blob:",  # blob: a chart on its way to the PNG that is saved
        "font-src": "'self' data:",  # data: the icons of its tables
        "connect-src": "'self'",
        "worker-src": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{kind} {what}" for kind, what in allowed.items())


def inline_scripts() -> list[str]:
    """SHA-256 (base64) of every inline script of Streamlit's page, read without importing Streamlit."""
    page = (_static() / "index.html").read_text(encoding="utf-8")
    return [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in _INLINE.findall(page)]


def first_scripts() -> str:
    """The Link header of pages: what draws the verdict, which the browser would else ask for only when the verdict is there.

    Streamlit's page names the scripts of every page; the one of `st.html` and what only that needs are loaded on demand.
    """
    scripts = _static() / "static" / "js"
    page = (_static() / "index.html").read_text(encoding="utf-8")
    names = [one.name for one in scripts.glob("Html.*.js")]
    for name in names:
        text = (scripts / name).read_text(encoding="utf-8")
        names += [one for one in _IMPORTED.findall(text) if one not in names and one not in page]
    return ", ".join(f"<./static/js/{name}>; rel=modulepreload; crossorigin" for name in names)


def _static() -> Path:
    found = importlib.util.find_spec("streamlit")
    assert found is not None, "Streamlit is not installed"
    assert found.origin is not None, "Streamlit is not installed as files"
    return Path(found.origin).parent / "static"
