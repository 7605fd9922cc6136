"""List prices of the demo's models, from genai-prices: exact Decimals, at the day's own date."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from genai_prices import Usage, calc_price

from data.demo.plan import DAY_NS, SECOND_NS, Model
from data.demo.world import Call


class TokenPrices(NamedTuple):
    """USD a token, by the lines providers bill: input is uncached input."""

    input: Decimal
    cache_read: Decimal
    cache_write: Decimal
    output: Decimal


class Tokens(NamedTuple):
    """Billed tokens by line; input is uncached input."""

    input: int
    cache_read: int
    cache_write: int
    output: int


@lru_cache(maxsize=10_000)
def token_prices(model: Model, day_number: int) -> TokenPrices:
    """Prices on a day counted from the epoch; asked for 1,000 tokens, below every context tier."""
    at = dt.datetime(1970, 1, 1, 12, tzinfo=dt.UTC) + dt.timedelta(days=day_number)

    def price(usage: Usage) -> Decimal:
        found = calc_price(
            usage, model_ref=model.snapshot, provider_id=model.provider, genai_request_timestamp=at
        )
        return found.total_price / 1000

    return TokenPrices(
        input=price(Usage(input_tokens=1000)),
        cache_read=price(Usage(input_tokens=1000, cache_read_tokens=1000)),
        cache_write=price(Usage(input_tokens=1000, cache_write_tokens=1000)),
        output=price(Usage(output_tokens=1000)),
    )


def billed_tokens(call: Call) -> Tokens:
    """Tokens of one billed request of a call; zero for a call no provider answered."""
    fresh = call.input_tokens - call.cache_read_tokens - call.cache_write_tokens
    return Tokens(fresh, call.cache_read_tokens, call.cache_write_tokens, call.output_tokens)


def amounts(tokens: Tokens, prices: TokenPrices) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """USD by line, unrounded."""
    return (
        tokens.input * prices.input,
        tokens.cache_read * prices.cache_read,
        tokens.cache_write * prices.cache_write,
        tokens.output * prices.output,
    )


BOOKING_NS = 20 * 60 * SECOND_NS
"""Providers book a request some minutes after it was answered, so days of the bill and of the traces differ."""


def billing_day(call: Call) -> int:
    """Days since the epoch on which the provider books the call; the delay is fixed by the request's id."""
    last = call.sends[-1]
    return (last.end_ns + int(last.request_id[:8], 16) * BOOKING_NS // 2**32) // DAY_NS


def call_usd(call: Call) -> Decimal:
    """USD of one billed request of the call."""
    return sum(amounts(billed_tokens(call), token_prices(call.model, billing_day(call))), Decimal(0))


def money(amount: Decimal) -> str:
    """Plain decimal text without exponent or trailing zeros."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") or "0" if "." in text else text
