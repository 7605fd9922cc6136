"""Rows out of texts: halves of emoji, ends of lines that are none, and numbers that no column holds."""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any

import orjson
import pytest

from core.ingest.files import read_upload
from core.ingest.options import ReadOptions
from core.ingest.row_texts import NotARow, json_rows, storable
from core.ledger.batch import Batch

HALF = r"\ud83d"
"""The first half of an emoji, as JSON.stringify writes a text that was cut behind it."""

TRACE = "0af7651916cd43dd8448eb211c80319c"
TIMES = {"startTime": "2026-11-22T01:29:22Z", "endTime": "2026-11-22T01:29:23Z"}
LANGFUSE: dict[str, Any] = {
    "id": "b8f4c93492258369",
    "traceId": TRACE,
    "type": "GENERATION",
    "model": "m",
} | TIMES
PHOENIX: dict[str, Any] = {
    "context": {"trace_id": TRACE, "span_id": "b8f4c93492258369"}, "name": "chat", "parent_id": None,
    "start_time": TIMES["startTime"], "end_time": TIMES["endTime"], "attributes": {"llm.model_name": "m"},
    "span_id": "b8f4c93492258369",
}  # fmt: skip
LITELLM: dict[str, Any] = {"request_id": "r", "call_type": "acompletion", "spend": 0.5, "model": "m"} | TIMES
PROBE: dict[str, Any] = {
    "probe_id": "p",
    "prompt_id": "q",
    "region": "eu-west-1",
    "at": "2026-11-02T04:00:07Z",
}


def imported(content: str, capture: bool = False) -> Batch:
    (batch,) = read_upload(io.BytesIO(content.encode()), "x.json", ReadOptions(capture_content=capture))
    return batch


@pytest.mark.parametrize(
    ("text", "row"),
    [
        (rf'{{"a": "x{HALF}"}}', {"a": "x\ufffd"}),
        (r'{"a": "\uDE00x"}', {"a": "\ufffdx"}),
        (rf'{{"{HALF}": ["{HALF}"]}}', {"\ufffd": ["\ufffd"]}),
        (r'{"a": "\ud83d\ude00"}', {"a": "\U0001f600"}),
        (r'{"a": "\\ud83d"}', {"a": r"\ud83d"}),
    ],
    ids=["first half", "second half", "keys and lists", "both halves", "an escaped backslash"],
)
def test_half_of_a_pair_is_replaced_and_a_whole_one_is_not(text: str, row: dict[str, Any]) -> None:
    assert list(json_rows(text)) == [row]
    assert list(json_rows(f"{text}\n{text}")) == [row, row]


def test_nesting_without_end_costs_its_line_alone() -> None:
    deep = "[" * 100_000
    first, second = json_rows(f'{deep}\n{{"a": 1}}')
    assert isinstance(first, NotARow)
    assert second == {"a": 1}


@pytest.mark.parametrize("capture", [False, True], ids=["without content", "with content"])
@pytest.mark.parametrize(
    ("row", "table"),
    [
        (LANGFUSE | {"name": "HALF"}, "spans"),
        (LANGFUSE | {"input": {"question": "HALF"}, "output": "HALF"}, "spans"),
        (LANGFUSE | {"metadata": {"attributes": {"a": "HALF"}}}, "spans"),
        (PHOENIX | {"name": "HALF"}, "spans"),
        (PHOENIX | {"attributes": {"llm.model_name": "m", "a": "HALF"}}, "spans"),
        (LITELLM | {"team_id": "HALF"}, "cost_lines"),
        (PROBE | {"text": "HALF"}, "probes"),
    ],
)
def test_half_an_emoji_does_not_cost_the_file(row: dict[str, Any], table: str, capture: bool) -> None:
    batch = imported(json.dumps([row]).replace("HALF", HALF), capture)
    assert (batch.frames[table].height, batch.quarantined) == (1, [])


def test_a_number_past_64_bits_among_model_parameters_does_not_cost_the_file() -> None:
    batch = imported(json.dumps([LANGFUSE | {"modelParameters": {"seed": 2**70}}]))
    assert (batch.frames["spans"].height, batch.quarantined) == (1, [])


def test_a_line_separator_inside_a_text_is_no_end_of_a_line() -> None:
    """JavaScript, and Python without ensure_ascii, write U+2028 as it is."""
    lines = [
        json.dumps(LITELLM | {"request_id": one, "messages": "a\u2028b"}, ensure_ascii=False) for one in "rs"
    ]
    batch = imported("\n".join(lines))
    assert (batch.frames["cost_lines"].height, batch.quarantined) == (2, [])


def test_a_shifted_row_of_a_spend_log_is_refused() -> None:
    """A cell more than the header: what stands under `spend` may be something else."""
    header = "request_id,call_type,spend,startTime,endTime"
    shifted = "r,acompletion,assist,0.5,2026-11-22T01:29:22Z,2026-11-22T01:29:23Z"
    fine = "s,acompletion,0.5,2026-11-22T01:29:22Z,2026-11-22T01:29:23Z"
    batch = imported(f"{header}\n{shifted}\n{fine}\n")
    assert batch.frames["cost_lines"]["charge_description"].to_list() == ["acompletion"]
    assert [(refused.row_number, "more cells" in refused.reason) for refused in batch.quarantined] == [
        (1, True)
    ]


def test_an_attribute_of_a_type_that_json_does_not_know_is_kept_as_text() -> None:
    """Parquet brings lengths of time and bytes, Python's own writing sets and imaginary numbers."""
    odd = {
        "a": dt.timedelta(seconds=1),
        "b": [b"x", {2}],
        "c": (2**70, 1j),
        "d": dt.date(2026, 3, 1),
        "e": ...,
    }
    assert orjson.loads(orjson.dumps(storable(odd))) == {
        "a": "0:00:01", "b": ["b'x'", [2]], "c": [str(2**70), "1j"], "d": "2026-03-01", "e": "Ellipsis",
    }  # fmt: skip
