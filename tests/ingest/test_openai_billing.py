"""OpenAI's usage and cost reports: golden values, sums that are not counted twice, restated days."""

from __future__ import annotations

import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.ingest.bills import openai_billing
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "billing" / "openai"
DAY_START, DAY_END = 1_795_132_800, 1_795_219_200  # 2026-11-20 UTC

COMPLETION: dict[str, Any] = {
    "object": "organization.usage.completions.result",
    "input_tokens": 1_180_000,
    "input_cached_tokens": 1_024_000,
    "input_cache_write_tokens": 6_000,
    "input_uncached_tokens": 150_000,
    "output_tokens": 96_000,
    "input_audio_tokens": 10,
    "num_model_requests": 1000,
    "project_id": "proj_assist",
    "user_id": "user-1",
    "api_key_id": "key_abc",
    "model": "gpt-4o-mini-2024-07-18",
    "batch": False,
    "service_tier": "default",
}


def page(
    *groups: dict[str, Any], start: int = DAY_START, end: int = DAY_END, more: bool = False
) -> dict[str, Any]:
    bucket = {"object": "bucket", "start_time": start, "end_time": end, "results": list(groups)}
    return {"object": "page", "data": [bucket], "has_more": more, "next_page": "page_2" if more else None}


def read(content: object) -> Batch:
    raw = (content if isinstance(content, str) else json.dumps(content)).encode()
    assert openai_billing.detect(raw, "usage.json")
    (batch,) = openai_billing.read(io.BytesIO(raw), "usage.json", ReadOptions())
    return batch


def lines(content: object) -> pl.DataFrame:
    batch = read(content)
    assert batch.quarantined == []
    return batch.frames["cost_lines"]


COMMON = {
    "batch_key": None,
    "provider_name": "openai",
    "api_key_id": "key_abc",
    "invoice_id": None,
    "region_id": None,
    "charge_period_start_ns": DAY_START * 10**9,
    "charge_period_end_ns": DAY_END * 10**9,
    "billing_period_start": None,
    "day": date(2026, 11, 20),
    "hour": None,
    "charge_category": "Usage",
    "charge_class": None,
    "response_id": None,
    "gateway_call_id": None,
    "trace_id": None,
    "attempted_retries": None,
    "status": None,
    "list_cost": None,
}


def test_every_column_of_a_usage_line_has_its_value() -> None:
    first = lines(page(COMPLETION)).to_dicts()[0]
    assert len(first.pop("line_key")) == 32
    tags = json.loads(first.pop("tags"))
    assert len(tags.pop("user_hash")) == 16
    assert tags == {"report": "completions", "input_audio_tokens": 10}
    assert first == COMMON | {
        "source_format": "openai_usage",
        "measure": "usage",
        "billing_account_id": None,
        "sub_account_id": "proj_assist",
        "charge_description": None,
        "sku_id": None,
        "model": "gpt-4o-mini-2024-07-18",
        "token_type": "input",
        "tokens": 150_000,
        "requests": 1000,
        "consumed_quantity": Decimal(150_000),
        "consumed_unit": "Tokens",
        "billed_cost": None,
        "effective_cost": None,
        "billing_currency": None,
        "service_tier": "default",
        "batch": False,
    }


def test_kinds_of_token_add_up_and_requests_are_counted_once() -> None:
    """150,000 uncached + 1,024,000 cached + 6,000 written = 1,180,000 input; 1,000 requests, not 4,000."""
    kinds = lines(page(COMPLETION))
    assert dict(zip(kinds["token_type"], kinds["tokens"], strict=True)) == {
        "input": 150_000,
        "cache_read": 1_024_000,
        "cache_write": 6_000,
        "output": 96_000,
    }
    assert kinds["requests"].sum() == 1000
    assert kinds["line_key"].n_unique() == 4


def test_uncached_is_computed_where_an_older_report_lacks_it() -> None:
    """1,000 input - 400 cached = 600 uncached; no cache-write field, no cache-write line."""
    older = {"object": "organization.usage.completions.result", "input_tokens": 1000, "input_cached_tokens": 400,
             "output_tokens": 50, "num_model_requests": 5}  # fmt: skip
    kinds = lines(page(older))
    assert kinds["token_type"].to_list() == ["input", "cache_read", "output"]
    assert kinds["tokens"].to_list() == [600, 400, 50]
    assert kinds["model"].null_count() == 3


def test_every_column_of_a_cost_line_has_its_value() -> None:
    cost = {
        "object": "organization.costs.result",
        "amount": {"value": 0.0768, "currency": "usd"},
        "line_item": "gpt-4o-mini-2024-07-18, cached input",
        "project_id": "proj_assist",
        "organization_id": "org-test",
        "api_key_id": "key_abc",
        "quantity": 1024,
        "quantity_unit": "1000_tokens",
    }
    (line,) = lines(page(cost)).to_dicts()
    assert len(line.pop("line_key")) == 32
    assert line == COMMON | {
        "source_format": "openai_costs",
        "measure": "cost",
        "billing_account_id": "org-test",
        "sub_account_id": "proj_assist",
        "charge_description": "gpt-4o-mini-2024-07-18, cached input",
        "sku_id": "gpt-4o-mini-2024-07-18, cached input",
        "model": "gpt-4o-mini-2024-07-18",
        "token_type": "cache_read",
        "tokens": 1_024_000,  # 1,024 x 1,000
        "requests": None,
        "consumed_quantity": Decimal(1024),
        "consumed_unit": "1000_tokens",
        "billed_cost": Decimal("0.0768"),
        "effective_cost": Decimal("0.0768"),
        "billing_currency": "USD",
        "service_tier": None,
        "batch": None,
        "tags": None,
    }


