"""The callers file: which service calls under which project or key of the bill."""

from __future__ import annotations

import io

from core.ingest.options import ReadOptions
from core.ingest.own_tables.callers import TEMPLATE, detect, read
from core.ledger.batch import Batch


def batch(text: str) -> Batch:
    (made,) = read(io.BytesIO(text.encode()), "callers.csv", ReadOptions())
    return made


def test_every_column() -> None:
    made = batch("service_name,provider_name,sub_account_id,api_key_id\nshop,OpenAI.chat,proj_1,key_1\n")
    assert made.frames["callers"].rows(named=True) == [
        {"service_name": "shop", "provider_name": "openai", "sub_account_id": "proj_1", "api_key_id": "key_1"}
    ]


def test_the_template_is_read() -> None:
    assert detect(TEMPLATE.encode(), "x.csv")
    assert batch(TEMPLATE).frames["callers"].height == 1


def test_a_row_that_joins_nothing_is_refused() -> None:
    made = batch("service_name,sub_account_id\n,proj_1\nshop,\nshop,proj_1\n")
    assert [(row.row_number, row.field) for row in made.quarantined] == [
        (1, "service_name"),
        (2, "sub_account_id"),
    ]
    assert made.frames["callers"].height == 1
