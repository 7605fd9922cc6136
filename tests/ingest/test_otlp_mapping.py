"""Attributes that are read key by key, many spans at once, say what they say span by span."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ingest.otlp import mapping
from core.ingest.otlp.conventions import TABLE
from core.ingest.otlp.fates import COLUMNS, SLOTS, TARGETS
from core.ingest.otlp.mapping import FEWEST_ALIKE, mapped, mapped_together

KEYS = (
    *TARGETS, "app.a", "user.email", "gen_ai.headers", "gen_ai.prompt.0.content", "gen_ai.output.messages",
    "http.response.header.X_Request_Id", "output.value", "metadata",
)  # fmt: skip
ORDINARY = st.sampled_from(("a", "b", "1", "https://user:word@host.example/path?query", 1, 2, True))
ODD = (
    st.none()
    | st.text(max_size=2)
    | st.floats()
    | st.integers(-(2**63), 2**63 - 1)
    | st.lists(ORDINARY, max_size=2)
)


@st.composite
def alike(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Attributes of spans of two instrumentations, in any order; one value in ten is odd."""
    written = draw(st.lists(st.lists(st.sampled_from(KEYS), unique=True, max_size=8), min_size=1, max_size=2))
    values = st.integers(0, 9).flatmap(lambda one: ORDINARY if one else ODD)
    return [
        {key: draw(values) for key in draw(st.sampled_from(written))}
        for _ in range(draw(st.integers(FEWEST_ALIKE, 3 * FEWEST_ALIKE)))
    ]


@pytest.mark.parametrize("capture", [False, True])
@given(spans=alike())
def test_spans_with_the_same_keys_are_mapped_as_each_alone(
    capture: bool, spans: Sequence[dict[str, Any]]
) -> None:
    assert repr(mapped_together(spans, capture)) == repr([mapped(one, capture) for one in spans])


def test_a_contradiction_in_one_span_stays_in_its_attributes_only() -> None:
    keys = ("session.id", "gen_ai.conversation.id", "app.a")
    spans: list[dict[str, Any]] = [dict.fromkeys(keys, f"s{at}") for at in range(FEWEST_ALIKE)]
    spans[3]["session.id"] = "another"
    slot = SLOTS["gen_ai_conversation_id"]
    found = mapped_together(spans, False)
    assert [cells[slot] for cells, _ in found] == [f"s{at}" for at in range(FEWEST_ALIKE)]
    assert [rest.get("session.id") for _, rest in found] == [None, None, None, "another"] + [None] * 4


def test_spans_without_attributes_have_rows_of_their_own() -> None:
    found = mapped_together([{}] * FEWEST_ALIKE, False)
    assert found == [([None] * len(COLUMNS), {})] * FEWEST_ALIKE
    assert len({id(cells) for cells, _ in found} | {id(rest) for _, rest in found}) == 2 * FEWEST_ALIKE


def test_ordinary_spans_are_read_by_key_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "mapped", None)
    keys = [TABLE[SLOTS[name]].keys[0] for name in ("gen_ai_request_model", "gen_ai_agent_name")]
    found = mapped_together([dict.fromkeys(map(str, keys), "m")] * FEWEST_ALIKE, False)
    assert len(found) == FEWEST_ALIKE
