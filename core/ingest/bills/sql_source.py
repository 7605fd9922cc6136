"""Bills out of a database: rows of a query of the operator's become bill lines by a column map.

Nothing here connects to anything: rows come as mappings. docs/sql-sources.md has the configuration.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import zoneinfo
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any

import orjson

from core.ingest.bills import cost_lines, litellm
from core.ingest.bills.cost_lines import CostLine
from core.ingest.bills.sql_config import TEXTS, SqlSource
from core.ingest.cells import (
    BILLED_NS,
    BILLED_YEARS,
    Unreadable,
    amount,
    instant_ns,
    present,
    quantity,
    tokens,
    whole,
)
from core.ingest.options import ReadOptions
from core.ingest.quarantine import refused
from core.ledger.batch import Batch, Quarantined

FORMAT = "sql"
ROWS_AT_ONCE = 20_000
CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")
TOKEN_TYPES = ("input", "cache_read", "cache_write", "output", "reasoning", "tool", "request", "mixed")


def batches(source: SqlSource, rows: Iterable[Mapping[str, Any]], options: ReadOptions) -> Iterator[Batch]:
    """Batches of at most ROWS_AT_ONCE rows, so that a large result never is in memory as a whole."""
    waiting, first = iter(rows), True
    while (piece := list(islice(waiting, ROWS_AT_ONCE))) or first:
        first = False
        canonical = orjson.dumps([_canonical(row) for row in piece], option=orjson.OPT_SORT_KEYS, default=str)
        sha256 = hashlib.sha256(
            source.name.encode() + b"\0" + source.target.encode() + b"\0" + canonical
        ).hexdigest()
        if source.target == "litellm":
            yield litellm.of_rows((_plain_times(row) for row in piece), source.name, sha256, options)
        else:
            yield _batch(source, piece, sha256, options)


def _canonical(row: Mapping[str, Any]) -> dict[str, str | None]:
    return {str(name): None if value is None else str(value) for name, value in row.items()}


def _plain_times(row: Mapping[str, Any]) -> dict[str, Any]:
    """LiteLLM's columns are timestamps without a zone, in UTC; readers take texts."""
    return {
        name: value.isoformat() if isinstance(value, dt.datetime) else value for name, value in row.items()
    }


def _batch(source: SqlSource, piece: list[Mapping[str, Any]], sha256: str, options: ReadOptions) -> Batch:
    lines: list[CostLine] = []
    quarantined: list[Quarantined] = []
    seen: Counter[str] = Counter()
    for number, row in enumerate(piece, 1):
        try:
            line = _line(source, row)
        except Unreadable as unreadable:
            shown = orjson.dumps(_canonical(row)).decode()
            quarantined.append(refused(number, unreadable.field, unreadable.reason, shown))
            continue
        seen[line.line_key] += 1
        if source.key and seen[line.line_key] > 1:
            reason = f"An earlier row has the same key ({', '.join(source.key)}); name the columns that tell rows apart."
            quarantined.append(refused(number, source.key[0], reason, orjson.dumps(_canonical(row)).decode()))
            continue
        lines.append(line if source.key else line._replace(line_key=f"{line.line_key}-{seen[line.line_key]}"))
    frames = {"cost_lines": cost_lines.frame(lines)}
    return Batch(source.name, FORMAT, sha256, len(piece), frames, quarantined, demo=options.demo)


