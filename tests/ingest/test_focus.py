"""FOCUS bills: one golden value per column, the traps of real files, and the standard's own worked sums."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from core.ingest.bills import focus
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch
from core.ledger.store import Store

SHARED = Path(__file__).parents[3] / "shared"
HEADLINE = SHARED / "datasets" / "headline"

GOLDEN = """\
BilledCost,EffectiveCost,ListCost,BillingAccountId,SubAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,\
ChargeCategory,ChargeClass,ChargeDescription,ChargePeriodStart,ChargePeriodEnd,ConsumedQuantity,ConsumedUnit,\
InvoiceId,PricingQuantity,PricingUnit,ServiceProviderName,ServiceCategory,ServiceName,RegionId,SkuId,SkuMeter,Tags,\
x_ApiKeyId
0.0768,0.0700,0.0800,org-1,proj-1,usd,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,\
Usage,Correction,Batch flex tokens,2026-11-20T05:00:00Z,2026-11-20T06:00:00Z,1024000,Tokens,\
inv-9,1.024,1M Tokens,OpenAI,AI and Machine Learning,API,eu-west-1,sku-7,"gpt-4o-mini-2024-07-18, cached input",\
"{""feature"":""assist""}",key-3
"""


def read(text: str | bytes, name: str = "bill.csv") -> Batch:
    content = text.encode() if isinstance(text, str) else text
    assert focus.detect(content, name)
    (batch,) = focus.read(io.BytesIO(content), name, ReadOptions())
    return batch


def lines(text: str | bytes) -> pl.DataFrame:
    batch = read(text)
    assert batch.quarantined == []
    return batch.frames["cost_lines"]


def bill(*rows: str, header: str = "") -> str:
    """A small bill; a row is cost, currency, category, start, end and whatever `header` adds."""
    names = "BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd"
    return "\n".join([names + header, *rows]) + "\n"


def test_every_column_has_its_value() -> None:
    """1.024 x 1M Tokens = 1,024,000 tokens; 2026-11-20 05:00 UTC = 1795150800 s = hour 498653 of the epoch."""
    (line,) = lines(GOLDEN).to_dicts()
    key = line.pop("line_key")
    assert len(key) == 34
    assert key.endswith("-1")
    assert line == {
        "batch_key": None,
        "source_format": "focus",
        "measure": "cost",
        "provider_name": "openai",
        "billing_account_id": "org-1",
        "sub_account_id": "proj-1",
        "api_key_id": "key-3",
        "invoice_id": "inv-9",
        "region_id": "eu-west-1",
        "charge_period_start_ns": 1_795_150_800_000_000_000,
        "charge_period_end_ns": 1_795_154_400_000_000_000,
        "billing_period_start": date(2026, 11, 1),
        "day": date(2026, 11, 20),
        "hour": 498_653,
        "charge_category": "Usage",
        "charge_class": "Correction",
        "charge_description": "Batch flex tokens",
        "sku_id": "sku-7",
        "model": "gpt-4o-mini-2024-07-18",
        "token_type": "cache_read",
        "tokens": 1_024_000,
        "requests": None,
        "consumed_quantity": Decimal("1024000"),
        "consumed_unit": "Tokens",
        "billed_cost": Decimal("0.0768"),
        "effective_cost": Decimal("0.07"),
        "list_cost": Decimal("0.08"),
        "billing_currency": "USD",
        "service_tier": "flex",
        "batch": True,
        "response_id": None,
        "gateway_call_id": None,
        "trace_id": None,
        "attempted_retries": None,
        "status": None,
        "tags": '{"feature":"assist"}',
    }


@pytest.mark.parametrize(
    ("name", "billed", "effective"),
    [
        # FOCUS 1.2, appendix "virtual currency": tokens are bought first and used later.
        # a: 100,000 tokens x 2 USD; use (245 x 1 + 5 x 2 + 120 x 3 tokens) x 2 USD = 615 x 2 = 1,230
        ("a1", "200000", "0"),
        ("a2", "0", "1230"),
        # b: half price: 100,000 x 1; 615 x 1 = 615; and with cheaper workflows 245 + 10 + 240 = 495
        ("b1", "100000", "0"),
        ("b2", "0", "615"),
        ("b3", "0", "495"),
        # c: 1,500 x 2 overage + 25,000 x 2 = 3,000 + 50,000
        ("c", "53000", "0"),
    ],
)
def test_prepaid_use_bills_nothing_and_prepayment_has_no_effect(
    name: str, billed: str, effective: str
) -> None:
    path = HEADLINE / f"focus_1_2_virtual_currency_{name}.csv"
    if not path.exists():
        pytest.skip("../shared is absent")
    bills = lines(path.read_bytes())
    assert bills["billed_cost"].sum() == Decimal(billed)
    assert bills["effective_cost"].sum() == Decimal(effective)
    # credit that is called Token is not a language model's token
    assert bills["tokens"].null_count() == bills.height
    assert bills["token_type"].null_count() == bills.height


def test_the_real_sample_is_read_to_the_last_row() -> None:
    """FinOps Foundation's FOCUS 1.0 sample: NULL beside empty, a stray column Id, 12 negative quantities, no AI."""
    path = HEADLINE / "focus_1_0_sample.csv"
    if not path.exists():
        pytest.skip("../shared is absent")
    bills = lines(path.read_bytes())
    assert bills.height == 1000
    assert bills["line_key"].n_unique() == 1000
    assert bills["billed_cost"].sum() == Decimal("20.52022672899")
    assert bills["effective_cost"].sum() == Decimal("14.97651418586")
    assert bills.filter(pl.col("consumed_quantity") < 0).height == 12
    assert bills["model"].null_count() == 1000
    assert bills["hour"].null_count() < 1000


