"""Providers and regions in host names."""

from __future__ import annotations

import pytest

from core.ingest.otlp.hosts import provider_of_host, region_of_host


@pytest.mark.parametrize(
    ("host", "provider", "region"),
    [
        ("api.openai.com", "openai", None),
        ("API.Anthropic.com", "anthropic", None),
        ("bedrock-runtime.us-west-2.amazonaws.com", "aws.bedrock", "us-west-2"),
        ("bedrock-runtime-fips.us-east-1.amazonaws.com", "aws.bedrock", "us-east-1"),
        ("europe-west4-aiplatform.googleapis.com", "gcp.vertex_ai", "europe-west4"),
        ("aiplatform.googleapis.com", "gcp.vertex_ai", None),
        ("contoso.openai.azure.com", "azure.ai.openai", None),
        ("m.eastus2.models.ai.azure.com", "azure.ai.inference", "eastus2"),
        ("us-south.ml.cloud.ibm.com", "ibm.watsonx.ai", "us-south"),
        ("notapi.openai.com.evil.example", None, None),
        ("evilapi.openai.com", None, None),
        ("127.0.0.1", None, None),
        ("", None, None),
    ],
)
def test_host(host: str, provider: str | None, region: str | None) -> None:
    assert provider_of_host(host) == provider
    assert region_of_host(host) == region
