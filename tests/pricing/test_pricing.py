"""Prices: one value worked out by hand, then the two ways of computing against each other."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices import data_snapshot
from genai_prices.types import TieredPrices, TimeOfDateConstraint
from hypothesis import given, settings
from hypothesis import strategies as st

from core.pricing import DAY_NS, PriceBook, Priced, Unpriced, Usage, catalogue_version, price
from core.pricing import overrides as price_overrides
from core.pricing.overrides import BadOverrides

MTOK = Decimal(1_000_000)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


NOVEMBER = at("2026-11-20T12:00:00")


def usd(priced: Priced | Unpriced) -> Decimal:
    assert isinstance(priced, Priced), priced
    return priced.usd


def test_reference_value_of_a_cached_call() -> None:
    """gpt-4o-mini, list price 0.15 / 0.075 cached / 0.60 USD per million tokens (openai.com/api/pricing).

    (1180 - 1024) x 0.15 + 1024 x 0.075 + 96 x 0.60 = 23.4 + 76.8 + 57.6 = 157.8 -> / 1e6 = 0.0001578 USD
    """
    usage = Usage(input_tokens=1180, output_tokens=96, cache_read_tokens=1024)
    by_hand = ((1180 - 1024) * Decimal("0.15") + 1024 * Decimal("0.075") + 96 * Decimal("0.60")) / MTOK
    assert by_hand == Decimal("0.0001578")
    assert usd(price(usage, "openai", "gpt-4o-mini-2024-07-18", NOVEMBER)) == by_hand
    assert usd(PriceBook().price(usage, "openai", "gpt-4o-mini-2024-07-18", NOVEMBER)) == by_hand


def test_batch_is_half_the_price_where_the_catalogue_knows_it() -> None:
    """gpt-4o-mini batch: 0.075 in, 0.30 out from 2026-10-14. 1000 x 0.075 + 100 x 0.30 = 105 -> 0.000105 USD."""
    book, usage = PriceBook(), Usage(1000, 100)
    assert usd(book.price(usage, "openai", "gpt-4o-mini", NOVEMBER, None, True)) == Decimal("0.000105")
    assert usd(book.price(usage, "openai", "gpt-4o-mini", NOVEMBER, "batch")) == Decimal("0.000105")
    standard = 1000 * Decimal("0.15") + 100 * Decimal("0.60")
    assert usd(book.price(usage, "openai", "gpt-4o-mini", NOVEMBER, "default", False)) == standard / MTOK


@pytest.mark.parametrize(
    ("tier", "batch", "at_ns", "said"),
    [
        ("scale", None, NOVEMBER, "service_tier 'scale'"),
        # the batch price is in the catalogue from 2026-10-14 on; before, the package would say standard
        (None, True, at("2026-10-13T23:59:59"), "processing 'batch' on 2026-10-13"),
    ],
)
def test_a_tier_the_catalogue_does_not_know_is_not_the_standard_price(
    tier: str | None, batch: bool | None, at_ns: int, said: str
) -> None:
    answer = PriceBook().price(Usage(1000, 100), "openai", "gpt-4o-mini", at_ns, tier, batch)
    assert isinstance(answer, Unpriced)
    assert answer.reason == "unknown_model"
    assert said in answer.note


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("openai", None),
        ("my-openai-proxy", "gpt-4o-mini"),  # the package matches providers by substring
        ("github-copilot", "gpt-4o"),  # listed without prices: the package says 0
    ],
)
def test_what_the_catalogue_does_not_price_is_unpriced_and_never_zero(
    provider: str, model: str | None
) -> None:
    answer = PriceBook().price(Usage(1000, 100), provider, model, NOVEMBER)
    assert isinstance(answer, Unpriced)
    assert answer.reason == "unknown_model"


def test_unknown_usage_is_not_a_free_call() -> None:
    book = PriceBook()
    for usage in (Usage(None, None), Usage(None, 5), Usage(10, None)):
        answer = book.price(usage, "openai", "gpt-4o-mini", NOVEMBER)
        assert isinstance(answer, Unpriced)
        assert answer.reason == "usage_unknown"


def test_an_embedding_has_no_output_tokens_and_still_a_price() -> None:
    """text-embedding-3-small: 0.02 USD per million input tokens. 16 x 0.02 / 1e6 = 0.00000032 USD."""
    priced = PriceBook().price(Usage(16, None), "openai", "text-embedding-3-small", NOVEMBER)
    assert usd(priced) == Decimal("0.00000032")


@pytest.mark.parametrize(
    ("usage", "said"),
    [
        (
            Usage(100, 5, 80, 30),
            "cache_read_tokens 80 + cache_write_tokens 30 = 110 exceeds input_tokens 100",
        ),
        (Usage(100, 5, reasoning_tokens=6), "reasoning_tokens 6 exceeds output_tokens 5"),
        (Usage(100, -5), "output_tokens is -5"),
    ],
)
def test_impossible_usage_is_refused_with_its_arithmetic(usage: Usage, said: str) -> None:
    for answer in (
        PriceBook().price(usage, "openai", "gpt-4o", NOVEMBER),
        price(usage, "openai", "gpt-4o", NOVEMBER),
    ):
        assert isinstance(answer, Unpriced)
        assert said in answer.note


def test_provider_names_of_the_conventions_reach_the_catalogue() -> None:
    book, usage = PriceBook(), Usage(1000, 100)
    named = {
        "azure.ai.openai": "gpt-4o-mini",
        "anthropic": "claude-sonnet-4-5-20250929",
        "aws.bedrock": "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "gcp.vertex_ai": "gemini-2.5-flash",
        "gcp.gemini": "gemini-2.5-flash",
        "mistral_ai": "mistral-large-latest",
        "x_ai": "grok-4",
    }
    for provider, model in named.items():
        assert usd(book.price(usage, provider, model, NOVEMBER)) > 0, provider


def _catalogue_models(kind: str) -> list[tuple[str, str]]:
    """(provider, model) pairs of the catalogue whose price is tiered, by the clock, or every 40th of all."""
    found = []
    for provider in data_snapshot.get_snapshot().providers:
        for n, model in enumerate(provider.models):
            listed = model.prices if isinstance(model.prices, list) else []
            prices = [p.prices for p in listed] or [model.prices]
            wanted = {
                "tiered": any(isinstance(v, TieredPrices) for p in prices for v in vars(p).values()),
                "clock": any(isinstance(p.constraint, TimeOfDateConstraint) for p in listed),
                "any": n % 40 == 0,
            }
            # some entries are families whose own id is not a model's name
            if wanted[kind] and provider.find_model(model.id) is not None:
                found.append((provider.id, model.id))
    return found


BOOK = PriceBook()
MODELS = _catalogue_models("tiered") + _catalogue_models("clock") + _catalogue_models("any")
sizes = st.one_of(st.integers(0, 2_000), st.integers(90_000, 1_100_000))


@st.composite
def possible_usages(draw: st.DrawFn) -> Usage:
    """Counts that agree with each other: cache within input, reasoning within output; some not reported."""
    input_tokens, output_tokens = draw(sizes), draw(sizes)
    read = draw(st.none() | st.integers(0, input_tokens))
    write = draw(st.none() | st.integers(0, input_tokens - (read or 0)))
    return Usage(input_tokens, output_tokens, read, write, draw(st.none() | st.integers(0, output_tokens)))


def agree(
    usage: Usage, model: tuple[str, str], at_ns: int, tier: str | None, batch: bool | None
) -> Priced | Unpriced:
    """The kept rates' answer, after comparing it with the package's and with itself."""
    kept = BOOK.price(usage, *model, at_ns, tier, batch)
    assert kept == price(usage, *model, at_ns, tier, batch)
    assert kept == BOOK.price(usage, *model, at_ns, tier, batch), "the second answer differs from the first"
    return kept


moments = st.integers(at("2024-01-01T00:00:00"), at("2026-12-31T00:00:00"))


@settings(max_examples=300, deadline=None)
@given(possible_usages(), st.sampled_from(MODELS), moments)
def test_the_kept_rates_give_what_the_package_gives(usage: Usage, model: tuple[str, str], at_ns: int) -> None:
    answer = agree(usage, model, at_ns, None, None)
    assert isinstance(answer, Priced) or "without a price" in answer.note


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(*[st.none() | sizes] * 5),
    st.sampled_from(MODELS),
    moments,
    st.sampled_from([None, "default", "flex", "priority", "batch", "scale"]),
    st.sampled_from([None, False, True]),
)
def test_they_also_agree_on_tiers_and_on_what_has_no_price(
    tokens: tuple[int | None, ...], model: tuple[str, str], at_ns: int, tier: str | None, batch: bool | None
) -> None:
    agree(Usage(*tokens), model, at_ns, tier, batch)


def test_they_agree_on_every_tier_of_every_model_that_has_tiers() -> None:
    """Each service tier and the batch price the catalogue knows in November 2026."""
    usage, priced = Usage(5_000, 700, 3_000, 500, 200), 0
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models:
            tiers = {v.when["service_tier"] for v in model.price_variants or () if "service_tier" in v.when}
            for tier in sorted(tiers):
                priced += isinstance(agree(usage, (provider.id, model.id), NOVEMBER, tier, False), Priced)
            if any("processing" in v.when for v in model.price_variants or ()):
                priced += isinstance(agree(usage, (provider.id, model.id), NOVEMBER, None, True), Priced)
    assert priced > 100


@pytest.mark.parametrize("input_tokens", [199_999, 200_000, 200_001])
def test_a_context_tier_begins_above_its_threshold_and_reprices_every_token(input_tokens: int) -> None:
    """gemini-2.5-pro: 1.25 in, 10 out; above 200,000 input tokens 2.50 in, 15 out, for all tokens of the call."""
    rate_in, rate_out = ("1.25", "10") if input_tokens <= 200_000 else ("2.5", "15")
    by_hand = (input_tokens * Decimal(rate_in) + 1000 * Decimal(rate_out)) / MTOK
    assert usd(BOOK.price(Usage(input_tokens, 1000), "gcp.gemini", "gemini-2.5-pro", NOVEMBER)) == by_hand


OVERRIDES = """
[[model]]
provider = "openai"
model = "gpt-4o-mini*"
valid_from = 2026-10-01
valid_to = 2026-11-01
input = 0.10
output = 0.40
cache_read = 0.05