def _line(source: SqlSource, row: Mapping[str, Any]) -> CostLine:
    """One bill line; raises Unreadable naming the column of the query."""
    get = _Getter(source, row)
    start, end = _period(source, get)
    texts = {column: get.text(column) for column in TEXTS}
    billed, effective = get.decimal("billed_cost", amount), get.decimal("effective_cost", amount)
    category = texts.pop("charge_category") or "Usage"
    if category not in CATEGORIES:
        raise Unreadable(get.named("charge_category"), category, f"write one of {', '.join(CATEGORIES)}.")
    has_money = billed is not None or effective is not None
    if has_money and texts["billing_currency"] is None:
        raise Unreadable(get.named("billing_currency"), None, "an amount needs its currency.")
    kind, batch = texts.pop("token_type"), texts.pop("batch")
    counted = get.decimal("tokens", quantity)
    measure = texts.pop("measure") or ("cost" if has_money else "usage")
    currency = texts.pop("billing_currency")
    return CostLine(
        line_key=get.key(start),
        source_format=f"sql:{source.name}",
        measure=measure,
        charge_period_start_ns=start,
        charge_period_end_ns=end,
        charge_category=category,
        batch_key=f"{cost_lines.utc_date(start):%Y-%m}" if source.restates == "month" else None,
        billing_currency=currency.upper() if currency else None,
        token_type=kind if kind in TOKEN_TYPES else None,
        tokens=tokens(counted, source.tokens_per_unit, get.named("tokens")),
        requests=whole(get("requests"), get.named("requests")),
        consumed_quantity=get.decimal("consumed_quantity", quantity),
        invoice_id=get.text("invoice_id"),
        batch=None if batch is None else batch.lower() in ("true", "t", "1", "yes"),
        billed_cost=billed,
        effective_cost=effective,
        list_cost=get.decimal("list_cost", amount),
        **texts,  # type: ignore[arg-type]
    )


def _period(source: SqlSource, get: _Getter) -> tuple[int, int]:
    start, end = get.instant("charge_period_start"), get.instant("charge_period_end")
    if start is None or start not in BILLED_NS:
        raise Unreadable(
            get.named("charge_period_start"), get("charge_period_start"), "every row needs a time after 1970."
        )
    if end is not None and not start <= end <= BILLED_NS.stop:
        fix = "it is before the start." if end < start else BILLED_YEARS
        raise Unreadable(get.named("charge_period_end"), get("charge_period_end"), fix)
    return start, start + source.grain_ns if end is None else end


class _Getter:
    """Values of one result row by the bill line's column names."""

    def __init__(self, source: SqlSource, row: Mapping[str, Any]) -> None:
        self._source = source
        self._row = row

    def named(self, column: str) -> str:
        """The result column a problem is about."""
        return self._source.columns.get(column, column)

    def __call__(self, column: str) -> Any:
        given = self._source.columns.get(column)
        if given is None:
            return None
        if given.startswith("="):
            return given[1:]
        if given not in self._row:
            raise Unreadable(
                given, "", f"the query returns no such column; it returns {', '.join(map(str, self._row))}."
            )
        value = self._row[given]
        return Decimal(repr(value)) if isinstance(value, float) else value

    def text(self, column: str) -> str | None:
        return present(self(column))

    def decimal(self, column: str, read: Any) -> Decimal | None:
        found: Decimal | None = read(self(column), self.named(column))
        return found

    def instant(self, column: str) -> int | None:
        """UTC ns; what has no zone is in the source's."""
        value = self(column)
        if isinstance(value, dt.datetime) or (isinstance(value, str) and len(value) > 10):
            at = value if isinstance(value, dt.datetime) else None
            if at is None:
                return self._of_text(str(value), column)
        elif isinstance(value, dt.date):
            at = dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the zone follows
        else:
            return self._of_text(str(value), column) if value is not None else None
        zoned = at.replace(tzinfo=zoneinfo.ZoneInfo(self._source.time_zone)) if at.tzinfo is None else at
        return instant_ns(zoned.astimezone(dt.UTC).isoformat(), self.named(column))

    def _of_text(self, text: str, column: str) -> int | None:
        try:
            at = dt.datetime.fromisoformat(text.strip())
        except ValueError:
            return instant_ns(text, self.named(column))
        zoned = at.replace(tzinfo=zoneinfo.ZoneInfo(self._source.time_zone)) if at.tzinfo is None else at
        return instant_ns(zoned.astimezone(dt.UTC).isoformat(), self.named(column))

    def key(self, start_ns: int) -> str:
        """The line's key: the columns the source names, else everything mapped that is no amount."""
        if self._source.key:
            parts = []
            for column in self._source.key:
                if column not in self._row:
                    raise Unreadable(column, "", "the query returns no such column; correct key.")
                parts.append(present(self._row[column]))
            return cost_lines.key(FORMAT, self._source.name, parts)
        return cost_lines.key(FORMAT, self._source.name, start_ns, [self.text(column) for column in TEXTS])
