"""Phoenix's exports in each shape give the calls and attempts of the OTLP they were made of."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import tracemalloc
from typing import Any

import polars as pl
import pytest

from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.ingest.platforms.phoenix import detect, read
from core.ledger.batch import Batch
from core.ledger.store import Store
from tests.ingest.otlp_requests import as_protobuf, request, span

TRACE = "43f3f3666f40095161e1c2407fc36448"
START = dt.datetime(2026, 11, 22, 1, 7, 41, tzinfo=dt.UTC)


def at(ms: int) -> dt.datetime:
    return START + dt.timedelta(milliseconds=ms)


def ns(when: dt.datetime) -> int:
    return int(when.timestamp() * 1000) * 10**6


class Told:
    """One span, and what each export writes of it."""

    def __init__(self, own: str, parent: str | None, name: str, kind: str, times: tuple[int, int], code: str = "OK",
                 **attributes: Any) -> None:  # fmt: skip
        self.own, self.parent, self.name, self.kind, self.code = own, parent, name, kind, code
        self.start, self.end = (at(ms) for ms in times)
        self.attributes = {key.replace("__", "."): value for key, value in attributes.items()}

    def otlp(self) -> dict[str, Any]:
        attributes = [
            {"key": key, "value": {"intValue": str(v)} if isinstance(v, int) else {"stringValue": v}}
            for key, v in self.attributes.items()
        ]
        return span() | {
            "traceId": TRACE, "spanId": self.own, "parentSpanId": self.parent or "", "name": self.name,
            "kind": 3 if "http.url" in self.attributes else 1, "startTimeUnixNano": str(ns(self.start)),
            "endTimeUnixNano": str(ns(self.end)), "attributes": attributes,
            "status": {"code": {"OK": 1, "ERROR": 2}[self.code]}, "events": [],
        }  # fmt: skip

    def rest(self) -> dict[str, Any]:
        return {
            "id": "U3BhbjoyMDU=", "name": self.name, "context": {"trace_id": TRACE, "span_id": self.own},
            "span_kind": self.kind, "parent_id": self.parent, "start_time": self.start.isoformat(),
            "end_time": self.end.isoformat(), "status_code": self.code, "status_message": "",
            "attributes": self.attributes, "events": [],
        }  # fmt: skip

    def otlpv1(self) -> dict[str, Any]:
        nothing = dict.fromkeys(("array_value", "bool_value", "double_value", "int_value", "string_value"))
        attributes = [
            {"key": key, "value": nothing | {"int_value" if isinstance(v, int) else "string_value": v}}
            for key, v in self.attributes.items()
        ]
        return {
            "attributes": attributes, "end_time_unix_nano": ns(self.end), "events": None, "kind": "SPAN_KIND_INTERNAL",
            "name": self.name, "parent_span_id": self.parent, "span_id": self.own, "trace_id": TRACE,
            "start_time_unix_nano": ns(self.start), "status": {"code": {"OK": 1, "ERROR": 2}[self.code], "message": None},
        }  # fmt: skip

    def row(self) -> dict[str, Any]:
        """A row of the dataframe: two levels of names are columns, deeper ones nest; JSON texts are taken apart."""
        columns: dict[str, Any] = {
            "name": self.name, "span_kind": self.kind, "parent_id": self.parent, "start_time": self.start,
            "end_time": self.end, "status_code": self.code, "status_message": "", "events": [],
            "context.span_id": self.own, "context.trace_id": TRACE, "attributes.http": None,
            "attributes.llm.invocation_parameters": None,
        }  # fmt: skip
        for key, value in self.attributes.items():
            if key.startswith("http."):
                columns["attributes.http"] = (columns["attributes.http"] or {}) | {
                    key.removeprefix("http."): value
                }
            elif key == "llm.invocation_parameters":
                columns[f"attributes.{key}"] = json.loads(value)
            else:
                columns[f"attributes.{key}"] = value
        return columns


HTTP = {"http__method": "POST", "http__url": "https://api.openai.com/v1/chat/completions"}
SPANS = [
    Told("00000000000000a1", None, "assist", "CHAIN", (0, 900), openinference__span__kind="CHAIN"),
    Told(
        "00000000000000b1", "00000000000000a1", "ChatCompletion", "LLM", (10, 800), openinference__span__kind="LLM",
        llm__provider="openai", llm__model_name="gpt-4o-mini-2024-07-18", llm__token_count__prompt=1180,
        llm__token_count__completion=96, llm__token_count__prompt_details__cache_read=1024,
        llm__invocation_parameters='{"model": "gpt-4o-mini", "temperature": 0.2}', session__id="s-1",
        input__value="a secret prompt", output__value='{"id": "chatcmpl-9", "choices": []}',
    ),
    Told("00000000000000c1", "00000000000000b1", "POST", "UNKNOWN", (20, 60), "ERROR", http__status_code=503, **HTTP),
    Told("00000000000000c2", "00000000000000b1", "POST", "UNKNOWN", (560, 790), http__status_code=200, **HTTP),
]  # fmt: skip


def csv_text(rows: list[dict[str, Any]]) -> bytes:
    """As pandas writes it: nested cells as Python's own writing, nothing as an empty cell."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows({k: "" if v is None else v for k, v in row.items()} for row in rows)
    return out.getvalue().encode()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    whole = [{key: value for key, value in row.items() if key != "events"} for row in rows]
    pl.DataFrame(whole, infer_schema_length=None).write_parquet(out)
    return out.getvalue()


