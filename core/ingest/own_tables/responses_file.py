"""Scored responses as CSV or Parquet: which answer got which reward, from which checkpoint, and what it is made of.

    response_key,ts,prompt_id,checkpoint,reward,correct,text
    r-1,2026-11-20T10:00:00Z,p-17,ckpt-400,1.25,true,"Sorry, I can't help with that."

`response_key` and `ts` are needed, everything else is optional. The features come as columns, or are counted from a
`text` column by the word lists of core.ingest.features; the text itself is kept only with content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from core.ingest import parquet
from core.ingest.frames import day_of, frame
from core.ingest.options import ReadOptions
from core.ingest.own_tables import table_cells
from core.ingest.responses import COUNTED, RESPONSE_SCHEMA, Response, with_features
from core.ledger.batch import Batch

NAME = "features"
KEYS = (
    "response_id", "prompt_id", "pair_id", "chosen_by", "checkpoint", "model", "region", "service_name", "language",
    "word_list",
)  # fmt: skip
COLUMNS = ("ts", *(name for name in Response._fields if name not in ("at_ns", "attributes")), "text")
LONGEST_TEXT = 2_000_000
"""Characters of an answer: a model's context is shorter."""

TEMPLATE = (
    "response_key,ts,prompt_id,pair_id,chosen,chosen_by,checkpoint,model,region,service_name,trace_id,span_id,response_id,"
    "language,reward,kl,correct,length_chars,apologies,caveats,hedges,refusals,bullets,boxed,agreements,word_list,text\n"
    "r-1,2026-11-20T10:00:00Z,p-17,pair-9,true,human,ckpt-400,gpt-4o-mini,eu-west-1,assist,"
    "858bfae005a281be2a05aa6c0d3117cc,b8f4c93492258369,chatcmpl-9,en,1.25,0.031,true,412,0,1,2,0,3,1,0,my-list-1,\n"
    "r-2,2026-11-20T10:00:05Z,p-17,pair-9,false,human,ckpt-400,,,,,,,en,0.75,,false,,,,,,,,,,\"I'm sorry, I can't "
    'help with that."\n'
)


def detect(head: bytes, name: str) -> bool:
    """A CSV with response_key and ts; Parquet that shows response_key or is named after features."""
    if head.startswith(parquet.MAGIC):
        # the schema is at the end of a Parquet file, mostly beyond the head
        return b"response_key" in head or ("features" in name.lower() and b"context.span_id" not in head)
    return {"response_key", "ts"} <= table_cells.header(head)


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file; a row without key or time is refused alone, of two with one key the later is kept."""
    content = stream.read()
    rows_read, made, refused = table_cells.read_keyed(
        content, _response, "response_key", COLUMNS, options.capture_content
    )
    dated = frame(made, RESPONSE_SCHEMA).with_columns(day_of("at_ns"))
    frames = {"responses": dated}
    sha256 = hashlib.sha256(content).hexdigest()
    yield Batch(source, NAME, sha256, rows_read, frames, refused, demo=options.demo)


def _response(row: dict[str, Any], capture: bool) -> Response:
    """One row; raises Unreadable naming the field."""
    extra = table_cells.extra(row, COLUMNS, capture)
    text = table_cells.word(row, "text", LONGEST_TEXT)
    if capture and text:
        extra["text"] = text
    response = Response(
        table_cells.needed(row, "response_key"),
        table_cells.instant(row, "ts"),
        trace_id=table_cells.hex_id(row, "trace_id", 32),
        span_id=table_cells.hex_id(row, "span_id", 16),
        chosen=table_cells.truth(row, "chosen"),
        reward=table_cells.number(row, "reward"),
        kl=table_cells.number(row, "kl"),
        correct=table_cells.truth(row, "correct"),
        attributes=table_cells.attributes(extra),
        **{name: table_cells.word(row, name) for name in KEYS},  # type: ignore[arg-type]
        **{name: table_cells.whole(row, name) for name in COUNTED},  # type: ignore[arg-type]
    )
    return with_features(response, text) if text else response
