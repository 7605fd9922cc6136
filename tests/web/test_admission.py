"""Bodies are let in while there is memory for them; whoever is sent away hears when to come again, and loses nothing."""

from __future__ import annotations

import http.client
import socket
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.web.admission import Admission, Busy
from tests import otlp_bodies
from tests.web.over_http import over_http, wait_for
from tests.web.test_process import fetch

MIB = 1 << 20
TYPE = {"content_type": "application/x-protobuf"}


@given(some.lists(some.integers(0, 300), max_size=20))
def test_more_than_the_limit_is_never_held_but_by_one_alone(sizes: list[int]) -> None:
    admission, held = Admission(100), []
    rooms = []  # kept: one that is forgotten is given back
    for size in sizes:
        rooms.append(room := admission.room_for(size))
        fits = sum(held) == 0 or sum(held) + size <= 100
        if fits:
            room.__enter__()
            held.append(size)
        else:
            with pytest.raises(Busy, match="try again in 1 s"):
                room.__enter__()
        assert admission.held_bytes() == sum(held)


def test_room_is_given_back_when_storing_fails() -> None:
    admission = Admission(10)
    with pytest.raises(ZeroDivisionError), admission.room_for(10):
        raise ZeroDivisionError
    assert admission.held_bytes() == 0


def test_a_body_in_the_making_sends_the_next_one_away_and_both_arrive(tmp_path: Path) -> None:
    first, second = otlp_bodies.protobuf(range(1, 3)), otlp_bodies.protobuf(range(3, 6))
    with over_http(tmp_path, ingest_memory_mib=1) as process, closing(socket.socket()) as slow:
        slow.connect(("127.0.0.1", process.port))
        padded = (
            first + b"\x7a\x80\x80\x3c" + b"\0" * 983_040
        )  # an unknown field 15 of 0.94 MiB, which OTLP ignores
        head = f"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\nContent-Length: {len(padded)}"
        slow.sendall(head.encode() + b"\r\n\r\n" + padded[:1000])
        wait_for(lambda: process.admission.held_bytes() == len(padded))
        large = second + b"\x7a\x80\x80\x3c" + b"\0" * 983_040
        connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=240)
        for status in (429, 429):  # the connection is sound after the first: its body was read to the end
            connection.request("POST", "/v1/traces", large, {"Content-Type": "application/x-protobuf"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
            assert answer.headers["retry-after"] == "1"
        assert fetch(f"{process.address()}/v1/traces", second, **TYPE)[0] == 200  # a small one still has room
        slow.sendall(padded[1000:])
        assert slow.recv(100).startswith(b"HTTP/1.1 200")
        wait_for(lambda: process.admission.held_bytes() == 0)
        connection.request("POST", "/v1/traces", large, {"Content-Type": "application/x-protobuf"})
        assert connection.getresponse().status == 200
        connection.close()
        keys = process.ledger().ask("select distinct trace_id from spans")["trace_id"].to_list()
    assert sorted(keys) == [otlp_bodies.ids(number)[0] for number in range(1, 6)]


def test_a_sender_that_gives_up_in_the_middle_gives_its_room_back(tmp_path: Path) -> None:
    with over_http(tmp_path, ingest_memory_mib=1) as process:
        with closing(socket.socket()) as slow:
            slow.connect(("127.0.0.1", process.port))
            slow.sendall(
                b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\n"
                b"Content-Length: 900000\r\n\r\nsome"
            )
            wait_for(lambda: process.admission.held_bytes() == 900_000)
        wait_for(lambda: process.admission.held_bytes() == 0)


@pytest.mark.parametrize(("encoding", "held"), [("identity", 1_000), ("gzip", 8_000)])
def test_a_packed_body_is_taken_to_unfold(tmp_path: Path, encoding: str, held: int) -> None:
    with over_http(tmp_path) as process, closing(socket.socket()) as slow:
        slow.connect(("127.0.0.1", process.port))
        slow.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: "
            + encoding.encode()
            + b"\r\nContent-Length: 1000\r\n\r\nsome"
        )
        wait_for(lambda: process.admission.held_bytes() == held)


def test_a_body_that_does_not_say_its_size_is_taken_to_be_the_largest(tmp_path: Path) -> None:
    with over_http(tmp_path, body_limit_mib=3) as process, closing(socket.socket()) as slow:
        slow.connect(("127.0.0.1", process.port))
        slow.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n"
        )
        wait_for(lambda: process.admission.held_bytes() == 3 * MIB)
