"""Google's billing export: one value per column, credits apart, late rows once, forms alike."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.ingest.bills.gcp_billing import detect, read
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch
from core.ledger.store import Store

BILLING = Path(__file__).parents[3] / "shared" / "fixtures" / "billing" / "gcp"
HOUR_NS = 3_600 * 10**9
START_NS = int(dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC).timestamp()) * 10**9


def row(**changed: Any) -> dict[str, Any]:
    made = {
        "billing_account_id": "01AB", "service": {"id": "S", "description": "Vertex AI"},
        "sku": {"id": "0000-1111", "description": "Gemini 2.5 Pro Text Input Caching - Predictions"},
        "usage_start_time": "2026-11-20 10:00:00 UTC", "usage_end_time": "2026-11-20 11:00:00 UTC",
        "project": {"id": "assist-prod", "number": "1"}, "labels": [{"key": "feature", "value": "assist"}],
        "location": {"location": "us-central1", "region": "us-central1"}, "cost": 0.32, "currency": "USD",
        "usage": {"amount": 1024000.0, "unit": "count", "amount_in_pricing_units": 1.024, "pricing_unit": "1M count"},
        "credits": [], "invoice": {"month": "202611"}, "cost_type": "regular", "adjustment_info": None,
        "export_time": "2026-11-20 16:12:44 UTC", "cost_at_list": 0.4,
    }  # fmt: skip
    return made | changed


def batch(*rows: Any) -> Batch:
    body = "\n".join(json.dumps(one) for one in rows).encode()
    assert detect(body[:65_536], "x") or not isinstance(rows[0], dict)
    (made,) = read(io.BytesIO(body), "export.jsonl", ReadOptions())
    return made


def lines(*rows: Any) -> list[dict[str, Any]]:
    made = batch(*rows)
    assert made.quarantined == [], made.quarantined
    return made.frames["cost_lines"].rows(named=True)


def test_every_column() -> None:
    (line,) = lines(row())
    assert len(line.pop("line_key")) == 34
    assert json.loads(line.pop("tags")) == {
        "feature": "assist", "gcp_service": "Vertex AI", "gcp_cost_type": "regular",
        "gcp_export_time": "2026-11-20 16:12:44 UTC",
    }  # fmt: skip
    assert line == {
        "batch_key": None, "source_format": "gcp_billing", "measure": "cost", "provider_name": "gcp.vertex_ai",
        "billing_account_id": "01AB", "sub_account_id": "assist-prod", "api_key_id": None, "invoice_id": None,
        "region_id": "us-central1", "charge_period_start_ns": START_NS, "charge_period_end_ns": START_NS + HOUR_NS,
        "billing_period_start": dt.date(2026, 11, 1), "day": dt.date(2026, 11, 20), "hour": START_NS // HOUR_NS,
        "charge_category": "Usage", "charge_class": None,
        "charge_description": "Gemini 2.5 Pro Text Input Caching - Predictions", "sku_id": "0000-1111",
        "model": "gemini-2.5-pro", "token_type": "cache_read", "tokens": 1_024_000, "requests": None,
        "consumed_quantity": Decimal("1.024"), "consumed_unit": "1M count", "billed_cost": Decimal("0.32"),
        "effective_cost": Decimal("0.32"), "list_cost": Decimal("0.4"), "billing_currency": "USD",
        "service_tier": None, "batch": None, "response_id": None, "gateway_call_id": None, "trace_id": None,
        "attempted_retries": None, "status": None,
    }  # fmt: skip


def test_credits_are_lines_of_their_own() -> None:
    """0.96 of use and 0.50 of credit stay 0.96 and -0.50; the credit counts no tokens."""
    credits = [
        {"name": "c", "full_name": "Google for Startups", "id": "s-1", "amount": -0.5, "type": "PROMOTION"}
    ]
    used, credit = lines(row(cost=0.96, credits=credits))
    assert (used["charge_category"], used["billed_cost"], used["tokens"]) == (
        "Usage",
        Decimal("0.96"),
        1_024_000,
    )
    assert (credit["charge_category"], credit["billed_cost"], credit["tokens"]) == (
        "Credit",
        Decimal("-0.5"),
        None,
    )
    assert (credit["charge_description"], credit["sku_id"], credit["model"]) == (
        "Google for Startups", "s-1", "gemini-2.5-pro",
    )  # fmt: skip
    assert credit["line_key"].startswith(used["line_key"][:32])


@pytest.mark.parametrize(
    ("cost_type", "category", "charge_class"),
    [
        ("regular", "Usage", None), ("tax", "Tax", None), ("adjustment", "Adjustment", "Correction"),
        ("rounding_error", "Adjustment", None), ("something new", "Adjustment", None),
    ],
)  # fmt: skip
def test_cost_types(cost_type: str, category: str, charge_class: str | None) -> None:
    (line,) = lines(row(cost_type=cost_type))
    assert (line["charge_category"], line["charge_class"]) == (category, charge_class)


def test_adjustment_info_makes_a_correction_and_counts_no_tokens() -> None:
    (line,) = lines(
        row(cost=-0.1, adjustment_info={"id": "a", "description": "SLA", "mode": "COMPLETE_NEGATION"})
    )
    assert (line["charge_category"], line["charge_class"], line["tokens"]) == ("Usage", "Correction", None)


@pytest.mark.parametrize(
    ("sku", "model", "kind", "batched"),
    [
        ("Gemini 2.5 Pro Text Input - Predictions", "gemini-2.5-pro", "input", None),
        (
            "Gemini 2.5 Flash Lite Thinking Text Output - Predictions",
            "gemini-2.5-flash-lite",
            "reasoning",
            None,
        ),
        ("Gemini 2.5 Flash Text Output - Batch Predictions", "gemini-2.5-flash", "output", True),
        ("Claude Sonnet 4.5 Input Tokens", "claude-sonnet-4-5", "input", None),
        ("Vertex AI Training accelerator hours", None, None, None),
    ],
)
def test_wordings_of_skus(sku: str, model: str | None, kind: str | None, batched: bool | None) -> None:
    (line,) = lines(row(sku={"id": "x", "description": sku}))
    assert (line["model"], line["token_type"], line["batch"]) == (model, kind, batched)
    assert line["billed_cost"] == Decimal("0.32")
    assert (line["tokens"] is None) == (model is None)


def test_another_service_is_not_ai() -> None:
    (line,) = lines(
        row(service={"id": "C", "description": "Compute Engine"}, sku={"id": "x", "description": "N2 Core"})
    )
    assert (line["provider_name"], line["model"], line["token_type"]) == ("Google Cloud", None, None)


def test_late_rows_of_an_overlapping_export_are_counted_once(store: Store) -> None:
    """Export one: a, b. Export two: a, b again and c, exported later: 0.32 x 3."""
    a, b = row(), row(usage_start_time="2026-11-20 11:00:00 UTC", usage_end_time="2026-11-20 12:00:00 UTC")
    late = row(export_time="2026-11-22 03:00:00 UTC")
    store.submit(batch(a, b))
    receipt = store.submit(batch(late, b, a))
    assert (receipt.rows_accepted, receipt.rows_duplicate) == (1, 2)
    assert store.ask("select sum(billed_cost)::double from cost_lines").item() == pytest.approx(0.96)


def test_equal_rows_of_one_export_are_two_charges() -> None:
    assert len({line["line_key"] for line in lines(row(), row())}) == 2


def test_csv_json_and_parquet_hold_the_same_lines() -> None:
    flat = {
        "billing_account_id": "01AB", "service.id": "S", "service.description": "Vertex AI", "sku.id": "0000-1111",
        "sku.description": row()["sku"]["description"], "usage_start_time": "2026-11-20 10:00:00 UTC",
        "usage_end_time": "2026-11-20 11:00:00 UTC", "project.id": "assist-prod", "project.number": "1",
        "labels": json.dumps(row()["labels"]), "location.location": "us-central1", "location.region": "us-central1",
        "cost": "0.32", "currency": "USD", "usage.amount": "1024000", "usage.unit": "count",
        "usage.amount_in_pricing_units": "1.024", "usage.pricing_unit": "1M count", "credits": "[]",
        "invoice.month": "202611", "cost_type": "regular", "export_time": "2026-11-20 16:12:44 UTC",
        "cost_at_list": "0.4",
    }  # fmt: skip
    out = io.StringIO()
    writer = csv.DictWriter(out, flat)
    writer.writeheader()
    writer.writerow(flat)
    (from_csv,) = read(io.BytesIO(out.getvalue().encode()), "x.csv", ReadOptions())
    parquet = io.BytesIO()
    at = [dt.datetime(2026, 11, 20, hour, tzinfo=dt.UTC) for hour in (10, 11)]
    exported = dt.datetime(2026, 11, 20, 16, 12, 44, tzinfo=dt.UTC)
    typed = row(usage_start_time=at[0], usage_end_time=at[1], export_time=exported)
    pl.DataFrame([typed]).write_parquet(parquet)
    parquet.seek(0)
    (from_parquet,) = read(parquet, "gcp_billing.parquet", ReadOptions())
    (expected,) = lines(row())
    for made in (from_csv, from_parquet):
        assert made.quarantined == []
        (line,) = made.frames["cost_lines"].rows(named=True)
        assert {k: v for k, v in line.items() if k != "tags"} == {
            k: v for k, v in expected.items() if k != "tags"
        }


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"cost": "free"}, "cost"),
        ({"cost": None}, "cost"),
        ({"currency": ""}, "currency"),
        ({"usage_start_time": "soon"}, "usage_start_time"),
        ({"usage_end_time": "2026-11-20 09:00:00 UTC"}, "usage_end_time"),
        ({"invoice": {"month": "November"}}, "invoice.month"),
        ({"credits": [{"name": "no amount"}]}, "credits.amount"),
        ({"credits": ["text"]}, "credits"),
        ({"cost": "NaN"}, "cost"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused_alone(changed: dict[str, Any], field: str) -> None:
    made = batch(row(), row(**changed))
    assert [(one.row_number, one.field) for one in made.quarantined] == [(2, field)]
    assert made.frames["cost_lines"].height == 1


def test_a_broken_line_is_refused_alone() -> None:
    body = json.dumps(row()).encode() + b"\n{cut off"
    (made,) = read(io.BytesIO(body), "x", ReadOptions())
    assert made.rows_read == 2
    assert "write one object a line" in made.quarantined[0].reason


def test_the_fixture_adds_up() -> None:
    found = sorted(BILLING.glob("*.jsonl"))
    if not found:
        pytest.skip("../shared is absent")
    for path in found:
        body = path.read_bytes()
        rows = [json.loads(line, parse_float=Decimal) for line in body.splitlines()]
        told = sum(one["cost"] + sum(credit["amount"] for credit in one["credits"]) for one in rows)
        (made,) = read(io.BytesIO(body), path.name, ReadOptions())
        assert made.quarantined == []
        assert sum(made.frames["cost_lines"]["billed_cost"].to_list()) == told
