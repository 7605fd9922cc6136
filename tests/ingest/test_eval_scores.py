"""What a score says: numbers, letters, words, thresholds; a missing score is never a zero."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ingest.evals.metadata import plain, sample_tags, trace_id
from core.ingest.evals.rows import set_hash
from core.ingest.evals.scores import distinct, parts, score_of
from tests.ingest.eval_files import TRACE


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("C", (1.0, "C", "pass")),
        ("I", (0.0, "I", "fail")),
        ("P", (0.5, "P", "fail")),
        ("N", (0.0, "N", "fail")),
        ("Correct", (1.0, "Correct", "pass")),
        ("no", (0.0, "no", "fail")),
        (True, (1.0, None, "pass")),
        (False, (0.0, None, "fail")),
        (1, (1.0, None, "pass")),
        (0.5, (0.5, None, "pass")),
        (0.49, (0.49, None, "fail")),
        ("0.75", (0.75, None, "pass")),
        (7, (7.0, None, "skipped")),  # a mark out of ten, or a perplexity: nothing says what passes
        (-0.1, (-0.1, None, "skipped")),
        (math.nan, (None, None, "error")),
        ("nan", (None, None, "error")),
        (math.inf, (None, None, "error")),
        (10**400, (None, None, "error")),
        (None, (None, None, "skipped")),
        ("refusal", (None, "refusal", "skipped")),
        ("x" * 101, (None, None, "skipped")),
        ("", (None, None, "skipped")),
        ([1], (None, None, "skipped")),
        ({}, (None, None, "skipped")),
    ],
)
def test_a_score_is_read_once(raw: Any, expected: tuple[float | None, str | None, str]) -> None:
    assert score_of(raw) == expected


def test_the_tools_own_verdict_goes_before_a_threshold_but_not_before_an_error() -> None:
    assert score_of(0.4, threshold=0.3).verdict == "pass"
    assert score_of(4, threshold=5).verdict == "fail"
    assert score_of(0.4, passed=True, threshold=0.5).verdict == "pass"  # a metric of which low is good
    assert score_of(9, passed=True) == (9.0, None, "pass")
    assert score_of(math.nan, passed=True).verdict == "error"


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())))
def test_every_value_has_a_verdict_and_no_missing_one_is_a_number(raw: Any) -> None:
    value, _, verdict = score_of(raw)
    assert verdict in ("pass", "fail", "error", "skipped")
    assert value is None or math.isfinite(value)
    if verdict == "error" or raw is None:
        assert value is None


def test_several_scores_behind_one_name() -> None:
    assert parts("a", {"x": 1, "y": None}) == [("a/x", 1), ("a/y", None)]
    assert parts("a", [1, 2]) == [("a/0", 1), ("a/1", 2)]
    assert parts("a", 0.5) == [("a", 0.5)]
    assert parts("a", {}) == [("a", {})]
    assert distinct(["g", "g", "h", "g"]) == ["g", "g#2", "h", "g#3"]


def test_trace_ids_are_lower_hex_whoever_wrote_them() -> None:
    assert trace_id(TRACE.upper()) == TRACE
    assert trace_id("0af76519-16cd-43dd-8448-eb211c80319c") == TRACE
    for other in (None, 7, "run-1", TRACE[:-1]):
        assert trace_id(other) is None
    assert sample_tags({"trace_id": "run-1"}, False).kept == {"trace_id": "run-1"}  # no column, but not lost


def test_equal_inputs_are_equal_texts() -> None:
    first = [{"role": "user", "content": "a", "id": 1}]
    assert plain(first) == plain([{"id": 2, "content": "a", "role": "user", "source": "input"}])
    assert plain(["Paris"]) == plain("Paris")
    assert plain({"b": 1, "a": 2}) == plain({"a": 2, "b": 1})
    assert plain([]) is plain("") is plain(None) is None
    assert set_hash(["b", 1]) == set_hash(["1", "b"]) != set_hash(["b"])
