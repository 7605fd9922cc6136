"""The read-only JSON API: findings, attempts, bridges and imports, at a stated data version.

Every answer is {"as_of": N, "rows": [...]}. The scope is in the query: start and end (dates), region, service,
model (each may repeat), as_of. Without one, all data at the newest derived version.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import anyio
import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from core import answers
from core.answers import Row
from core.audit import Ask, Scope
from core.coverage import VERSION_AT
from core.web.process import NotReady, Process

MOST_IMPORTS = 1000


class BadQuery(ValueError):
    """A query parameter that cannot be read; the message names it."""


async def answer_findings(process: Process, request: Request) -> Response:
    """GET /api/findings?audit=NAME: one finding an audit."""
    only = request.query_params.get("audit", "")
    return await _answer(process, request, lambda ask, scope: answers.findings(ask, scope, only))


async def answer_attempts(process: Process, request: Request) -> Response:
    """GET /api/attempts: one row a logical call."""
    return await _answer(process, request, answers.attempts)


async def answer_bridge(process: Process, request: Request) -> Response:
    """GET /api/bridge: one row a bucket of the retry audit's bridges."""
    return await _answer(process, request, answers.bridge)


async def answer_imports(process: Process, request: Request) -> Response:
    """GET /api/imports: the newest imports, at most MOST_IMPORTS."""
    return await _answer(process, request, lambda ask, scope: answers.imports(ask, scope, MOST_IMPORTS))


async def _answer(
    process: Process, request: Request, question: Callable[[Ask, Scope], list[Row]]
) -> Response:
    def rows() -> tuple[int, list[Row]]:
        store = process.ledger()
        scope = read_scope(request.query_params, store.ask, store.version(), store.currency)
        return scope.as_of, question(store.ask, scope)

    try:
        as_of, found = await anyio.to_thread.run_sync(rows)
    except (BadQuery, answers.UnknownAudit) as error:
        return _json(400, {"error": str(error)})
    except NotReady as error:
        return _json(503, {"error": str(error)})
    return _json(200, {"as_of": as_of, "rows": answers.jsonable(found)})


def read_scope(query: QueryParams, ask: Ask, newest: int, currency: str = "USD") -> Scope:
    """The scope a query string asks for; raises BadQuery. A version from the future is cut to the newest."""
    asked = min(_version(query.get("as_of", str(newest))), newest)
    as_of = ask(VERSION_AT, as_of=asked).item() or asked
    whole = answers.whole_ledger(ask, as_of, currency)
    return whole._replace(
        start=_day(query, "start", whole.start),
        end=_day(query, "end", whole.end),
        regions=tuple(query.getlist("region")),
        services=tuple(query.getlist("service")),
        models=tuple(query.getlist("model")),
    )


def _version(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadQuery(f"as_of is {text[:40]!r}; write an import number such as 12.")
    return int(text)


def _day(query: QueryParams, name: str, otherwise: dt.date) -> dt.date:
    text = query.get(name)
    try:
        return dt.date.fromisoformat(text) if text else otherwise
    except ValueError:
        raise BadQuery(f"{name} is {(text or '')[:40]!r}; write a date such as 2026-03-31.") from None


def _json(status: int, body: object) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")
