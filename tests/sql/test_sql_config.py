"""The configuration of SQL sources: defaults, and every mistake named with its source and field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.ingest.bills.sql_config import LITELLM_QUERY, BadSource, load

GOOD = """
[[source]]
name = "warehouse"
url_env = "WAREHOUSE_URL"
query = "select day, model, usd from bill where day >= :since"
every_minutes = 60
[source.columns]
charge_period_start = "day"
model = "model"
billed_cost = "usd"
billing_currency = "=USD"
"""
VARIABLES = {"WAREHOUSE_URL": "sqlite:///x.db"}


def read(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "sources.toml"
    path.write_text(text)
    return load(path, VARIABLES)


def test_a_source_with_its_defaults(tmp_path: Path) -> None:
    (source,) = read(tmp_path, GOOD)
    assert (source.name, source.url, source.target, source.every_minutes) == (
        "warehouse", "sqlite:///x.db", "cost_lines", 60,
    )  # fmt: skip
    assert (source.restates, source.time_zone, source.row_limit, source.since_days) == (
        "lines",
        "UTC",
        5_000_000,
        40,
    )


def test_litellm_needs_only_a_url(tmp_path: Path) -> None:
    (source,) = read(tmp_path, '[[source]]\nname = "gateway"\nurl = "sqlite:///g.db"\ntarget = "litellm"\n')
    assert source.query == LITELLM_QUERY


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "warehouse"', 'name = "Ware house"', "write 1 to 40 small letters"),
        ('url_env = "WAREHOUSE_URL"', 'url_env = "NOWHERE"', "no variable 'NOWHERE'"),
        ('url_env = "WAREHOUSE_URL"', 'url = "just-a-host"', "like postgresql://host/db"),
        ("select day", "delete from bill; select day", "begins with select or with"),
        (":since", ":since; drop table bill", "more than one statement"),
        ("every_minutes = 60", "every_minutes = -1", "every_minutes is -1"),
        ("every_minutes = 60", "every_hour = 1", "no field 'every_hour'"),
        ("every_minutes = 60", 'restates = "years"', "restates is 'years'"),
        ("every_minutes = 60", 'time_zone = "Mars/Olympus"', "time_zone is 'Mars/Olympus'"),
        ("every_minutes = 60", 'target = "spans"', "target is 'spans'"),
        ('charge_period_start = "day"', "", "columns.charge_period_start is missing"),
        ('billing_currency = "=USD"', "", "columns.billing_currency is missing"),
        ('model = "model"', 'modle = "model"', "columns.modle"),
        ("[[source]]", "[source]", "has no [[source]]"),
        ("[[source]]", "[[source", "cannot be read"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    with pytest.raises(BadSource) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert words in str(caught.value)
    assert "sources.toml" in str(caught.value)


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSource, match="two sources are named 'warehouse'"):
        read(tmp_path, GOOD + GOOD)
