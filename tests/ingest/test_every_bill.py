"""What every bill format promises: money kept to the cent and apart, rows refused alone, the same file once."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from core.ingest.files import FileProblem, read_upload
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch
from core.ledger.store import Store

SHARED = Path(__file__).parents[3] / "shared"
STEP = Decimal("1e-12")


class Sample(NamedTuple):
    """A small bill: its rows as the vendor writes them, and how to make a file of some of them."""

    name: str
    rows: tuple[str, ...]
    frame: str
    """The file, with ROWS where the rows go."""
    joiner: str
    bad: str
    """A row that cannot be read."""
    told: dict[tuple[str, str], str]
    """(charge category with its class, currency) -> the sum of billed cost, added up by hand."""

    def file(self, *rows: str) -> bytes:
        return self.frame.replace("ROWS", self.joiner.join(rows)).encode()


FOCUS = Sample(
    "focus",
    (
        "1.50,USD,Usage,,2026-11-20,2026-11-21,OpenAI,gpt-4o input tokens",
        "-0.25,USD,Usage,Correction,2026-11-20,2026-11-21,OpenAI,gpt-4o input tokens",
        "-1.00,USD,Credit,,2026-11-20,2026-11-21,OpenAI,Startup credit",
        "0.19,USD,Tax,,2026-11-20,2026-11-21,OpenAI,VAT",
        "2.00,EUR,Usage,,2026-11-20,2026-11-21,OpenAI,gpt-4o output tokens",
    ),
    "BilledCost,BillingCurrency,ChargeCategory,ChargeClass,ChargePeriodStart,ChargePeriodEnd,ProviderName,"
    "ChargeDescription\nROWS\n",
    "\n",
    "much,USD,Usage,,2026-11-20,2026-11-21,OpenAI,gpt-4o input tokens",
    {
        ("Usage", "USD"): "1.50", ("Usage Correction", "USD"): "-0.25", ("Credit", "USD"): "-1.00",
        ("Tax", "USD"): "0.19", ("Usage", "EUR"): "2.00",
    },
)  # fmt: skip
AWS = Sample(
    "aws_cur",
    (
        "l1,Usage,1.5,USD,2026-11-20T10:00:00Z,2026-11-20T11:00:00Z,AmazonBedrock,USE1-Claude3-input-tokens,2026-11-01T00:00:00Z,p",
        "l2,Credit,-0.5,USD,2026-11-20T10:00:00Z,2026-11-20T11:00:00Z,AmazonBedrock,USE1-Claude3-input-tokens,2026-11-01T00:00:00Z,p",
        "l3,Tax,0.2,USD,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,AmazonBedrock,,2026-11-01T00:00:00Z,p",
        "l4,EdpDiscount,-0.1,USD,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,AmazonBedrock,,2026-11-01T00:00:00Z,p",
        "l5,Usage,3,USD,2026-11-20T10:00:00Z,2026-11-20T11:00:00Z,AmazonEC2,BoxUsage,2026-11-01T00:00:00Z,p",
    ),
    "identity_line_item_id,line_item_line_item_type,line_item_unblended_cost,line_item_currency_code,"
    "line_item_usage_start_date,line_item_usage_end_date,line_item_product_code,line_item_usage_type,"
    "bill_billing_period_start_date,bill_payer_account_id\nROWS\n",
    "\n",
    "l9,Usage,lots,USD,2026-11-20T10:00:00Z,2026-11-20T11:00:00Z,AmazonEC2,BoxUsage,2026-11-01T00:00:00Z,p",
    {
        ("Usage", "USD"): "4.5",
        ("Credit", "USD"): "-0.5",
        ("Tax", "USD"): "0.2",
        ("Adjustment", "USD"): "-0.1",
    },
)
AZURE = Sample(
    "azure_costs",
    (
        "11/20/2026,gpt 4o 1120 Inp glbl Tokens,1K,1180,2.95,EUR,Usage,OpenAI,m1",
        "11/20/2026,gpt 4o 1120 Outp glbl Tokens,1K,-4,-0.04,EUR,Refund,OpenAI,m2",
        "11/20/2026,LRS Write,10K,1,0.5,EUR,Usage,Storage,m3",
        "11/20/2026,gpt 4o 1120 Inp glbl Tokens,1K,10,0.03,USD,Usage,OpenAI,m4",
    ),
    "Date,MeterName,UnitOfMeasure,Quantity,CostInBillingCurrency,BillingCurrencyCode,ChargeType,MeterCategory,MeterId"
    "\nROWS\n",
    "\n",
    "11/20/2026,LRS Write,10K,1,1.2.3,EUR,Usage,Storage,m5",
    {("Usage", "EUR"): "3.45", ("Usage Correction", "EUR"): "-0.04", ("Usage", "USD"): "0.03"},
)


def gcp_row(sku: str, cost: str, kind: str, currency: str, credit: str = "") -> str:
    credits = f'[{{"name": "c", "amount": {credit}}}]' if credit else "[]"
    return (
        f'{{"service": {{"description": "Vertex AI"}}, "sku": {{"id": "{sku}", "description": "{sku}"}}, '
        f'"usage_start_time": "2026-11-20 10:00:00 UTC", "usage_end_time": "2026-11-20 11:00:00 UTC", '
        f'"cost": {cost}, "currency": "{currency}", "cost_type": "{kind}", "credits": {credits}, '
        '"export_time": "2026-11-20 16:00:00 UTC"}'
    )


GCP = Sample(
    "gcp_billing",
    (
        gcp_row("Gemini 2.5 Pro Text Input - Predictions", "1.475", "regular", "USD", "-0.475"),
        gcp_row("Tax", "0.27", "tax", "USD"),
        gcp_row("Rounding", "0.01", "rounding_error", "USD"),
        gcp_row("Gemini 2.5 Pro Text Input - Predictions", "2", "regular", "EUR"),
    ),
    "ROWS\n",
    "\n",
    gcp_row("x", '"free"', "regular", "USD"),
    {
        ("Usage", "USD"): "1.475", ("Credit", "USD"): "-0.475", ("Tax", "USD"): "0.27", ("Adjustment", "USD"): "0.01",
        ("Usage", "EUR"): "2",
    },
)  # fmt: skip


def anthropic_row(amount: str, kind: str, model: str, currency: str = "USD") -> str:
    return json.dumps(
        {"currency": currency, "amount": amount, "cost_type": "tokens", "token_type": kind, "model": model,
         "description": f"{model} {kind}", "workspace_id": None}
    )  # fmt: skip


ANTHROPIC = Sample(
    "anthropic_billing",
    (
        anthropic_row("123.45", "output_tokens", "claude-sonnet-4-5"),
        anthropic_row("0.5", "uncached_input_tokens", "claude-sonnet-4-5"),
        anthropic_row("200", "brand_new_tokens", "claude-next"),
    ),
    '{"data":[{"starting_at":"2026-11-20T00:00:00Z","ending_at":"2026-11-21T00:00:00Z","results":[ROWS]}],'
    '"has_more":false}',
    ",",
    anthropic_row("12,34.5", "output_tokens", "claude-sonnet-4-5"),
    {("Usage", "USD"): "3.2395"},  # 123.45 + 0.5 + 200 cents
)
OPENAI = Sample(
    "openai_costs",
    tuple(
        json.dumps(
            {"object": "organization.costs.result", "amount": {"value": value, "currency": currency},
             "line_item": item, "project_id": "p"}
        )
        for value, currency, item in (
            (0.15, "usd", "gpt-4o-mini-2024-07-18, input"), (0.25, "usd", "something unheard of"),
            (1.0, "eur", "gpt-4o-mini-2024-07-18, output"),
        )
    ),
    '{"object":"page","data":[{"object":"bucket","start_time":1795132800,"end_time":1795219200,"results":[ROWS]}],'
    '"has_more":false}',
    ",",
    '{"object":"organization.costs.result","amount":{"value":"?","currency":"usd"},"line_item":"x","project_id":"q"}',
    {("Usage", "USD"): "0.40", ("Usage", "EUR"): "1.0"},
)  # fmt: skip
OPENROUTER = Sample(
    "openrouter",
    tuple(
        json.dumps({"date": "2026-11-20", "model": m, "model_permaslug": m, "endpoint_id": m, "usage": usage,
                    "byok_usage_inference": 9.0, "requests": 1, "prompt_tokens": 5, "completion_tokens": 1})
        for m, usage in (("openai/gpt-4o", 0.5), ("x/unheard-of", 0.25))
    ),
    '{"data":[ROWS]}',
    ",",
    '{"date":"2026-11-20","usage":"?","byok_usage_inference":0,"model_permaslug":"m","endpoint_id":"e"}',
    {("Usage", "USD"): "0.75"},
)  # fmt: skip
SAMPLES = (FOCUS, AWS, AZURE, GCP, ANTHROPIC, OPENAI, OPENROUTER)


@pytest.fixture(params=SAMPLES, ids=lambda sample: sample.name)
def sample(request: pytest.FixtureRequest) -> Sample:
    found: Sample = request.param
    return found


def batch(content: bytes) -> Batch:
    (made,) = read_upload(io.BytesIO(content), "bill", ReadOptions())
    return made


def billed(batches: list[Batch]) -> dict[tuple[str, str], Decimal]:
    """Billed cost by category with its class, and currency."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for made in batches:
        for line in made.frames["cost_lines"].rows(named=True):
            if line["measure"] == "cost":
                kind = f"{line['charge_category']} {line['charge_class'] or ''}".strip()
                sums[(kind, line["billing_currency"])] += line["billed_cost"]
    return dict(sums)


