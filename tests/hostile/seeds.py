"""A sound file for every way every format comes: what fuzzing starts from.

A format's title names its kinds in brackets, as pages list them; `test_every_reader_is_fuzzed_in_every_kind_it_names`
fails where one of them has no seed.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import polars as pl

from core.ingest.formats import FORMATS, Format
from tests.hostile.bodies import otlp_body
from tests.hostile.mutate import json_bytes
from tests.ingest.test_every_bill import SAMPLES as BILLS
from tests.ingest.test_formats import SAMPLES as HEADS
from tests.ingest.test_phoenix import SHAPES
from tests.ingest.test_responses_file import ROW as SCORED
from tests.ingest.test_responses_file import TEMPLATE as SCORED_TEMPLATE
from tests.ingest.test_responses_file import as_parquet

SOUND: dict[str, tuple[bytes, ...]] = {}
for _name, _head in HEADS:
    SOUND[_name] = (*SOUND.get(_name, ()), _head)
for _bill in BILLS:
    SOUND[_bill.name] = (*SOUND.get(_bill.name, ()), _bill.file(*_bill.rows))
SOUND["phoenix"] += tuple(SHAPES.values())
SOUND["features"] += (as_parquet([SCORED]), SCORED_TEMPLATE.encode())


def json_lines_of(content: bytes) -> bytes:
    """The rows of a JSON list, or a document alone, one a line."""
    document = json.loads(content)
    rows = document if isinstance(document, list) else [document]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def json_of(content: bytes) -> bytes:
    """Lines of JSON as one list."""
    return b"[" + b",".join(content.splitlines()) + b"]"


def csv_of(content: bytes) -> bytes:
    """JSON rows as a table: nested cells as JSON."""
    rows: list[dict[str, Any]] = [json.loads(line) for line in content.splitlines() if line.strip()]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(
        {name: cell if isinstance(cell, str) else json.dumps(cell) for name, cell in row.items()}
        for row in rows
    )
    return out.getvalue().encode()


def parquet_of(content: bytes) -> bytes:
    """A CSV as Parquet, every cell a text as DuckDB writes it unless told."""
    out = io.BytesIO()
    pl.read_csv(content, infer_schema=False, truncate_ragged_lines=True).write_parquet(out)
    return out.getvalue()


for _signal in ("traces", "logs", "metrics"):
    _kind = _signal.replace("traces", "trace")
    _document = json_bytes(otlp_body(f"{_kind} json"))
    SOUND[f"otlp_{_signal}"] += (_document, _document + b"\n", otlp_body(f"{_kind} protobuf"))


def kind_of(content: bytes) -> str:
    """What kind of file the bytes are: parquet, zip, json, json lines, csv or protobuf."""
    for magic, kind in ((b"PAR1", "parquet"), (b"PK\x03\x04", "zip"), (b"\n", "protobuf")):
        if content.startswith(magic):
            return kind
    if content.lstrip(b"\xef\xbb\xbf")[:1] not in (b"{", b"["):
        return "csv"
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    apart = all(line[:1] == b"{" and line[-1:] == b"}" for line in lines)
    return "json lines" if apart and (len(lines) > 1 or content.endswith(b"\n")) else "json"


def kinds_named(known: Format) -> set[str]:
    """The kinds of file that a format's title names."""
    words = " ".join(re.findall(r"\(([^)]*)\)", known.title)).lower()
    found = {kind for kind in ("json lines", "parquet", "csv", "protobuf") if kind in words}
    if "json" in words.replace("json lines", ""):
        found.add("json")
    return found | ({"zip"} if ".eval" in words else set())


def _filled(seeds: tuple[bytes, ...], wanted: set[str]) -> tuple[bytes, ...]:
    """The seeds and what can be written from them: lines of a list or a list of lines, a table, Parquet of a table."""
    for kind, source, written in (
        ("json lines", "json", json_lines_of),
        ("json", "json lines", json_of),
        ("csv", "json lines", csv_of),
        ("parquet", "csv", parquet_of),
    ):
        have = {kind_of(seed) for seed in seeds}
        if kind in wanted - have and source in have:
            seeds += (written(next(seed for seed in seeds if kind_of(seed) == source)),)
    return seeds


for _known in FORMATS:
    SOUND[_known.name] = _filled(SOUND[_known.name], kinds_named(_known))
