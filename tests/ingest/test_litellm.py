"""LiteLLM spend logs: one golden value per column, made-up ids, failures, and the three containers."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.ingest.bills import litellm
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "billing" / "litellm"

ROW: dict[str, Any] = {
    "request_id": "chatcmpl-abc",
    "call_type": "acompletion",
    "api_key": "hash-1",
    "startTime": "2026-11-22 01:29:22.350645+00:00",
    "endTime": "2026-11-22 01:29:23.729523+00:00",
    "model": "gpt-4o-mini",
    "team_id": "team-a",
    "organization_id": "org-1",
    "metadata": json.dumps(
        {
            "attempted_retries": 2,
            "model_map_information": {"model_map_key": "gpt-4o-mini-2024-07-18"},
            "usage_object": {
                "prompt_tokens_details": {"cached_tokens": 1024},
                "completion_tokens_details": {"reasoning_tokens": 64},
                "service_tier": "flex",
            },
        }
    ),
    "spend": 0.0001578,
    "total_tokens": 1276,
    "prompt_tokens": 1180,
    "completion_tokens": 96,
    "request_tags": '["feature:assist"]',
    "custom_llm_provider": "openai",
    "messages": "the user's words",
    "session_id": "0af7651916cd43dd8448eb211c80319c",
    "status": "success",
    "litellm_call_id": "e2962187",
}


def read(content: str | bytes) -> Batch:
    raw = content.encode() if isinstance(content, str) else content
    assert litellm.detect(raw[: 64 * 1024], "spend.json")
    (batch,) = litellm.read(io.BytesIO(raw), "spend.json", ReadOptions())
    return batch


def lines(*rows: dict[str, Any]) -> pl.DataFrame:
    batch = read(json.dumps(rows))
    assert batch.quarantined == []
    return batch.frames["cost_lines"]


def test_every_column_has_its_value() -> None:
    """2026-11-22 01:29:22.350645 UTC = 1795310962.350645 s; hour 498697 of the epoch; spend is no invoice."""
    (line,) = lines(ROW).to_dicts()
    assert len(line.pop("line_key")) == 32
    assert json.loads(line.pop("tags")) == {
        "input_tokens": 1180,
        "output_tokens": 96,
        "cache_read_tokens": 1024,
        "reasoning_tokens": 64,
        "request_tags": ["feature:assist"],
        "session_id": "0af7651916cd43dd8448eb211c80319c",
    }
    assert line == {
        "batch_key": None,
        "source_format": "litellm",
        "measure": "cost",
        "provider_name": "openai",
        "billing_account_id": "org-1",
        "sub_account_id": "team-a",
        "api_key_id": "hash-1",
        "invoice_id": None,
        "region_id": None,
        "charge_period_start_ns": 1_795_310_962_350_645_000,
        "charge_period_end_ns": 1_795_310_963_729_523_000,
        "billing_period_start": None,
        "day": date(2026, 11, 22),
        "hour": 498_697,
        "charge_category": "Usage",
        "charge_class": None,
        "charge_description": "acompletion",
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
        "gateway_call_id": "e2962187",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "attempted_retries": 2,
        "status": "success",
    }


def test_json_lines_csv_and_a_wrapped_answer_hold_the_same_rows() -> None:
    table = io.StringIO()
    writer = csv.DictWriter(table, ROW)
    writer.writeheader()
    writer.writerow(ROW)
    expected = lines(ROW)
    for content in (json.dumps(ROW) + "\n", json.dumps({"data": [ROW], "total": 1}), table.getvalue()):
        assert read(content).frames["cost_lines"].equals(expected)


def test_a_table_that_stores_long_prompts_is_read() -> None:
    table = io.StringIO()
    writer = csv.DictWriter(table, ["request_id", *(name for name in ROW if name != "request_id")])
    writer.writeheader()
    writer.writerow(ROW | {"messages": "word " * 50_000})
    assert read(table.getvalue()).frames["cost_lines"].equals(lines(ROW))


def test_an_id_that_litellm_made_up_is_not_a_response_id() -> None:
    """Anthropic answers with msg_...; LiteLLM writes chatcmpl-<uuid>. OpenAI's own ids are passed on."""
    invented = "chatcmpl-dbaeeb79-8e4b-4a0c-ad07-f43ef546d5aa"
    rows = [
        ROW | {"custom_llm_provider": "anthropic", "request_id": invented, "litellm_call_id": "a"},
        ROW | {"custom_llm_provider": "openai", "request_id": invented},
        ROW | {"custom_llm_provider": "anthropic", "request_id": "msg_01"},
    ]
    assert lines(*rows)["response_id"].to_list() == [None, invented, "msg_01"]


