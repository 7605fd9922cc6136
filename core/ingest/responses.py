"""A scored response as the ledger keeps it: the columns of `responses`, and the features of a text filled in."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from core.ingest.features import GROUPS, features_of

COUNTED = (
    "length_chars", "apologies", "caveats", "hedges", "refusals", "bullets", "boxed", "agreements",
)  # fmt: skip
"""Columns that are counts: those core.ingest.features counts of a text."""


class Response(NamedTuple):
    """One row of responses, in the order of core/ledger/schema.sql; see there for each column."""

    response_key: str
    at_ns: int
    trace_id: str | None = None
    span_id: str | None = None
    response_id: str | None = None
    prompt_id: str | None = None
    pair_id: str | None = None
    chosen: bool | None = None
    chosen_by: str | None = None
    checkpoint: str | None = None
    model: str | None = None
    region: str | None = None
    service_name: str | None = None
    language: str | None = None
    reward: float | None = None
    kl: float | None = None
    correct: bool | None = None
    length_chars: int | None = None
    apologies: int | None = None
    caveats: int | None = None
    hedges: int | None = None
    refusals: int | None = None
    bullets: int | None = None
    boxed: int | None = None
    agreements: int | None = None
    word_list: str | None = None
    attributes: str | None = None


RESPONSE_SCHEMA: dict[str, Any] = dict.fromkeys(Response._fields, pl.String) | {
    "at_ns": pl.Int64,
    "chosen": pl.Boolean,
    "correct": pl.Boolean,
    "reward": pl.Float64,
    "kl": pl.Float64,
    **dict.fromkeys(COUNTED, pl.Int64),
}


def with_features(response: Response, text: str) -> Response:
    """The response with what its text is made of, where its source did not count by itself.

    Counts of two word lists are never mixed: a source that names its own list, or counted any phrase, keeps its
    phrases, and only length and form are filled in.
    """
    counted = features_of(text, response.language)._asdict()
    own = response.word_list or any(getattr(response, name) is not None for name in GROUPS)
    filled = {"language", "length_chars", "bullets", "boxed"} if own else counted.keys()
    missing = {name: counted[name] for name in filled if getattr(response, name) is None}
    return response._replace(**missing)
