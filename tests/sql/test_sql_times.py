"""Times out of a database: a row whose period no column holds is refused alone."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from core.ingest.bills import sql_config, sql_source
from core.ingest.options import ReadOptions


def test_an_end_without_end_is_refused_and_the_rest_is_kept(tmp_path: Path) -> None:
    """9999-12-31 is how databases write an open end."""
    path = tmp_path / "sources.toml"
    path.write_text(
        '[[source]]\nname = "bills"\nurl = "sqlite:///x.db"\nquery = "select 1"\n[source.columns]\n'
        'charge_period_start = "from_on"\ncharge_period_end = "to_on"\nbilled_cost = "usd"\nbilling_currency = "=USD"\n'
    )
    (source,) = sql_config.load(path)
    day = dt.date(2026, 11, 20)
    rows = [
        {"from_on": day, "to_on": dt.date(9999, 12, 31), "usd": 1.5},
        {"from_on": day, "to_on": dt.date(2026, 11, 21), "usd": 2.5},
    ]
    (batch,) = sql_source.batches(source, rows, ReadOptions())
    assert [(one.row_number, one.field) for one in batch.quarantined] == [(1, "to_on")]
    assert [float(cost) for cost in batch.frames["cost_lines"]["billed_cost"]] == [2.5]
