"""Azure cost details: one value per column, units by row, two date orders, covered use, what is not mapped."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.ingest.bills import azure_meters, date_order
from core.ingest.bills.azure_costs import detect, read
from core.ingest.bills.date_order import Dated, Order
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch
from core.ledger.store import Store

BILLING = Path(__file__).parents[3] / "shared" / "fixtures" / "billing"
DAY = dt.date(2026, 11, 20)
DAY_NS = 86_400 * 10**9
START_NS = (DAY - dt.date(1970, 1, 1)).days * DAY_NS
PRODUCT = "Azure OpenAI - gpt 4o 1120 Inp glbl Tokens - US West 3"


def row(**changed: str) -> dict[str, str]:
    made = {
        "SubscriptionId": "sub-1", "ResourceGroup": "rg", "ResourceLocation": "westus3", "Date": "11/20/2026",
        "ProductName": PRODUCT, "MeterCategory": "Foundry Models", "MeterSubCategory": "Azure OpenAI",
        "MeterId": "meter-1", "MeterName": "gpt 4o 1120 Inp glbl Tokens", "UnitOfMeasure": "1K", "Quantity": "1180",
        "CostInBillingCurrency": "2.95", "Tags": '"feature": "assist"', "ResourceId": "/subscriptions/sub-1/aoai",
        "PublisherName": "", "ChargeType": "Usage", "Frequency": "UsageBased", "PricingModel": "OnDemand",
        "BillingAccountId": "acct", "BillingCurrencyCode": "EUR", "BillingPeriodStartDate": "11/01/2026",
        "BillingPeriodEndDate": "11/30/2026", "PayGPrice": "0.003", "InvoiceId": "",
    }  # fmt: skip
    return made | changed


def content(
    *rows: dict[str, str], encoding: str = "utf-8-sig", rename: dict[str, str] | None = None
) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([(rename or {}).get(name, name) for name in rows[0]])
    writer.writerows(one.values() for one in rows)
    return out.getvalue().encode(encoding)


def batch(body: bytes) -> Batch:
    (made,) = read(io.BytesIO(body), "usage.csv", ReadOptions())
    return made


def lines(*rows: dict[str, str]) -> list[dict[str, Any]]:
    made = batch(content(*rows))
    assert made.quarantined == [], made.quarantined
    return made.frames["cost_lines"].rows(named=True)


def test_every_column() -> None:
    """1,180 units of 1K are 1,180,000 tokens; at list 0.003 x 1,180 = 3.54."""
    (line,) = lines(row())
    assert len(line.pop("line_key")) == 34
    assert json.loads(line.pop("tags")) == {
        "feature": "assist", "azure_resource_group": "rg", "azure_resource_id": "/subscriptions/sub-1/aoai",
        "azure_pricing_model": "OnDemand", "azure_deployment": "global",
    }  # fmt: skip
    assert line == {
        "batch_key": None, "source_format": "azure_costs", "measure": "cost", "provider_name": "azure.ai.openai",
        "billing_account_id": "acct", "sub_account_id": "sub-1", "api_key_id": None, "invoice_id": None,
        "region_id": "westus3", "charge_period_start_ns": START_NS, "charge_period_end_ns": START_NS + DAY_NS,
        "billing_period_start": dt.date(2026, 11, 1), "day": DAY, "hour": None, "charge_category": "Usage",
        "charge_class": None, "charge_description": PRODUCT, "sku_id": "meter-1", "model": "gpt-4o-2024-11-20",
        "token_type": "input", "tokens": 1_180_000, "requests": None, "consumed_quantity": Decimal(1180),
        "consumed_unit": "1K", "billed_cost": Decimal("2.95"), "effective_cost": Decimal("2.95"),
        "list_cost": Decimal("3.54"), "billing_currency": "EUR", "service_tier": None, "batch": None,
        "response_id": None, "gateway_call_id": None, "trace_id": None, "attempted_retries": None, "status": None,
    }  # fmt: skip


def test_unit_of_measure_is_by_row() -> None:
    """0.118 of 1M is 118,000; 500 of 1K is 500,000; a unit that is no number of tokens leaves the count empty."""
    million = row(MeterName="GPT 5 Mini Inpt Glbl 1M Tokens", UnitOfMeasure="1M", Quantity="0.118")
    hours = row(MeterName="gpt 4o Provisioned Managed", UnitOfMeasure="1 Hour", Quantity="3", MeterId="m2")
    found = lines(million, row(Quantity="500", MeterId="m3"), hours)
    assert [(line["model"], line["tokens"]) for line in found] == [
        ("gpt-5-mini", 118_000), ("gpt-4o-2024-11-20", 500_000), ("gpt-4o", None),
    ]  # fmt: skip
    assert found[2]["token_type"] is None


@pytest.mark.parametrize(
    ("meter", "model", "kind", "tier", "is_batch", "where"),
    [
        ("gpt 4o 1120 cached Inp glbl Tokens", "gpt-4o-2024-11-20", "cache_read", None, None, "global"),
        ("gpt 4o 1120 Batch Inp glbl Tokens", "gpt-4o-2024-11-20", "input", None, True, "global"),
        ("GPT 5 Mini cchd Inpt Glbl 1M Tokens", "gpt-5-mini", "cache_read", None, None, "global"),
        ("gpt-4o-mini-0718-Outp-regnl Tokens", "gpt-4o-mini-2024-07-18", "output", None, None, "regional"),
        ("GPT 5 pp Outp DZ 1M Tokens", "gpt-5", "output", "priority", None, "datazone"),
        ("o3 0416 Inp Data Zone Tokens", "o3-2025-04-16", "input", None, None, "datazone"),
        ("text embedding 3 large glbl Tokens", "text-embedding-3-large", "input", None, None, "global"),
        ("gpt 4o 9999 Inp glbl Tokens", "gpt-4o", "input", None, None, "global"),
        ("Virtual Machines D2s v5", None, None, None, None, None),
    ],
)
def test_dialects_of_meter_names(
    meter: str,
    model: str | None,
    kind: str | None,
    tier: str | None,
    is_batch: bool | None,
    where: str | None,
) -> None:
    said = azure_meters.read(meter, "azure openai")
    assert (said.model, said.token_type, said.service_tier, said.batch, said.deployment) == (
        model, kind, tier, is_batch, where,
    )  # fmt: skip


def test_day_first_is_told_by_a_day_after_the_twelfth() -> None:
    """20/11/2026 can only be day first, so 5/11/2026 of the same file is the fifth of November."""
    period = {"BillingPeriodStartDate": "01/11/2026", "BillingPeriodEndDate": "30/11/2026"}
    found = lines(row(Date="20/11/2026", **period), row(Date="05/11/2026", **period))
    assert [line["day"] for line in found] == [DAY, dt.date(2026, 11, 5)]


def test_the_billing_period_tells_where_no_day_is_after_the_twelfth() -> None:
    """4/11/2026 lies in November only when read day first."""
    period = {"BillingPeriodStartDate": "1/11/2026", "BillingPeriodEndDate": "30/11/2026"}
    (line,) = lines(row(Date="4/11/2026", **period))
    assert line["day"] == dt.date(2026, 11, 4)


def test_a_file_that_could_mean_two_days_is_refused_with_what_to_do() -> None:
    nothing = {"BillingPeriodStartDate": "", "BillingPeriodEndDate": ""}
    made = batch(content(row(Date="4/5/2026", **nothing)))
    assert made.frames["cost_lines"].height == 0
    assert [one.field for one in made.quarantined] == ["Date"]
    assert "write Date as 2026-04-05" in made.quarantined[0].reason


def test_order_of_dates_by_hand() -> None:
    rows = {Dated("4/5/2026", "", ""), Dated("13/5/2026", "", "")}
    assert date_order.decide(rows, "Date").order is Order.DAY_FIRST
    assert (
        date_order.decide({Dated("5/5/2026", "", "")}, "Date").order is Order.MONTH_FIRST
    )  # the same either way
    with pytest.raises(date_order.Ambiguous):
        date_order.decide({Dated("4/5/2026", "", "")}, "Date")


def test_refund_corrects_use_and_a_purchase_is_none() -> None:
    refund, purchase = lines(
        row(ChargeType="Refund", CostInBillingCurrency="-0.04", Quantity="-4"),
        row(ChargeType="Purchase", Frequency="OneTime", MeterName="Reserved", MeterId="m9"),
    )
    assert (refund["charge_category"], refund["charge_class"], refund["billed_cost"]) == (
        "Usage", "Correction", Decimal("-0.04"),
    )  # fmt: skip
    assert (purchase["charge_category"], purchase["charge_class"], purchase["tokens"]) == (
        "Purchase",
        None,
        None,
    )


def test_use_covered_by_a_reservation_bills_nothing() -> None:
    """Amortised file: its cost is the effective one; actual file: 0 there is not the effective cost."""
    amortised, actual = (
        lines(row(PricingModel="Reservation", CostInBillingCurrency=cost))[0] for cost in ("2", "0")
    )
    assert (amortised["billed_cost"], amortised["effective_cost"]) == (Decimal(0), Decimal(2))
    assert (actual["billed_cost"], actual["effective_cost"]) == (Decimal(0), None)


def test_other_services_keep_their_amount_and_no_model() -> None:
    (line,) = lines(
        row(MeterCategory="Storage", MeterSubCategory="Blob", ProductName="Blob", MeterName="LRS Write")
    )
    assert (line["provider_name"], line["model"], line["token_type"], line["tokens"]) == (
        "Microsoft",
        None,
        None,
        None,
    )
    assert line["billed_cost"] == Decimal("2.95")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"CostInBillingCurrency": "1.204,50"}, "CostInBillingCurrency"),
        ({"CostInBillingCurrency": ""}, "CostInBillingCurrency"),
        ({"Date": "yesterday"}, "Date"),
        ({"ChargeType": "Gift"}, "ChargeType"),
        ({"Quantity": "some"}, "Quantity"),
        ({"BillingCurrencyCode": ""}, "BillingCurrency"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused_alone(changed: dict[str, str], field: str) -> None:
    made = batch(content(row(MeterId="good"), row(**changed)))
    assert [(one.row_number, one.field) for one in made.quarantined] == [(2, field)]
    assert made.frames["cost_lines"].height == 1


def test_spellings_of_older_and_other_exports() -> None:
    """EA before 2020: Cost, Currency, UsageDate, InstanceId, with spaces and other capitals."""
    rename = {
        "CostInBillingCurrency": "Cost", "BillingCurrencyCode": "billing Currency", "Date": "UsageDateTime",
        "ResourceId": "Instance ID", "SubscriptionId": "SubscriptionGuid", "Quantity": "usageQuantity",
    }  # fmt: skip
    body = content(row(), rename=rename)
    assert detect(body[:65_536], "x.csv")
    (line,) = batch(body).frames["cost_lines"].rows(named=True)
    assert (line["billed_cost"], line["day"], line["sub_account_id"]) == (Decimal("2.95"), DAY, "sub-1")


def test_a_reopened_month_restates_its_rows(store: Store) -> None:
    """Same day, meter and resource with another amount: 2.95 becomes 3.00, the other row stays 1.00."""
    store.submit(batch(content(row(), row(MeterId="m2", CostInBillingCurrency="1.00"))))
    receipt = store.submit(
        batch(content(row(CostInBillingCurrency="3.00"), row(MeterId="m2", CostInBillingCurrency="1.00")))
    )
    assert (receipt.rows_accepted, receipt.rows_duplicate) == (1, 1)


def test_equal_rows_of_one_file_are_two_charges() -> None:
    found = lines(row(), row())
    assert len({line["line_key"] for line in found}) == 2


def test_truncated_and_wrong_encodings_say_so() -> None:
    made = batch(content(row()).decode("utf-8-sig").encode("latin-1").replace(b"assist", b"\xe9t\xe9"))
    assert "export it again as UTF-8" in made.quarantined[0].reason
    cut = batch(content(row(), row())[:-40])
    assert len(cut.quarantined) == 1
    assert cut.frames["cost_lines"].height == 1


def test_the_real_exports_are_read_to_the_cent() -> None:
    """Every amount in the file, added up with csv alone, is in the lines."""
    found = sorted((BILLING / "azure").glob("*.csv"))
    if not found:
        pytest.skip("../shared is absent")
    for path in found:
        body = path.read_bytes()
        made = batch(body)
        assert made.quarantined == []
        table = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))
        step = Decimal("1e-12")  # the ledger's money has 12 places
        told = sum(Decimal(one["CostInBillingCurrency"]).quantize(step) for one in table)
        assert sum(made.frames["cost_lines"]["billed_cost"].to_list()) == told
        assert made.rows_read == len(table)