[[model]]
provider = "openai"
model = "gpt-4o-mini*"
valid_from = 2026-11-01
input = 0.12
output = 0.5
per_request_usd = 0.001

[[model]]
provider = "*"
model = "house-*"
input = 1
output = 2
batch = true

[[tool]]
name = "web_*"
per_call_usd = 0.002
"""


@pytest.fixture
def overridden(tmp_path: Path) -> PriceBook:
    path = tmp_path / "prices.toml"
    path.write_text(OVERRIDES)
    return PriceBook(path)


def test_an_override_holds_from_its_first_day_to_the_day_before_its_last(overridden: PriceBook) -> None:
    """1000 in of which 400 cached, 100 out.

    October: 600 x 0.10 + 400 x 0.05 + 100 x 0.40 = 60 + 20 + 40 = 120 -> 0.000120
    November: cached at the input price: 1000 x 0.12 + 100 x 0.5 = 170 -> 0.000170, + 0.001 a call = 0.001170
    September: list price, 600 x 0.15 + 400 x 0.075 + 100 x 0.60 = 90 + 30 + 60 = 180 -> 0.000180
    """
    usage = Usage(1000, 100, 400)
    expected = {
        "2026-09-30T23:59:59": ("0.00018", "catalogue"),
        "2026-10-01T00:00:00": ("0.00012", "override"),
        "2026-10-31T23:59:59": ("0.00012", "override"),
        "2026-11-01T00:00:00": ("0.00117", "override"),
    }
    for when, (amount, source) in expected.items():
        answer = overridden.price(usage, "openai", "gpt-4o-mini-2024-07-18", at(when))
        assert isinstance(answer, Priced)
        assert (answer.usd, answer.source) == (Decimal(amount), source)
        assert answer == price(
            usage, "openai", "gpt-4o-mini-2024-07-18", at(when), overrides=overridden.overrides
        )


def test_an_override_speaks_only_for_its_tier_and_batch(overridden: PriceBook) -> None:
    """house-1 has a batch price only: 10 x 1 + 10 x 2 = 30 -> 0.00003 USD; its standard price is unknown."""
    usage = Usage(10, 10)
    assert usd(overridden.price(usage, "vllm", "house-1", NOVEMBER, None, True)) == Decimal("0.00003")
    assert isinstance(overridden.price(usage, "vllm", "house-1", NOVEMBER), Unpriced)


def test_a_tool_costs_what_the_user_says_and_nothing_else_is_known(overridden: PriceBook) -> None:
    entry = overridden.overrides.tool("Web_search", NOVEMBER // DAY_NS)
    assert entry is not None
    assert entry.per_call_usd == Decimal("0.002")
    assert overridden.overrides.tool("calculator", NOVEMBER // DAY_NS) is None


def test_the_version_tells_the_package_and_the_overrides(overridden: PriceBook) -> None:
    assert catalogue_version() == PriceBook().version
    assert overridden.version == f"{catalogue_version()} + overrides {overridden.overrides.digest}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[model]]\nmodel = "x"\ninput = 1\noutput = 2', "provider is None"),
        ('[[model]]\nprovider = "a"\nmodel = "x"\ninput = -1\noutput = 2', "input is -1"),
        (
            '[[model]]\nprovider = "a"\nmodel = "x"\ninput = 1\noutput = 2\nvalid_from = "2026"',
            "valid_from is",
        ),
        ('[[model]]\nprovider = "a"\nmodel = "x"\ninput = 1\noutput = 2\ncached = 1', "cached is not a key"),
        (
            '[[model]]\nprovider = "a"\nmodel = "x"\ninput = 0.0000000000001\noutput = 2',
            "at most 12 decimals",
        ),
        ('[[price]]\nmodel = "x"', "[[price]]"),
        ("[[model", "is not TOML"),
    ],
)
def test_a_bad_overrides_file_says_what_and_where(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(BadOverrides, match=r"prices\.toml") as refused:
        price_overrides.load(path)
    assert said in str(refused.value)
