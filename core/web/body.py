"""Request bodies with a ceiling: while they arrive and again while they are decompressed.

A Content-Length over the limit is refused before a byte is read; a body without one is cut off at the limit; a
small gzip body that unfolds past the limit is refused at the limit, whatever it would have become.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import BinaryIO

import anyio
from starlette.requests import Request

from core.ingest.gunzip import BrokenGzip, gunzipped

MIB = 1024 * 1024
IDLE_S = 30.0
"""A body of which nothing comes for so long is given up: a stalled sender must not hold a connection for ever."""
WHOLE_S = 120.0
"""A telemetry body must be here by then, also from a sender that drips a byte at a time; exporters wait 10 s."""


class BodyTooLarge(ValueError):
    """The body, as sent or decompressed, passes the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The body is larger than {limit // MIB} MiB ({limit} bytes). Send smaller batches, or raise body_limit_mib."
        )


class TooSlow(ValueError):
    """The body does not come, or not to its end."""


class UnknownEncoding(ValueError):
    """A Content-Encoding other than gzip or identity."""


class BadCompression(ValueError):
    """The bytes are not the gzip they claim to be."""


def content_type(request: Request) -> str:
    """The media type without its parameters, lower case; empty when there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def content_encoding(request: Request) -> str:
    """'' or 'gzip'; raises UnknownEncoding for anything else."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return ""
    if encoding == "gzip":
        return encoding
    raise UnknownEncoding(f"Content-Encoding {encoding[:80]!r} is not read here. Send gzip or no encoding.")


def refuse_declared(request: Request, limit: int) -> None:
    """Raise BodyTooLarge from the Content-Length alone."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge(limit)


def expected_size(request: Request, limit: int, ratio: int) -> int:
    """Bytes a body is going to take: its Content-Length, `ratio` times it when packed, `limit` when it does not say."""
    declared = request.headers.get("content-length", "")
    if not (declared.isascii() and declared.isdigit()):
        return limit
    return min(limit, int(declared) * (ratio if content_encoding(request) else 1))


async def drain_body(request: Request, limit: int) -> None:
    """Read the body and keep nothing of it: an answer before its end would break the connection under the sender."""
    refuse_declared(request, limit)
    read = 0
    async for chunk in _chunks(request, WHOLE_S):
        read += len(chunk)
        if read > limit:
            raise BodyTooLarge(limit)


async def read_body(request: Request, limit: int) -> bytes:
    """The body as sent, at most `limit` bytes; raises BodyTooLarge without reading further, and TooSlow."""
    refuse_declared(request, limit)
    body = bytearray()
    async for chunk in _chunks(request, WHOLE_S):
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge(limit)
    return bytes(body)


async def _chunks(request: Request, whole_s: float) -> AsyncIterator[bytes]:
    """The body as it arrives; raises TooSlow after IDLE_S of silence and when it lasts longer than `whole_s`."""
    stream, ends = request.stream(), anyio.current_time() + whole_s
    while True:
        patience_s = min(IDLE_S, ends - anyio.current_time())
        try:
            with anyio.fail_after(patience_s):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise TooSlow(
                "The body did not come to its end in time. Send it again, in smaller batches."
            ) from None
        yield chunk


async def spool_body(request: Request, sink: BinaryIO, limit: int) -> int:
    """Write the body to `sink` as it arrives; returns its bytes, raises BodyTooLarge past `limit`, and TooSlow."""
    refuse_declared(request, limit)
    written = 0
    async for chunk in _chunks(request, math.inf):
        written += len(chunk)
        if written > limit:
            raise BodyTooLarge(limit)
        sink.write(chunk)
    return written


def gunzip(body: bytes, limit: int) -> bytes:
    """Decompress, one member after another, never holding more than `limit` bytes of output and one step."""
    unfolded = bytearray()
    try:
        for plain in gunzipped([body]):
            unfolded += plain
            if len(unfolded) > limit:
                raise BodyTooLarge(limit)
    except BrokenGzip as error:
        raise BadCompression(f"The body cannot be decompressed: {error}") from error
    return bytes(unfolded)