def test_every_amount_is_kept_by_what_it_is_and_in_its_currency(sample: Sample) -> None:
    made = batch(sample.file(*sample.rows))
    assert made.quarantined == []
    assert billed([made]) == {key: Decimal(text) for key, text in sample.told.items()}


def test_what_is_not_mapped_keeps_its_amount(sample: Sample) -> None:
    """A line without a model has no kind of token counted as a model's, and its money is there all the same."""
    lines = batch(sample.file(*sample.rows)).frames["cost_lines"].rows(named=True)
    unmapped = [line for line in lines if line["model"] is None and line["measure"] == "cost"]
    assert all(line["tokens"] is None and line["billed_cost"] is not None for line in unmapped)
    mapped = [line for line in lines if line["model"] is not None]
    assert mapped


def test_a_bad_row_is_refused_alone_with_field_and_fix(sample: Sample) -> None:
    made = batch(sample.file(sample.bad, *sample.rows))
    (refused,) = made.quarantined
    assert refused.row_number == 1
    assert refused.field
    assert len(refused.reason) > len(refused.field) + 10
    assert billed([made]) == {key: Decimal(text) for key, text in sample.told.items()}


def test_the_same_file_twice_changes_nothing_and_other_bytes_of_it_neither(
    sample: Sample, store: Store
) -> None:
    store.submit(batch(sample.file(*sample.rows)))
    again = store.submit(batch(sample.file(*sample.rows)))
    assert again.already_known
    count = store.ask("select count(*) from cost_lines").item()
    turned = batch(sample.file(*sample.rows[::-1]))
    receipt = store.submit(turned)
    if turned.frames["cost_lines"]["batch_key"].null_count():  # restated months are kept whole, see test_undo
        assert receipt.rows_accepted == 0
        assert store.ask("select count(*) from cost_lines").item() == count


