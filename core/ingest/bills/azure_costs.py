"""Azure cost details (formerly usage details): actual or amortised, Enterprise and Customer Agreement, as CSV.

A row is a meter, resource and UTC day. Dates are written in the order of the exporter's locale, so date_order.py
decides it for the whole file. Costs stay in the billing currency.

What covers a row by a reservation or savings plan is billed when it is bought: such use bills nothing, and its
cost in an amortised file is the effective cost. An actual file shows 0 there, which is not the effective cost,
so it stays unknown. The other rows are the same in both files. Rows have no identifier: line_key is a hash of
what says what a row is for; later files restate it, since a month reopens. Of the two files of one month,
import the amortised one last: the covered rows of the actual one know less.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import BinaryIO, NamedTuple

import orjson

from core.ingest import quarantine
from core.ingest.bills import azure_columns, azure_meters, cost_lines, date_order
from core.ingest.bills.cost_lines import CostLine
from core.ingest.bills.date_order import Dated, Decision
from core.ingest.cells import BILLED_NS, BILLED_YEARS, DAY_NS, Unreadable, amount, quantity, tokens
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch, Quarantined, Repaired

NAME = "azure_costs"

_CHARGES = {
    "usage": "Usage",
    "unusedreservation": "Usage",
    "unusedsavingsplan": "Usage",
    "purchase": "Purchase",
    "tax": "Tax",
    "credit": "Credit",
    "adjustment": "Adjustment",
    "roundingadjustment": "Adjustment",
}
_UNIT = re.compile(r"(\d[\d,]*)\s*([km]?)(?:\s*tokens?)?", re.IGNORECASE)
_SCALES = {"": 1, "k": 10**3, "m": 10**6}
_OPENAI = re.compile(r"openai")
_FOUNDRY = re.compile(
    r"foundry models|(?:deepseek|llama|mistral|grok|cohere|mai|phi|kimi|qwen) ?(?:ai )?models|claude"
)


def detect(head: bytes, name: str) -> bool:
    """A CSV whose header has the columns of Azure's cost details, in any spelling, and not those of FOCUS."""
    return azure_columns.is_header(head.split(b"\n", 1)[0].decode("utf-8-sig", "replace"))


