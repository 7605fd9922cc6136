"""Names that traces and bills must agree on: providers that sell models, and model families."""

from __future__ import annotations

import re

_DATED = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8}|latest)(-v\d+(:\d+)?)?$|-v\d+(:\d+)?$")
_PREFIX = re.compile(
    r"^(?:[a-z0-9_]+/)+|^(?:(?:us|eu|apac|global)\.)?(?:anthropic|meta|amazon|mistral|cohere)\."
)


GEN_AI_PROVIDERS = frozenset(
    (
        "anthropic", "aws.bedrock", "azure.ai.inference", "azure.ai.openai", "cohere", "deepseek", "gcp.gemini",
        "gcp.gen_ai", "gcp.vertex_ai", "groq", "ibm.watsonx.ai", "mistral_ai", "moonshot_ai", "openai", "openrouter",
        "perplexity", "x_ai",
    )
)  # fmt: skip
"""gen_ai.provider.name values: what such a provider bills is model use, also where a line does not say which model."""


def family(model: str) -> str:
    """The name without provider prefix and snapshot date: an alias and its snapshot are one family.

    >>> family("gpt-4o-mini-2024-07-18"), family("us.anthropic.claude-3-haiku-20240307-v1:0")
    ('gpt-4o-mini', 'claude-3-haiku')
    """
    return _DATED.sub("", _PREFIX.sub("", model.lower()))