@pytest.mark.parametrize("damage", ["empty", "cut", "utf16", "latin1", "bom"])
def test_damaged_files_say_what_is_wrong_and_never_crash(sample: Sample, damage: str) -> None:
    whole = sample.file(*sample.rows)
    damaged = {
        "empty": b"",
        "cut": whole[: len(whole) * 2 // 3],
        "utf16": whole.decode().encode("utf-16"),
        "latin1": whole.replace(b"gpt", b"g\xe9t").replace(b"Text", b"T\xe9xt"),
        "bom": b"\xef\xbb\xbf" + whole,
    }[damage]
    made: list[Batch] = []
    told = ""
    try:
        made = list(read_upload(io.BytesIO(damaged), "bill", ReadOptions()))
    except FileProblem as problem:
        told = str(problem)
    assert not told or (told.startswith("bill: ") and damage != "bom")
    if damage == "bom":
        assert billed(made) == {key: Decimal(text) for key, text in sample.told.items()}
    for one in made:
        assert one.rows_read >= len(one.quarantined)
        assert all(len(row.reason) > 20 for row in one.quarantined)


def real_sums() -> Iterator[tuple[Path, Decimal]]:
    """Real files with the sum of what they bill, by csv and json alone."""
    billing, headline = SHARED / "fixtures" / "billing", SHARED / "datasets" / "headline"
    columns = {
        billing / "aws": ("line_item_unblended_cost", "lineItem/UnblendedCost"),
        billing / "focus": ("BilledCost",),
        headline: ("BilledCost",),
    }
    for folder, names in columns.items():
        for path in sorted(folder.rglob("*.csv")):
            table = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))
            name = next((one for one in names if table and one in table[0]), None)
            if name is not None:
                yield path, sum((_money(row[name]) for row in table), Decimal(0))


def _money(text: Any) -> Decimal:
    plain = str(text).replace("$", "").replace(",", "").strip()
    negative = plain.startswith("(")
    plain = plain.strip("()")
    value = Decimal(plain) if plain and plain.upper() != "NULL" else Decimal(0)
    return (-value if negative else value).quantize(STEP)


def test_real_bills_are_read_to_the_last_place() -> None:
    found = list(real_sums())
    if not found:
        pytest.skip("../shared is absent")
    assert len(found) > 10
    for path, told in found:
        with path.open("rb") as stream:
            made = list(read_upload(stream, path.name, ReadOptions()))
        refused = [row.reason for one in made for row in one.quarantined]
        assert refused == [], path
        assert sum(billed(made).values(), Decimal(0)) == told, path
