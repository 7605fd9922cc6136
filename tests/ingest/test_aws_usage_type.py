"""AWS usage types: every spelling of Bedrock tokens, the names of models, and what is no token.

The spellings are those of AWS's price lists and of bills quoted in public code.
"""

from __future__ import annotations

import pytest

from core.ingest.bills import aws_usage_type
from core.ingest.bills.aws_usage_type import Meter
from core.reconcile.bills import family


@pytest.mark.parametrize(
    ("usage_type", "region", "model", "token_type", "tier", "batch"),
    [
        (
            "USE1-Claude4.5Sonnet-input-tokens-cross-region-global",
            "us-east-1",
            "claude-sonnet-4-5",
            "input",
            None,
            None,
        ),
        (
            "USE1-Claude4Sonnet-input-tokens-cross-region-global-batch",
            "us-east-1",
            "claude-sonnet-4",
            "input",
            None,
            True,
        ),
        (
            "EUC1-Claude4.6Opus-cache-read-input-token-count",
            "eu-central-1",
            "claude-opus-4-6",
            "cache_read",
            None,
            None,
        ),
        (
            "USW2-Claude4.5Sonnet-cache-write-input-token-count-1-hour",
            "us-west-2",
            "claude-sonnet-4-5",
            "cache_write",
            None,
            None,
        ),
        ("EU-Qwen3-VL-235B-A22B-output-tokens", "eu-west-1", "qwen3-vl-235b-a22b", "output", None, None),
        ("GPT-OSS-20B-input-tokens-flex", None, "gpt-oss-20b", "input", "flex", None),
        (
            "USE1-Nova2.0Pro-text-input-tokens-priority-cross-region-global",
            "us-east-1",
            "nova-2-pro",
            "input",
            "priority",
            None,
        ),
        (
            "USE1-TitanEmbeddingV2-Text-input-tokens",
            "us-east-1",
            "titanembeddingv2-text",
            "input",
            None,
            None,
        ),
        (
            "USW2-anthropic.claude-opus-4-8-mantle-cache-write-tokens-global-standard",
            "us-west-2",
            "anthropic.claude-opus-4-8",
            "cache_write",
            "default",
            None,
        ),
        (
            "USE1-openai.gpt-oss-120b-mantle-output-tokens-flex",
            "us-east-1",
            "openai.gpt-oss-120b",
            "output",
            "flex",
            None,
        ),
    ],
)
def test_a_usage_type_that_names_its_model(
    usage_type: str, region: str | None, model: str, token_type: str, tier: str | None, batch: bool | None
) -> None:
    assert aws_usage_type.read(usage_type) == Meter(region, model, token_type, tier, batch)


@pytest.mark.parametrize(
    ("usage_type", "token_type", "tier", "batch"),
    [
        ("USE1-MP:USE1_InputTokenCount-Units", "input", None, None),
        ("USE1-MP:USE1_OutputTokenCount_Global_Batch-Units", "output", None, True),
        ("USE1-MP:USE1_CacheReadInputTokenCount-Units", "cache_read", None, None),
        ("USE1-MP:USE1_CacheWrite1hInputTokenCount-Units", "cache_write", None, None),
        ("USE1-MP:USE1_output_tokens_global_standard-Units", "output", "default", None),
    ],
)
def test_a_marketplace_usage_type_names_no_model(
    usage_type: str, token_type: str, tier: str | None, batch: bool | None
) -> None:
    assert aws_usage_type.read(usage_type) == Meter("us-east-1", None, token_type, tier, batch, True)


@pytest.mark.parametrize(
    ("usage_type", "region"),
    [
        ("CAN1-MEC1-AWS-In-Bytes", "ca-central-1"),
        ("BoxUsage:m5.large", None),
        ("USE1-MP:USE1_search_units-Units", "us-east-1"),
        ("USE1-MP:USE1_ProvisionedThroughput_1MonthCommit-Units", "us-east-1"),
        ("USE1-BedrockKnowledgeBase-searchunits", "us-east-1"),
        ("USX9-Claude4Sonnet-T2I-Standard", None),
        ("", None),
    ],
)
def test_what_counts_no_tokens_gives_its_region_only(usage_type: str, region: str | None) -> None:
    assert aws_usage_type.read(usage_type) == Meter(region)


@pytest.mark.parametrize(
    ("billed", "traced"),
    [
        ("Claude4.5Sonnet", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("Claude Sonnet 4 (Amazon Bedrock Edition)", "anthropic.claude-sonnet-4-20250514-v1:0"),
        ("Claude3Haiku", "anthropic.claude-3-haiku-20240307-v1:0"),
        ("Claude 3.5 Sonnet v2 (Amazon Bedrock Edition)", "anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("Claude3.7Sonnet", "eu.anthropic.claude-3-7-sonnet-20250219-v1:0"),
        ("NovaLite", "amazon.nova-lite-v1:0"),
        ("Nova 2.0 Lite", "us.amazon.nova-2-lite-v1:0"),
        ("anthropic.claude-opus-4-8", "anthropic.claude-opus-4-8"),
    ],
)
def test_a_billed_name_meets_the_traced_one(billed: str, traced: str) -> None:
    """Model ids as in AWS's list of foundation models."""
    assert family(aws_usage_type.model_name(billed)) == family(traced)


def test_a_product_or_profile_that_hides_its_model_gives_none() -> None:
    arn = "arn:aws:bedrock:us-east-1:222222222222:"
    assert aws_usage_type.sold_model("Amazon Bedrock") is None
    assert aws_usage_type.sold_model("Claude Opus 4.1 (Amazon Bedrock Edition)") == "claude-opus-4-1"
    assert aws_usage_type.arn_model(arn + "application-inference-profile/abc123") is None
    assert (
        aws_usage_type.arn_model(arn + "inference-profile/us.amazon.nova-lite-v1:0")
        == "us.amazon.nova-lite-v1:0"
    )


@pytest.mark.parametrize(
    ("unit", "description", "is_marketplace", "tokens"),
    [
        ("1K tokens", None, False, 1_000),
        ("1M tokens", "AWS Marketplace software usage|us-east-1|Million Input Tokens", True, 1_000_000),
        ("Units", "AWS Marketplace software usage|us-east-1|Million Input Tokens", True, 1_000_000),
        ("Units", "Thousand Input Tokens", True, 1_000),
        ("Units", None, True, 1_000_000),
        (None, None, True, 1_000_000),
        (None, "$0.003 per 1K tokens", False, 1_000),
        (None, "$3 per 1,000,000 tokens", False, 1_000_000),
        (None, "Claude4.5Sonnet input", False, None),
        ("Units", None, False, None),
        ("Hours", None, True, None),
    ],
)
def test_tokens_in_a_billed_unit(
    unit: str | None, description: str | None, is_marketplace: bool, tokens: int | None
) -> None:
    meter = Meter(token_type="input", is_marketplace=is_marketplace)
    assert aws_usage_type.tokens_per_unit(unit, description, meter) == tokens
