"""Streams for tests: so many an hour, cut into chunks of a size at a rate, with pauses and preambles where asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import count
from random import Random
from typing import Any

from core.ingest.streams import Chunks, measured, stream_frame
from core.ledger.batch import Batch
from core.ledger.store import Store
from tests.audits.retry_world import DAY, Row, at_ns

HOUR_NS = 3_600_000_000_000
_serial = count()


def chunks(
    random: Random, tokens: int, size: int, per_s: float, first_ms: float = 400.0, jitter: float = 0.3
) -> Chunks:
    """Chunks of `size` tokens; gaps are gamma about size / per_s with a relative spread of `jitter`."""
    sizes = [size] * (tokens // size) + ([tokens % size] if tokens % size else [])
    times, at = [], first_ms * random.uniform(0.8, 1.3)
    shape = 1 / jitter**2
    for one in sizes:
        times.append(at)
        at += random.gammavariate(shape, one / per_s * 1000 / shape)
    return Chunks(times, sizes, [4 * one for one in sizes])


def row(at: int, found: Chunks, key: str = "", output: int | None = None, **more: Any) -> Row:
    """A row of `streams` as a recorder's line becomes one."""
    return {
        "stream_key": key or f"s-{next(_serial)}", "source": "recorder", "provider_name": "openai", "request_model": "gpt-4o",
        "response_model": "gpt-4o-2024-08-06", "cloud_region": "eu-west-1", "service_name": "assist", "started_at_ns": at,
        **measured(found, output), **more,
    }  # fmt: skip


def put(store: Store, rows: Sequence[Row]) -> None:
    """Rows into the ledger as one import."""
    store.submit(
        Batch(
            "streams.jsonl", "streams", f"streams-{next(_serial)}", len(rows), {"streams": stream_frame(rows)}
        )
    )


def days(
    first: int,
    many: int,
    size: int = 4,
    per_s: float = 40.0,
    hours: Sequence[int] = (9, 10, 14),
    an_hour: int = 34,
    seed: int = 1,
    load: float = 0.02,
    **more: Any,
) -> list[Row]:
    """Streams of days DAY + first ..., `an_hour` in each hour; the rate of an hour wanders by `load`."""
    random, rows = Random(f"{seed}/{first}/{size}/{per_s}"), []
    for day in range(first, first + many):
        for hour in hours:
            pace = per_s * random.lognormvariate(0, load)
            for _ in range(an_hour):
                at = at_ns(DAY + dt.timedelta(days=day)) + hour * HOUR_NS + random.randrange(HOUR_NS)
                rows.append(row(at, chunks(random, random.randint(100, 200), size, pace), **more))
    return rows
