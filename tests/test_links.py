"""Links: complete, absolute, read back to the same scope; bad values are named, never swallowed."""

from __future__ import annotations

import datetime as dt
import doctest
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core import links
from core.audit import Choice, Scope

LIMIT = Choice("limit", "Limit", ("0.1", "0.2"), "0.2")
NAMES = some.lists(
    some.text(some.characters(exclude_categories=("Cs",)), min_size=1), max_size=3, unique=True
)


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(links).failed == 0


@given(NAMES, NAMES, NAMES)
def test_a_link_says_everything_that_is_set(
    regions: list[str], services: list[str], models: list[str]
) -> None:
    start, end = dt.date(2026, 3, 1), dt.date(2026, 3, 28)
    scope = Scope(start, end, tuple(regions), tuple(services), tuple(models), 7, (("limit", "0.1"),))
    link = links.share_link("https://host:1/retry_ledger?old=1", scope, "retry_ledger", "ab" * 16)
    read = parse_qs(urlsplit(link).query, strict_parsing=True)
    expected = {
        "from": ["2026-03-01"], "to": ["2026-03-28"], "region": regions, "service": services, "model": models,
        "retry_ledger_limit": ["0.1"], "as_of": ["7"], "trace": ["ab" * 16],
    }  # fmt: skip
    assert read == {key: values for key, values in expected.items() if values}
    assert link.startswith("https://host:1/retry_ledger?from=")


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "", "9" * 30, "٣", "1e3"])
def test_a_version_that_is_no_number_is_named(text: str) -> None:
    pinned, complaint = links.read_as_of(text, 5)
    assert pinned is None
    assert "whole number" in complaint


def test_the_newest_version_can_be_pinned() -> None:
    assert links.read_as_of("5", 5) == (5, "")
    assert links.read_as_of("6", 5)[0] is None


@pytest.mark.parametrize("text", ["x", "AB" * 16, "ab" * 15, "ab" * 17, "<script>"])
def test_a_run_that_is_no_trace_id_is_named(text: str) -> None:
    assert links.read_trace(text)[0] is None
    assert "not a trace id" in links.read_trace(text)[1]


@pytest.mark.parametrize("text", ["2026-13-01", "x", "", "0001-01-01", "9999-12-31"])
def test_a_day_that_is_none_is_named(text: str) -> None:
    assert links.check_day("from", text).startswith("The link's from")


def test_a_period_that_ends_before_it_begins_is_named() -> None:
    first, second = dt.date(2026, 3, 1), dt.date(2026, 3, 2)
    assert "ends before it begins" in links.check_order(second, first)
    assert links.check_order(first, first) == ""


def test_good_values_raise_no_complaint() -> None:
    assert links.check_day("from", None) == ""
    assert links.check_day("from", "2026-03-01") == ""
    assert links.check_names("region", ["eu"], ["eu", "us"]) == ""
    assert links.check_choice(LIMIT, ["0.1"]) == ""


def test_a_setting_out_of_its_options_is_named() -> None:
    assert links.check_choice(LIMIT, ["7"]) == 'Limit: "7" is not one of 0.1, 0.2. Using 0.2.'


def test_the_default_period_is_whole_weeks() -> None:
    start, end = links.default_period(dt.date(2026, 3, 28))
    assert (start, (end - start).days + 1) == (dt.date(2026, 3, 1), 28)


def test_a_complaint_quotes_no_control_characters() -> None:
    assert "\x1b" not in links.check_names("region", ["\x1b[31mred"], [])
