"""Langfuse's observations as spans: the ids are OpenTelemetry's, nothing counts twice, attempts stay unknown."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from core.ingest.options import ReadOptions
from core.ingest.platforms.langfuse import detect, read
from core.ledger.batch import Batch
from core.ledger.store import Store

TRACE = "858bfae005a281be2a05aa6c0d3117cc"


def observation(**changed: Any) -> dict[str, Any]:
    made = {
        "id": "b8f4c93492258369", "traceId": TRACE, "type": "GENERATION", "name": "chat",
        "startTime": "2026-11-20T10:00:00.000Z", "endTime": "2026-11-20T10:00:01.250Z",
        "completionStartTime": "2026-11-20T10:00:00.310Z", "model": "gpt-4o-mini-2024-07-18",
        "modelParameters": {"temperature": 0.2}, "input": "a secret prompt", "output": "a secret answer",
        "metadata": {"attributes": {"gen_ai.provider.name": "openai", "gen_ai.response.id": "chatcmpl-9"},
                     "resourceAttributes": {"service.name": "assist"}},
        "level": "DEFAULT", "statusMessage": None, "parentObservationId": "2225836914b3147f",
        "usageDetails": {"input": 156, "input_cached_tokens": 1024, "output": 32, "output_reasoning_tokens": 64},
        "costDetails": {"total": 0.0001578}, "environment": "staging", "sessionId": "sess-7", "userId": "anna",
    }  # fmt: skip
    return made | changed


def agent(**changed: Any) -> dict[str, Any]:
    plain = {"type": "AGENT", "id": "2225836914b3147f", "name": "assist", "parentObservationId": None}
    none = dict.fromkeys(("model", "usageDetails", "costDetails", "completionStartTime"))
    return observation(**plain, **none, metadata={"resourceAttributes": {"service.name": "assist"}}) | changed


def batch(*rows: Any) -> Batch:
    (made,) = read(io.BytesIO(json.dumps(list(rows)).encode()), "export.json", ReadOptions())
    return made


def test_every_column_of_a_model_call() -> None:
    made = batch(agent(), observation())
    assert made.quarantined == []
    call = made.frames["spans"].rows(named=True)[1]
    expected = {
        "trace_id": TRACE, "span_id": "b8f4c93492258369", "parent_span_id": "2225836914b3147f", "name": "chat",
        "dialect": "langfuse", "service_name": "assist", "deployment_environment_name": "staging",
        "span_role": "inference", "gen_ai_provider_name": "openai", "gen_ai_response_id": "chatcmpl-9",
        "gen_ai_usage_input_tokens": 1180, "gen_ai_usage_output_tokens": 96,
        "gen_ai_usage_cache_read_input_tokens": 1024, "gen_ai_usage_reasoning_output_tokens": 64,
        "gen_ai_conversation_id": "sess-7", "gen_ai_response_time_to_first_chunk_ns": 310_000_000,
        "duration_ns": 1_250_000_000, "status_code": "UNSET",
    }  # fmt: skip
    assert {name: call[name] for name in expected} == expected
    assert "gpt-4o-mini-2024-07-18" in (call["gen_ai_request_model"], call["gen_ai_response_model"])
    assert str(call["reported_cost_usd"]).startswith("0.0001578")
    assert call["enduser_hash"] not in (None, "anna")
    assert "secret" not in str(call)


def test_the_run_and_its_call_are_derived_and_attempts_are_unknown(store: Store) -> None:
    store.submit(batch(agent(), observation()))
    store.derive()
    assert store.ask("select run_name, ok from runs").rows() == [("assist", True)]
    assert store.ask("select attempts, grade from calls").rows() == [(None, "unobservable")]


def test_an_error_has_its_class_and_its_message_is_not_kept() -> None:
    failed = observation(
        level="ERROR", statusMessage="429 Rate limit reached for anna", usageDetails={}, costDetails={}
    )
    (span,) = batch(failed).frames["spans"].rows(named=True)
    assert (span["status_code"], span["error_class"]) == ("ERROR", "rate_limit")
    assert "anna" not in str(span)


def test_the_same_call_over_otlp_and_in_the_export_counts_once(store: Store) -> None:
    """Two exports that differ in a field: the later content is the span's revision, the call is one."""
    store.submit(batch(observation()))
    store.submit(batch(observation(version="1.4.3")))
    store.derive()
    assert store.ask("select count(*) from calls where superseded_by > $n", n=store.version()).item() == 1


