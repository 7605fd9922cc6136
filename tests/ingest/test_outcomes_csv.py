"""Outcomes in a CSV of one's own: every column, keys that revisions share, refusals, and what is never kept."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
from typing import Any

import pytest

from core.ingest.options import ReadOptions
from core.ingest.own_tables.outcomes_csv import TEMPLATE, detect, read
from core.ledger.batch import Batch

HEADER = "ts,trace_id,response_id,conversation_id,span_id,name,value,label,source,actor,comment,ticket,prompt"
TRACE = "858bfae005a281be2a05aa6c0d3117cc"
ROW = {
    "ts": "2026-11-20T10:05:00Z", "trace_id": TRACE, "response_id": "chatcmpl-9", "conversation_id": "conv-81",
    "span_id": "b8f4c93492258369", "name": "user_feedback", "value": "0", "label": "thumbs_down", "source": "human",
    "actor": "user-17", "comment": "a secret comment", "ticket": "T-1", "prompt": "a secret prompt",
}  # fmt: skip


def batch(*rows: dict[str, str], capture: bool = False) -> Batch:
    lines = [HEADER, *(",".join(row.get(column, "") for column in HEADER.split(",")) for row in rows)]
    (made,) = read(
        io.BytesIO("\n".join(lines).encode()), "outcomes.csv", ReadOptions(capture_content=capture)
    )
    return made


def only(*rows: dict[str, str], capture: bool = False) -> dict[str, Any]:
    (found,) = batch(*rows, capture=capture).frames["outcomes"].rows(named=True)
    return found


def test_every_column() -> None:
    # 2026-11-20T10:05:00Z = 1,795,132,800 s (2026-11-20) + 36,300 s; the target of an answer is its response id
    key = "\x1f".join(("chatcmpl-9", "user_feedback", "human", hashlib.sha256(b"user-17").hexdigest()[:16]))
    assert only(ROW) == {
        "outcome_key": hashlib.sha256(key.encode()).hexdigest()[:32],
        "at_ns": 1_795_169_100 * 10**9,
        "day": dt.date(2026, 11, 20),
        "trace_id": TRACE,
        "span_id": "b8f4c93492258369",
        "response_id": "chatcmpl-9",
        "conversation_id": "conv-81",
        "name": "user_feedback",
        "value": 0.0,
        "label": "thumbs_down",
        "source": "human",
        "actor_hash": hashlib.sha256(b"user-17").hexdigest()[:16],
        "error_type": None,
        "attributes": '{"ticket":"T-1"}',
    }


def test_content_is_kept_only_on_purpose_and_the_actor_never() -> None:
    assert "secret" not in str(batch(ROW))
    kept = only(ROW, capture=True)
    assert json.loads(kept["attributes"]) == {
        "ticket": "T-1", "prompt": "a secret prompt", "comment": "a secret comment",
    }  # fmt: skip
    for capture in (False, True):
        assert "user-17" not in str(batch(ROW, ROW | {"ts": "soon"}, capture=capture))


def test_the_template_is_read_whole() -> None:
    assert detect(TEMPLATE.encode(), "x")
    (made,) = read(io.BytesIO(TEMPLATE.encode()), "x", ReadOptions())
    assert made.quarantined == []
    assert made.frames["outcomes"].select("trace_id", "response_id", "conversation_id", "source").rows() == [
        (TRACE, None, None, "human"), (None, "chatcmpl-9", None, "model"), (None, None, "conv-81", "business"),
    ]  # fmt: skip


def test_a_revision_shares_its_key_and_another_source_name_target_or_actor_does_not() -> None:
    later = ROW | {"ts": "2026-11-24T00:00:00Z", "value": "1", "label": ""}
    made = batch(ROW, later)
    assert made.frames["outcomes"]["outcome_key"].n_unique() == 1
    assert made.frames["outcomes"]["value"].to_list() == [0.0, 1.0]  # both stay: nothing is updated
    for changed in ({"source": "model"}, {"name": "csat"}, {"response_id": "r"}, {"actor": "user-18"}):
        assert batch(ROW, ROW | changed).frames["outcomes"]["outcome_key"].n_unique() == 2, changed


def test_two_rows_that_nothing_orders_leave_the_later_one() -> None:
    made = batch(ROW, ROW | {"value": "1"})
    assert made.frames["outcomes"]["value"].to_list() == [1.0]
    assert [(row.row_number, "Row 2" in row.reason) for row in made.quarantined] == [(1, True)]


def test_keys_agree_with_those_of_otlp() -> None:
    """A revision may come by another door."""
    from tests.ingest.test_otlp_logs import decoded, record

    values = {"gen_ai.evaluation.name": "user_feedback", "gen_ai.evaluation.score.value": 1.0, "user.id": "user-17",
              "gen_ai.response.id": "chatcmpl-9"}  # fmt: skip
    sent = decoded(record(values, eventName="gen_ai.evaluation.result"))
    assert sent.frames["outcomes"]["outcome_key"].to_list() == [only(ROW)["outcome_key"]]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"ts": ""}, "ts"),
        ({"ts": "soon"}, "ts"),
        ({"ts": "1895-01-01"}, "ts"),
        ({"trace_id": "12"}, "trace_id"),
        ({"trace_id": "0" * 32}, "trace_id"),
        ({"span_id": "xyz"}, "span_id"),
        ({"trace_id": "", "response_id": "", "conversation_id": ""}, "trace_id"),
        ({"name": ""}, "name"),
        ({"name": "n" * 401}, "name"),
        ({"value": "high"}, "value"),
        ({"value": "inf"}, "value"),
        ({"value": "", "label": ""}, "value"),
        ({"source": ""}, "source"),
        ({"source": "robot"}, "source"),
    ],
)
def test_a_bad_row_is_refused_alone(changed: dict[str, str], field: str) -> None:
    made = batch(ROW | changed, ROW)
    assert [(row.row_number, row.field) for row in made.quarantined] == [(1, field)]
    assert (made.rows_read, made.frames["outcomes"].height) == (2, 1)
    assert "secret" not in made.quarantined[0].row_text


@pytest.mark.parametrize("text", ["1795169100", "1795169100000", "1795169100000000", "1795169100000000000",
                                  "2026-11-20 10:05:00", "2026-11-20T11:05:00+01:00", "11/20/2026 10:05"])  # fmt: skip
def test_times_in_every_writing(text: str) -> None:
    assert only(ROW | {"ts": text})["at_ns"] == 1_795_169_100 * 10**9


def test_an_absent_score_is_not_zero() -> None:
    assert only(ROW | {"value": ""})["value"] is None
    assert only(ROW | {"value": "0"})["value"] == 0.0


def test_every_door_keeps_a_person_and_a_judge_apart_under_one_name() -> None:
    from core.ingest.platforms import langfuse, langsmith, phoenix
    from tests.ingest.test_langfuse_spans import score
    from tests.ingest.test_langsmith import FEEDBACK
    from tests.ingest.test_otlp_logs import decoded, record

    said = {"gen_ai.evaluation.name": "quality", "gen_ai.evaluation.score.value": 1.0}
    annotation = {"created_at": "2026-11-25T19:08:58Z", "name": "quality", "span_id": "00000000000000b1",
                  "result": {"score": 1.0}}  # fmt: skip
    doors: dict[str, Batch] = {
        "otlp": decoded(*(
            record(said | {"gen_ai.evaluation.source": source}, eventName="gen_ai.evaluation.result")
            for source in ("human", "model")
        )),
        "csv": batch(ROW, ROW | {"source": "model"}),
    }  # fmt: skip
    for name, module, objects in (
        ("langfuse", langfuse, [score(name="quality", source=source) for source in ("ANNOTATION", "EVAL")]),
        ("phoenix", phoenix, [annotation | {"annotator_kind": kind} for kind in ("HUMAN", "LLM")]),
        (
            "langsmith",
            langsmith,
            [FEEDBACK | {"key": "quality", "feedback_source": {"type": kind}} for kind in ("app", "model")],
        ),
    ):
        (doors[name],) = module.read(io.BytesIO(json.dumps(objects).encode()), "x", ReadOptions())
    for name, made in doors.items():
        outcomes = made.frames["outcomes"]
        assert outcomes["source"].to_list() == ["human", "model"], name
        assert outcomes["outcome_key"].n_unique() == 2, name
        assert outcomes["name"].n_unique() == 1, name
