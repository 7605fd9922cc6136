"""LangSmith feedback: captured objects, every column, who spoke, ids, refusals."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from core.ingest.options import ReadOptions
from core.ingest.platforms.langsmith import detect, read
from core.ledger.batch import Batch

CAPTURED = Path(__file__).parents[3] / "shared" / "fixtures" / "feedback" / "langsmith_requests.json"
RUN, TRACE = "0e5f3a70-1111-7222-8333-444455556666", "6cfe6df3-ac74-4603-8d33-e3fe3cbc43cc"
FEEDBACK: dict[str, Any] = {
    "id": "01a200f0-ed79-768e-9a25-24ac798aa883", "created_at": "2026-11-22T01:48:39.161527+00:00",
    "modified_at": "2026-11-22T02:00:00+00:00", "run_id": RUN, "trace_id": TRACE, "session_id": "s-1", "key": "user_score",
    "score": 0, "value": "thumbs_down", "comment": "a secret comment", "correction": {"city": "a secret city"},
    "feedback_source": {"type": "api", "metadata": {"user": "u-123"}},
}  # fmt: skip


def batch(*objects: Any, capture: bool = False) -> Batch:
    (made,) = read(io.BytesIO(json.dumps(list(objects)).encode()), "f.json", ReadOptions(capture))
    return made


def only(capture: bool = False, **changed: Any) -> dict[str, Any]:
    (found,) = batch(FEEDBACK | changed, capture=capture).frames["outcomes"].rows(named=True)
    return found


def test_every_column() -> None:
    actor = hashlib.sha256(b"u-123").hexdigest()[:16]
    key = "\x1f".join((RUN, "user_score", "human", actor))
    # 2026-11-22T02:00:00Z = 1,795,132,800 s (2026-11-20) + 2 days + 7,200 s
    assert only() == {
        "outcome_key": hashlib.sha256(key.encode()).hexdigest()[:32],
        "at_ns": (1_795_132_800 + 2 * 86_400 + 7_200) * 10**9,
        "day": dt.date(2026, 11, 22),
        "trace_id": "6cfe6df3ac7446038d33e3fe3cbc43cc",
        "span_id": "0e5f3a7011117222",
        "response_id": None,
        "conversation_id": None,
        "name": "user_score",
        "value": 0.0,
        "label": "thumbs_down",
        "source": "human",
        "actor_hash": actor,
        "error_type": None,
        "attributes": json.dumps(
            {"langsmith.id": FEEDBACK["id"], "langsmith.run_id": RUN, "langsmith.trace_id": TRACE,
             "langsmith.session_id": "s-1", "langsmith.source_type": "api"},
            separators=(",", ":"),
        ),
    }  # fmt: skip


def test_content_is_kept_only_on_purpose() -> None:
    assert "secret" not in str(only())
    kept = json.loads(only(capture=True)["attributes"])
    assert (kept["langsmith.comment"], kept["langsmith.correction"]) == (
        "a secret comment", {"city": "a secret city"},
    )  # fmt: skip
    assert "u-123" not in str(only(capture=True))


@pytest.mark.parametrize(
    ("said", "key", "source"),
    [
        ({"type": "model", "metadata": {}}, "correctness", "model"),
        ({"type": "auto_eval", "metadata": None}, "helpfulness", "model"),
        ({"type": "app", "user_id": "u"}, "correctness", "human"),
        ({"type": "api", "metadata": {}}, "exact_match", "code"),
        ({"type": "api", "metadata": {}}, "user_feedback", "human"),
        ({"type": "api", "metadata": {"user": "u"}}, "correctness", "human"),
        (None, "exact_match", "code"),
    ],
)
def test_who_spoke(said: Any, key: str, source: str) -> None:
    assert only(feedback_source=said, key=key)["source"] == source


def test_ids_that_are_no_uuid_join_to_nothing_and_stay() -> None:
    stored = only(run_id="run-7", trace_id="trace-7")
    assert (stored["trace_id"], stored["span_id"]) == (None, None)
    assert json.loads(stored["attributes"])["langsmith.run_id"] == "run-7"
    assert only(trace_id=None)["trace_id"] == RUN.replace("-", "")  # a run without a trace is its own


@pytest.mark.parametrize(
    ("changed", "value", "label"),
    [
        ({"score": True, "value": None}, 1.0, None),
        ({"score": 0.25, "value": {"a": 1}}, 0.25, None),
        ({"score": None, "value": 3}, 3.0, None),
        ({"score": None, "value": "good"}, None, "good"),
    ],
)
def test_scores(changed: dict[str, Any], value: float | None, label: str | None) -> None:
    stored = only(**changed)
    assert (stored["value"], stored["label"]) == (value, label)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"key": None}, "key"),
        ({"run_id": None, "trace_id": None}, "run_id"),
        ({"score": None, "value": None}, "score"),
        ({"score": "high"}, "score"),
        ({"created_at": None, "modified_at": None}, "created_at"),
        ({"modified_at": "soon"}, "modified_at"),
    ],
)
def test_a_bad_object_is_refused_alone(changed: dict[str, Any], field: str) -> None:
    made = batch(FEEDBACK | changed, FEEDBACK, 7)
    assert [(row.row_number, row.field) for row in made.quarantined] == [(1, field), (3, None)]
    assert (made.rows_read, made.frames["outcomes"].height) == (3, 1)
    assert "secret" not in made.quarantined[0].row_text
    assert "u-123" not in made.quarantined[0].row_text


def test_pages_and_lines_and_lists_say_the_same() -> None:
    one = json.dumps(FEEDBACK)
    for text in (one, f"[{one}]", f"{one}\n", f'{{"items": [{one}]}}'):
        assert detect(text.encode(), "x")
        (made,) = read(io.BytesIO(text.encode()), "x", ReadOptions())
        assert made.frames["outcomes"].height == 1, text[:20]


def test_captured_feedback() -> None:
    """What the SDK really sent: a thumb of a person and a judge's score of the same run stay apart."""
    if not CAPTURED.is_file():
        pytest.skip("../shared/fixtures is absent")
    sent = [one["body"] for one in json.loads(CAPTURED.read_text()) if one["path"] == "/feedback"]
    rows = batch(*sent).frames["outcomes"].sort("name", descending=True).rows(named=True)
    assert [(row["name"], row["value"], row["label"], row["source"]) for row in rows] == [
        ("user_score", 0.0, "thumbs_down", "human"), ("correctness", 1.0, None, "model"),
    ]  # fmt: skip
    assert {row["trace_id"] for row in rows} == {"6cfe6df3ac7446038d33e3fe3cbc43cc"}