def test_ai_rows_with_correction_credit_and_tax() -> None:
    """Tokens: 156,000 in + 1,024,000 cached + 96,000 out - 1,000 corrected.

    Billed: 0.0234 + 0.0768 + 0.0576 - 0.0006 - 0.05 + 0.02 = 0.1272
    """
    path = SHARED / "fixtures" / "billing" / "focus" / "focus_1.2_ai_rows.constructed.csv"
    if not path.exists():
        pytest.skip("../shared is absent")
    bills = lines(path.read_bytes())
    assert bills["billed_cost"].sum() == Decimal("0.1272")
    assert bills["tokens"].to_list() == [156_000, 1_024_000, 96_000, -1_000, None, None]
    assert bills["token_type"].to_list() == ["input", "cache_read", "output", "output", None, None]
    assert bills["charge_category"].to_list() == ["Usage"] * 4 + ["Credit", "Tax"]
    assert bills["charge_class"].to_list() == [None] * 3 + ["Correction", None, None]


def test_byte_order_mark_thousands_and_short_dates_as_in_the_examples() -> None:
    text = "\ufeff" + bill(
        '"$10,000.00 ",USD,Purchase,4/1/25,4/1/26', '"($1,234.50)",USD,Credit,4/1/25,4/1/26'
    )
    bills = lines(text)
    assert bills["billed_cost"].to_list() == [Decimal("10000"), Decimal("-1234.5")]
    assert bills["day"].to_list() == [date(2025, 4, 1)] * 2
    assert bills["hour"].to_list() == [None] * 2


def test_times_with_and_without_t_and_z_are_one_instant_and_one_key() -> None:
    spellings = ["2025-04-02T03:00:00Z", "2025-04-02 03:00:00", "2025-04-02T05:00:00+02:00"]
    bills = [lines(bill(f"1,USD,Usage,{start},2025-04-02T04:00:00Z")) for start in spellings]
    assert len({bill["line_key"][0] for bill in bills}) == 1
    assert len({bill["charge_period_start_ns"][0] for bill in bills}) == 1


def test_a_restated_line_keeps_its_key_and_another_line_does_not() -> None:
    """Amounts, invoice number and unknown columns are no part of a line's identity; a dimension is."""
    header = ",InvoiceId,RowNumber,x_Team,SkuId"
    row = "{},USD,Usage,2025-04-02,2025-04-03,{},{},{},{}"
    variants = [
        ("1", "", "7", "a", "s"),
        ("2", "inv-1", "8", "a", "s"),
        ("1", "", "7", "b", "s"),
        ("1", "", "7", "a", "t"),
    ]
    first, restated, other_team, other_sku = (
        lines(bill(row.format(*variant), header=header))["line_key"][0] for variant in variants
    )
    assert first == restated
    assert len({first, other_team, other_sku}) == 3