def test_amounts_are_the_printed_digits() -> None:
    """As floats, 0.1 + 0.2 is 0.30000000000000004."""
    costs = [
        {
            "object": "organization.costs.result",
            "amount": {"value": value, "currency": "usd"},
            "line_item": item,
        }
        for value, item in ((0.1, "gpt-4o, input"), (0.2, "gpt-4o, output"))
    ]
    assert lines(page(*costs))["billed_cost"].sum() == Decimal("0.3")


def test_a_later_page_restates_the_same_keys_and_an_hour_does_not_restate_a_day() -> None:
    """An open day grows; its lines keep their keys. The hour that begins with the day is another bucket."""
    first = lines(page(COMPLETION))["line_key"].to_list()
    grown = COMPLETION | {"output_tokens": 97_000, "num_model_requests": 1001}
    assert lines(page(grown))["line_key"].to_list() == first
    assert not set(lines(page(COMPLETION, end=DAY_START + 3600))["line_key"]) & set(first)
    assert not set(lines(page(COMPLETION | {"api_key_id": None}))["line_key"]) & set(first)


def test_an_hourly_bucket_has_its_hour() -> None:
    """1795132800 / 3600 = 498648."""
    assert lines(page(COMPLETION, end=DAY_START + 3600))["hour"].to_list() == [498_648] * 4


def test_pages_in_a_list_or_one_a_line_and_a_page_that_is_missing() -> None:
    one, two = page(COMPLETION, more=True), page(COMPLETION | {"model": "gpt-4o"})
    for content in ([one, two], f"{json.dumps(one)}\n{json.dumps(two)}\n"):
        batch = read(content)
        assert batch.frames["cost_lines"].height == 8
        assert batch.repaired == []
    (note,) = read(one).repaired
    assert (note.row_key, note.applied) == ("page_2", False)
    assert "not in this file" in note.reason


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        (
            {"input_cached_tokens": 2_000_000},
            "input_tokens",
            "150000 + cached 2000000 + cache write 6000 = 2156000",
        ),
        ({"output_tokens": -1}, "output_tokens", "-1"),
        ({"input_tokens": None}, "input_tokens", "needs its total"),
    ],
)
def test_contradicting_counts_are_refused_with_their_sum(
    change: dict[str, Any], field: str, said: str
) -> None:
    batch = read(page(COMPLETION, COMPLETION | change))
    (refused,) = batch.quarantined
    assert (refused.row_number, refused.field) == (2, field)
    assert said in refused.reason
    assert batch.frames["cost_lines"].height == 4


def test_a_result_that_comes_twice_is_counted_once_and_the_repetition_is_reported() -> None:
    batch = read([page(COMPLETION), page(COMPLETION | {"output_tokens": 97_000})])
    assert batch.frames["cost_lines"]["requests"].sum() == 1000
    assert batch.frames["cost_lines"]["tokens"].to_list()[-1] == 97_000
    (earlier,) = batch.quarantined
    assert earlier.row_number == 1
    assert "Row 2" in earlier.reason


def test_an_unknown_report_is_refused_by_name() -> None:
    (refused,) = read(page({"object": "organization.usage.dreams.result", "dreams": 3})).quarantined
    assert "organization.usage.dreams.result" in refused.reason


def test_tool_reports_repeat_no_model_requests() -> None:
    """The completions report counts them already."""
    search = {"object": "organization.usage.web_searches.result", "num_requests": 2, "num_model_requests": 2}
    (line,) = lines(page(search)).to_dicts()
    assert (line["token_type"], line["requests"], line["consumed_quantity"]) == ("tool", None, Decimal(2))


def test_every_report_of_the_api_is_read() -> None:
    if not FIXTURES.exists():
        pytest.skip("../shared is absent")
    for path in sorted(FIXTURES.glob("*.json")):
        batch = read(path.read_text())
        assert batch.quarantined == [], path.name
        assert batch.frames["cost_lines"].height > 0, path.name


def test_usage_and_costs_of_one_day_agree() -> None:
    """20 Nov, proj_assist: 156,000 x 0.15 + 1,024,000 x 0.075 + 96,000 x 0.60 USD per million = 0.1578 USD."""
    if not FIXTURES.exists():
        pytest.skip("../shared is absent")
    costs = lines((FIXTURES / "costs.constructed.json").read_text())
    assist = costs.filter(pl.col("sub_account_id") == "proj_assist")
    assert assist["billed_cost"].sum() == Decimal("0.1578")
    usage = lines((FIXTURES / "usage_completions.constructed.json").read_text()).filter(
        (pl.col("sub_account_id") == "proj_assist") & (pl.col("model") == "gpt-4o-mini-2024-07-18")
        & (pl.col("day") == date(2026, 11, 20))
    )  # fmt: skip
    both = assist.join(usage, on="token_type")
    assert both["tokens"].to_list() == both["tokens_right"].to_list() == [156_000, 1_024_000, 96_000]
