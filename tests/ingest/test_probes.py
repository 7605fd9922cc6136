"""Probes: every column to the last value, CSV and JSON alike, refusals that name the field, answers cut."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
from typing import Any

import pytest

from core.ingest.files import read_upload
from core.ingest.options import ReadOptions
from core.ingest.own_tables.probes import SCHEMA, TEXT_CHARACTERS, read
from core.ledger.batch import Batch
from core.ledger.store import Store

FULL: dict[str, Any] = {
    "probe_id": "p1", "prompt_id": "happy-17", "region": "eu-central-1", "at": "2026-11-02T04:00:07Z",
    "request_model": "gpt-4o", "response_model": "gpt-4o-2024-08-06", "system_fingerprint": "fp_a1",
    "input_tokens": 57, "output_tokens": 212, "first_chunk_ms": 412.5, "last_chunk_ms": 2904.25,
    "finish_reason": "end_turn", "refusal": False, "format_ok": True, "score": 0.5, "scorer": "boxed-integer 2",
    "text": "The answer is 7.", "header_names": ["Server", "date"], "features": {"lines": 1}, "round": 3,
}  # fmt: skip


def batch(content: str) -> Batch:
    (made,) = read(io.BytesIO(content.encode()), "probes.jsonl", ReadOptions())
    return made


def refusals(row: dict[str, Any]) -> list[tuple[str | None, str]]:
    return [(one.field, one.reason) for one in batch(json.dumps(FULL | row)).quarantined]


def test_golden() -> None:
    made = batch(json.dumps(FULL))
    text = "The answer is 7."
    assert made.frames["probes"].row(0, named=True) == {
        "probe_id": "p1", "kind": "model", "prompt_id": "happy-17", "region": "eu-central-1",
        "at_ns": int(dt.datetime(2026, 11, 2, 4, 0, 7, tzinfo=dt.UTC).timestamp()) * 10**9,
        "day": dt.date(2026, 11, 2), "request_model": "gpt-4o", "response_model": "gpt-4o-2024-08-06",
        "system_fingerprint": "fp_a1", "input_tokens": 57, "output_tokens": 212, "first_chunk_ms": 412.5,
        "last_chunk_ms": 2904.25, "finish_reason": "stop", "refusal": False, "format_ok": True, "score": 0.5,
        "scorer": "boxed-integer 2", "text": text, "text_chars": 16,
        "text_hash": hashlib.sha256(text.encode()).hexdigest()[:16], "header_names": "date,server",
        "features": '{"lines":1}', "attributes": '{"round":3}',
    }  # fmt: skip
    assert (made.rows_read, made.quarantined) == (1, [])


def test_csv_says_the_same() -> None:
    out = io.StringIO()
    cells = {key: value for key, value in FULL.items() if key not in ("features", "round")}
    cells["header_names"] = "Server,date"
    writer = csv.DictWriter(out, cells)
    writer.writeheader()
    writer.writerow(cells)
    wanted = batch(json.dumps({key: FULL[key] for key in cells}))
    assert batch(out.getvalue()).frames["probes"].rows() == wanted.frames["probes"].rows()


def test_what_is_left_out_is_unknown() -> None:
    row = batch('{"probe_id":"a","prompt_id":"b","region":"c","at":"2026-11-02"}').frames["probes"]
    unknown = [name for name in SCHEMA if row[name][0] is None]
    assert len(unknown) == len(SCHEMA) - 6  # the four required, kind and day


@pytest.mark.parametrize(
    ("row", "field", "fix"),
    [
        ({"probe_id": ""}, "probe_id", "every probe has"),
        ({"region": None}, "region", "every probe has"),
        ({"at": "yesterday"}, "at", "is 'yesterday'"),
        ({"score": 7}, "score", "write a number from 0 to 1"),
        ({"score": "nan "}, "", ""),
        ({"refusal": "perhaps"}, "refusal", "write true or false"),
        ({"input_tokens": 1.5}, "input_tokens", "whole number"),
        ({"first_chunk_ms": -1}, "first_chunk_ms", "write a number from 0"),
    ],
)
def test_a_bad_row_is_refused_with_its_field(row: dict[str, Any], field: str, fix: str) -> None:
    found = refusals(row)
    assert [name for name, _ in found] == ([field] if field else [])
    assert not field or fix in found[0][1]


def test_the_same_probe_twice_keeps_the_later_row() -> None:
    made = batch(json.dumps(FULL) + "\n" + json.dumps(FULL | {"score": True}) + "\n[1]\nnot json\n")
    assert made.frames["probes"]["score"].to_list() == [1.0]
    assert sorted(one.row_number for one in made.quarantined) == [1, 3, 4]  # 1 gave way to 2
    assert made.rows_read == 4


def test_a_long_answer_is_cut_and_counted_whole() -> None:
    made = batch(json.dumps(FULL | {"text": "x" * 5_000})).frames["probes"]
    assert (len(made["text"][0]), made["text_chars"][0]) == (TEXT_CHARACTERS, 5_000)


def test_through_the_front_door(store: Store) -> None:
    upload = io.BytesIO(json.dumps(FULL).encode())
    receipts = store.submit_many(read_upload(upload, "p.jsonl", ReadOptions()))
    assert [one.rows_accepted for one in receipts] == [1]
    assert store.ask("select region, text_chars from probes").rows() == [("eu-central-1", 16)]
