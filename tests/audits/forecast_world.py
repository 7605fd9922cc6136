"""Literal ledgers for the forecast's tests: a few attempts a day whose tokens add up to a given series."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from core.audit import Scope
from core.ledger.store import Store
from tests.audits.retry_world import Row, at_ns, charge, line, send

END = dt.date(2026, 11, 22)
HOURS = (0, 7, 12, 18, 23)
"""UTC hours with a call: the first and the last make every UTC day whole."""


def attempts(
    tokens: Sequence[float] | np.ndarray, region: str | None = "moon-1", end: dt.date = END, **more: Any
) -> list[Row]:
    """Five calls a day; two thirds of the tokens are input. One dollar a million."""
    rows = []
    for back, day_tokens in enumerate(reversed(list(tokens))):
        day = end - dt.timedelta(days=back)
        for hour in HOURS:
            own = int(day_tokens / len(HOURS))
            name = f"{region}{day}{hour}"
            usual = {
                "started_at_ns": at_ns(day, hour), "hour": at_ns(day, hour) // 3_600_000_000_000, "cloud_region": region,
                "input_tokens": own - own // 3, "output_tokens": own // 3, "expected_usd": Decimal(own) / 1_000_000,
            }  # fmt: skip
            rows.append(line(name, name, 1, day=day) | usual | more)
    return rows


def change(event: str, kind: str, day: dt.date, attributes: object, **more: Any) -> Row:
    """A change event."""
    row: Row = {
        "event_id": event, "at_ns": at_ns(day, 0), "day": day, "kind": kind, "title": event, "service_name": None,
        "region": None, "model": None,
        "attributes": attributes if isinstance(attributes, str) else json.dumps(attributes),
    }  # fmt: skip
    return row | more


def usage(key: str, day: dt.date, tokens: int, **more: Any) -> Row:
    """A line of a usage report: tokens and no money."""
    row = charge(
        key, None, day=day, measure="usage", source_format="openai_usage", token_type="input", tokens=tokens
    )
    return row | more


def scope(**more: Any) -> Scope:
    """The last four weeks."""
    usual: dict[str, Any] = {"start": END - dt.timedelta(days=27), "end": END}
    return Scope(**(usual | more))


def filled(store: Store, **tables: list[Row]) -> Store:
    """The store with rows in it."""
    send(store, **tables)
    return store
