"""The JSON API's answer for the scope of a shared link: what a page's numbers are checked against."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from core.amounts import count, share
from core.links import FROM, TO
from tests.live.app import get_json


def rows_of(link: str, question: str) -> list[dict[str, Any]]:
    """`findings` or `bridge`, with the link's period, filters and data version."""
    address = urlsplit(link)
    renamed = {FROM: "start", TO: "end"}
    pairs = [(renamed.get(key, key), value) for key, value in parse_qsl(address.query)]
    query = urlencode([*pairs, ("fresh", "true")] if question == "findings" else pairs)
    rows: list[dict[str, Any]] = get_json(f"http://{address.netloc}/api/{question}?{query}")["rows"]
    return rows


def cells_of(link: str) -> dict[str, str]:
    """The retry audit's finding as the four cells under the verdict print it."""
    (finding,) = [row for row in rows_of(link, "findings") if row["audit"] == "retry-ledger"]
    return {
        "Reported": finding["reported"].split(" ")[0],
        "Supported": finding["supported"].split(" ")[0],
        "Gap": share(finding["gap"]),
        "n": count(finding["n"]),
    }
