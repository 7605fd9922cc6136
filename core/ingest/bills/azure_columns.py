"""Rows of Azure's cost details by the newest name of each column, whatever the export calls it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import NamedTuple

from core.ingest.cells import present
from core.ingest.quarantine import refused
from core.ledger.batch import Quarantined

_SYNONYMS = {
    "cost": "costinbillingcurrency",
    "billingcurrency": "billingcurrencycode",
    "currency": "billingcurrencycode",
    "subscriptionguid": "subscriptionid",
    "instanceid": "resourceid",
    "instancename": "resourceid",
    "resourcegroupname": "resourcegroup",
    "location": "resourcelocation",
    "usagedate": "date",
    "usagedatetime": "date",
    "usagequantity": "quantity",
    "billingperiodstart": "billingperiodstartdate",
    "billingperiodend": "billingperiodenddate",
    "product": "productname",
}
_PREFIX = re.compile(r"^(?:.*[./]|(?:properties|usagedetails?|x)_)")
REQUIRED = {
    "date": "Date",
    "costinbillingcurrency": "CostInBillingCurrency",
    "billingcurrencycode": "BillingCurrency",
    "chargetype": "ChargeType",
    "metername": "MeterName",
    "unitofmeasure": "UnitOfMeasure",
    "quantity": "Quantity",
}
_DIMENSIONS = """
    chargetype subscriptionid resourceid resourcegroup resourcelocation meterid metername metersubcategory
    metercategory meterregion productname partnumber unitofmeasure pricingmodel frequency term reservationid
    benefitid productorderid publishername consumedservice offerid planname costcenter billingaccountid
    billingprofileid invoicesectionid billingcurrencycode additionalinfo tags
"""
"""Columns that say what a row is for, beside its date: neither amounts nor the invoice, which comes later."""

_IN_OTHER_CAPITALS = frozenset({"resourceid", "resourcegroup", "subscriptionid"})
"""Azure writes these in other capitals from one export to the next."""

_DELIMITERS = ",;\t|"


class Row(NamedTuple):
    """A data row: its number from 1, its cells that are not empty by canonical name, its text."""

    number: int
    cells: dict[str, str]
    text: str


def is_header(line: str) -> bool:
    """Whether a file's first line names the columns of cost details, and is not Microsoft's FOCUS export."""
    columns = {canonical(column) for column in re.split(r"[,;\t|]", line.replace('"', ""))}
    return {"date", "metername", "unitofmeasure", "costinbillingcurrency"} <= columns and not (
        {"billedcost", "chargecategory"} <= columns
    )


def canonical(column: str) -> str:
    """A header without case, prefix, spaces and underscores, by its newest name."""
    name = _PREFIX.sub("", column.strip().strip("\ufeff").lower())
    name = re.sub(r"[^a-z0-9]", "", name)
    return _SYNONYMS.get(name, name)


def rows(content: bytes) -> Iterator[Row | Quarantined]:
    """Data rows numbered from 1; what cannot be split into cells as quarantine entries."""
    try:
        text = content.decode("utf-8-sig")
        top = text.split("\n", 1)[0]
        table = csv.reader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=top.count))
        header = _header(next(table, []))
        missing = [shown for column, shown in REQUIRED.items() if column not in header]
        if missing:
            reason = f"The header lacks {', '.join(missing)}; export cost and usage details with all columns."
            yield refused(1, missing[0], reason, top)
            return
        for number, cells in enumerate(table, 1):
            if len(cells) == len(header):
                present_cells = zip(header, cells, strict=True)
                fields = {column: said for column, cell in present_cells if (said := present(cell))}
                yield Row(number, fields, ",".join(cells))
            elif any(cells):
                reason = (
                    f"The row has {len(cells)} cells and the header {len(header)}; quote cells with commas."
                )
                yield refused(number, None, reason, ",".join(cells))
    except (UnicodeDecodeError, csv.Error) as error:
        reason = f"The file cannot be read: {error}; export it again as UTF-8 CSV."
        yield refused(1, None, reason, "")


def _header(columns: list[str]) -> list[str]:
    """Canonical names; a second column of the same name keeps its own, so that it cannot hide the first."""
    names: list[str] = []
    for column in columns:
        name = canonical(column)
        names.append(name if name not in names else f"{column.strip()} ({len(names)})")
    return names


def dimensions(fields: dict[str, str]) -> list[str | None]:
    """What the row is for, in a fixed order."""
    return [
        fields[column].lower() if column in fields and column in _IN_OTHER_CAPITALS else fields.get(column)
        for column in _DIMENSIONS.split()
    ]
