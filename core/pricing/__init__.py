"""What a call should have cost: public list prices at the call's own date, or the user's own prices.

`PriceBook` is what the ledger uses: it remembers the rates of a (provider, model, day, tier, batch) and multiplies whole
numbers. `price` is its reference, which lets genai-prices compute each call; both agree to the last digit
(tests/pricing/test_pricing.py). Nothing is fetched: the package holds the prices.

overrides.py: the user's TOML, asked first. catalogue.py: the package's entry for a call, and its traps.
billability.py: whether a provider bills a call that failed.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import genai_prices
from genai_prices import types

from core.pricing import catalogue
from core.pricing.catalogue import Band, Question, Rates
from core.pricing.overrides import NO_OVERRIDES, ModelOverride, Overrides
from core.pricing.overrides import load as load_overrides

DAY_NS = 86_400_000_000_000


class Usage(NamedTuple):
    """Tokens of one call: input includes cache reads and writes, output includes reasoning. None: unreported.

    Unreported cache or reasoning counts are priced as if there were none, at the full input or output price.
    Cache writes are priced at the short (5 minute) rate: spans do not tell how long an entry was kept.
    """

    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class Priced(NamedTuple):
    """An expected cost. source: override or catalogue; note names the catalogue entry or the override."""

    usd: Decimal
    source: str
    note: str


class Unpriced(NamedTuple):
    """No cost can be stated. reason: usage_unknown or unknown_model, as attempts.price_source; note: why."""

    reason: str
    note: str = ""


def catalogue_version(overrides: Overrides = NO_OVERRIDES) -> str:
    """What to store beside an estimate so that it can be made again."""
    version = f"genai-prices {genai_prices.__version__}"
    return f"{version} + overrides {overrides.digest}" if overrides.digest else version


def usage_problem(usage: Usage) -> Unpriced | None:
    """Why a usage cannot be priced: input unknown, or counts that contradict each other, with the sum."""
    input_tokens, output_tokens, read, write, reasoning = usage
    if input_tokens is None:
        return Unpriced("usage_unknown", "The call reported no input tokens.")
    read, write, reasoning = read or 0, write or 0, reasoning or 0
    if input_tokens < 0 or (output_tokens or 0) < 0 or read < 0 or write < 0 or reasoning < 0:
        name, tokens = min(usage._asdict().items(), key=lambda item: item[1] or 0)
        return Unpriced("usage_unknown", f"Impossible usage: {name} is {tokens}.")
    if read + write > input_tokens:
        return Unpriced(
            "usage_unknown",
            f"Impossible usage: cache_read_tokens {read} + cache_write_tokens {write} = {read + write} "
            f"exceeds input_tokens {input_tokens}, which includes both.",
        )
    if output_tokens is not None and reasoning > output_tokens:
        return Unpriced(
            "usage_unknown",
            f"Impossible usage: reasoning_tokens {reasoning} exceeds output_tokens {output_tokens}.",
        )
    return None


def price(
    usage: Usage,
    provider: str | None,
    model: str | None,
    at_ns: int,
    tier: str | None = None,
    batch: bool | None = None,
    overrides: Overrides = NO_OVERRIDES,
) -> Priced | Unpriced:
    """Expected cost of one call in USD at its own UTC time, computed by the package itself.

    The reference for PriceBook; about a hundred times slower.
    """
    problem = usage_problem(usage)
    if problem is not None:
        return problem
    question = Question(provider, model, at_ns // DAY_NS, tier, batch)
    override = _override(overrides, question)
    if override is not None:
        return _multiply(_override_rates(override), usage)
    return _ask_package(question, usage, at_ns)


class PriceBook:
    """Prices many calls: rates are looked up once per provider, model, day, tier and batch, then multiplied.

    Results equal `price` exactly. Models whose price changes within the day go to the package.
    """

    def __init__(self, overrides: Overrides | Path | None = None) -> None:
        """`overrides` may be loaded already or a path; raises BadOverrides when the file cannot be used."""
        self.overrides = overrides if isinstance(overrides, Overrides) else load_overrides(overrides)
        self.version = catalogue_version(self.overrides)
        self._kept: dict[Question, Rates | Unpriced | None] = {}

    def price(
        self,
        usage: Usage,
        provider: str | None,
        model: str | None,
        at_ns: int,
        tier: str | None = None,
        batch: bool | None = None,
    ) -> Priced | Unpriced:
        """Expected cost of one call in USD at its own UTC time (ns since the epoch).

        tier is the provider's service tier, batch whether the call came through the batch API.
        """
        problem = usage_problem(usage)
        if problem is not None:
            return problem
        key = (provider, model, at_ns // DAY_NS, tier, batch)
        if key not in self._kept:
            self._kept[Question(*key)] = self._look_up(Question(*key))
        known = self._kept[key]  # type: ignore[index]  # a Question equals its tuple and is slower to build
        if known is None:
            return _ask_package(Question(*key), usage, at_ns)
        return known if isinstance(known, Unpriced) else _multiply(known, usage)

    def _look_up(self, question: Question) -> Rates | Unpriced | None:
        override = _override(self.overrides, question)
        if override is not None:
            return _override_rates(override)
        entry = catalogue.find(question)
        if isinstance(entry, str):
            return Unpriced("unknown_model", entry)
        return catalogue.rates(entry)


def _override(overrides: Overrides, question: Question) -> ModelOverride | None:
    if not overrides.models or not question.model:
        return None
    names = ((question.provider or "").strip().lower(), catalogue.provider_id(question.provider) or "")
    return overrides.model(names, question.model, question.day, *question.standing())


def _output_problem(prices_output: bool, usage: Usage, name: str) -> Unpriced | None:
    """Embeddings report no output and have no output price; every other model must have both."""
    if prices_output and usage.output_tokens is None:
        return Unpriced("usage_unknown", "The call reported no output tokens.")
    if not prices_output and usage.output_tokens:
        return Unpriced("unknown_model", f"The catalogue lists {name} without a price for output tokens.")
    return None


def _ask_package(question: Question, usage: Usage, at_ns: int) -> Priced | Unpriced:
    moment = catalogue.EPOCH + timedelta(microseconds=at_ns // 1000)
    entry = catalogue.find(question, moment)
    if isinstance(entry, str):
        return Unpriced("unknown_model", entry)
    problem = _output_problem(entry.prices.output_mtok is not None, usage, entry.name)
    if problem is not None:
        return problem
    counts = types.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
    )
    cost = entry.model.calc_price(
        counts, entry.provider, genai_request_timestamp=moment, price_context=entry.context
    )
    return Priced(cost.total_price, "catalogue", entry.name)


def _multiply(rates: Rates, usage: Usage) -> Priced | Unpriced:
    if usage.output_tokens is None or not rates.prices_output:
        problem = _output_problem(rates.prices_output, usage, rates.note)
        if problem is not None:
            return problem
    input_tokens, output_tokens = usage.input_tokens or 0, usage.output_tokens or 0
    read, write = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
    reasoning = usage.reasoning_tokens or 0
    band = rates.bands[bisect_left(rates.starts, input_tokens)]
    total = (
        (input_tokens - read - write) * band.input
        + read * band.cache_read
        + write * band.cache_write
        + (output_tokens - reasoning) * band.output
        + reasoning * band.reasoning
        + band.per_call
    )
    return Priced(Decimal(total).scaleb(-catalogue.SCALE), rates.source, rates.note)


def _override_rates(entry: ModelOverride) -> Rates:
    per_mtok = (entry.input, entry.output, entry.cache_read, entry.cache_write, entry.output)
    per_token = [int(usd.scaleb(catalogue.SCALE - 6)) for usd in per_mtok]
    per_call = int(entry.per_request_usd.scaleb(catalogue.SCALE))
    name = f"override {entry.provider}/{entry.model}"
    return Rates((), (Band._make([*per_token, per_call]),), True, "override", name)
