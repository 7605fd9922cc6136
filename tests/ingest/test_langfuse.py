"""Langfuse observations: one golden value per column, totals against parts, steps, and what is kept nowhere."""

from __future__ import annotations

import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.ingest.bills import anthropic_billing, focus, litellm, openai_billing, openrouter
from core.ingest.options import ReadOptions
from core.ingest.platforms import langfuse
from core.ledger.batch import Batch

SHARED = Path(__file__).parents[3] / "shared" / "fixtures"
TRACE = "0af7651916cd43dd8448eb211c80319c"

ROW: dict[str, Any] = {
    "id": "b8f4c93492258369",
    "traceId": TRACE,
    "type": "GENERATION",
    "name": "answer",
    "startTime": "2026-11-22T01:29:22.350Z",
    "endTime": "2026-11-22T01:29:23.729Z",
    "projectId": "project-1",
    "model": "gpt-4o-mini-2024-07-18",
    "input": "the user's words",
    "output": {"content": "the model's words"},
    "metadata": {
        "attributes": {
            "gen_ai.provider.name": "openai",
            "gen_ai.response.id": "chatcmpl-abc",
            "gen_ai.openai.response.service_tier": "flex",
            "gen_ai.prompt": "the user's words",
        }
    },
    "usage": {"input": 1180, "output": 96, "total": 1276, "unit": "TOKENS", "totalCost": 9.0},
    "level": "DEFAULT",
    "statusMessage": None,
    "promptName": "assist",
    "promptVersion": 3,
    "environment": "staging",
    "version": "1.4.2",
    "sessionId": "sess-7",
    "userId": "someone@example.org",
    "usageDetails": {
        "input": 100,
        "input_cached_tokens": 1024,
        "input_cache_creation": 56,
        "output": 32,
        "output_reasoning_tokens": 64,
        "total": 1276,
    },
    "costDetails": {"input": 0.0001, "output": 0.0000578, "total": 0.0001578},
}


def read(content: str | bytes) -> Batch:
    raw = content.encode() if isinstance(content, str) else content
    assert langfuse.detect(raw[: 64 * 1024], "observations.jsonl")
    (batch,) = langfuse.read(io.BytesIO(raw), "observations.jsonl", ReadOptions())
    return batch


def json_lines(*rows: dict[str, Any]) -> str:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n"


def line(**changed: Any) -> dict[str, Any]:
    batch = read(json_lines(ROW | changed))
    assert batch.quarantined == []
    (made,) = batch.frames["cost_lines"].rows(named=True)
    return made | {"tags": json.loads(made["tags"])}


def test_every_column_has_its_value() -> None:
    """2026-11-22 01:29:22.350 UTC = 1795310962.350 s, hour 498697. Input 100 + 1024 + 56 = 1180, output 32 + 64 = 96."""
    made = line()
    assert len(made.pop("line_key")) == 32
    assert len(made["tags"].pop("user_hash")) == 16
    assert made.pop("tags") == {
        "input_tokens": 1180,
        "output_tokens": 96,
        "cache_read_tokens": 1024,
        "cache_write_tokens": 56,
        "reasoning_tokens": 64,
        "name": "answer",
        "prompt_name": "assist",
        "prompt_version": 3,
        "environment": "staging",
        "version": "1.4.2",
        "session_id": "sess-7",
    }
    assert made == {
        "batch_key": None,
        "source_format": "langfuse",
        "measure": "cost",
        "provider_name": "openai",
        "billing_account_id": None,
        "sub_account_id": "project-1",
        "api_key_id": None,
        "invoice_id": None,
        "region_id": None,
        "charge_period_start_ns": 1_795_310_962_350_000_000,
        "charge_period_end_ns": 1_795_310_963_729_000_000,
        "billing_period_start": None,
        "day": date(2026, 11, 22),
        "hour": 498_697,
        "charge_category": "Usage",
        "charge_class": None,
        "charge_description": "generation",
        "sku_id": None,
        "model": "gpt-4o-mini-2024-07-18",
        "token_type": "mixed",
        "tokens": 1276,
        "requests": 1,
        "consumed_quantity": None,
        "consumed_unit": None,
        "billed_cost": None,
        "effective_cost": Decimal("0.0001578"),
        "list_cost": None,
        "billing_currency": "USD",
        "service_tier": "flex",
        "batch": None,
        "response_id": "chatcmpl-abc",
        "gateway_call_id": "b8f4c93492258369",
        "trace_id": TRACE,
        "attempted_retries": None,
        "status": "success",
    }