def test_ids_of_older_versions_become_ids_of_the_right_length() -> None:
    old = {"id": "0a1b-uuid-like", "traceId": "clx123", "parentObservationId": None}
    one, other = batch(observation(**old)), batch(observation(**old, name="again"))
    (span,), (again,) = (made.frames["spans"].rows(named=True) for made in (one, other))
    assert (len(span["trace_id"]), len(span["span_id"])) == (32, 16)
    assert (span["trace_id"], span["span_id"]) == (again["trace_id"], again["span_id"])
    assert json.loads(span["attributes"])["langfuse.trace.id"] == "clx123"


def test_a_whole_trace_hands_its_session_and_user_to_its_observations() -> None:
    trace = {
        "id": TRACE, "name": "assist", "sessionId": "sess-9", "userId": "bo",
        "observations": [{k: v for k, v in observation().items() if k not in ("sessionId", "userId", "traceId")}],
        "scores": [{"id": "s1", "name": "user-feedback", "dataType": "BOOLEAN", "value": 1, "source": "API",
                    "timestamp": "2026-11-20T10:01:00.000Z"}],
    }  # fmt: skip
    made = batch(trace)
    (span,) = made.frames["spans"].rows(named=True)
    assert span["gen_ai_conversation_id"] == "sess-9"
    (outcome,) = made.frames["outcomes"].rows(named=True)
    assert (outcome["trace_id"], outcome["source"], outcome["value"]) == (TRACE, "human", 1.0)
    assert made.rows_read == 2


def test_the_csv_of_the_user_interface_is_read_alike() -> None:
    rows = [{k: json.dumps(v) if isinstance(v, dict) else v for k, v in observation().items()}]
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    writer.writerows({k: "" if v is None else v for k, v in row.items()} for row in rows)
    content = out.getvalue().encode()
    assert detect(content, "x.csv")
    (made,) = read(io.BytesIO(content), "x.csv", ReadOptions())
    (from_csv,), (expected,) = (one.frames["spans"].rows(named=True) for one in (made, batch(observation())))
    ignored = ("content_hash", "attributes")
    assert {k: v for k, v in from_csv.items() if k not in ignored} == {
        k: v for k, v in expected.items() if k not in ignored
    }  # fmt: skip


def score(**changed: Any) -> dict[str, Any]:
    made = {
        "id": "596d57680bd68a16", "timestamp": "2026-11-20T10:01:00.000Z", "source": "API", "name": "user-feedback",
        "dataType": "BOOLEAN", "value": 1, "stringValue": "True", "comment": "a secret", "traceId": TRACE,
        "observationId": "", "sessionId": "", "authorUserId": "user-9",
    }  # fmt: skip
    return made | changed


JUDGE = {"source": "EVAL", "name": "hallucination", "dataType": "NUMERIC", "value": "0.12", "stringValue": ""}
WORD = {"source": "ANNOTATION", "name": "x", "dataType": "CATEGORICAL", "value": 1, "stringValue": "resolved"}


@pytest.mark.parametrize(
    ("changed", "source", "value", "label"),
    [
        ({}, "human", 1.0, "True"),
        (JUDGE, "model", 0.12, None),
        (WORD, "human", None, "resolved"),
        (WORD | {"source": "API", "value": "resolved", "stringValue": None}, "code", None, "resolved"),
        (
            {"source": "API", "name": "annotated-by-hand"},
            "human",
            1.0,
            "True",
        ),  # the words that OTLP scores are told by
    ],
)
def test_scores_are_outcomes(
    changed: dict[str, Any], source: str, value: float | None, label: str | None
) -> None:
    (outcome,) = batch(score(**changed)).frames["outcomes"].rows(named=True)
    assert (outcome["source"], outcome["value"], outcome["label"], outcome["trace_id"]) == (
        source,
        value,
        label,
        TRACE,
    )
    assert "secret" not in str(outcome)
    assert "user-9" not in str(outcome)


def test_a_score_of_nothing_is_refused() -> None:
    made = batch(score(traceId="", sessionId=""), score(value="high", stringValue=None), observation())
    assert [(row.row_number, row.field) for row in made.quarantined] == [(1, "traceId"), (2, "value")]
    assert made.frames["spans"].height == 1


def test_of_a_step_with_money_the_span_is_kept_and_the_money_refused() -> None:
    made = batch(agent(costDetails={"total": 5}))
    assert made.frames["spans"].height == 1
    assert [row.field for row in made.quarantined] == ["costDetails"]
