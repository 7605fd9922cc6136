"""The load that tools are compared under: what it sends, where it may go, and the row that our own tool makes of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench import load, peers
from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces


def test_the_load_is_sound_spans_of_the_size_that_peers_were_compared_at() -> None:
    requests = list(load.bodies(1_000))
    assert [
        len(decode_traces(one, "application/x-protobuf", ReadOptions()).frames["spans"]) for one in requests
    ] == [512, 488]
    assert 1_100 < sum(map(len, requests)) / 1_000 < 1_500  # bytes a span; ../shared's generator: 1,281
    assert requests == list(load.bodies(1_000)), "the same at every run"


def test_a_trace_is_an_agent_with_a_tool_and_three_model_calls() -> None:
    spans = decode_traces(next(load.bodies(10)), "application/x-protobuf", ReadOptions()).frames["spans"]
    assert spans["trace_id"].n_unique() == 2
    roots = spans.filter(spans["parent_span_id"].is_null())
    assert roots["name"].to_list() == ["invoke_agent"] * 2
    assert (
        spans.filter(~spans["parent_span_id"].is_null())["parent_span_id"]
        .is_in(roots["span_id"].to_list())
        .all()
    )


def test_no_other_machine_is_ever_sent_to() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1 is not this machine"):
        load.send("http://10.0.0.1:80/v1/traces", [b""], 0, {})


def test_processor_time_and_memory_of_a_group_are_those_of_its_processes() -> None:
    seconds, memory = peers.of_group(os.getpgrp())
    assert seconds >= os.times().user - 0.1  # whole ticks of a hundredth
    assert memory > 20


def test_our_own_row_counts_every_span(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    peers.main(["trueup", "--spans", "600", "--home", str(tmp_path)])
    row = capsys.readouterr().out.splitlines()[-1].split("|")
    assert row[1].strip() == "trueup"
    assert all(float(cell.replace(",", "")) > 0 for cell in row[2:5])


def test_an_unknown_tool_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        peers.main(["nosuch"])
    assert "there is no tool nosuch; known: trueup, phoenix, mlflow" in capsys.readouterr().err
