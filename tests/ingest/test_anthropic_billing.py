"""Anthropic's reports: one value per column, cents, cache counts that the input excludes, restated buckets."""

from __future__ import annotations

import datetime as dt
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.ingest.bills import anthropic_billing, focus, litellm, openai_billing
from core.ingest.bills.anthropic_billing import detect, read
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch
from core.ledger.store import Store

BILLING = Path(__file__).parents[3] / "shared" / "fixtures" / "billing"
HOUR = {"starting_at": "2026-11-20T10:00:00Z", "ending_at": "2026-11-20T11:00:00Z"}
DAY = {"starting_at": "2026-11-20T00:00:00Z", "ending_at": "2026-11-21T00:00:00Z"}
START_NS = int(dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC).timestamp()) * 10**9

DAY_START_NS = START_NS - 10 * 3600 * 10**9
UNSAID: dict[str, Any] = {
    "provider_name": "anthropic",
    "charge_category": "Usage",
    "day": dt.date(2026, 11, 20),
} | dict.fromkeys(
    (
        "batch_key", "billing_account_id", "invoice_id", "billing_period_start", "charge_class", "requests",
        "list_cost", "response_id", "gateway_call_id", "trace_id", "attempted_retries", "status",
    )
)  # fmt: skip
"""What both reports have in common, and the columns that neither fills."""


def usage(**changed: Any) -> dict[str, Any]:
    made = {
        "uncached_input_tokens": 100,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 3},
        "cache_read_input_tokens": 400,
        "output_tokens": 50,
        "server_tool_use": {"web_search_requests": 2},
        "api_key_id": "key_1",
        "workspace_id": "ws_1",
        "model": "claude-sonnet-4-5-20250929",
        "service_tier": "batch",
        "context_window": "0-200k",
        "inference_geo": "eu",
    }
    return made | changed


def cost(**changed: Any) -> dict[str, Any]:
    made = {
        "currency": "usd",
        "amount": "123.45",
        "workspace_id": None,
        "description": "Claude Sonnet 4.5 Usage - Output Tokens",
        "cost_type": "tokens",
        "model": "claude-sonnet-4-5-20250929",
        "service_tier": "standard",
        "token_type": "output_tokens",
        "inference_geo": "us",
    }
    return made | changed


def page(bucket: dict[str, str], *results: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"data": [{**bucket, "results": list(results)}], "has_more": False, **more}).encode()


def batch(content: bytes) -> Batch:
    (made,) = read(io.BytesIO(content), "report.json", ReadOptions())
    return made


def lines(content: bytes) -> list[dict[str, Any]]:
    return batch(content).frames["cost_lines"].rows(named=True)


def test_usage_has_a_line_a_kind_of_token_and_no_money() -> None:
    found = lines(page(HOUR, usage()))
    counts = [(line["token_type"], line["tokens"], line["consumed_unit"]) for line in found]
    assert counts == [
        ("input", 100, "Tokens"),  # excludes the cache: 100 + 20 + 3 + 400 = 523 tokens went in
        ("cache_read", 400, "Tokens"),
        ("cache_write", 20, "Tokens"),
        ("cache_write", 3, "Tokens"),
        ("output", 50, "Tokens"),
        ("tool", None, "Requests"),
    ]
    assert found[5]["consumed_quantity"] == 2
    assert len({line["line_key"] for line in found}) == 6
    expected = UNSAID | {
        "source_format": "anthropic_usage",
        "measure": "usage",
        "provider_name": "anthropic",
        "sub_account_id": "ws_1",
        "api_key_id": "key_1",
        "region_id": "eu",
        "model": "claude-sonnet-4-5-20250929",
        "service_tier": "batch",
        "batch": True,
        "token_type": "input",
        "tokens": 100,
        "consumed_quantity": Decimal(100),
        "consumed_unit": "Tokens",
        "charge_period_start_ns": START_NS,
        "charge_period_end_ns": START_NS + 3600 * 10**9,
        "hour": START_NS // (3600 * 10**9),
        "charge_description": None,
        "sku_id": None,
        "billed_cost": None,
        "effective_cost": None,
        "billing_currency": None,
        "tags": '{"context_window":"0-200k"}',
    }
    assert len(found[0].pop("line_key")) == 32
    assert found[0] == expected


