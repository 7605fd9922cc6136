"""A disk that runs full under a sender: refused for now, nothing acknowledged lost, and on again once there is room."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest

from core.ledger.store import CannotWrite, Store
from tests import otlp_bodies
from tests.durable.disks import MIB, fill, small_disk
from tests.ledger.test_store import a_trace, spans_batch
from tests.web.over_http import over_http, wait_for
from tests.web.test_process import fetch, fetch_json

DISK_MIB = 64
CALLS_A_BODY = 400


def stored_ids(store: Store) -> list[str]:
    return sorted(store.ask("select span_id from spans")["span_id"].to_list())


def ids_of(numbers: list[range]) -> list[str]:
    return sorted(otlp_bodies.ids(number)[1] for calls in numbers for number in calls)


# 0.2 MiB: the log itself cannot grow. 20 MiB: the log fits and the checkpoint after it, at 16 MiB, does not.
@pytest.mark.parametrize("left_mib", [0.2, pytest.param(20.0, marks=pytest.mark.slow)])
def test_a_full_disk_refuses_for_now_and_loses_nothing(tmp_path: Path, left_mib: float) -> None:
    with small_disk(tmp_path / "disk", DISK_MIB) as disk, over_http(disk / "ledger") as process:
        address = process.address()
        filler = fill(disk, int(left_mib * MIB))
        acknowledged: list[range] = []
        refused, first = 0, 1
        while refused < 3:
            calls = range(first, first + CALLS_A_BODY)
            status, answer = fetch(
                f"{address}/v1/traces", otlp_bodies.protobuf(calls), Content_Type="application/x-protobuf"
            )
            if status == 200:
                acknowledged.append(calls)
                first += CALLS_A_BODY
                assert not refused or left_mib > 1, "a disk without room took a batch"
                continue
            refused += 1
            assert status == 503, answer
            assert b"is full" in answer
        ready = fetch_json(f"{address}/readyz")
        assert (ready["ready"], "is full" in ready["ledger_error"]) == (False, True)
        assert set(ids_of(acknowledged)) <= set(stored_ids(process.ledger())), "pages read on"

        filler.unlink()
        wait_for(lambda: fetch(f"{address}/readyz")[0] == 200)  # by itself: nobody sent anything
        last = range(first, first + CALLS_A_BODY)
        assert fetch(
            f"{address}/v1/traces", otlp_bodies.protobuf(last), Content_Type="application/x-protobuf"
        )[0] == 200  # fmt: skip
        wait_for(lambda: process.ledger().version() == process.ledger().latest_import())
        assert stored_ids(process.ledger()) == ids_of([*acknowledged, last])


def test_a_full_disk_says_how_soon_to_come_back(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 24) as disk, over_http(disk / "ledger") as process:
        fill(disk)
        wire = http.client.HTTPConnection("127.0.0.1", process.port)
        body = otlp_bodies.protobuf(range(1, 3_000))
        wire.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        answer = wire.getresponse()
        assert (answer.status, answer.getheader("Retry-After")) == (503, "5")
        answer.read()
        wire.request(
            "POST", "/api/ingest?name=a.pb", bytes(MIB), {"Content-Type": "application/octet-stream"}
        )
        answer = wire.getresponse()
        assert (answer.status, answer.getheader("Retry-After")) == (503, "5")
        wire.close()


def test_a_file_that_duckdb_gave_up_is_opened_again_by_a_question(tmp_path: Path) -> None:
    """No batch comes: the reader who meets it has it opened again, and gets an answer."""
    with small_disk(tmp_path / "disk", 32) as disk:
        store = Store.open(disk / "trueup.duckdb")
        for number in range(4):
            store.submit(spans_batch(a_trace(f"{number:032x}", 400), str(number)))
        filler = fill(disk)
        with pytest.raises(Exception, match="No space left"), store._file.cursor() as cursor:
            cursor.execute("checkpoint")
        assert store.ask("select count(*) from spans").item() == 4 * 402
        filler.unlink()
        store.submit(spans_batch(a_trace("f" * 32, 1), "one more"))
        assert store.ask("select count(*) from spans").item() == 4 * 402 + 3
        store.close()


def test_the_batch_of_a_commit_that_failed_is_told_apart_from_a_bad_one(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 16) as disk:
        store = Store.open(disk / "trueup.duckdb")
        filler = fill(disk)
        batch = spans_batch(a_trace("a" * 32, 2_000), "a")
        with pytest.raises(CannotWrite, match="is full"):
            store.submit(batch)
        assert (store.latest_import(), store.writable()) == (0, False)
        filler.unlink()
        assert store.submit(batch).rows_accepted == 2_002
        assert store.fault() is None
        store.close()