@pytest.mark.parametrize(
    ("changed", "usd"),
    [
        (
            {"costDetails": {"input": 0.1, "output": 0.2, "total": 0.25}},
            "0.25",
        ),  # the total, not 0.3 and not 0.55
        ({"costDetails": {"input": 0.1, "output": 0.2}}, "0.3"),  # 0.1 + 0.2, exact in decimals
        ({"costDetails": {"input": 0.1, "output": None, "total": None}}, "0.1"),
        ({"costDetails": {"total": 0}}, "0"),
        ({"costDetails": '{"total": 0.0001578}'}, "0.0001578"),  # a map as text
        ({"costDetails": {}}, "9"),  # the deprecated usage.totalCost
        ({"costDetails": {}, "totalCost": 2.5}, "2.5"),
        ({"costDetails": {}, "usage": {}, "calculatedTotalCost": 1.5}, "1.5"),
        ({"costDetails": {}, "usage": {}}, None),  # no price known: a call without an amount
    ],
)
def test_the_cost_is_the_total_or_the_sum_of_its_parts(changed: dict[str, Any], usd: str | None) -> None:
    made = line(**changed)
    assert (made["effective_cost"], made["measure"]) == (None if usd is None else Decimal(usd), "cost")
    assert (made["requests"], made["billing_currency"]) == (1, "USD")


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        # Anthropic's names: 7 + 16399 + 2089 = 18495 in, 445 out
        (
            {
                "input": 7,
                "cache_read_input_tokens": 16399,
                "cache_creation_input_tokens": 2089,
                "output": 445,
            },
            (18495, 445, 16399, 2089, None, 18940),
        ),
        # the total 1276 = 1180 + 96 says that the parts are inside
        (
            {"input": 1180, "input_cached_tokens": 1024, "output": 96, "output_reasoning": 64, "total": 1276},
            (1180, 96, 1024, None, 64, 1276),
        ),
        # 156 + 1024 + 96 = 1276: reasoning inside the output, cache outside the input
        (
            {"input": 156, "input_cached_tokens": 1024, "output": 96, "output_reasoning": 64, "total": 1276},
            (1180, 96, 1024, None, 64, 1276),
        ),
        ({"input": 5, "total": 5}, (5, None, None, None, None, 5)),
        ({"total": 12}, (None, None, None, None, None, 12)),
        ({"input": 3, "input_audio_tokens": 4, "output": 1}, (7, 1, None, None, None, 8)),
    ],
)
def test_counts_add_up_whatever_the_keys(details: dict[str, int], expected: tuple[int | None, ...]) -> None:
    made = line(usageDetails=details)
    names = ("input", "output", "cache_read", "cache_write", "reasoning")
    assert (*(made["tags"].get(f"{name}_tokens") for name in names), made["tokens"]) == expected


def test_a_key_that_is_neither_input_nor_output_is_kept_under_its_name() -> None:
    """10 + 2 + 1 = 13 is Langfuse's own total; the search is no token."""
    made = line(usageDetails={"input": 10, "output": 2, "web_search_requests": 1, "total": 13})
    assert (made["tokens"], made["tags"]["other_usage"]) == (12, {"web_search_requests": "1"})


def test_calls_counted_in_other_units_have_no_tokens() -> None:
    made = line(usage={"unit": "CHARACTERS"}, usageDetails={"input": 40, "total": 40})
    assert (made["tokens"], made["consumed_quantity"], made["consumed_unit"]) == (None, 40, "Characters")


