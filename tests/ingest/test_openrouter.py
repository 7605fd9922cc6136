"""OpenRouter's activity: one value per column, money and counts apart, upstream money left to the upstream bill."""

from __future__ import annotations

import datetime as dt
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.ingest.bills import anthropic_billing, focus, litellm, openai_billing, openrouter
from core.ingest.bills.openrouter import detect, read
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch

BILLING = Path(__file__).parents[3] / "shared" / "fixtures" / "billing"
DAY_NS = 86_400 * 10**9


def row(**changed: Any) -> dict[str, Any]:
    made = {
        "date": "2026-11-20",
        "model": "openai/gpt-4o-mini",
        "model_permaslug": "openai/gpt-4o-mini-2024-07-18",
        "endpoint_id": "e-1",
        "provider_name": "Azure",
        "usage": 0.0079,
        "byok_usage_inference": 0.1578,
        "requests": 50,
        "prompt_tokens": 59000,
        "completion_tokens": 4800,
        "reasoning_tokens": 3200,
    }
    return made | changed


def batch(*rows: Any) -> Batch:
    (made,) = read(io.BytesIO(json.dumps({"data": list(rows)}).encode()), "activity.json", ReadOptions())
    return made


def test_a_row_is_a_charge_and_two_counts() -> None:
    cost, prompt, completion = batch(row()).frames["cost_lines"].rows(named=True)
    assert (cost["measure"], cost["billed_cost"], cost["effective_cost"]) == (
        "cost", Decimal("0.0079"), Decimal("0.0079"),
    )  # fmt: skip
    assert (prompt["measure"], prompt["token_type"], prompt["tokens"], prompt["requests"]) == (
        "usage", "input", 59000, 50,
    )  # fmt: skip
    assert (completion["token_type"], completion["tokens"], completion["requests"]) == ("output", 4800, None)
    expected = {
        "source_format": "openrouter_costs",
        "provider_name": "openrouter",
        "model": "gpt-4o-mini-2024-07-18",
        "sku_id": "openai/gpt-4o-mini-2024-07-18",
        "charge_description": "openai/gpt-4o-mini-2024-07-18 at Azure",
        "charge_category": "Usage",
        "token_type": "mixed",
        "billing_currency": "USD",
        "day": dt.date(2026, 11, 20),
        "hour": None,
    }
    assert {name: cost[name] for name in expected} == expected
    assert cost["charge_period_end_ns"] - cost["charge_period_start_ns"] == DAY_NS
    assert json.loads(cost["tags"]) == {
        "endpoint_id": "e-1",
        "upstream_provider": "Azure",
        "byok_usage_inference": "0.1578",  # on Azure's bill: a tag, no money here
        "reasoning_tokens": "3200",
    }
    assert len({line["line_key"] for line in (cost, prompt, completion)}) == 3


def test_two_endpoints_of_a_model_are_two_lines_and_one_said_twice_is_one() -> None:
    made = batch(row(), row(endpoint_id="e-2"), row(usage=0.01))
    charges = made.frames["cost_lines"].filter(made.frames["cost_lines"]["measure"] == "cost")
    assert sorted(charges["billed_cost"]) == [Decimal("0.0079"), Decimal("0.01")]
    assert "Row 3 of the file has the same identity" in made.quarantined[0].reason


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (row(date="20.11.2026"), "date"),
        (row(date="2026-11-20T05:00:00Z"), "date"),
        (row(usage=None), "usage"),
        (row(usage="much"), "usage"),
        (row(requests=1.5), "requests"),
        ("text", None),
    ],
)
def test_row_that_cannot_be_read_is_refused_alone(bad: Any, field: str | None) -> None:
    made = batch(bad, row(endpoint_id="good"))
    assert [one.field for one in made.quarantined] == [field or "data"]
    assert made.frames["cost_lines"].height == 3


def test_vendors_are_told_apart_and_the_fixture_is_read_whole() -> None:
    found = sorted(path for path in BILLING.glob("*/*") if path.is_file())
    if not found:
        pytest.skip("../shared is absent")
    for path in found:
        head = path.read_bytes()[:65_536]
        assert detect(head, path.name) == (path.parent.name == "openrouter"), path
        if path.parent.name == "openrouter":
            others = (anthropic_billing, focus, litellm, openai_billing)
            assert not any(other.detect(head, path.name) for other in others)
            (made,) = read(io.BytesIO(path.read_bytes()), path.name, ReadOptions())
            assert made.quarantined == []
            # 0.1578 + 0.0079: what OpenRouter charged, without the 0.1578 on Azure's bill
            assert made.frames["cost_lines"]["billed_cost"].sum() == Decimal("0.1657")
    assert openrouter.NAME == "openrouter"