def test_rows_that_repeat_in_one_file_are_all_kept_and_a_restated_file_replaces_them() -> None:
    """Two equal rows of 1.00 make 2.00, not 1.00; the same file with 3.00 each makes 6.00, not 8.00."""
    row = "{},USD,Usage,2025-04-02,2025-04-03"
    store = Store.open(":memory:")
    try:
        for cost, total in (("1.00", "2"), ("3.00", "6")):
            receipt = store.submit(read(bill(row.format(cost), row.format(cost))))
            assert receipt.rows_accepted == 2
            newest = store.ask(
                "select sum(billed_cost) as billed from (select billed_cost, row_number() over "
                "(partition by line_key order by import_id desc) as n from cost_lines) where n = 1"
            )
            assert newest["billed"][0] == Decimal(total)
    finally:
        store.close()


@pytest.mark.parametrize(
    ("row", "field", "said"),
    [
        (
            '"1.204,50",USD,Usage,2025-04-02,2025-04-03',
            "BilledCost",
            "'1.204,50'; write a number with a point",
        ),
        ("inf,USD,Usage,2025-04-02,2025-04-03", "BilledCost", "'inf'"),
        (",USD,Usage,2025-04-02,2025-04-03", "BilledCost", "EffectiveCost is empty too"),
        ("1,NULL,Usage,2025-04-02,2025-04-03", "BillingCurrency", "mandatory"),
        ("1,USD,Refund,2025-04-02,2025-04-03", "ChargeCategory", "'Refund'; write one of Usage, Purchase"),
        ("1,USD,Usage,13/4/25,2025-04-03", "ChargePeriodStart", "month first"),
        ("1,USD,Usage,2025-04-02,2025-04-01", "ChargePeriodEnd", "before 2025-04-02"),
        ("1,USD,Usage,2025-04-02", None, "4 cells and the header 5"),
    ],
)
def test_a_bad_row_is_quarantined_with_value_and_fix_and_the_rest_is_kept(
    row: str, field: str | None, said: str
) -> None:
    good = "1,USD,Usage,2025-04-02,2025-04-03"
    batch = read(bill(good, row, good))
    (refused,) = batch.quarantined
    assert batch.rows_read == 3
    assert batch.frames["cost_lines"].height == 2
    assert (refused.row_number, refused.field) == (2, field)
    assert said in refused.reason


def test_a_file_without_a_mandatory_column_says_which() -> None:
    batch = read("BilledCost,ChargeCategory,ChargePeriodStart,BillingCurrency\n1,Usage,2025-04-02,USD\n")
    assert batch.frames["cost_lines"].height == 0
    assert "ChargePeriodEnd" in batch.quarantined[0].reason


def test_provider_of_version_1_4_and_the_ai_service_of_a_cloud() -> None:
    header = ",ServiceProviderName,ProviderName,ServiceName"
    row = "1,USD,Usage,2025-04-02,2025-04-03,{},{},{}"
    cases = {
        ("Microsoft", "Old Name", "Azure OpenAI"): "azure.ai.openai",
        ("", "AWS", "Amazon Bedrock"): "aws.bedrock",
        ("", "AWS", "AWS Lambda"): "AWS",
        ("Google Cloud", "", "Vertex AI"): "gcp.vertex_ai",
        ("Anthropic", "", "Claude API"): "anthropic",
        ("", "", ""): None,
    }
    bills = lines(bill(*(row.format(*case) for case in cases), header=header))
    assert bills["provider_name"].to_list() == list(cases.values())


def test_snake_case_columns_of_a_warehouse_and_semicolons() -> None:
    header = "billed_cost;billing_currency;charge_category;charge_period_start;charge_period_end"
    text = f"{header}\n1.5;EUR;Tax;2025-04-02;2025-04-03\n"
    bills = lines(text)
    assert bills.select("billed_cost", "billing_currency", "charge_category").row(0) == (
        Decimal("1.5"),
        "EUR",
        "Tax",
    )


def test_parquet_reads_as_its_csv_does(tmp_path: Path) -> None:
    table = pl.read_csv(io.StringIO(GOLDEN), infer_schema=False)
    path = tmp_path / "focus.parquet"
    table.write_parquet(path)
    assert lines(GOLDEN).equals(lines(path.read_bytes()))


def test_columns_nobody_knows_and_a_nameless_one_are_left_aside() -> None:
    (line,) = lines(bill("1,USD,Usage,2025-04-02,2025-04-03,7,x", header=",Id,")).to_dicts()
    assert line["billed_cost"] == Decimal(1)


def test_other_tables_are_not_mistaken_for_focus() -> None:
    assert not focus.detect(b"date,cost,currency\n2025-04-02,1,USD\n", "focus.csv")
    assert not focus.detect(b'[{"BilledCost": 1}]', "focus.json")
