"""Files, folders, compression and uploads; a bad file or line stops only itself."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from pathlib import Path

import orjson
import polars as pl
import pytest

from core.ingest import growth
from core.ingest.files import FileProblem, find_files, read_path, read_upload
from core.ingest.options import ReadOptions
from core.ingest.otlp import files as otlp_files
from core.ledger.batch import Batch
from tests.ingest.otlp_requests import as_protobuf, request, span


def line(number: int) -> bytes:
    return orjson.dumps(request(span(spanId=f"{number:016x}"))) + b"\n"


def read(content: bytes, name: str = "spans.jsonl") -> list[Batch]:
    return list(read_upload(io.BytesIO(content), name, ReadOptions()))


def heights(batches: list[Batch]) -> list[int]:
    return [batch.frames["spans"].height for batch in batches]


def test_a_chunk_of_lines_is_a_batch_with_the_hash_of_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp_files, "CHUNK_LINES", 2)
    lines = [line(number) for number in range(1, 6)]
    batches = read(b"".join(lines))
    assert heights(batches) == [2, 2, 1]
    assert [batch.sha256 for batch in batches] == [
        hashlib.sha256(b"".join(chunk)).hexdigest() for chunk in (lines[:2], lines[2:4], lines[4:])
    ]
    assert {(batch.source, batch.format) for batch in batches} == {("spans.jsonl", "otlp_traces")}


def test_reading_again_gives_the_same_batches() -> None:
    content = b"".join(line(number) for number in range(1, 1203))
    first, second = read(content), read(content)
    assert heights(first) == [500, 500, 202]
    assert [batch.sha256 for batch in first] == [batch.sha256 for batch in second]


def test_a_bad_line_is_refused_with_its_number() -> None:
    batch = read(line(1) + b"{broken private\n" + b"\n" + line(2) + b'{"resourceX": 1}\n')[0]
    assert batch.frames["spans"].height == 2
    assert [refused.row_number for refused in batch.quarantined] == [2, 5]
    assert batch.rows_read == 4
    assert "private" not in batch.quarantined[0].row_text


def test_a_bad_span_is_refused_with_the_number_of_its_line() -> None:
    batch = read(line(1) + orjson.dumps(request(span(traceId="1"))) + b"\n")[0]
    assert [(refused.row_number, refused.field) for refused in batch.quarantined] == [(2, "trace_id")]


def test_lines_of_several_signals_in_one_file() -> None:
    log = {
        "resourceLogs": [{"scopeLogs": [{"logRecords": [{"observedTimeUnixNano": "1775000000000000000"}]}]}]
    }
    gauge = {"name": "g", "gauge": {"dataPoints": [{"timeUnixNano": "1775000000000000000", "asInt": 1}]}}
    metric = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [gauge]}]}]}
    batch = read(line(1) + orjson.dumps(log) + b"\n" + orjson.dumps(metric) + b"\n")[0]
    assert {table: frame.height for table, frame in batch.frames.items()} == {
        "spans": 1,
        "span_events": 1,
        "metric_points": 1,
    }
    assert batch.rows_read == 3


def test_one_document_one_line_protobuf_and_byte_order_mark() -> None:
    body = request(span())
    for content in (
        orjson.dumps(body, option=orjson.OPT_INDENT_2),
        orjson.dumps(body),
        b"\xef\xbb\xbf" + orjson.dumps(body) + b"\r\n",
        as_protobuf(body),
    ):
        assert heights(read(content, "x.bin")) == [1]


def test_gzip_of_one_and_of_several_members() -> None:
    once = gzip.compress(line(1) + line(2))
    twice = gzip.compress(line(1)) + gzip.compress(line(2))
    assert heights(read(once)) == heights(read(twice)) == [2]
    assert read(once)[0].sha256 == read(twice)[0].sha256 == read(line(1) + line(2))[0].sha256


def test_a_stream_that_cannot_be_read_twice() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as sender:
        sender.write(line(1))
    with os.fdopen(reader, "rb") as stream:
        assert heights(list(read_upload(stream, "pipe", ReadOptions()))) == [1]


def bomb(mebibytes: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    piece = b"\n" * 1024 * 1024
    return b"".join(packer.compress(piece) for _ in range(mebibytes)) + packer.flush()


def test_a_bomb_is_refused_by_ratio() -> None:
    # newlines shrink about 1,000 times; the limit is 400 times above 64 MiB
    with pytest.raises(FileProblem, match="over 400 times"):
        read(bomb(70))


def test_too_large_a_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "MOST_BYTES", 1000)
    with pytest.raises(FileProblem, match="more than 1,000 bytes"):
        read(gzip.compress(os.urandom(5000)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"hello", "Known formats: OpenTelemetry traces"),
        (gzip.compress(line(1))[:-9], "end too early"),
        (b"\x1f\x8bnot gzip", "spans.jsonl: "),
        (b'{\n "resourceSpans": 5\n}', "not a list of objects"),
    ],
)
def test_problems_name_the_file_and_the_reason(content: bytes, message: str) -> None:
    with pytest.raises(FileProblem, match=message) as caught:
        read(content)
    assert str(caught.value).startswith("spans.jsonl: ")


def test_a_name_with_folders_is_only_shown() -> None:
    assert read(line(1), "../../etc/spans.jsonl")[0].source == "spans.jsonl"


def folder_of_files(folder: Path) -> None:
    (folder / "b").mkdir()
    (folder / ".hidden").mkdir()
    (folder / "b" / "2.jsonl").write_bytes(line(2))
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(line(1)))
    (folder / "c.pb").write_bytes(as_protobuf(request(span(spanId=f"{3:016x}"))))
    (folder / ".hidden" / "x.jsonl").write_bytes(line(9))
    (folder / ".x.jsonl").write_bytes(line(9))


def test_a_folder_is_read_in_order_without_hidden_files(tmp_path: Path) -> None:
    folder_of_files(tmp_path)
    assert [path.name for path in find_files(tmp_path)] == ["a.jsonl.gz", "2.jsonl", "c.pb"]
    spans = pl.concat([batch.frames["spans"] for batch in read_path(tmp_path, ReadOptions())])
    assert spans["span_id"].to_list() == [f"{number:016x}" for number in (1, 2, 3)]


def test_a_bad_file_in_a_folder_stops_only_itself(tmp_path: Path) -> None:
    folder_of_files(tmp_path)
    (tmp_path / "aa.txt").write_text("hello")
    seen: list[Batch] = []
    with pytest.raises(FileProblem, match=r"aa\.txt"):
        seen.extend(read_path(tmp_path, ReadOptions()))
    assert heights(seen) == [1, 1, 1]


def test_a_missing_path_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="no such file"):
        find_files(tmp_path / "absent")


def test_demo_and_source_reach_the_batch() -> None:
    batch = next(read_upload(io.BytesIO(line(1)), "spans.jsonl", ReadOptions(demo=True)))
    assert batch.demo
