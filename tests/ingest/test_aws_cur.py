"""AWS Cost and Usage Reports: one golden value per column, both versions, commitments, and rows that are refused."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from core.ingest.bills import aws_cur, focus, litellm, openai_billing
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch
from core.ledger.store import Store

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "billing"

USAGE = {
    "identity_line_item_id": "line-1",
    "identity_time_interval": "2026-11-20T05:00:00Z/2026-11-20T06:00:00Z",
    "bill_invoice_id": "inv-9",
    "bill_billing_entity": "AWS",
    "bill_payer_account_id": "111",
    "bill_billing_period_start_date": "2026-11-01T00:00:00Z",
    "bill_billing_period_end_date": "2026-12-01T00:00:00Z",
    "line_item_usage_account_id": "222",
    "line_item_line_item_type": "Usage",
    "line_item_usage_start_date": "2026-11-20T05:00:00Z",
    "line_item_usage_end_date": "2026-11-20T06:00:00Z",
    "line_item_product_code": "AmazonBedrock",
    "line_item_usage_type": "USW2-Claude4.5Sonnet-cache-read-input-token-count-flex-batch",
    "line_item_availability_zone": "",
    "line_item_resource_id": "arn:aws:bedrock:us-west-2:222:application-inference-profile/abc",
    "line_item_usage_amount": "2048",
    "line_item_currency_code": "usd",
    "line_item_unblended_cost": "0.6144",
    "line_item_net_unblended_cost": "0.55",
    "line_item_line_item_description": "$0.0003 per 1K tokens",
    "line_item_iam_principal": "arn:aws:iam::222:role/assist",
    "product": '{"region":"us-west-2","servicename":"Amazon Bedrock"}',
    "pricing_unit": "1K tokens",
    "pricing_public_on_demand_cost": "0.7",
    "resource_tags": '{"user_feature":"assist"}',
    "savings_plan_savings_plan_effective_cost": "",
    "savings_plan_total_commitment_to_date": "",
    "savings_plan_used_commitment": "",
    "reservation_effective_cost": "",
    "reservation_reservation_a_r_n": "",
    "reservation_unused_amortized_upfront_fee_for_billing_period": "",
    "reservation_unused_recurring_fee": "",
}


def report(*changes: dict[str, str]) -> str:
    """A CUR 2.0 with one row for each set of changes to USAGE."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(USAGE))
    writer.writeheader()
    writer.writerows(USAGE | change for change in changes)
    return text.getvalue()


def read(text: str | bytes, name: str = "cur.csv") -> Batch:
    content = text.encode() if isinstance(text, str) else text
    assert aws_cur.detect(content, name)
    (batch,) = aws_cur.read(io.BytesIO(content), name, ReadOptions())
    return batch


def lines(*changes: dict[str, str]) -> pl.DataFrame:
    batch = read(report(*changes))
    assert batch.quarantined == []
    return batch.frames["cost_lines"]


def fixture(name: str) -> bytes:
    path = FIXTURES / "aws" / name
    if not path.exists():
        pytest.skip("../shared is absent")
    return path.read_bytes()


def test_every_column_has_its_value() -> None:
    """2,048 x 1K tokens = 2,048,000 tokens; 2026-11-20 05:00 UTC = 1795150800 s = hour 498653 of the epoch."""
    (line,) = lines({}).to_dicts()
    key = line.pop("line_key")
    assert len(key) == 34
    assert key.endswith("-1")
    assert json.loads(line.pop("tags")) == {
        "user_feature": "assist",
        "iam_principal": "arn:aws:iam::222:role/assist",
    }
    assert line == {
        "batch_key": "2026-11",
        "source_format": "aws_cur",
        "measure": "cost",
        "provider_name": "aws.bedrock",
        "billing_account_id": "111",
        "sub_account_id": "222",
        "api_key_id": None,
        "invoice_id": "inv-9",
        "region_id": "us-west-2",
        "charge_period_start_ns": 1_795_150_800_000_000_000,
        "charge_period_end_ns": 1_795_154_400_000_000_000,
        "billing_period_start": date(2026, 11, 1),
        "day": date(2026, 11, 20),
        "hour": 498_653,
        "charge_category": "Usage",
        "charge_class": None,
        "charge_description": "$0.0003 per 1K tokens",
        "sku_id": "USW2-Claude4.5Sonnet-cache-read-input-token-count-flex-batch",
        "model": "claude-sonnet-4-5",
        "token_type": "cache_read",
        "tokens": 2_048_000,
        "requests": None,
        "consumed_quantity": Decimal("2048"),
        "consumed_unit": "1K tokens",
        "billed_cost": Decimal("0.6144"),
        "effective_cost": Decimal("0.55"),
        "list_cost": Decimal("0.7"),
        "billing_currency": "USD",
        "service_tier": "flex",
        "batch": True,
        "response_id": None,
        "gateway_call_id": None,
        "trace_id": None,
        "attempted_retries": None,
        "status": None,
    }


