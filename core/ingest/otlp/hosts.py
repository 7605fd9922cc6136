"""What a server's host name says: which provider answers there, and in which region.

No instrumentation reports the region that served a model; Bedrock, Vertex and Azure write it into the host.
"""

from __future__ import annotations

import re

PROVIDER_OF_HOST: tuple[tuple[str, str], ...] = (
    ("api.openai.com", "openai"),
    ("api.anthropic.com", "anthropic"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("openai.azure.com", "azure.ai.openai"),
    ("services.ai.azure.com", "azure.ai.inference"),
    ("models.ai.azure.com", "azure.ai.inference"),
    ("cognitiveservices.azure.com", "azure.ai.openai"),
    ("api.mistral.ai", "mistral_ai"),
    ("api.cohere.com", "cohere"),
    ("api.cohere.ai", "cohere"),
    ("api.groq.com", "groq"),
    ("api.deepseek.com", "deepseek"),
    ("api.x.ai", "x_ai"),
    ("api.perplexity.ai", "perplexity"),
    ("api.moonshot.ai", "moonshot_ai"),
    ("api.moonshot.cn", "moonshot_ai"),
    ("api.together.xyz", "together_ai"),
    ("api.fireworks.ai", "fireworks_ai"),
    ("openrouter.ai", "openrouter"),
    ("ml.cloud.ibm.com", "ibm.watsonx.ai"),
)
"""Ends of host names; a host matches when it is the end itself, or ends with it after a dot or a hyphen."""

_BEDROCK = re.compile(
    r"(?:^|\.)bedrock(?:-runtime|-agent-runtime)?(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com|api\.aws)"
)
_VERTEX = re.compile(r"^([a-z]+(?:-[a-z]+)+\d+)-aiplatform\.googleapis\.com$")
_AZURE = re.compile(
    r"(?:^|\.)([a-z]+[a-z0-9]*)\.(?:api\.cognitive\.microsoft\.com|models\.ai\.azure\.com|inference\.ai\.azure\.com)$"
)
_WATSON = re.compile(r"^([a-z]{2}-[a-z]+)\.ml\.cloud\.ibm\.com$")


def provider_of_host(host: str | None) -> str | None:
    """The provider that answers at a host, None for an unknown host (a gateway, a proxy, a test server)."""
    if not host:
        return None
    host = host.lower()
    if _BEDROCK.search(host):
        return "aws.bedrock"
    for end, provider in PROVIDER_OF_HOST:
        if host.endswith(end) and (len(host) == len(end) or host[-len(end) - 1] in ".-"):
            return provider
    return None


def region_of_host(host: str | None) -> str | None:
    """The cloud region in a host name of Bedrock, Vertex AI, Azure or watsonx; None when it carries none."""
    if not host:
        return None
    for pattern in (_BEDROCK, _VERTEX, _AZURE, _WATSON):
        found = pattern.search(host.lower())
        if found:
            return found.group(1)
    return None
