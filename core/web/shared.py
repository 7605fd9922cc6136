"""GET /shared/<token>: a review for a reader outside, as the page that was kept with its link.

Nothing else can be reached through it. The token is 256 random bits, so no count of guesses is kept.
"""

from __future__ import annotations

import anyio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from core.export.review_html import policy
from core.shared_links import open_link
from core.state import StateProblem, get_state
from core.web.process import Process

HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
    "cross-origin-resource-policy": "same-origin",
}
"""The address is the key: no page it leads to may learn it, and no cache may keep it."""
NOTHING_ELSE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


async def answer_shared(process: Process, request: Request) -> Response:
    """The page; 404 for an address that was never made, 410 for one that expired or was revoked."""
    token, state = request.path_params["token"], get_state()  # of the project in the path, as links are made
    try:
        opened = await anyio.to_thread.run_sync(lambda: open_link(state, token))
    except StateProblem:  # its text names the database's address, which is nobody's business here
        return _told(503, "This page cannot be read just now. Try again later.")
    if opened is None:
        return _told(404, "There is no such page. Ask for the whole link.")
    if opened.status != "open":
        return _told(410, f"This link has {'expired' if opened.status == 'expired' else 'been revoked'}.")
    page = opened.page.decode()
    allowed = f"{policy(page)}; frame-ancestors 'none'; sandbox allow-popups allow-popups-to-escape-sandbox"
    return Response(page, media_type="text/html", headers=HEADERS | {"content-security-policy": allowed})


def _told(status: int, message: str) -> Response:
    return PlainTextResponse(f"{message}\n", status, HEADERS | {"content-security-policy": NOTHING_ELSE})
