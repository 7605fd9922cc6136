"""The door of the running application, by bare sockets: what lies about its length, never ends, or smuggles."""

from __future__ import annotations

import gzip
import socket
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from starlette.requests import Request

from core.intake import NAME_LENGTH
from core.web import body as bodies
from core.web.body import TooSlow, read_body
from tests import otlp_bodies
from tests.live.app import get_json, running_app, wait_for_derived

MIB = 1024 * 1024
PROTOBUF = "Content-Type: application/x-protobuf\r\n"


class Door(NamedTuple):
    """Where the app listens, and what it logs to."""

    address: str
    log: Path

    def say(self, *parts: bytes, hangs_up: bool = False) -> bytes:
        """Send the parts and read until the other side closes; `hangs_up`: say first that no more will come."""
        there = urlsplit(self.address)
        with socket.create_connection((str(there.hostname), there.port or 80), timeout=240) as wire:
            heard = b""
            try:
                for part in parts:
                    wire.sendall(part)
                if hangs_up:
                    wire.shutdown(socket.SHUT_WR)
                while piece := wire.recv(65_536):
                    heard += piece
            except OSError:
                pass  # it may answer and close before it has heard all
            return heard

    def status(self, *parts: bytes, hangs_up: bool = False) -> int:
        """The status of the first answer, 0 for none."""
        heard = self.say(*parts, hangs_up=hangs_up)
        return int(heard.split(b" ", 2)[1]) if heard.startswith(b"HTTP/1.1 ") else 0


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The app with a body limit of 1 MiB; at the end it still takes writes and has logged no fault."""
    folder = tmp_path_factory.mktemp("door") / "ledger"
    with running_app(folder, body_limit_mib="1") as address:
        yield Door(address, folder / "app.log")
        assert get_json(f"{address}/readyz")["ledger_writable"] is True
    assert "Traceback" not in (folder / "app.log").read_text()


def head(method: str = "POST", path: str = "/v1/traces", more: str = PROTOBUF) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{more}".encode("latin-1")


def post(content: bytes, more: str = "", path: str = "/v1/traces") -> bytes:
    return head(path=path, more=f"{PROTOBUF}{more}Content-Length: {len(content)}\r\n\r\n") + content


def chunked(*chunks: bytes) -> Iterator[bytes]:
    yield head(more=f"{PROTOBUF}Transfer-Encoding: chunked\r\n\r\n")
    for chunk in chunks:
        yield f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n"


SOUND = otlp_bodies.protobuf(range(1, 3))
NAMED_GZIP = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"name\0" + gzip.compress(SOUND)[10:]


@pytest.mark.parametrize(
    ("named", "parts", "allowed"),
    [
        ("as it should be", [post(SOUND)], {200}),
        ("in chunks", [*chunked(SOUND[:50], SOUND[50:]), b"0\r\n\r\n"], {200}),
        ("a length too long", [head(more=f"{PROTOBUF}Content-Length: {len(SOUND) + 50}\r\n\r\n"), SOUND], {0, 400}),
        ("a length too short", [head(more=f"{PROTOBUF}Content-Length: {len(SOUND) - 50}\r\n\r\n"), SOUND], {400}),
        ("a negative length", [head(more=f"{PROTOBUF}Content-Length: -5\r\n\r\n"), SOUND], {400}),
        ("a length in words", [head(more=f"{PROTOBUF}Content-Length: many\r\n\r\n"), SOUND], {400}),
        ("two lengths", [head(more=f"{PROTOBUF}Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), SOUND], {400}),
        ("a huge length", [head(more=f"{PROTOBUF}Content-Length: {10**15}\r\n\r\n"), SOUND], {413}),
        ("a length of 5,000 digits", [head(more=f"{PROTOBUF}Content-Length: {'9' * 5_000}\r\n\r\n"), SOUND], {400, 413}),
        ("chunks without end", chunked(*[b"\0" * 65_536] * 40), {413}),
        ("chunks cut short", chunked(SOUND), {0, 400}),
        ("a chunk of no number", [head(more=f"{PROTOBUF}Transfer-Encoding: chunked\r\n\r\n"), b"zz\r\nabc\r\n"], {0, 400}),
        ("an expectation", [post(SOUND, "Expect: 100-continue\r\n")], {100, 200}),
        ("another expectation", [post(SOUND, "Expect: 200-ok\r\n")], {200, 417}),
        ("a header too long", [post(SOUND, f"X-Long: {'x' * 200_000}\r\n")], {0, 400, 431}),
        ("a thousand headers", [post(SOUND, "".join(f"X-{n}: 1\r\n" for n in range(1_000)))], {200, 400, 431}),
        ("a broken header", [head(more="no colon here\r\n\r\n")], {400}),
        ("an empty request", [b"\r\n\r\n"], {0, 400}),
        ("another protocol", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100], {0, 400}),
        ("no type", [head(more="Content-Length: 0\r\n\r\n")], {415}),
        ("a type too long", [head(more=f"Content-Type: {'x' * 30_000}\r\nContent-Length: 0\r\n\r\n")], {415}),
        ("brotli", [post(SOUND, "Content-Encoding: br\r\n")], {415}),
        ("deflate", [post(zlib.compress(SOUND), "Content-Encoding: deflate\r\n")], {415}),
        ("gzip twice", [post(gzip.compress(gzip.compress(SOUND)), "Content-Encoding: gzip, gzip\r\n")], {415}),
        ("gzip with a name", [post(NAMED_GZIP, "Content-Encoding: gzip\r\n")], {200}),
        ("plain that says gzip", [post(SOUND, "Content-Encoding: gzip\r\n")], {400}),
        ("a bomb", [post(gzip.compress(b"\0" * 100 * MIB), "Content-Encoding: gzip\r\n")], {413}),
        ("a bomb of empty members", [post(gzip.compress(b"") * 50_000, "Content-Encoding: gzip\r\n")], {200}),
        ("one byte too many", [post(b"\0" * (MIB + 1))], {413}),
        ("an unknown method", [head("FOO", more="\r\n")], {405}),
        ("trace", [head("TRACE", more="\r\n")], {405}),
        ("options", [head("OPTIONS", "/api/imports", more="\r\n")], {405}),
        ("connect", [head("CONNECT", "evil.example:443", more="\r\n")], {400, 404, 405}),
        ("a path of dots", [head("GET", "/api/../../../etc/passwd", more="\r\n")], {400, 404}),
        ("a path of encoded dots", [head("GET", "/api/..%2f..%2f..%2fetc%2fpasswd", more="\r\n")], {400, 404}),
        ("a path with NUL", [head("GET", "/api/%00", more="\r\n")], {400, 404}),
        ("a path too long", [head("GET", "/api/" + "x" * 200_000, more="\r\n")], {0, 400, 404, 414, 431}),
        ("a path that is no UTF-8", [head("GET", "/api/%ff%fe", more="\r\n")], {404}),
    ],
)  # fmt: skip
def test_every_request_is_answered_or_closed(
    door: Door, named: str, parts: list[bytes] | Iterator[bytes], allowed: set[int]
) -> None:
    assert door.status(*parts, hangs_up=0 in allowed) in allowed, named


@pytest.mark.parametrize(
    "name", ["a\r\nX-Injected: 1", "a\nSet-Cookie: x=1", "\u202egpj.csv", "%00", "x" * 3_000]
)
def test_a_name_writes_no_header(door: Door, name: str) -> None:
    path = f"/api/ingest?name={quote(name)}"
    request = (
        head(path=path, more="Content-Type: application/octet-stream\r\nContent-Length: 5\r\n\r\n") + b"hello"
    )
    answer = door.say(request)
    headers, _, told = answer.partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 422 ")
    assert b"injected" not in headers.lower()
    assert b"set-cookie" not in headers.lower()
    plain = door.say(
        head(
            path="/api/ingest?name=x",
            more="Content-Type: application/octet-stream\r\nContent-Length: 5\r\n\r\n",
        )
        + b"hello"
    )
    # The reason lists every format, so its length is not fixed: a name adds at most what is shown of it, a line's end is \uXXXX.
    assert len(told) <= len(plain.partition(b"\r\n\r\n")[2]) + 6 * NAME_LENGTH


def test_many_small_requests_at_once_are_all_counted(door: Door) -> None:
    """8 senders of 25 requests of one span each, all with ids of their own."""
    before = spans(door)
    answers: list[int] = []

    def send(sender: int) -> None:
        for number in range(25):
            call = 1_000 + sender * 100 + number
            answers.append(door.status(post(otlp_bodies.protobuf(range(call, call + 1)))))

    senders = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join()
    assert answers == [200] * 200
    assert spans(door) - before == 200


def spans(door: Door) -> int:
    wait_for_derived(door.address, get_json(f"{door.address}/readyz")["latest_import"])
    rows = get_json(f"{door.address}/api/imports")["rows"]
    return sum(row["rows_accepted"] for row in rows)


KEYS = ("start", "end", "region", "service", "model", "as_of", "audit", "nothing")
SQL = (
    "'; drop table spans; --", "' or 1=1 --", "$start", "{}", "%", "_", "\0", "\ufffd", "x" * 20_000, "<script>", "=1+1",
    "9999-12-31", "0001-01-01", "2026-02-30", "٢٠٢٦-٠١-٠١", "NaN", "9" * 18, "9" * 400, "-1", "1e5", "",
)  # fmt: skip


@pytest.mark.parametrize("question", ["findings", "attempts", "bridge", "imports"])
def test_parameters_are_values_and_never_sql(door: Door, question: str) -> None:
    door.say(post(otlp_bodies.protobuf(range(1, 3))))
    quick = question in ("attempts", "imports")
    for key in KEYS if quick else ("end", "region"):
        for text in (*map(quote, SQL if quick else SQL[::2]), "%ff%fe", "%00"):
            status = door.status(head("GET", f"/api/{question}?{key}={text}", more="\r\n"))
            assert status in (200, 400), (key, text[:40])
    many = "&".join(f"region=r{number}" for number in range(3_000))
    assert door.status(head("GET", f"/api/{question}?{many}", more="\r\n")) in (200, 400, 414)
    assert spans(door) >= 2, "no table was dropped"


def silent(first: bytes) -> Request:
    """A request whose sender says `first` and then nothing more."""
    said = [first]

    async def receive() -> dict[str, object]:
        if said:
            return {"type": "http.request", "body": said.pop(), "more_body": True}
        await anyio.sleep_forever()
        raise AssertionError("the body went on")

    return Request({"type": "http", "method": "POST", "headers": [], "path": "/"}, receive)  # type: ignore[arg-type]


def test_a_body_that_stalls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "IDLE_S", 0.05)
    with pytest.raises(TooSlow, match="Send it again"), start_blocking_portal() as other_thread:
        other_thread.call(read_body, silent(b"abc"), MIB)


def test_a_body_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then keeps the sender from being idle; the whole must still come in time."""
    monkeypatch.setattr(bodies, "WHOLE_S", 0.2)

    async def receive() -> dict[str, object]:
        await anyio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    dripping = Request({"type": "http", "method": "POST", "headers": [], "path": "/"}, receive)  # type: ignore[arg-type]
    with pytest.raises(TooSlow), start_blocking_portal() as other_thread:
        other_thread.call(read_body, dripping, MIB)
