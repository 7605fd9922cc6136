"""Sending one body to an address an operator configured: POST, no redirects, a time limit, and how long to wait after a refusal.

A redirect is not followed: it could carry the body or its headers to somewhere nobody configured. What failed is
told without the address, which may hold a secret.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping

TIMEOUT_S = 10.0
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 900.0


class NotSent(RuntimeError):
    """It did not arrive; the message says why, `wait_s` how long its receiver asks to be left alone."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def opener(*more: urllib.request.BaseHandler) -> urllib.request.OpenerDirector:
    """Opens http and https addresses and follows nothing; a status that is no 2xx raises HTTPError.

    urllib's own opener also reads files and FTP, and hands the headers, a token among them, to wherever it is redirected.
    """
    found = urllib.request.OpenerDirector()
    for handler in (
        *more,
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        found.add_handler(handler)
    return found


def post(address: str, body: bytes, headers: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> None:
    """Send it once; raises NotSent for anything but a status of 2xx."""
    request = urllib.request.Request(address, data=body, headers=dict(headers), method="POST")
    try:
        with opener(urllib.request.ProxyHandler()).open(request, timeout=timeout_s) as answer:
            answer.read(4096)
    except urllib.error.HTTPError as error:
        error.close()
        raise NotSent(f"the receiver answered {error.code}", _asked_wait_s(error)) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        told = reason.strerror if isinstance(reason, OSError) and reason.strerror else type(reason).__name__
        raise NotSent(f"the receiver does not answer: {told}") from None


def _asked_wait_s(error: urllib.error.HTTPError) -> float:
    text = (error.headers.get("Retry-After") or "").strip()
    return min(float(text), LONGEST_WAIT_S) if text.isascii() and text.isdigit() and len(text) < 9 else 0.0


def wait_s(failures: int, asked_s: float = 0.0) -> float:
    """How long to wait after a number of failures in a row: twice as long each time, up to a quarter of an hour.

    >>> [wait_s(failures) for failures in (1, 2, 3, 9, 60)], wait_s(1, 30.0)
    ([5.0, 10.0, 20.0, 900.0, 900.0], 30.0)
    """
    return max(asked_s, min(FIRST_WAIT_S * 2.0 ** (min(failures, 30) - 1), LONGEST_WAIT_S))