def test_bedrock_rows_of_both_dialects_with_marketplace_credit_tax_and_refund() -> None:
    """Billed 0.36 + 0.6144 + 0.75 + 1.32 + 0.25 + 0.03 + 0.36 - 0.5 + 0.31 - 0.15 = 3.3444.

    Marketplace: 0.12 Units x 1M = 120,000 tokens. Its row names no model, so it stays unmapped.
    """
    bills = read(fixture("cur2_bedrock.constructed.csv")).frames["cost_lines"]
    assert bills["billed_cost"].sum() == Decimal("3.3444")
    assert bills["provider_name"].unique().to_list() == ["aws.bedrock"]
    assert bills["tokens"].to_list()[:7] == [120_000, 2_048_000, 200_000, 88_000, 50_000, 1_000_000, 120_000]
    assert bills["tokens"].null_count() == 3
    assert bills["model"].to_list() == [
        *["claude-sonnet-4-5"] * 4,
        "anthropic.claude-opus-4-8",
        "nova-lite",
        None,
        "claude-sonnet-4-5",
        None,
        "claude-sonnet-4-5",
    ]
    assert bills["charge_category"].to_list() == ["Usage"] * 7 + ["Credit", "Tax", "Credit"]
    assert bills["invoice_id"].null_count() == 10


def test_a_real_legacy_report_is_read_to_the_last_row() -> None:
    """FinOps Foundation's anonymised report: no AI, 150 usage lines and 12 of tax (0.01 + 0.07 = 0.08)."""
    batch = read(fixture("legacy_cur_anonymised_162rows.csv"))
    bills = batch.frames["cost_lines"]
    assert (batch.rows_read, batch.quarantined) == (162, [])
    assert bills["line_key"].n_unique() == 162
    assert bills["billed_cost"].sum() == Decimal("0.3107293872")
    tax = bills.filter(pl.col("charge_category") == "Tax")
    assert (tax.height, tax["billed_cost"].sum(), tax["hour"].null_count()) == (12, Decimal("0.08"), 12)
    assert bills["model"].null_count() == 162
    assert bills["provider_name"].unique().to_list() == ["AWS"]
    assert bills["source_format"].unique().to_list() == ["aws_cur_legacy"]
    assert bills["batch_key"].unique().to_list() == ["2023-11"]
    assert bills.filter(pl.col("region_id") == "ca-central-1").height == 97


def test_legacy_headers_read_as_snake_case_does() -> None:
    """The same row under both spellings; only the source and so the key differ. Columns may come and go."""
    header = (
        "identity/LineItemId,bill/PayerAccountId,bill/BillingPeriodStartDate,lineItem/UsageAccountId,"
        "lineItem/LineItemType,lineItem/UsageStartDate,lineItem/UsageEndDate,lineItem/ProductCode,lineItem/UsageType,"
        "lineItem/UsageAmount,lineItem/CurrencyCode,lineItem/UnblendedCost,pricing/unit,product/servicename,"
        "product/regionCode,product/newThisMonth,resourceTags/user:Team"
    )
    row = (
        "a,1,2026-11-01T00:00:00.000Z,2,Usage,2026-11-20T05:00:00.000Z,2026-11-20T06:00:00.000Z,AmazonBedrock,"
        "USE1-NovaLite-output-tokens,3,USD,0.5,1K tokens,Amazon Bedrock,us-east-1,x,assist"
    )
    (line,) = read(f"\ufeff{header}\n{row}\n").frames["cost_lines"].to_dicts()
    assert (line["model"], line["token_type"], line["tokens"]) == ("nova-lite", "output", 3_000)
    assert (line["effective_cost"], line["region_id"]) == (Decimal("0.5"), "us-east-1")
    assert json.loads(line["tags"]) == {"user:Team": "assist"}


def test_parquet_reads_as_its_csv_does(tmp_path: Path) -> None:
    """Parquet has doubles, times and maps where CSV has text; times and amounts come out the same."""
    text = dict(USAGE)
    typed = {name: [value or None] for name, value in text.items()} | {
        "line_item_usage_start_date": [datetime(2026, 11, 20, 5, tzinfo=UTC)],
        "line_item_usage_end_date": [datetime(2026, 11, 20, 6, tzinfo=UTC)],
        "bill_billing_period_start_date": [datetime(2026, 11, 1, tzinfo=UTC)],
        "line_item_unblended_cost": [0.6144],
        "line_item_usage_amount": [2048.0],
        "product": [[{"key": "region", "value": "us-west-2"}]],
        "resource_tags": [[{"key": "user_feature", "value": "assist"}]],
    }
    path = tmp_path / "cur.parquet"
    pl.DataFrame(typed).write_parquet(path)
    assert read(path.read_bytes(), path.name).frames["cost_lines"].equals(lines({}))


