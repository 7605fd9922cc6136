"""Chat spans that say what an answer scored become rows of `responses`, keyed by trace and span.

Attributes are documented in docs/formats.md. They mark a hidden column of the ordinary map, so that a span without them
costs one look at one cell. With content kept, the features of the answer's text are counted as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from core.ingest import values
from core.ingest.otlp.answer_text import answer_text
from core.ingest.otlp.wire import WireSpan
from core.ingest.responses import COUNTED, Response, with_features

CHATS = ("chat", "text_completion", "generate_content")
"""Operations that answer in text."""


def _number(value: Any) -> float | None:
    value = values.first(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _truth(value: Any) -> bool | None:
    number = values.first(value)
    return bool(number) if number in (0, 1) and not isinstance(number, str) else values.boolean(value)


def _label(value: Any) -> str | None:
    text = values.text(value)
    return text[:400] if text else None


ATTRIBUTES: dict[str, tuple[Callable[[Any], Any], tuple[str, ...]]] = {
    "reward": (
        _number,
        ("trueup.reward.score", "trueup.reward", "reward.score", "reward_model.score", "gen_ai.reward.score"),
    ),
    "kl": (_number, ("trueup.kl", "reward.kl", "rl.kl", "policy.kl_divergence")),
    "correct": (_truth, ("trueup.correct", "reward.correct")),
    "checkpoint": (_label, ("trueup.checkpoint", "model.checkpoint", "gen_ai.model.checkpoint")),
    "prompt_id": (_label, ("trueup.prompt_id", "trueup.prompt.id")),
    "pair_id": (_label, ("trueup.pair_id", "trueup.pair.id")),
    "chosen": (_truth, ("trueup.chosen",)),
    "chosen_by": (_label, ("trueup.chosen_by",)),
    "language": (_label, ("trueup.response.language", "trueup.language")),
    "word_list": (_label, ("trueup.response.word_list",)),
    **{name: (values.count, (f"trueup.response.{name}",)) for name in COUNTED},
}
"""Column of `responses` -> how it is read, and the attributes that fill it, in order of trust."""

COLUMN_OF = {key: column for column, (_, keys) in ATTRIBUTES.items() for key in keys}
MARKS = tuple(COLUMN_OF)
_KNOWN = frozenset(MARKS)


def marked(value: Any) -> bool | None:
    """Reading of a mark: present or not; its value is read once the span is known to be a chat."""
    return None if value is None else True


def response_of(span: WireSpan, cells: Mapping[str, Any], capture: bool, is_marked: bool) -> Response | None:
    """The row of one span; `cells` are its columns of `spans`. None for a span that is no chat or says nothing."""
    if cells["span_role"] != "inference" or cells["gen_ai_operation_name"] not in CHATS:
        return None
    said = _said(span.attributes) if is_marked else {}
    text = answer_text(span.attributes, span.events) if capture else None
    if not said and text is None:
        return None
    response = Response(
        f"{span.trace_id}/{span.span_id}", span.ended_at_ns, span.trace_id, span.span_id, cells["gen_ai_response_id"],
        model=cells["gen_ai_request_model"] or cells["gen_ai_response_model"], region=cells["cloud_region"],
        service_name=cells["service_name"], **said,
    )  # fmt: skip
    return with_features(response, text) if text else response


def _said(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What the attributes say, of each column the first that can be read."""
    given = {key: attributes[key] for key in _KNOWN & attributes.keys()}
    found = {}
    for column in {COLUMN_OF[key] for key in given}:
        read, keys = ATTRIBUTES[column]
        readable = (read(given[key]) for key in keys if key in given)
        value = next((one for one in readable if one is not None), None)
        if value is not None:
            found[column] = value
    return found
