"""One vocabulary for errors: exception names, HTTP statuses and messages of every SDK become one class.

Source: FORMATS.md section 1.4. Quota and rate limit are the same exception and the same 429 in the OpenAI
SDK: only the text tells them apart, so the text is read here, before it is dropped.
"""

from __future__ import annotations

import re

_QUOTA = re.compile(
    r"insufficient[_ ]quota|exceeded your current quota|credit balance|billing|quota exceeded", re.IGNORECASE
)

_BY_TYPE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), error_class)
    for pattern, error_class in (
        (r"insufficient_quota|quota", "quota"),
        (r"rate_?limit|throttl|too_?many_?requests|resource_?exhausted", "rate_limit"),
        (r"overloaded|slow_?down|service_?unavailable|model_?not_?ready", "overloaded"),
        (r"time_?d?_?out|deadline", "timeout"),
        (r"authenti|permission|unauthori|forbidden|access_?denied|invalid_api_key", "auth"),
        (r"not_?found", "not_found"),
        (r"cancel|abort(ed)?error|generatorexit", "cancelled"),
        (
            r"json|validation|parse|decodeerror|noobjectgenerated|lengthfinishreason|unexpectedmodelbehavior",
            "parse",
        ),
        (
            r"bad_?request|invalid_?request|context_?length|unprocessable|invalid_?argument|too_?large",
            "bad_request",
        ),
        (r"connect|protocolerror|readerror|writeerror|network|socket|econn|und_err|terminated", "connection"),
        (r"internal_?server|server_?error|api_error$|internal_?failure", "server"),
        (r"tool", "tool"),
    )
)

_BY_TEXT: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), error_class)
    for pattern, error_class in (
        (r"rate.?limit|too many requests|throttl", "rate_limit"),
        (r"overloaded", "overloaded"),
        (r"timed? ?out|deadline exceeded", "timeout"),
        (r"context.?length|maximum context|too many tokens|invalid.?request", "bad_request"),
        (r"api key|unauthori[sz]ed|authentication|permission", "auth"),
        (r"does not exist|not found", "not_found"),
        (r"other side closed|connection|socket|econn|peer closed|incomplete chunked", "connection"),
        (r"had an error while processing|internal server error|service unavailable|bad gateway", "server"),
        (r"could not parse|json|validation error|no object generated", "parse"),
        (r"cancell?ed|aborted", "cancelled"),
    )
)

_STATUS_IN_TEXT = re.compile(r"(?:error code:|status code:?|^|: )\s*([45]\d\d)\b", re.IGNORECASE)

_BY_STATUS = {
    400: "bad_request",
    401: "auth",
    402: "quota",
    403: "auth",
    404: "not_found",
    408: "timeout",
    413: "bad_request",
    422: "bad_request",
    429: "rate_limit",
    499: "cancelled",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}


def _of_status(status: int | None) -> str | None:
    if status is None or status < 400:
        return None
    return _BY_STATUS.get(status, "server" if status >= 500 else "bad_request")


def class_of_text(message: str) -> str | None:
    """Class read from a message: a status code in it first, then its words; None when it says nothing."""
    if not message:
        return None
    if _QUOTA.search(message):
        return "quota"
    code = _STATUS_IN_TEXT.search(message)
    if code:
        return _of_status(int(code.group(1)))
    return next((name for pattern, name in _BY_TEXT if pattern.search(message)), None)


def error_class_of(error_type: str | None, http_status: int | None, by_text: str | None, role: str) -> str:
    """Class of a failed span: quota by text, then the exception's name, the HTTP status, the text.

    `by_text` is class_of_text of its message. The name goes before the status because Anthropic reports a
    stream's `overloaded_error` with HTTP 200. A generic server class gives way to a finer one in the status
    (InternalServerError with 503 or 529, which both count as overloaded: providers use either).
    """
    named = error_type or ""
    by_status = _of_status(int(named) if named.isdigit() and len(named) == 3 else http_status)
    by_type = None
    if named and not named.isdigit():
        by_type = next((name for pattern, name in _BY_TYPE if pattern.search(named)), None)
    if by_text == "quota" and (by_type or by_status) in (None, "rate_limit", "quota", "bad_request"):
        return "quota"
    if by_type == "server":
        return by_status or by_text or by_type
    found = by_type or by_status or by_text
    if found in (None, "tool") or (role == "tool" and by_type is None):
        return "tool" if role == "tool" or found == "tool" else "unknown"
    return str(found)