def test_a_failure_counted_no_tokens_and_keeps_its_class() -> None:
    zeros = {"input": 0, "output": 0, "total": 0, "unit": "TOKENS"}
    made = line(
        level="ERROR", statusMessage="429 Rate limit reached", usage=zeros, usageDetails={}, costDetails={}
    )
    assert (made["status"], made["tokens"], made["effective_cost"]) == ("failure", None, None)
    assert made["tags"]["error_class"] == "rate_limit"


def test_deprecated_usage_stands_in_for_missing_details() -> None:
    made = line(usageDetails={})
    assert (made["tokens"], made["tags"]["input_tokens"]) == (1276, 1180)


def test_ids_that_are_not_telemetry_ids_join_no_trace() -> None:
    made = line(
        traceId="5f1f3a52-7c1c-4f7f-9f4c-1f9d0a4f3a52", metadata={}, model="openai/gpt-4o-mini", endTime=None
    )
    assert (made["trace_id"], made["response_id"]) == (None, None)
    assert made["tags"]["langfuse_trace_id"] == "5f1f3a52-7c1c-4f7f-9f4c-1f9d0a4f3a52"
    assert (made["provider_name"], made["model"]) == ("openai", "gpt-4o-mini")
    assert made["charge_period_end_ns"] == made["charge_period_start_ns"]
    assert line(metadata={})["provider_name"] is None


def test_steps_make_no_line_and_are_counted_by_type() -> None:
    steps = [
        ROW | {"id": f"s{n}", "type": kind, "costDetails": {}, "usage": {}}
        for n, kind in enumerate(("SPAN", "TOOL", "SPAN"))
    ]
    batch = read(json_lines(*steps, ROW, ROW | {"id": "e", "type": "EMBEDDING"}))
    assert (batch.rows_read, batch.frames["cost_lines"].height, batch.quarantined) == (5, 2, [])
    notes = [(note.rule, note.before, note.applied) for note in batch.repaired]
    assert notes == [
        ("langfuse_not_a_model_call", "2 of SPAN", False),
        ("langfuse_not_a_model_call", "1 of TOOL", False),
    ]


def test_money_on_an_agent_is_not_added_to_the_money_of_its_calls() -> None:
    batch = read(json_lines(ROW, ROW | {"id": "agent", "type": "AGENT"}))
    assert batch.frames["cost_lines"]["effective_cost"].sum() == Decimal("0.0001578")
    (refused,) = batch.quarantined
    assert (refused.row_number, refused.field) == (2, "costDetails")
    assert "0.0001578 USD" in refused.reason
    assert "GENERATION" in refused.reason


def test_lists_pages_traces_and_snake_case_hold_the_same_rows() -> None:
    expected = read(json_lines(ROW)).frames["cost_lines"]
    snake = {
        "trace_id": ROW["traceId"],
        "start_time": "2026-11-22 01:29:22.350000",
        "end_time": "2026-11-22 01:29:23.729000",
        "provided_model_name": ROW["model"],
        "usage_details": ROW["usageDetails"],
        "cost_details": ROW["costDetails"],
        "prompt_name": "assist",
        "prompt_version": 3,
        "session_id": "sess-7",
        "user_id": ROW["userId"],
        "project_id": "project-1",
    }
    same = ("id", "type", "name", "metadata", "level", "environment", "version")
    blob = {name: ROW[name] for name in same} | snake
    page = {"data": [ROW], "meta": {"page": 1, "totalPages": 1}}
    trace = {"id": TRACE, "observations": [ROW]}
    for content in (json.dumps([ROW]), json.dumps(page), json.dumps(trace), json_lines(blob)):
        batch = read(content)
        assert batch.frames["cost_lines"].equals(expected)
        assert batch.repaired == []


def test_a_page_that_is_not_the_last_says_so() -> None:
    (note,) = read(json.dumps({"data": [ROW], "meta": {"page": 1, "totalPages": 4}})).repaired
    assert (note.rule, note.before, note.applied) == ("langfuse_next_page", "page 1 of 4", False)


