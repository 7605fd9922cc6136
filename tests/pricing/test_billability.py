"""Billability rules: the documented cases, the order of rules, and the answer when nobody knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.pricing import billability
from core.pricing.billability import BadRules, billable, rule_for


@pytest.mark.parametrize(
    ("provider", "error_class", "http_status", "answer"),
    [
        # Microsoft, manage-costs: processed before failing (400 filter, 408) is charged, 401 and 429 are not
        ("azure.ai.openai", "bad_request", 400, "yes"),
        ("azure.ai.openai", "timeout", 408, "yes"),
        ("azure.ai.openai", "auth", 401, "no"),
        ("azure.ai.openai", "rate_limit", 429, "no"),
        ("az.ai.openai", "bad_request", 400, "yes"),
        ("openai", "rate_limit", 429, "no"),
        ("openai", "bad_request", 400, "no"),
        ("anthropic", "overloaded", 529, "no"),
        ("anthropic", "overloaded", None, "no"),
        ("openai", "server", 500, "no"),
        # the connection ended while the model may have been at work
        ("openai", "timeout", None, "maybe"),
        ("openai", "cancelled", 200, "maybe"),
        ("anthropic", "connection", None, "maybe"),
        # novita.ai/docs/guides/llm-billing: 499 is charged, 504 is not
        ("novita", None, 499, "yes"),
        ("novita", None, 504, "no"),
        # the answer came and could not be read
        ("openai", "parse", 200, "yes"),
        ("openai", "unknown", None, "maybe"),
        (None, None, None, "maybe"),
    ],
)
def test_failed_calls(
    provider: str | None, error_class: str | None, http_status: int | None, answer: str
) -> None:
    assert billable(provider, error_class, http_status, False) == answer


def test_success_is_billed_whatever_the_rest_says() -> None:
    assert billable("openai", "rate_limit", 429, True) == "yes"


def test_every_rule_names_a_source_and_a_day_and_can_be_reached() -> None:
    for n, rule in enumerate(billability.rules(), 1):
        assert all((rule.source, rule.why, rule.checked)), n
        assert rule.basis in {"documented", "reported", "assumed"}, n
        provider = "some-provider" if rule.provider == "*" else rule.provider
        cases = [
            (error_class, status)
            for error_class in (rule.error_class or {None})
            for status in (rule.http_status or {None})
        ]
        assert any(rule_for(provider, error_class, status) == rule for error_class, status in cases), n


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[[rule]]\nprovider = "*"\nanswer = "sometimes"\nwhy = "a"\nsource = "b"\nchecked = 2026-01-01',
            "sometimes",
        ),
        ('[[rule]]\nprovider = "*"\nanswer = "no"\nwhy = "a"\nchecked = 2026-01-01', "source is missing"),
        ("[[rule]]\nstatus = 5", "status is not a key"),
        ("[[rule", "is not TOML"),
    ],
)
def test_a_bad_rule_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(BadRules, match=said):
        billability.rules(path)