class _Read(NamedTuple):
    """What a file holds, filled row by row."""

    lines: list[CostLine]
    quarantined: list[Quarantined]
    repaired: list[Repaired]


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the whole file; a file whose dates could be read two ways gives one quarantine entry."""
    content = stream.read()
    rows = list(azure_columns.rows(content))
    found = _Read([], [], [])
    try:
        dates = {_dated(row.cells) for row in rows if isinstance(row, azure_columns.Row)}
        _read_rows(rows, date_order.decide(dates, "Date"), found)
    except date_order.Ambiguous as unclear:
        found.quarantined.append(quarantine.refused(1, unclear.field, unclear.reason, ""))
    frames = {"cost_lines": cost_lines.frame(found.lines)}
    sha256 = hashlib.sha256(content).hexdigest()
    yield Batch(
        source, NAME, sha256, len(rows), frames, found.quarantined, found.repaired, demo=options.demo
    )  # fmt: skip


def _read_rows(rows: Sequence[azure_columns.Row | Quarantined], decision: Decision, found: _Read) -> None:
    """Add a line, or a quarantine entry, for each row; equal rows of one file are told apart by their number."""
    seen: Counter[str] = Counter()
    for row in rows:
        if isinstance(row, Quarantined):
            found.quarantined.append(row)
            continue
        try:
            line = _line(row.cells, decision)
        except Unreadable as unreadable:
            refused = quarantine.refused(row.number, unreadable.field, unreadable.reason, row.text)
            found.quarantined.append(refused)
            continue
        seen[line.line_key] += 1
        found.lines.append(line._replace(line_key=f"{line.line_key}-{seen[line.line_key]}"))
        found.repaired.extend(_other_order(row.cells, decision, found.lines[-1]))


def _dated(fields: dict[str, str]) -> Dated:
    return Dated(*(fields.get(c, "") for c in ("date", "billingperiodstartdate", "billingperiodenddate")))


def _line(fields: dict[str, str], decision: Decision) -> CostLine:
    """One bill line; raises Unreadable naming the column."""
    for column, shown in azure_columns.REQUIRED.items():
        if column not in fields and column not in ("metername", "unitofmeasure", "quantity"):
            raise Unreadable(shown, "", "the column is needed; export the row again.")
    dated = _dated(fields)
    day = date_order.read(dated, decision, "Date")
    period_start = date_order.period_start(dated, decision)
    start_ns = (day - date(1970, 1, 1)).days * DAY_NS
    if start_ns not in BILLED_NS:
        raise Unreadable("Date", dated.at, BILLED_YEARS)
    category, charge_class = _charge(fields)
    billed, effective = _costs(fields, category)
    line = CostLine(
        line_key=cost_lines.key(NAME, str(day), str(period_start), *azure_columns.dimensions(fields)),
        source_format=NAME,
        measure="cost",
        charge_period_start_ns=start_ns,
        charge_period_end_ns=start_ns + DAY_NS,
        charge_category=category,
        provider_name=fields.get("publishername", "Microsoft"),
        billing_account_id=fields.get("billingaccountid"),
        sub_account_id=fields.get("subscriptionid"),
        invoice_id=fields.get("invoiceid"),
        region_id=fields.get("resourcelocation"),
        billing_period_start=period_start,
        charge_class=charge_class,
        charge_description=fields.get("productname") or fields.get("metername"),
        sku_id=fields.get("meterid"),
        consumed_quantity=quantity(fields.get("quantity"), "Quantity"),
        consumed_unit=fields.get("unitofmeasure"),
        billed_cost=billed,
        effective_cost=effective,
        list_cost=_list_cost(fields),
        billing_currency=fields["billingcurrencycode"].upper(),
    )
    return _with_model(line, fields)


def _charge(fields: dict[str, str]) -> tuple[str, str | None]:
    """FOCUS category and class: a refund corrects use where the meter runs by use, else a purchase."""
    charge = fields["chargetype"].replace(" ", "").lower()
    if charge == "refund":
        by_use = fields.get("frequency", "UsageBased").lower() == "usagebased"
        return "Usage" if by_use else "Purchase", "Correction"
    if charge not in _CHARGES:
        raise Unreadable("ChargeType", fields["chargetype"], f"write Refund or one of {', '.join(_CHARGES)}.")
    return _CHARGES[charge], None


def _costs(fields: dict[str, str], category: str) -> tuple[Decimal, Decimal | None]:
    """(billed, effective) in the billing currency; they differ for reservations and savings plans only."""
    cost = amount(fields["costinbillingcurrency"], "CostInBillingCurrency")
    if cost is None:
        raise Unreadable("CostInBillingCurrency", "", "write the row's cost.")
    if fields.get("pricingmodel", "").replace(" ", "").lower() not in ("reservation", "savingsplan"):
        return cost, cost
    if category == "Purchase":
        return cost, Decimal(0)
    used = quantity(fields.get("quantity"), "Quantity")
    return Decimal(0), cost if cost or not used else None


def _list_cost(fields: dict[str, str]) -> Decimal | None:
    """At pay-as-you-go prices: the column of Customer Agreements, else PayGPrice x Quantity of the same currency."""
    stated = amount(fields.get("paygcostinbillingcurrency"), "PaygCostInBillingCurrency")
    if stated is not None:
        return stated
    price = amount(fields.get("paygprice"), "PayGPrice")
    used = quantity(fields.get("quantity"), "Quantity")
    currency = fields["billingcurrencycode"]
    if price is None or used is None or fields.get("pricingcurrency", currency).upper() != currency.upper():
        return None
    return amount(price * used, "PayGPrice x Quantity")


def _with_model(line: CostLine, fields: dict[str, str]) -> CostLine:
    """Provider, model and tokens on rows that sell model use; tags on all."""
    product = " ".join(
        fields.get(c, "") for c in ("metercategory", "metersubcategory", "productname")
    ).lower()
    is_openai = bool(_OPENAI.search(product))
    kept = _tags(fields)
    if not is_openai and not _FOUNDRY.search(product):
        return line._replace(tags=orjson.dumps(kept).decode() if kept else None)
    line = line._replace(provider_name="azure.ai.openai" if is_openai else "azure.ai.inference")
    said = azure_meters.read(fields.get("metername", ""), product)
    unused = fields["chargetype"].lower().startswith("unused")
    if line.charge_category == "Usage" and not unused:
        unit = _UNIT.fullmatch(line.consumed_unit or "") if said.counts_tokens else None
        scale = int(unit[1].replace(",", "")) * _SCALES[unit[2].lower()] if unit else None
        used = line.consumed_quantity
        line = line._replace(
            model=said.model,
            token_type=said.token_type,
            tokens=tokens(used, scale, "Quantity") if scale else None,
            service_tier=said.service_tier,
            batch=said.batch,
        )
        kept |= {"azure_deployment": said.deployment} if said.deployment else {}
    return line._replace(tags=orjson.dumps(kept).decode() if kept else None)


def _tags(fields: dict[str, str]) -> dict[str, object]:
    """The row's tags, and beside them what the ledger has no column for; Enterprise files leave the braces out."""
    text = fields.get("tags", "")
    kept: dict[str, object] = {}
    if text:
        try:
            parsed = orjson.loads(text if text.startswith("{") else f"{{{text}}}")
            kept = parsed if isinstance(parsed, dict) else {"tags": text}
        except orjson.JSONDecodeError:
            kept = {"tags": text}
    columns = {
        "azure_resource_group": "resourcegroup",
        "azure_resource_id": "resourceid",
        "azure_pricing_model": "pricingmodel",
    }
    kept |= {name: fields[column] for name, column in columns.items() if column in fields}
    if fields.get("pricingcurrency", fields["billingcurrencycode"]) != fields["billingcurrencycode"]:
        kept["pricing_currency"] = fields["pricingcurrency"]
        if "costinpricingcurrency" in fields:
            kept["pricing_currency_effective_cost"] = fields["costinpricingcurrency"]
    return kept


def _other_order(fields: dict[str, str], decision: Decision, line: CostLine) -> list[Repaired]:
    """A note for a date that is written in the other order than most of a mixed file."""
    day = cost_lines.utc_date(line.charge_period_start_ns)
    if not decision.mixed or date_order.reading(fields["date"], decision.order) == day:
        return []
    reason = f"Most dates of the file are {decision.order.value}; this one can only be read the other way."
    return [Repaired(line.line_key, "azure_date_order", fields["date"], str(day), True, reason)]
