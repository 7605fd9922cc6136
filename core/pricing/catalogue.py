"""The bundled price catalogue (genai-prices): which entry prices a call, and its rates as whole numbers.

Traps closed here: the package prices at today's date when no time is given; an unknown tier, or batch where
the catalogue has no batch price, is silently priced as standard; a model listed without prices costs 0;
provider names are matched by substring. Each is answered with a sentence that says why there is no price.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from genai_prices import data_snapshot, types

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SCALE = 24
"""Rates are in 1e-24 USD, so that a price per million tokens with 18 decimals stays a whole number."""

PROVIDERS = {
    "azure.ai.openai": "azure",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "az.ai.inference": "azure",
    "azure_openai": "azure",
    "aws.bedrock": "aws",
    "aws_bedrock": "aws",
    "bedrock": "aws",
    "gcp.vertex_ai": "google",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "vertex_ai": "google",
    "gemini": "google",
    "google_genai": "google",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "x_ai": "x-ai",
    "xai": "x-ai",
    "moonshot_ai": "moonshotai",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
}
"""gen_ai.provider.name and the older gen_ai.system values that differ from the catalogue's provider id."""

STANDARD_TIERS = frozenset({"", "default", "standard", "auto", "standard_only", "on_demand"})


class Question(NamedTuple):
    """Everything but the token counts that decides a price. day counts UTC days since the epoch."""

    provider: str | None
    model: str | None
    day: int
    tier: str | None
    batch: bool | None

    def standing(self) -> tuple[str, bool]:
        """The tier, "default" when standard, and whether it is batch: Anthropic says batch as a tier."""
        tier = (self.tier or "").strip().lower()
        batch = bool(self.batch) or tier == "batch"
        return ("default" if tier in STANDARD_TIERS or tier == "batch" else tier), batch


class Entry(NamedTuple):
    """A catalogue entry at one time. by_clock: its price changes within the day, so rates cannot be kept."""

    model: types.ModelInfo
    provider: types.Provider
    prices: types.ModelPrice
    context: dict[str, str]
    by_clock: bool

    @property
    def name(self) -> str:
        return f"{self.provider.id}/{self.model.id}"


class Band(NamedTuple):
    """Rates of one context tier in 1e-24 USD: five per token, one per call."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    reasoning: int
    per_call: int


class Rates(NamedTuple):
    """starts[i] is the input size above which bands[i + 1] holds; a tier reprices every token of the call."""

    starts: tuple[int, ...]
    bands: tuple[Band, ...]
    prices_output: bool
    source: str
    note: str


def provider_id(provider: str | None) -> str | None:
    """The catalogue's id of a gen_ai provider name; a name without a mapping is returned in lower case."""
    if provider is None:
        return None
    name = provider.strip().lower()
    return PROVIDERS.get(name, name)


def find(question: Question, at: datetime | None = None) -> Entry | str:
    """The entry that prices a call on the question's day, or at the exact time `at`; or why there is none."""
    if not question.model:
        return "The call names no model."
    wanted = provider_id(question.provider)
    if wanted is not None and wanted not in _provider_ids():
        # the package would match by substring: "my-openai-proxy" must not become openai
        return f"The catalogue has no provider {question.provider!r}; state a price in a [[model]] override."
    try:
        provider, model = data_snapshot.get_snapshot().find_provider_model(question.model, None, wanted, None)
    except LookupError:
        return f"The catalogue has no model {question.model!r} of {question.provider}."
    tier, batch = question.standing()
    context = ({} if tier == "default" else {"service_tier": tier}) | (
        {"processing": "batch"} if batch else {}
    )
    moment = at or EPOCH + timedelta(days=question.day)
    missing = _missing_variant(model, provider, context, moment)
    if missing:
        return missing
    prices = model.get_prices(moment, context)
    if prices.input_mtok is None:
        return f"The catalogue lists {provider.id}/{model.id} without a price for input tokens."
    return Entry(model, provider, prices, context, _by_clock(model))


@cache
def _provider_ids() -> frozenset[str]:
    return frozenset(provider.id for provider in data_snapshot.get_snapshot().providers)


def _missing_variant(
    model: types.ModelInfo, provider: types.Provider, context: dict[str, str], moment: datetime
) -> str:
    """Why the catalogue cannot price this tier; the package itself would answer with the standard price."""
    own = any(model is listed for listed in provider.models)  # borrowed models lose their variants
    for key, value in context.items():
        offered = any(
            variant.when.get(key) == value
            and all(context.get(other) == wanted for other, wanted in variant.when.items())
            and (variant.constraint is None or variant.constraint.active(moment))
            for variant in model.price_variants or ()
        )
        if not (own and offered):
            return (
                f"The catalogue has no price of {provider.id}/{model.id} for {key} {value!r} on "
                f"{moment:%Y-%m-%d}; state one in a [[model]] override."
            )
    return ""


def _by_clock(model: types.ModelInfo) -> bool:
    """Whether any price of the model depends on the time of day."""
    listed = model.prices if isinstance(model.prices, list) else []
    constraints = [p.constraint for p in listed] + [v.constraint for v in model.price_variants or ()]
    return any(isinstance(constraint, types.TimeOfDateConstraint) for constraint in constraints)


def rates(entry: Entry) -> Rates | None:
    """Rates per context tier; None when a price is too fine for SCALE or depends on the clock.

    A kind of token without its own price costs what its parent does: cache as input, reasoning as output.
    """
    if entry.by_clock:
        return None
    prices = entry.prices
    output = prices.output_mtok
    kinds = (
        prices.input_mtok,
        output,
        prices.input_mtok if prices.cache_read_mtok is None else prices.cache_read_mtok,
        prices.input_mtok if prices.cache_write_mtok is None else prices.cache_write_mtok,
        output if prices.output_reasoning_mtok is None else prices.output_reasoning_mtok,
    )
    tiered = [kind for kind in kinds if isinstance(kind, types.TieredPrices)]
    starts = tuple(sorted({tier.start for kind in tiered for tier in kind.tiers}))
    bands: list[Band] = []
    for input_tokens in (0, *(start + 1 for start in starts)):
        exact = [_rate(kind, input_tokens, 6) for kind in kinds] + [_rate(prices.requests_kcount, 0, 3)]
        if any(rate != rate.to_integral_value() for rate in exact):
            return None
        bands.append(Band._make(int(rate) for rate in exact))
    return Rates(starts, tuple(bands), output is not None, "catalogue", entry.name)


def _rate(usd: Decimal | types.TieredPrices | None, input_tokens: int, per: int) -> Decimal:
    """The rate of one unit for a call with so many input tokens, from USD per 10**per units."""
    if usd is None:
        return Decimal(0)
    if isinstance(usd, types.TieredPrices):
        reached = [tier.price for tier in usd.tiers if input_tokens > tier.start]
        usd = reached[-1] if reached else usd.base
    return usd.scaleb(SCALE - per)
