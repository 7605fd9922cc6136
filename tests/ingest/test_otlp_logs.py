"""Log records: evaluation results as outcomes, other events with their spans, nothing dropped."""

from __future__ import annotations

import collections
from typing import Any

import orjson
import polars as pl

from core.ingest.files import read_path
from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_logs
from core.ledger.batch import Batch
from tests.ingest.otlp_requests import JSON, SPAN_ID, START_NS, TRACE_ID, any_value, attributes, fixtures


def record(values: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    made = {
        "traceId": TRACE_ID,
        "spanId": SPAN_ID,
        "observedTimeUnixNano": str(START_NS),
        "attributes": attributes(values or {}),
    }
    return {**made, **fields}


def decoded(*records: dict[str, Any], scope: str = "judge", capture: bool = False) -> Batch:
    body = {"resourceLogs": [{"scopeLogs": [{"scope": {"name": scope}, "logRecords": list(records)}]}]}
    return decode_logs(orjson.dumps(body), JSON, ReadOptions(capture_content=capture))


def outcome(values: dict[str, Any], **fields: Any) -> dict[str, Any]:
    scope = fields.pop("scope", "judge")
    batch = decoded(record(values, eventName="gen_ai.evaluation.result", **fields), scope=scope)
    return batch.frames["outcomes"].row(0, named=True)


def test_evaluation_result() -> None:
    stored = outcome(
        {
            "gen_ai.evaluation.name": "Relevance",
            "gen_ai.evaluation.score.value": 0.82,
            "gen_ai.evaluation.score.label": "pass",
            "gen_ai.evaluation.explanation": "private words",
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.conversation.id": "conv-1",
            "gen_ai.evaluation.target": "weather_agent",
            "enduser.id": "u-123",
        }
    )
    expected = {
        "name": "Relevance",
        "value": 0.82,
        "label": "pass",
        "source": "model",
        "response_id": "chatcmpl-1",
        "conversation_id": "conv-1",
        "trace_id": TRACE_ID,
        "span_id": SPAN_ID,
        "at_ns": START_NS,
        "error_type": None,
    }
    assert {name: stored[name] for name in expected} == expected
    assert orjson.loads(stored["attributes"]) == {"gen_ai.evaluation.target": "weather_agent"}


def test_a_whole_number_score_and_a_missing_one() -> None:
    assert outcome({"gen_ai.evaluation.name": "a", "gen_ai.evaluation.score.value": 0})["value"] == 0.0
    assert outcome({"gen_ai.evaluation.name": "a"})["value"] is None


def test_the_evaluator_s_own_error_is_no_score() -> None:
    stored = outcome({"gen_ai.evaluation.name": "Broken", "error.type": "TimeoutError"})
    assert (stored["error_type"], stored["value"]) == ("TimeoutError", None)


def test_who_judged() -> None:
    assert outcome({"gen_ai.evaluation.name": "user_feedback"})["source"] == "human"
    assert outcome({"gen_ai.evaluation.name": "x"}, scope="lab.app.feedback")["source"] == "human"
    assert outcome({"gen_ai.evaluation.name": "x", "gen_ai.evaluation.source": "code"})["source"] == "code"


def test_a_revision_shares_its_key_and_another_judgement_does_not() -> None:
    first = {"gen_ai.evaluation.name": "a", "gen_ai.evaluation.score.value": 1.0, "gen_ai.response.id": "r"}
    later = {**first, "gen_ai.evaluation.score.value": 0.0}
    assert outcome(first)["outcome_key"] == outcome(later)["outcome_key"]
    keys = {
        outcome(first)["outcome_key"],
        outcome({**first, "gen_ai.evaluation.name": "b"})["outcome_key"],
        outcome({**first, "gen_ai.response.id": "s"})["outcome_key"],
        outcome({**first, "user.id": "u-1"})["outcome_key"],
    }
    assert len(keys) == 4


def test_the_time_of_the_event_goes_before_the_observer_s() -> None:
    assert outcome({}, timeUnixNano=str(START_NS - 5))["at_ns"] == START_NS - 5
    assert outcome({}, timeUnixNano="0")["at_ns"] == START_NS


def test_old_style_choice_keeps_its_finish_reason_not_its_words() -> None:
    body = any_value({"index": 0, "finish_reason": "stop", "message": {"content": "private"}})
    old = record({"event.name": "gen_ai.choice", "gen_ai.system": "openai"}, body=body)
    stored = decoded(old).frames["span_events"].row(0, named=True)
    assert (stored["name"], stored["trace_id"], stored["span_id"]) == ("gen_ai.choice", TRACE_ID, SPAN_ID)
    assert orjson.loads(stored["attributes"]) == {
        "gen_ai.system": "openai",
        "index": 0,
        "finish_reason": "stop",
    }
    captured = decoded(old, capture=True).frames["span_events"].row(0, named=True)
    assert "private" in captured["attributes"]


def test_a_record_without_a_span_is_kept_and_counted() -> None:
    batch = decoded(record(traceId="", spanId="", severityNumber=9, body={"stringValue": "private"}))
    stored = batch.frames["span_events"].row(0, named=True)
    assert (stored["trace_id"], stored["span_id"], stored["name"]) == ("", "", "log")
    assert orjson.loads(stored["attributes"]) == {"severity_number": 9}


def test_bad_records_are_refused_alone() -> None:
    batch = decoded(record(observedTimeUnixNano="0"), record(), record(traceId="12"), record(attributes=[7]))
    assert batch.rows_read == 4
    assert batch.frames["span_events"].height == 1
    assert [(row.row_number, row.field) for row in batch.quarantined] == [
        (1, "at_ns"),
        (3, "trace_id"),
        (4, "attributes"),
    ]


def test_captured_evaluations() -> None:
    batches = list(read_path(fixtures("eval_events", "logs.otlp.jsonl"), ReadOptions()))
    outcomes = pl.concat([batch.frames["outcomes"] for batch in batches])
    assert collections.Counter(outcomes["source"].to_list()) == {"model": 8, "human": 1}
    assert outcomes["outcome_key"].n_unique() == 9
    assert outcomes.filter(pl.col("error_type").is_not_null())["name"].to_list() == ["Broken", "Broken"]
