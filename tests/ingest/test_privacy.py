"""What is dropped: secrets and persons always, content unless asked for, queries of URLs everywhere."""

from __future__ import annotations

import pytest

from core.ingest.privacy import is_content, is_person, is_secret, kept, kept_attributes


@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.headers",
        "llm.headers",
        "ai.request.headers.authorization",
        "http.request.header.authorization",
        "http.request.header.cookie",
        "http.request.header.x-api-key",
        "http.response.header.set-cookie",
        "llm.api_key",
        "db.password",
        "process.command_args",
        "public_key",
    ],
)
def test_secrets(key: str) -> None:
    assert is_secret(key)
    assert kept_attributes({key: "x"}, capture_content=True) == {}


@pytest.mark.parametrize(
    "key",
    [
        "http.response.header.retry-after",
        "http.response.header.x-ratelimit-remaining-tokens",
        "http.request.header.x-stainless-retry-count",
        "http.response.header.openai-processing-ms",
        "gen_ai.usage.input_tokens",
        "llm.token_count.prompt",
        "gen_ai.prompt.name",
        "ai.usage.totalTokens",
        "error.type",
        "service.name",
    ],
)
def test_kept(key: str) -> None:
    assert not is_secret(key)
    assert not is_content(key)
    assert not is_person(key)


@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "gen_ai.prompt.0.content",
        "gen_ai.completion.0.content",
        "gen_ai.tool.call.arguments",
        "gen_ai.retrieval.documents",
        "llm.input_messages.0.message.content",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments",
        "input.value",
        "output.value",
        "traceloop.entity.input",
        "ai.prompt",
        "ai.prompt.messages",
        "ai.response.text",
        "ai.toolCall.result",
        "langfuse.observation.input",
        "retrieval.documents.0.document.content",
        "embedding.embeddings.0.embedding.text",
        "exception.message",
        "exception.stacktrace",
        "url.query",
        "db.query.text",
    ],
)
def test_content(key: str) -> None:
    assert kept_attributes({key: "x"}, capture_content=False) == {}
    assert kept_attributes({key: "x"}, capture_content=True) == {key: "x"}


@pytest.mark.parametrize(
    "key", ["user.id", "user.email", "enduser.id", "app.user_id", "ai.telemetry.metadata.userId"]
)
def test_persons(key: str) -> None:
    assert is_person(key)
    assert kept_attributes({key: "x"}, capture_content=True) == {}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://api.example/v1/x?key=secret&a=1", "https://api.example/v1/x"),
        ("https://u:p@api.example/v1/x#top", "https://api.example/v1/x"),
        (
            "see https://u:p@a.example and https://b.example/?q=1 now",
            "see https://a.example and https://b.example/ now",
        ),
        ("what is 1+1?", "what is 1+1?"),
        (["https://a.example/?k=1"], ["https://a.example/"]),
        ({"user.id": "u", "link": "https://a.example/?k=1"}, {"link": "https://a.example/"}),
    ],
)
def test_queries_and_logins_of_urls_are_removed(value: object, expected: object) -> None:
    assert kept(value, capture_content=True) == expected


def test_long_unknown_text_is_prose_and_is_cut() -> None:
    prose = "x" * 1_001
    assert kept(prose, capture_content=False) == "x" * 200 + "... (cut, 1,001 characters)"
    assert kept(prose, capture_content=True) == prose
    assert kept("x" * 1_000, capture_content=False) == "x" * 1_000
