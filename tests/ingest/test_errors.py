"""Error classes: SDK exception names, HTTP statuses and messages as measured."""

from __future__ import annotations

import pytest

from core.ingest.errors import class_of_text, error_class_of

QUOTA = "Error code: 429 - You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    ("error_type", "http_status", "message", "expected"),
    [
        ("openai.RateLimitError", None, "Error code: 429 - Rate limit reached", "rate_limit"),
        ("openai.RateLimitError", None, QUOTA, "quota"),
        ("rate_limit_error", 429, "", "rate_limit"),
        ("overloaded_error", 200, "", "overloaded"),
        ("client_timeout_error", None, "", "timeout"),
        ("openai.APITimeoutError", None, "Request timed out.", "timeout"),
        ("ReadTimeout", None, "", "timeout"),
        ("openai.APIConnectionError", None, "Connection error.", "connection"),
        ("httpx.RemoteProtocolError", None, "peer closed connection", "connection"),
        ("connection_error", None, "", "connection"),
        ("SocketError", None, "other side closed", "connection"),
        ("openai.InternalServerError", None, "Error code: 500 - The server had an error", "server"),
        ("anthropic.InternalServerError", None, "Error code: 529 - overloaded", "overloaded"),
        ("server_error", None, "", "server"),
        ("openai.BadRequestError", None, "Error code: 400 - maximum context length", "bad_request"),
        ("invalid_request_error", 400, "", "bad_request"),
        ("openai.AuthenticationError", None, "Error code: 401", "auth"),
        ("openai.NotFoundError", None, "Error code: 404", "not_found"),
        ("AI_APICallError", None, "429 Rate limit reached", "rate_limit"),
        ("AI_RetryError", None, "Failed after 3 attempts. Last error: Rate limit reached", "rate_limit"),
        ("AI_NoObjectGeneratedError", None, "No object generated: could not parse", "parse"),
        ("pydantic_core.ValidationError", None, "1 validation error", "parse"),
        ("json.decoder.JSONDecodeError", None, "", "parse"),
        ("asyncio.CancelledError", None, "", "cancelled"),
        ("429", 429, "", "rate_limit"),
        ("503", 503, "", "overloaded"),
        ("500", None, "", "server"),
        ("_OTHER", None, "", "unknown"),
        (None, 502, "", "server"),
        (None, 402, "", "quota"),
        (None, None, "", "unknown"),
    ],
)
def test_class(error_type: str | None, http_status: int | None, message: str, expected: str) -> None:
    assert error_class_of(error_type, http_status, class_of_text(message), "inference") == expected


@pytest.mark.parametrize("error_type", ["tool_error", "RuntimeError", "-32602", None])
def test_a_failing_tool_is_a_tool_error(error_type: str | None) -> None:
    assert error_class_of(error_type, None, None, "tool") == "tool"


def test_a_tool_that_times_out_is_a_timeout() -> None:
    assert error_class_of("TimeoutError", None, None, "tool") == "timeout"


def test_text_without_a_sign_has_no_class() -> None:
    assert class_of_text("") is None
    assert class_of_text("weather backend down") is None