def test_every_type_of_line_has_its_category_and_its_two_costs() -> None:
    """A savings plan of 1.00 an hour covers use worth 1.20 on demand for 0.80, so 0.20 is unused.

    Billed: 1.20 - 1.20 + 1.00 = 1.00, the invoice. Effective: 0.80 + 0 + (1.00 - 0.80) = 1.00, the same hour.
    Reservation: use 0 billed, 0.30 effective; fee 0.50 billed, 0.05 + 0.15 unused effective; up front 5 and 0.
    """
    plan = "savings_plan_savings_plan_effective_cost"
    unused = "reservation_unused_amortized_upfront_fee_for_billing_period"
    cases = [
        ("SavingsPlanCoveredUsage", "1.20", {plan: "0.80"}, "Usage", "0.80"),
        ("SavingsPlanNegation", "-1.20", {}, "Adjustment", "0"),
        (
            "SavingsPlanRecurringFee",
            "1.00",
            {"savings_plan_total_commitment_to_date": "1.00", "savings_plan_used_commitment": "0.80"},
            "Purchase",
            "0.20",
        ),
        ("SavingsPlanUpfrontFee", "9", {}, "Purchase", "0"),
        ("DiscountedUsage", "0", {"reservation_effective_cost": "0.30"}, "Usage", "0.30"),
        ("RIFee", "0.50", {unused: "0.05", "reservation_unused_recurring_fee": "0.15"}, "Purchase", "0.20"),
        ("Fee", "5", {"reservation_reservation_a_r_n": "arn:aws:ec2:r"}, "Purchase", "0"),
        ("Fee", "7", {}, "Purchase", "7"),
        ("Tax", "0.31", {"line_item_net_unblended_cost": "0"}, "Tax", "0.31"),
        ("Credit", "-0.5", {}, "Credit", "-0.5"),
        ("Refund", "-0.15", {}, "Credit", "-0.15"),
        ("EdpDiscount", "-0.1", {}, "Adjustment", "-0.1"),
        ("TypeOfNextYear", "0.4", {}, "Adjustment", "0.4"),
    ]
    no_net = {"line_item_net_unblended_cost": ""}
    rows = [
        no_net | {"line_item_line_item_type": kind, "line_item_unblended_cost": billed} | more
        for kind, billed, more, _, _ in cases
    ]
    bills = lines(*rows)
    assert bills["charge_category"].to_list() == [case[3] for case in cases]
    assert bills["billed_cost"].to_list() == [Decimal(case[1]) for case in cases]
    assert bills["effective_cost"].to_list() == [Decimal(case[4]) for case in cases]
    assert [json.loads(tags)["line_item_type"] for tags in bills["tags"]] == [case[0] for case in cases]
    assert bills.filter(pl.col("charge_category") != "Usage")["tokens"].null_count() == 11


def test_covered_use_without_its_plan_columns_has_no_effective_cost() -> None:
    assert lines({"line_item_line_item_type": "SavingsPlanCoveredUsage"})["effective_cost"][0] is None


def test_model_of_a_marketplace_line_is_in_its_product_or_resource() -> None:
    marketplace = {
        "line_item_product_code": "d8a1",
        "line_item_usage_type": "USW2-MP:USW2_OutputTokenCount_Global-Units",
        "line_item_resource_id": "",
        "line_item_line_item_description": "AWS Marketplace software usage|us-west-2|Million Response Tokens",
        "line_item_usage_amount": "0.25",
        "pricing_unit": "Units",
        "product": '{"product_name":"Claude Opus 4.1 (Amazon Bedrock Edition)"}',
    }
    arn = "arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-opus-4-1-20250805-v1:0"
    bills = lines(marketplace, marketplace | {"line_item_resource_id": arn, "product": "{}"})
    assert bills["model"].to_list() == ["claude-opus-4-1", "anthropic.claude-opus-4-1-20250805-v1:0"]
    assert bills["provider_name"].to_list() == ["aws.bedrock"] * 2
    # 0.25 x 1M
    assert bills["tokens"].to_list() == [250_000] * 2
    assert bills["region_id"].to_list() == ["us-west-2"] * 2


def test_lines_that_are_no_ai_are_kept_without_model() -> None:
    compute = {
        "line_item_product_code": "AmazonEC2",
        "line_item_usage_type": "USE2-BoxUsage:m5.large",
        "line_item_resource_id": "i-1",
        "line_item_availability_zone": "us-east-2a",
        "product": '{"servicename":"Amazon Elastic Compute Cloud"}',
        "pricing_unit": "Hrs",
    }
    (line,) = lines(compute).to_dicts()
    assert (line["provider_name"], line["model"], line["token_type"], line["tokens"]) == (
        "AWS",
        None,
        None,
        None,
    )
    assert (line["billed_cost"], line["region_id"]) == (Decimal("0.6144"), "us-east-2")