def test_line_separators_inside_texts_do_not_break_a_line() -> None:
    assert read(json_lines(ROW | {"input": "one\u2028two"}, ROW | {"id": "b"})).quarantined == []


def test_a_call_that_comes_twice_is_counted_once_and_the_repetition_is_reported() -> None:
    batch = read(json_lines(ROW, ROW | {"costDetails": {"total": 0.5}}))
    assert batch.frames["cost_lines"]["effective_cost"].to_list() == [Decimal("0.5")]
    assert (batch.rows_read, batch.quarantined[0].row_number) == (2, 1)


def test_what_users_and_models_wrote_is_kept_nowhere() -> None:
    bad = ROW | {"id": "bad", "costDetails": {"total": "much"}, "statusMessage": "the user's words"}
    batch = read(json_lines(ROW, bad))
    kept = str(batch.frames["cost_lines"].to_dicts()) + str(batch.quarantined)
    assert len(batch.quarantined) == 1
    for words in ("the user's words", "the model's words", "someone@example.org"):
        assert words not in kept


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"costDetails": {"total": "0,1"}}, "costDetails.total", "'0,1'; write a number"),
        ({"usageDetails": {"input": -5}}, "usageDetails.input", "-5"),
        ({"usageDetails": {"input": 1.5}}, "usageDetails.input", "1.5"),
        ({"startTime": None}, "startTime", "has a start"),
        ({"endTime": "2026-11-22T01:29:00Z"}, "endTime", "before startTime"),
        ({"traceId": None}, "traceId", "has id, traceId and type"),
        ({"id": ""}, "id", "has id, traceId and type"),
        ({"type": None}, "type", "has id, traceId and type"),
    ],
)
def test_a_bad_row_is_quarantined_and_the_rest_is_kept(change: dict[str, Any], field: str, said: str) -> None:
    batch = read(json_lines(ROW, ROW | change))
    (refused,) = batch.quarantined
    assert (refused.row_number, refused.field, batch.rows_read) == (2, field, 2)
    assert said in refused.reason
    assert batch.frames["cost_lines"].height == 1


def test_a_broken_line_does_not_lose_the_lines_after_it() -> None:
    batch = read(f"{json.dumps(ROW)}\n{{broken\n3\n{json.dumps(ROW | {'id': 'other'})}\n")
    assert batch.frames["cost_lines"].height == 2
    assert [(refused.row_number, refused.field) for refused in batch.quarantined] == [(2, None), (3, None)]
    assert "not JSON" in batch.quarantined[0].reason


def test_a_prompt_longer_than_the_head_does_not_hide_the_format() -> None:
    assert read(json_lines(ROW | {"input": "word " * 50_000})).frames["cost_lines"].height == 1


def test_vendors_are_told_apart_and_the_fixture_is_read_whole() -> None:
    found = sorted(
        path for path in SHARED.glob("*/**/*") if path.is_file() and path.suffix.startswith(".json")
    )
    if not found:
        pytest.skip("../shared is absent")
    others = (anthropic_billing, focus, litellm, openai_billing, openrouter)
    calls: list[pl.DataFrame] = []
    for path in found:
        with path.open("rb") as stream:
            head = stream.read(64 * 1024)
        is_langfuse = path.parent.parent.name == "billing" and path.parent.name == "langfuse"
        if path.name == "langfuse_requests.json":
            continue  # scores, but inside captured requests
        assert langfuse.detect(head, path.name) == is_langfuse, path
        if is_langfuse:
            assert not any(other.detect(head, path.name) for other in others)
            batch = read(path.read_bytes())
            assert batch.quarantined == []
            calls.append(batch.frames["cost_lines"])
    # 156 + 1024 + 32 + 64 = 1276 tokens for 0.0001578 USD, and a 429 that nobody counted
    assert pl.concat(calls)["tokens"].to_list() == [1276, None]
    assert pl.concat(calls)["effective_cost"].to_list() == [Decimal("0.0001578"), None]