def test_cost_is_cents_in_the_default_workspace() -> None:
    """123.45 cents are 1.2345 dollars."""
    (line,) = lines(page(DAY, cost()))
    expected = UNSAID | {
        "source_format": "anthropic_costs",
        "measure": "cost",
        "billed_cost": Decimal("1.2345"),
        "effective_cost": Decimal("1.2345"),
        "billing_currency": "USD",
        "sub_account_id": "default",
        "token_type": "output",
        "sku_id": "output_tokens",
        "charge_description": "Claude Sonnet 4.5 Usage - Output Tokens",
        "region_id": "us",
        "api_key_id": None,
        "model": "claude-sonnet-4-5-20250929",
        "service_tier": "standard",
        "batch": False,
        "tokens": None,
        "consumed_quantity": None,
        "consumed_unit": None,
        "charge_period_start_ns": DAY_START_NS,
        "charge_period_end_ns": DAY_START_NS + 86_400 * 10**9,
        "hour": None,
        "tags": None,
    }
    assert len(line.pop("line_key")) == 32
    assert line == expected


def test_web_search_is_a_tool_and_an_unknown_token_type_is_unmapped() -> None:
    search = cost(token_type=None, cost_type="web_search", model=None, amount="1000")
    later = cost(token_type="some_new_tokens", description="new")
    found = lines(page(DAY, search, later))
    assert [(line["token_type"], line["billed_cost"]) for line in found] == [
        ("tool", Decimal(10)),
        (None, Decimal("1.2345")),
    ]


def test_code_execution_is_a_tool_and_an_ungrouped_total_is_unmapped() -> None:
    """A report that is not grouped by description has one amount a day and says nothing about it."""
    execution = cost(
        token_type=None, cost_type="code_execution", model=None, description="Code Execution Usage"
    )
    total = {"currency": "USD", "amount": "250", "description": None, "cost_type": None, "token_type": None}
    found = lines(page(DAY, execution, total))
    assert [(line["token_type"], line["sku_id"]) for line in found] == [
        ("tool", "code_execution"),
        (None, None),
    ]


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("uncached_input_tokens", "input"),
        ("cache_read_input_tokens", "cache_read"),
        ("cache_creation.ephemeral_5m_input_tokens", "cache_write"),
        ("cache_creation.ephemeral_1h_input_tokens", "cache_write"),
        ("output_tokens", "output"),
    ],
)
def test_token_types_of_the_cost_report(told: str, kept: str) -> None:
    assert lines(page(DAY, cost(token_type=told)))[0]["token_type"] == kept


def test_geo_that_is_not_available_is_no_region() -> None:
    """Left as text, a scope of regions would take the line for one of another region."""
    found = lines(page(DAY, cost(inference_geo="not_available"), cost(inference_geo=None)))
    assert [line["region_id"] for line in found] == [None, None]
    assert len({line["line_key"] for line in found}) == 2


@pytest.mark.parametrize(
    "name",
    ["api_key_id", "workspace_id", "model", "service_tier", "context_window", "inference_geo", "speed"],
)
def test_results_that_differ_in_one_dimension_are_kept_apart(name: str) -> None:
    found = lines(page(DAY, usage(), usage(**{name: "other"})))
    assert (
        len({line["line_key"] for line in found}) == 12
    )  # 2 results x (4 kinds, cache writes of 2 sorts, tool)


def test_pages_in_a_list_or_on_lines_read_the_same() -> None:
    pages = [page(HOUR, usage()), page(DAY, usage(), cost())]
    listed, lined = batch(b"[" + b",".join(pages) + b"]"), batch(b"\n".join(pages))
    assert listed.quarantined == lined.quarantined == []
    assert listed.rows_read == 3
    assert listed.frames["cost_lines"].height == 13  # 6 of the hour, 6 of the day, 1 cost
    assert listed.frames["cost_lines"].equals(lined.frames["cost_lines"])


