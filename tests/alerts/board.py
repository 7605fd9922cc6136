"""Findings for the board's own scope, made up one status at a time."""

from __future__ import annotations

import datetime as dt

import polars as pl

from core import findings
from core.audit import Scope
from core.ledger.store import Store

DAYS = Scope(dt.date(2026, 10, 26), dt.date(2026, 11, 22))
LATER_NS = 2_000_000_000 * 10**9
"""Later than whatever the app's own worker finds meanwhile: 2033-05-18T03:33:20Z."""


def keep(
    store: Store,
    version: int,
    status: str,
    audit: str = "retry_ledger",
    sentence: str = "It is so.",
    **more: object,
) -> None:
    """Keep one finding at a version, and let the ledger have that version."""
    row = {
        "version": version,
        "scope_key": findings.scope_key(DAYS._replace(choices=(("breaks", "0"),))),
        "standard": True,
        "audit": audit,
        "at_ns": 1_795_000_000_000_000_000 + version * 10**9,
        "took_ms": 1.0,
        "newest_day": DAYS.end,
        "status": status,
        "reported": "1,000 calls",
        "supported": "1,250 attempts",
        "gap": 0.25,
        "low": 0.2,
        "high": 0.3,
        "unit": "share",
        "n": 1000,
        "sentence": sentence,
        "missing": "",
        "bounds": "95%",
    } | more
    schema = {"newest_day": pl.Date, **dict.fromkeys(("gap", "low", "high"), pl.Float64)}
    store._version = max(store._version, version)
    store.keep_finding(pl.DataFrame([row], schema_overrides=schema))
