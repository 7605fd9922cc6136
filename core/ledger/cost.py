"""What one line of the ledger should have cost, and whether its provider bills it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from core.pricing import DAY_NS, PriceBook, Priced, Usage
from core.pricing.billability import billable

NOTHING = Decimal(0)
CATALOGUE_CURRENCY = "USD"
"""Of genai-prices and of what instrumentations report; nothing is converted."""


class Cost(NamedTuple):
    """Expected cost in the ledger's currency, None when it cannot be known; `source` as attempts.price_source."""

    usd: Decimal | None
    source: str
    billable: str


class Billed(NamedTuple):
    """What decides the cost of a line. Tokens and the reported cost are None where another line carries the usage."""

    line_kind: str
    provider: str | None
    model: str | None
    tool_name: str | None
    service_tier: str | None
    started_at_ns: int
    ok: bool
    error_class: str | None
    http_status_code: int | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    reported_cost_usd: object


class Costing:
    """Prices and billability rules, loaded once for a derivation."""

    def __init__(self, book: PriceBook, currency: str = CATALOGUE_CURRENCY) -> None:
        self._book = book
        self._catalogue = currency == CATALOGUE_CURRENCY
        self.version = book.version if self._catalogue else f"{book.version} in {currency}"

    @classmethod
    def load(cls, overrides: Path | None, currency: str = CATALOGUE_CURRENCY) -> Costing:
        """The catalogue with the user's overrides; raises BadOverrides naming the entry that cannot be used."""
        return cls(PriceBook(overrides), currency)

    def cost(self, line: Billed) -> Cost:
        """Expected cost of a line: reported usage at the catalogue's price, however the attempt ended.

        An attempt without usage costs nothing where the provider does not bill such failures, and is unknown
        where it may.
        """
        bills = billable(line.provider, line.error_class, line.http_status_code, line.ok)
        if line.line_kind == "tool":
            return self._tool(line)
        if line.input_tokens is None:
            if bills == "no":
                return Cost(NOTHING, "not_billable", bills)
            return self._reported(line, bills, "usage_unknown")
        usage = Usage(
            line.input_tokens,
            line.output_tokens,
            line.cache_read_tokens,
            line.cache_write_tokens,
            line.reasoning_tokens,
        )
        tier = line.service_tier
        answer = self._book.price(usage, line.provider, line.model, line.started_at_ns, tier, tier == "batch")
        if isinstance(answer, Priced):
            if self._catalogue or answer.source == "override":
                return Cost(answer.usd, answer.source, "yes")
            return Cost(None, "other_currency", "yes")
        return self._reported(line, bills, answer.reason)

    def _tool(self, line: Billed) -> Cost:
        """Tools are billed only where the user says so; a failed call of a priced tool is billed like the others."""
        override = self._book.overrides.tool(line.tool_name or "", line.started_at_ns // DAY_NS)
        if override is not None:
            return Cost(override.per_call_usd, "override", "yes")
        return self._reported(line, "no", "no_tool_price")

    def _reported(self, line: Billed, bills: str, otherwise: str) -> Cost:
        """The instrumentation's own claim, in USD, where nothing better is known."""
        if self._catalogue and isinstance(line.reported_cost_usd, Decimal):
            return Cost(line.reported_cost_usd, "reported", "yes")
        return Cost(None, otherwise, bills)