def test_a_failure_costs_nothing_counted_no_tokens_and_has_no_response() -> None:
    failure = ROW | {
        "request_id": "e2962187",
        "spend": 0.0,
        "total_tokens": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "status": "failure",
        "metadata": "{}",
    }
    (line,) = lines(failure).to_dicts()
    assert (line["effective_cost"], line["tokens"], line["response_id"]) == (Decimal(0), None, None)
    assert (line["status"], line["requests"], line["attempted_retries"]) == ("failure", 1, None)


def test_a_session_that_is_no_trace_id_is_kept_as_a_tag_only() -> None:
    (line,) = lines(ROW | {"session_id": "sess-7"}).to_dicts()
    assert line["trace_id"] is None
    assert json.loads(line["tags"])["session_id"] == "sess-7"


def test_a_call_that_comes_twice_is_counted_once_and_the_repetition_is_reported() -> None:
    batch = read(json.dumps([ROW, ROW | {"spend": 0.5}]))
    assert batch.frames["cost_lines"]["effective_cost"].to_list() == [Decimal("0.5")]
    assert (batch.rows_read, batch.quarantined[0].row_number) == (2, 1)


def test_what_users_wrote_is_kept_nowhere() -> None:
    batch = read(json.dumps([ROW, ROW | {"spend": "much"}]))
    kept = str(batch.frames["cost_lines"].to_dicts()) + str(batch.quarantined)
    assert len(batch.quarantined) == 1
    assert "the user's words" not in kept


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"spend": "0,1"}, "spend", "'0,1'; write a number"),
        ({"startTime": None}, "startTime", "both times"),
        ({"endTime": "9999-12-31T00:00:00Z"}, "endTime", "between the years 1678 and 2261"),
        ({"startTime": "1969-12-31T00:00:00Z"}, "startTime", "after 1970"),
        ({"endTime": "2026-11-22 01:29:00+00:00"}, "endTime", "before startTime"),
        ({"total_tokens": -5}, "total_tokens", "-5"),
        ({"request_id": None, "litellm_call_id": None}, "request_id", "needs request_id or litellm_call_id"),
    ],
)
def test_a_bad_row_is_quarantined_and_the_rest_is_kept(change: dict[str, Any], field: str, said: str) -> None:
    batch = read(json.dumps([ROW, ROW | change]))
    (refused,) = batch.quarantined
    assert (refused.row_number, refused.field, batch.rows_read) == (2, field, 2)
    assert said in refused.reason
    assert batch.frames["cost_lines"].height == 1


def test_numbers_among_the_request_tags_do_not_cost_the_file() -> None:
    tags = read(json.dumps([ROW | {"request_tags": [1.5, 2**70]}])).frames["cost_lines"]["tags"][0]
    assert json.loads(tags)["request_tags"] == [1.5, str(2**70)]


def test_a_broken_line_does_not_lose_the_lines_after_it() -> None:
    content = f"{json.dumps(ROW)}\n{{broken\n{json.dumps(ROW | {'litellm_call_id': 'other'})}\n"
    batch = read(content)
    assert batch.frames["cost_lines"].height == 2
    assert batch.quarantined[0].row_number == 2
    assert "not JSON" in batch.quarantined[0].reason


def test_rows_of_the_real_gateway() -> None:
    """3 gpt-4o-mini calls of 0.0001578 and one claude-sonnet-4-5 of 0.0133804 USD: 0.0004734 + 0.0133804."""
    path = FIXTURES / "spend_logs_rows.json"
    if not path.exists():
        pytest.skip("../shared is absent")
    calls = read(path.read_bytes()).frames["cost_lines"]
    assert calls["effective_cost"].sum() == Decimal("0.0138538")
    assert calls["tokens"].to_list() == [1276, 1276, 2512, 1276]
    assert [i is None for i in calls["response_id"]] == [False, False, True, False]


def test_callbacks_tell_the_same_calls_as_the_table_and_the_failures_too() -> None:
    paths = [FIXTURES / "spend_logs_rows.json", FIXTURES / "standard_logging_payloads.json"]
    if not all(path.exists() for path in paths):
        pytest.skip("../shared is absent")
    table, callbacks = (read(path.read_bytes()).frames["cost_lines"] for path in paths)
    assert set(table["line_key"]) < set(callbacks["line_key"])
    both = callbacks.join(table, on="line_key", suffix="_table")
    for column in ("effective_cost", "tokens", "model", "response_id", "charge_period_start_ns"):
        assert both[column].to_list() == both[f"{column}_table"].to_list(), column
    assert callbacks["status"].to_list().count("failure") == 2