def test_a_restated_line_keeps_its_key_and_another_interval_does_not() -> None:
    """The final report fills in the invoice and corrects the amount; equal rows of one file are numbered."""
    first = lines({"bill_invoice_id": ""}, {"bill_invoice_id": ""})["line_key"].to_list()
    final = lines({"line_item_unblended_cost": "0.7"})["line_key"].to_list()
    later = lines({"identity_time_interval": "2026-11-20T06:00:00Z/2026-11-20T07:00:00Z"})[
        "line_key"
    ].to_list()
    assert first[0] == final[0]
    assert first[1] == first[0].removesuffix("-1") + "-2"
    assert later[0] not in first


def test_without_identity_columns_the_dimensions_tell_lines_apart() -> None:
    no_identity = {"identity_line_item_id": "", "identity_time_interval": ""}
    key, restated, other = lines(
        no_identity,
        no_identity | {"line_item_unblended_cost": "9", "line_item_usage_amount": "3"},
        no_identity | {"line_item_usage_account_id": "333"},
    )["line_key"].to_list()
    assert restated == key.removesuffix("-1") + "-2"
    assert other[:32] != key[:32]


def test_a_restated_report_replaces_its_lines_in_the_ledger() -> None:
    """Two equal rows of 1.00 make 2.00; the same report with 3.00 each makes 6.00, not 8.00."""
    store = Store.open(":memory:")
    try:
        for cost, total in (("1.00", "2"), ("3.00", "6")):
            row = {"line_item_unblended_cost": cost}
            assert store.submit(read(report(row, row))).rows_accepted == 2
            newest = store.ask(
                "select sum(billed_cost) as billed from (select billed_cost, row_number() over "
                "(partition by line_key order by import_id desc) as n from cost_lines) where n = 1"
            )
            assert newest["billed"][0] == Decimal(total)
    finally:
        store.close()


def test_a_line_without_usage_dates_has_its_interval_or_the_month() -> None:
    undated = {"line_item_usage_start_date": "", "line_item_usage_end_date": ""}
    bills = lines(undated, undated | {"identity_time_interval": ""})
    assert bills["day"].to_list() == [date(2026, 11, 20), date(2026, 11, 1)]
    assert bills["hour"].to_list() == [498_653, None]


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"line_item_unblended_cost": ""}, "line_item_unblended_cost", "every line of a report has it"),
        ({"line_item_unblended_cost": "1.204,50"}, "line_item_unblended_cost", "'1.204,50'; write a number"),
        ({"line_item_usage_amount": "many"}, "line_item_usage_amount", "'many'"),
        ({"line_item_currency_code": ""}, "line_item_currency_code", "every line"),
        ({"line_item_line_item_type": ""}, "line_item_line_item_type", "every line"),
        ({"line_item_usage_start_date": "soon"}, "line_item_usage_start_date", "'soon'; write a time"),
        ({"line_item_usage_end_date": "2026-11-19"}, "line_item_usage_end_date", "before 2026-11-20"),
    ],
)
def test_a_bad_row_is_quarantined_with_value_and_fix_and_the_rest_is_kept(
    change: dict[str, str], field: str, said: str
) -> None:
    batch = read(report({}, change, {}))
    (refused,) = batch.quarantined
    assert batch.rows_read == 3
    assert batch.frames["cost_lines"].height == 2
    assert (refused.row_number, refused.field) == (2, field)
    assert said in refused.reason


def test_a_short_row_and_a_broken_file_say_so() -> None:
    assert "2 cells and the header" in read(report({}) + "a,b\n").quarantined[0].reason
    broken = list(aws_cur.read(io.BytesIO(b"PAR1 cut off"), "cur.parquet", ReadOptions()))
    assert "cannot be read" in broken[0].quarantined[0].reason


def test_a_report_without_a_mandatory_column_says_which() -> None:
    (batch,) = aws_cur.read(io.BytesIO(b"line_item_usage_type\nx\n"), "cur.csv", ReadOptions())
    assert "line_item_unblended_cost" in batch.quarantined[0].reason


def test_other_bills_are_not_claimed_and_reports_not_by_others() -> None:
    if not FIXTURES.exists():
        pytest.skip("../shared is absent")
    for path in sorted(path for path in FIXTURES.rglob("*") if path.is_file()):
        head = path.read_bytes()[:65_536]
        assert aws_cur.detect(head, path.name) == (path.parent.name == "aws"), path.name
        others = (focus, litellm, openai_billing)
        assert path.parent.name != "aws" or not any(other.detect(head, path.name) for other in others)
    assert not aws_cur.detect(b"PAR1", "currency.parquet")
