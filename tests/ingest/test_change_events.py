"""Change events: every column, ids, attributes, titles that a chart may show, refusals, and the form on the data page."""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any

import pytest

from core.ingest.options import ReadOptions
from core.ingest.own_tables.change_events import FIELDS, KINDS, TEMPLATE, detect, read
from core.ledger.batch import Batch
from core.ledger.store import Store
from core.uploads import add_change

EVENT: dict[str, Any] = {
    "event_id": "d-1", "ts": "2026-11-20T09:00:00Z", "kind": "limit", "title": "Tier 4", "service_name": "shop",
    "region": "eu-west-1", "model": "gpt-4o-mini", "attributes": {"ticket": "OPS-1"}, "tpm": 2_000_000,
}  # fmt: skip
STORED = {
    "event_id": "d-1",
    "at_ns": (1_795_132_800 + 9 * 3_600) * 10**9,
    "day": dt.date(2026, 11, 20),
    "kind": "limit",
    "title": "Tier 4",
    "service_name": "shop",
    "region": "eu-west-1",
    "model": "gpt-4o-mini",
    "attributes": '{"ticket":"OPS-1","tpm":2000000}',
}
HOSTILE = "=cmd|' /C calc'!A0 <img src=x onerror=\"alert(1)\">"


def batch(*events: Any) -> Batch:
    (made,) = read(io.BytesIO(json.dumps(list(events)).encode()), "changes.json", ReadOptions())
    return made


def only(**changed: Any) -> dict[str, Any]:
    (found,) = batch(EVENT | changed).frames["change_events"].rows(named=True)
    return found


def test_every_column() -> None:
    assert only() == STORED


def test_csv_says_the_same() -> None:
    text = (
        "event_id,ts,kind,title,service_name,region,model,attributes,tpm\n"
        'd-1,2026-11-20T09:00:00Z,Limit,Tier 4,shop,eu-west-1,gpt-4o-mini,"{""ticket"": ""OPS-1""}",2000000\n'
    )
    assert detect(text.encode(), "x")
    (made,) = read(io.BytesIO(text.encode()), "x", ReadOptions())
    assert made.frames["change_events"].rows(named=True) == [STORED]


def test_the_template_is_read_whole() -> None:
    (made,) = read(io.BytesIO(TEMPLATE.encode()), "x", ReadOptions())
    assert made.quarantined == []
    assert made.frames["change_events"]["kind"].to_list() == ["deploy", "limit", "price", "holiday"]
    assert made.frames["change_events"]["attributes"].to_list() == [
        None, '{"tpm":2000000,"rpm":10000}', '{"factor":0.8}', None,
    ]  # fmt: skip


def test_an_event_without_an_id_is_what_it_says() -> None:
    first = only(event_id=None)
    assert first["event_id"] == only(event_id="", tpm=5)["event_id"]
    others = [only(event_id=None, **{name: "x"}) for name in ("title", "region", "model")]
    assert len({one["event_id"] for one in (first, *others)}) == 4


def test_of_two_rows_with_one_id_the_later_is_kept() -> None:
    made = batch(EVENT, EVENT | {"title": "Tier 5"})
    assert made.frames["change_events"]["title"].to_list() == ["Tier 5"]
    assert [row.row_number for row in made.quarantined] == [1]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("2000000", 2_000_000),
        ("0.15", 0.15),
        ("-3", -3),
        ("007", "007"),
        ("1.2.3", "1.2.3"),
        ("12e5", "12e5"),
    ],
)
def test_cells_that_are_numbers_become_numbers(cell: str, value: Any) -> None:
    assert json.loads(only(attributes=None, tpm=cell)["attributes"]) == {"tpm": value}


def test_titles_are_one_line_of_what_can_be_printed() -> None:
    assert only(title=" Tier\n4 \u202eabc\x00")["title"] == "Tier 4 abc"


def test_people_and_secrets_are_no_attributes() -> None:
    stored = only(attributes={"api_key": "k", "user_email": "a@b", "rpm": 5}, tpm=None, notes="a secret")
    assert json.loads(stored["attributes"]) == {"rpm": 5}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"ts": None}, "ts"),
        ({"ts": "soon"}, "ts"),
        ({"kind": "party"}, "kind"),
        ({"kind": None}, "kind"),
        ({"title": ""}, "title"),
        ({"title": "\u202e"}, "title"),
        ({"title": "t" * 201}, "title"),
        ({"title": {"a": 1}}, "title"),
        ({"attributes": "tpm=5"}, "attributes"),
        ({"attributes": [1]}, "attributes"),
    ],
)
def test_a_bad_event_is_refused_alone(changed: dict[str, Any], field: str) -> None:
    made = batch(EVENT | changed, EVENT)
    assert [(row.row_number, row.field) for row in made.quarantined] == [(1, field)]
    assert made.frames["change_events"].height == 1


TYPED = {"kind": "deploy", **dict.fromkeys(FIELDS, ""), "ts": "2026-11-20T09:00:00Z", "title": HOSTILE}


def test_the_form_adds_what_a_file_would(store: Store) -> None:
    assert add_change(store, TYPED | {"rpm": "60"}, ReadOptions()) == "change event.csv: 1 rows read: 1 new."
    (stored,) = store.ask("select kind, title, service_name, attributes from change_events").rows()
    assert stored == ("deploy", HOSTILE, None, '{"rpm":60}')
    assert "nothing new" in add_change(store, TYPED | {"rpm": "60"}, ReadOptions())
    assert store.version() == 1


@pytest.mark.parametrize(("field", "typed"), [("ts", "now"), ("title", ""), ("kind", "party")])
def test_the_form_refuses_what_a_file_would_and_stores_nothing(store: Store, field: str, typed: str) -> None:
    told = add_change(store, TYPED | {field: typed}, ReadOptions())
    assert told.startswith(f"Not added: {field} is ")
    assert store.latest_import() == 0


def test_kinds_are_those_of_the_ledger() -> None:
    assert KINDS == ("deploy", "release", "checkpoint", "incident", "price", "limit", "holiday")
