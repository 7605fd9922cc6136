"""What one line of the ledger should have cost, and whether its provider bills it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from core.ledger.operations import Line
from core.ledger.trace import Span
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

    def cost(self, line: Line, member: Span, provider: str | None) -> Cost:
        """Expected cost of a line: reported usage at the catalogue's price, however the attempt ended.

        An attempt without usage costs nothing where the provider does not bill such failures, and is unknown
        where it may.
        """
        bills = billable(provider, line.error_class, line.http_status_code, line.ok)
        if line.call.line_kind == "tool":
            return self._tool(member, line, bills)
        if not line.carries_usage or member.input_tokens is None:
            if bills == "no":
                return Cost(NOTHING, "not_billable", bills)
            return self._reported(member, line, bills, "usage_unknown")
        usage = Usage(
            member.input_tokens,
            member.output_tokens,
            member.cache_read_tokens,
            member.cache_write_tokens,
            member.reasoning_tokens,
        )
        tier = member.service_tier
        answer = self._book.price(usage, provider, member.model, line.started_at_ns, tier, tier == "batch")
        if isinstance(answer, Priced):
            if self._catalogue or answer.source == "override":
                return Cost(answer.usd, answer.source, "yes")
            return Cost(None, "other_currency", "yes")
        return self._reported(member, line, bills, answer.reason)

    def _tool(self, member: Span, line: Line, bills: str) -> Cost:
        """Tools are billed only where the user says so; a failed call of a priced tool is billed like the others."""
        override = self._book.overrides.tool(member.tool_name or "", line.started_at_ns // DAY_NS)
        if override is not None:
            return Cost(override.per_call_usd, "override", "yes")
        return self._reported(member, line, "no", "no_tool_price")

    def _reported(self, member: Span, line: Line, bills: str, otherwise: str) -> Cost:
        """The instrumentation's own claim, in USD, where nothing better is known."""
        if self._catalogue and line.carries_usage and isinstance(member.reported_cost_usd, Decimal):
            return Cost(member.reported_cost_usd, "reported", "yes")
        return Cost(None, otherwise, bills)
