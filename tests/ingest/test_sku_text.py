"""Wording of bills: what is read from it, and what is not guessed."""

from __future__ import annotations

import pytest

from core.ingest.bills import sku_text


@pytest.mark.parametrize(
    ("text", "model", "token_type"),
    [
        ("gpt-4o-mini-2024-07-18, cached input", "gpt-4o-mini-2024-07-18", "cache_read"),
        ("gpt-4o-mini-input-tokens", "gpt-4o-mini", "input"),
        ("GPT-5 Mini Output", "gpt-5-mini", "output"),
        ("o3-mini-2025-01-31 output", "o3-mini-2025-01-31", "output"),
        ("Gemini 2.5 Pro Text Input Caching", "gemini-2.5-pro", "cache_read"),
        ("Gemini 2.5 Flash Caching Storage", "gemini-2.5-flash", None),
        ("Claude Sonnet 4.5 - Cache Write Tokens", "claude-sonnet-4-5", "cache_write"),
        ("claude-sonnet-4-5-20250929 output", "claude-sonnet-4-5-20250929", "output"),
        ("CacheReadInputTokenCount", None, "cache_read"),
        ("deepseek-reasoner reasoning tokens", "deepseek-reasoner", "reasoning"),
        ("web search tool calls | gpt-4o", "gpt-4o", "tool"),
        ("text-embedding-3-small", "text-embedding-3-small", None),  # the name's own words say nothing
        ("input and output tokens", None, "mixed"),
        ("$0.008 per used load balancer capacity unit-hour", None, None),
    ],
)
def test_model_and_kind_of_token(text: str, model: str | None, token_type: str | None) -> None:
    said = sku_text.read(text)
    assert (said.model, said.token_type) == (model, token_type)


def test_tier_and_batch_are_said_or_unknown() -> None:
    assert sku_text.read("gpt-5 flex input")[2:] == ("flex", None)
    assert sku_text.read("gpt-4o, batch")[2:] == (None, True)
    assert sku_text.read("gpt-4o, input")[2:] == (None, None)


@pytest.mark.parametrize(
    ("unit", "tokens"),
    [
        ("Tokens", 1),
        ("1K tokens", 1_000),
        ("1000_tokens", 1_000),
        ("1M Tokens", 1_000_000),
        ("per 1 million tokens", 1_000_000),
        ("Hours", None),
        ("1M", None),
        (None, None),
    ],
)
def test_tokens_of_a_unit(unit: str | None, tokens: int | None) -> None:
    assert sku_text.tokens_per_unit(unit) == tokens
