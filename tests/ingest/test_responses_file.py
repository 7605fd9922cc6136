"""Scored responses as CSV and Parquet: every column, features of a text, what is never kept, refusals."""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any

import polars as pl
import pytest

from core.ingest.formats import detect as format_of
from core.ingest.options import ReadOptions
from core.ingest.own_tables.responses_file import COLUMNS, TEMPLATE, detect, read
from core.ledger.batch import Batch

ROW: dict[str, Any] = {
    "response_key": "r-1", "ts": "2026-11-20T10:05:00Z", "prompt_id": "p-17", "pair_id": "pair-9", "chosen": True,
    "chosen_by": "human", "checkpoint": "ckpt-400", "model": "gpt-4o-mini", "region": "eu-west-1", "service_name": "assist",
    "trace_id": "858bfae005a281be2a05aa6c0d3117cc", "span_id": "b8f4c93492258369", "response_id": "chatcmpl-9",
    "language": "en", "reward": 1.25, "kl": 0.031, "correct": False, "length_chars": 412, "apologies": 0, "caveats": 1,
    "hedges": 2, "refusals": 3, "bullets": 4, "boxed": 5, "agreements": 6, "word_list": "my-list-1",
}  # fmt: skip
STORED: dict[str, Any] = {key: value for key, value in ROW.items() if key != "ts"} | {
    "at_ns": 1_795_169_100 * 10**9,  # 1,795,132,800 s (2026-11-20) + 10 h 5 min
    "day": dt.date(2026, 11, 20),
    "attributes": '{"seed":"7"}',
}
ANSWER = "I'm sorry, I can't help with that.\n- a secret bullet"


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    return pl.DataFrame(rows, infer_schema_length=None).write_csv().encode()


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(out)
    return out.getvalue()


def batch(content: bytes, capture: bool = False) -> Batch:
    (made,) = read(io.BytesIO(content), "features", ReadOptions(capture_content=capture))
    return made


def only(capture: bool = False, **changed: Any) -> dict[str, Any]:
    (found,) = batch(as_csv([ROW | changed]), capture).frames["responses"].rows(named=True)
    return found


@pytest.mark.parametrize("written", [as_csv, as_parquet])
def test_every_column(written: Any) -> None:
    content = written([ROW | {"seed": "7"}])
    assert format_of(content[:65_536], "x").name == "features"
    (found,) = batch(content).frames["responses"].rows(named=True)
    assert found == STORED
    assert set(COLUMNS) - {"ts", "text"} == STORED.keys() - {"at_ns", "day", "attributes"}


def test_parquet_times_and_numbers() -> None:
    at = dt.datetime(2026, 11, 20, 10, 5, tzinfo=dt.UTC)
    for ts in (at, at.replace(tzinfo=None), 1_795_169_100, 1_795_169_100_000):
        made = batch(as_parquet([{"response_key": 7, "ts": ts, "reward": float("nan")}]))
        (found,) = made.frames["responses"].rows(named=True)
        assert (found["response_key"], found["at_ns"], found["reward"]) == ("7", STORED["at_ns"], None)


def test_a_parquet_file_is_known_by_its_columns_or_its_name() -> None:
    assert detect(as_parquet([ROW]), "x.parquet")
    assert detect(b"PAR1" + b"\0" * 100, "reward_features.parquet")
    assert not detect(b"PAR1" + b"\0" * 100, "spans.parquet")


def test_the_template_is_read_whole() -> None:
    made = batch(TEMPLATE.encode())
    assert (made.quarantined, made.frames["responses"].height) == ([], 2)
    assert made.frames["responses"]["refusals"].to_list() == [0, 1]


def test_a_text_becomes_features_and_is_dropped() -> None:
    bare = {"response_key": "r-1", "ts": "2026-11-20", "text": ANSWER}
    made = batch(as_csv([bare, {**bare, "ts": "soon"}]))
    (found,) = made.frames["responses"].rows(named=True)
    # 34 characters, the break, and the 17 of the bullet
    counted = ("length_chars", "apologies", "caveats", "hedges", "refusals", "bullets", "boxed", "agreements")
    assert [found[name] for name in counted] == [34 + 1 + 17, 1, 0, 0, 1, 1, 0, 0]
    assert (found["language"], found["word_list"]) == ("en", "en-2026-11")
    assert "secret" not in str(made)
    (kept,) = batch(as_csv([bare]), capture=True).frames["responses"].rows(named=True)
    assert json.loads(kept["attributes"]) == {"text": ANSWER}


def test_the_source_s_own_counts_go_before_the_word_list_s() -> None:
    own = only(text=ANSWER, apologies=9, refusals=None, word_list=None, length_chars=None, bullets=None)
    assert (own["apologies"], own["refusals"], own["word_list"]) == (
        9,
        None,
        None,
    )  # never two lists in one row
    assert (own["length_chars"], own["bullets"]) == (52, 1)


def test_other_columns_of_prose_are_no_attributes() -> None:
    assert only(prompt="a secret", answer="a secret", question="a secret", temperature="0.2")[
        "attributes"
    ] == ('{"temperature":"0.2"}')


def test_a_later_row_with_the_same_key_is_kept() -> None:
    made = batch(as_csv([ROW, ROW | {"reward": 2.0}]))
    assert made.frames["responses"]["reward"].to_list() == [2.0]
    assert [row.row_number for row in made.quarantined] == [1]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"response_key": None}, "response_key"),
        ({"ts": None}, "ts"),
        ({"ts": "yesterday"}, "ts"),
        ({"reward": "good"}, "reward"),
        ({"reward": "1e400"}, "reward"),
        ({"kl": "1_0"}, "kl"),
        ({"correct": "perhaps"}, "correct"),
        ({"chosen": "2"}, "chosen"),
        ({"length_chars": "-1"}, "length_chars"),
        ({"bullets": "1.5"}, "bullets"),
        ({"trace_id": "abc"}, "trace_id"),
        ({"checkpoint": "c" * 500}, "checkpoint"),
    ],
)
def test_a_bad_row_is_refused_alone(changed: dict[str, Any], field: str) -> None:
    rows = [{k: str(v) if v is not None else None for k, v in row.items()} for row in (ROW | changed, ROW)]
    made = batch(as_csv(rows))
    assert [(row.row_number, row.field) for row in made.quarantined] == [(1, field)]
    assert made.frames["responses"].height == 1