def json_lines(rows: list[dict[str, Any]]) -> bytes:
    """pandas writes times as ms and NaN as null."""

    def plain(value: Any) -> Any:
        return int(value.timestamp() * 1000) if isinstance(value, dt.datetime) else value

    return b"\n".join(json.dumps({k: plain(v) for k, v in row.items()}).encode() for row in rows)


SHAPES = {
    "rest": json.dumps({"data": [one.rest() for one in SPANS], "next_cursor": None}).encode(),
    "otlpv1": json.dumps({"data": [one.otlpv1() for one in SPANS], "next_cursor": None}).encode(),
    "csv": csv_text([one.row() for one in SPANS]),
    "parquet": parquet([one.row() for one in SPANS]),
    "json lines": json_lines([one.row() for one in SPANS]),
}


def derived(batch: Batch) -> dict[str, Any]:
    store = Store.open(":memory:")
    store.submit(batch)
    store.derive()
    told = {
        "calls": store.ask(
            "select span_id, line_kind, operation, provider, request_model, response_model, ok, attempts, failed_attempts, "
            "grade, response_id from calls order by all"
        ).rows(),
        "attempts": store.ask(
            "select span_id, attempt_number, ok, input_tokens, output_tokens, cache_read_tokens, expected_usd "
            "from attempts order by all"
        ).rows(),
        "runs": store.ask("select trace_id, run_name, conversation_id, ok from runs").rows(),
        "texts": store.ask("select count(*) from spans where attributes::varchar like '%secret%'").item(),
    }
    store.close()
    return told


@pytest.fixture(scope="module")
def original() -> dict[str, Any]:
    body = as_protobuf(request(*[one.otlp() for one in SPANS]))
    return derived(decode_traces(body, "application/x-protobuf", ReadOptions()))


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_gives_the_calls_of_the_original(shape: str, original: dict[str, Any]) -> None:
    """A call that was sent twice, seen by its two HTTP spans, with its tokens and price; no prompt is kept."""
    content = SHAPES[shape]
    assert detect(content[:65_536], "phoenix.parquet" if shape == "parquet" else "x")
    (batch,) = read(io.BytesIO(content), "export", ReadOptions())
    assert (batch.rows_read, batch.quarantined) == (4, [])
    told = derived(batch)
    assert told == original
    assert [row[7:10] for row in told["calls"]] == [(2, 1, "observed")]
    assert told["texts"] == 0


def test_without_http_spans_attempts_are_unknown() -> None:
    content = json.dumps({"data": [one.rest() for one in SPANS[:2]]}).encode()
    (batch,) = read(io.BytesIO(content), "export", ReadOptions())
    assert [row[7:10] for row in derived(batch)["calls"]] == [(None, None, "unobservable")]


def test_annotations_are_outcomes_of_a_span() -> None:
    annotation = {
        "id": "U3Bhbkw=", "created_at": "2026-11-25T19:08:58+00:00", "updated_at": "2026-11-25T19:09:00+00:00",
        "name": "user_feedback", "annotator_kind": "HUMAN", "identifier": "u1", "span_id": "00000000000000B1",
        "result": {"label": "thumbs_down", "score": 0.0, "explanation": "a secret reason"}, "metadata": {},
    }  # fmt: skip
    judge = annotation | {
        "annotator_kind": "LLM",
        "name": "toxicity",
        "result": {"label": "clean", "score": None},
    }
    content = json.dumps({"data": [annotation, judge]}).encode()
    assert detect(content, "x")
    (batch,) = read(io.BytesIO(content), "export", ReadOptions())
    human, model = batch.frames["outcomes"].rows(named=True)
    assert (human["span_id"], human["trace_id"], human["name"], human["value"], human["label"], human["source"]) == (
        "00000000000000b1", None, "user_feedback", 0.0, "thumbs_down", "human",
    )  # fmt: skip
    assert (model["source"], model["value"], model["label"]) == ("model", None, "clean")
    assert "secret" not in str(batch.frames["outcomes"].rows())


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"context": {}}, "trace_id"),
        ({"context": {"trace_id": TRACE}}, "span_id"),
        ({"start_time": "soon"}, "start_time"),
        ({"end_time": None}, "end_time"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused_alone(changed: dict[str, Any], field: str) -> None:
    content = json.dumps({"data": [SPANS[0].rest(), SPANS[1].rest() | changed]}).encode()
    (batch,) = read(io.BytesIO(content), "export", ReadOptions())
    assert [(row.row_number, row.field) for row in batch.quarantined] == [(2, field)]
    assert "secret" not in batch.quarantined[0].row_text
    assert batch.frames["spans"].height == 1


@pytest.mark.parametrize(
    "cell",
    [
        "{[]: 1}",
        "[...]",
        "[1j, b'x', {1, 2}]",
        "[" + "1," * 300_000 + "None]",
        "[" + "'a' " * 300_000 + "]",
        "[" * 4_000,
    ],
)
def test_a_cell_of_pythons_writing_costs_neither_the_file_nor_the_memory(cell: str) -> None:
    """Python's parser takes some 500 bytes a sign: a cell of 64 MB would take 30 GB."""
    content = csv_text([SPANS[0].row(), SPANS[1].row() | {"attributes.llm.invocation_parameters": cell}])
    tracemalloc.start()
    (batch,) = read(io.BytesIO(content), "export", ReadOptions())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert batch.frames["spans"].height == 2
    assert peak < 60 * 1024 * 1024
