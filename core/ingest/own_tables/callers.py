"""Callers: which service of the traces calls under which project or key of the bill, as CSV.

Bills know projects and keys, traces know services; this small file of the user's own is what joins them:

    service_name,provider_name,sub_account_id,api_key_id
    checkout-agent,openai,proj_checkout,
    doc-extract,anthropic,wrkspc_docs,apikey_01

The newest file is the whole map. A service, and a project or a key, are required.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from typing import BinaryIO

import polars as pl

from core.ingest import quarantine, values
from core.ingest.cells import present
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch, Quarantined

NAME = "callers"
COLUMNS = ("service_name", "provider_name", "sub_account_id", "api_key_id")
TEMPLATE = "service_name,provider_name,sub_account_id,api_key_id\ncheckout-agent,openai,proj_checkout,\n"


def detect(head: bytes, name: str) -> bool:
    """A CSV whose header has service_name beside sub_account_id or api_key_id."""
    line = head.split(b"\n", 1)[0].decode("utf-8-sig", "replace").replace('"', "").strip()
    columns = {column.strip() for column in line.split(",")}
    return "service_name" in columns and bool(columns & {"sub_account_id", "api_key_id"})


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file; a row without a service, or without project and key, is refused."""
    content = stream.read()
    rows: list[dict[str, str | None]] = []
    quarantined: list[Quarantined] = []
    rows_read = 0
    table = csv.DictReader(io.StringIO(content.decode("utf-8-sig", "replace"), newline=""))
    try:
        for rows_read, cells in enumerate(table, 1):
            row = {column: present(cells.get(column)) for column in COLUMNS}
            row["provider_name"] = values.provider(row["provider_name"])
            field = "service_name" if not row["service_name"] else "sub_account_id"
            if row["service_name"] and (row["sub_account_id"] or row["api_key_id"]):
                rows.append(row)
                continue
            reason = (
                f"{field} is empty; name the service and its project (sub_account_id) or key (api_key_id)."
            )
            shown = ",".join(str(cell) for cell in cells.values())
            quarantined.append(quarantine.refused(rows_read, field, reason, shown))
    except csv.Error as error:
        reason = f"The CSV cannot be read: {error}; write it with quotes around cells that hold commas."
        quarantined.append(quarantine.refused(rows_read + 1, None, reason, ""))
        rows_read += 1
    frame = pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String))
    sha256 = hashlib.sha256(content).hexdigest()
    yield Batch(source, NAME, sha256, rows_read, {"callers": frame}, quarantined, demo=options.demo)