def test_widths_that_start_together_do_not_restate_each_other() -> None:
    """The minute and the hour from 10:00: 2 x 6 lines, and both have the hour they began in."""
    minute = {**HOUR, "ending_at": "2026-11-20T10:01:00Z"}
    found = lines(b"[" + page(minute, usage()) + b"," + page(HOUR, usage()) + b"]")
    assert len({line["line_key"] for line in found}) == 12
    assert {line["hour"] for line in found} == {START_NS // (3600 * 10**9)}


def test_same_instant_in_another_zone_is_the_same_line() -> None:
    abroad = {"starting_at": "2026-11-20T12:00:00+02:00", "ending_at": "2026-11-20T13:00:00+02:00"}
    assert lines(page(HOUR, usage())) == lines(page(abroad, usage()))


def test_report_of_quiet_minutes_is_recognised() -> None:
    """A day of minutes is 1,440 empty buckets, more than the 64 KiB that detection sees."""
    quiet = [{**HOUR, "results": []}] * 1_440
    content = json.dumps({"data": [*quiet, {**HOUR, "results": [usage()]}]}).encode()
    assert b"uncached" not in content[:65_536]
    assert detect(content[:65_536], "report.json")
    assert batch(content).frames["cost_lines"].height == 6


def test_later_page_restates_an_open_day(store: Store) -> None:
    """An open day grows: 100 uncached tokens become 160, the other four kinds and the tool stay as they were."""
    store.submit(batch(page(DAY, usage())))
    receipt = store.submit(batch(page(DAY, usage(uncached_input_tokens=160))))
    assert (receipt.rows_accepted, receipt.rows_duplicate) == (1, 5)
    newest = "select max_by(tokens, import_id) as tokens from cost_lines where token_type = 'input'"
    assert store.ask(newest).item() == 160


@pytest.mark.parametrize(
    ("bucket", "result", "field"),
    [
        (DAY, cost(amount="1,2,3"), "amount"),
        (DAY, cost(amount=None), "amount"),
        (DAY, usage(output_tokens=-1), "output_tokens"),
        ({**DAY, "ending_at": "2026-11-20T00:00:00Z"}, usage(), "ending_at"),
        ({**DAY, "starting_at": "soon"}, usage(), "starting_at"),
        (DAY, {"neither": 1}, "results"),
        (DAY, {"uncached_input_tokens": None}, "uncached_input_tokens"),
        ({**DAY, "starting_at": "0001-01-01T00:00:00Z"}, usage(), "starting_at"),
    ],
)
def test_result_that_cannot_be_read_is_refused_alone(
    bucket: dict[str, str], result: dict[str, Any], field: str
) -> None:
    good = {**DAY, "results": [cost()]}
    made = batch(json.dumps({"data": [{**bucket, "results": [result]}, good]}).encode())
    assert [row.field for row in made.quarantined] == [field]
    assert (made.rows_read, made.frames["cost_lines"].height) == (2, 1)


def test_report_that_goes_on_says_so() -> None:
    made = batch(page(DAY, cost(), has_more=True, next_page="page_2"))
    assert [(one.rule, one.applied) for one in made.repaired] == [("anthropic_next_page", False)]


def test_vendors_are_told_apart() -> None:
    found = sorted(path for path in BILLING.glob("*/*") if path.is_file())
    if not found:
        pytest.skip("../shared is absent")
    for path in found:
        head = path.read_bytes()[:65_536]
        assert detect(head, path.name) == (path.parent.name == "anthropic"), path
        if path.parent.name == "anthropic":
            others = (focus, litellm, openai_billing)
            assert not any(other.detect(head, path.name) for other in others), path


def test_fixtures_are_read_whole() -> None:
    """The constructed cost report: its amounts, in cents, add up to what the lines hold in dollars."""
    folder = BILLING / "anthropic"
    if not folder.exists():
        pytest.skip("../shared is absent")
    for path in sorted(folder.glob("*.json")):
        made = batch(path.read_bytes())
        assert made.quarantined == [], path
        assert made.frames["cost_lines"].height >= made.rows_read > 0
    report = json.loads((folder / "cost_report.constructed.json").read_text())
    cents = sum(Decimal(result["amount"]) for bucket in report["data"] for result in bucket["results"])
    held = (
        batch((folder / "cost_report.constructed.json").read_bytes())
        .frames["cost_lines"]["billed_cost"]
        .sum()
    )
    assert held == cents / 100
    assert anthropic_billing.NAME == "anthropic_billing"
