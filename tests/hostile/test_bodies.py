"""Damaged OTLP bodies through the real application: never a 5xx, nothing lost, everything counted.

A few hundred in the normal run, 20,000 in `make slow`. A failure prints its seed; the body is written to test-report/.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from core.audit import Scope, TooLittle
from core.audits import every_audit
from core.ingest.options import ReadOptions
from core.ingest.otlp import BadRequest, decode_logs, decode_metrics, decode_traces
from core.web.body import gunzip
from tests import otlp_bodies
from tests.hostile.bodies import ATTRIBUTES, otlp_body
from tests.hostile.count import rows_of
from tests.hostile.mutate import YEAR_1_NS, YEAR_9999_NS, byte_damage, json_bytes, json_damage
from tests.hostile.wire import wire_damage
from tests.ingest.otlp_requests import START_NS, as_protobuf, event, request, span
from tests.web.test_server import serving, wait_until_derived

REPORT = Path("test-report")
KINDS = ("trace json", "trace protobuf", "logs json", "logs protobuf", "metrics json", "metrics protobuf")
DECODE = {"trace": decode_traces, "logs": decode_logs, "metrics": decode_metrics}
SIGNAL = {"trace": "traces", "logs": "logs", "metrics": "metrics"}


COUNTED = """
select
    (select sum(rows_read) from imports)::bigint as read_rows,
    (select count(*) from spans)
        + (select count(*) from duplicates where table_name = 'spans' and kind = 'exact')
        + (select coalesce(sum(rows_accepted), 0) from imports where format <> 'otlp_traces')
        + (select count(*) from quarantine)::bigint as kept_rows
"""
"""Spans by themselves: an accepted span can bring events and a stream along."""


def other_body(kind: str) -> bytes:
    """What a body of the kind is spliced with: two more spans, or the same again."""
    if "trace" in kind:
        return as_protobuf(request(span(), span(spanId="00000000000000ab")))
    sound = otlp_body(kind)
    return json_bytes(sound) if isinstance(sound, dict) else sound


def damage(kind: str, random: Random) -> tuple[str, bytes]:
    """Media type and body: damage that keeps the form, and in a fifth of the cases some that does not."""
    sound = otlp_body(kind)
    if isinstance(sound, dict):
        media, body = "application/json", json_bytes(json_damage(sound, random))
    else:
        media, body = "application/x-protobuf", sound
        for _ in range(random.randint(1, 4)):
            body = wire_damage(body, random)
    return media, byte_damage(body, random, other_body(kind)) if random.random() < 0.2 else body


def damaged(seed: int) -> tuple[str, str, bytes, bool]:
    """(address, media type, body, gzip) of a seed."""
    random = Random(seed)
    kind = random.choice(KINDS)
    media, body = damage(kind, random)
    signal = kind.split()[0].removesuffix("s") + "s"
    zipped = random.random() < 0.2
    if zipped:
        body = gzip.compress(body, 1)
        body = byte_damage(body, random) if random.random() < 0.3 else body
    return f"/v1/{signal}", media, body, zipped


def send_damaged(folder: Path, seeds: range) -> Counter[int]:
    """Send each seed's body; returns how often each status was answered."""
    answers: Counter[int] = Counter()
    with serving(folder, queue_limit=10_000) as (client, process):
        good = otlp_bodies.protobuf(range(1, 4))
        assert (
            client.post(
                "/v1/traces", content=good, headers={"content-type": "application/x-protobuf"}
            ).status_code
            == 200
        )
        sent = 3
        for seed in seeds:
            address, media, body, zipped = damaged(seed)
            headers = {"content-type": media} | ({"content-encoding": "gzip"} if zipped else {})
            answer = client.post(address, content=body, headers=headers)
            answers[answer.status_code] += 1
            if answer.status_code == 200:
                plain = gunzip(body, 10**9) if zipped else body
                sent += rows_of(plain, media, address.removeprefix("/v1/"))
            if answer.status_code not in (200, 400, 413, 415):
                _keep(seed, body)
            assert answer.status_code in (200, 400, 413, 415), (
                f"seed {seed}: {answer.status_code} {answer.text[:300]}"
            )
            assert len(answer.content) < 2_000, f"seed {seed}: an answer as long as a body"
            if answer.status_code == 400:
                assert len(answer.content) > 20, f"seed {seed}: an answer that says nothing"
        store = process.ledger()
        wait_until_derived(process, store.latest_import())
        first = store.ask(
            "select count(*) from spans where span_id in ($a, $b, $c)",
            a=f"{1:016x}",
            b=f"{2:016x}",
            c=f"{3:016x}",
        )
        assert first.item() == 3, "what was acknowledged before is there"
        read, kept = store.ask(COUNTED).row(0)
        known_bodies = store.ask(
            "select coalesce(sum(rows_read), 0) from duplicates join imports on row_key = sha256"
        )
        assert sent == read + known_bodies.item(), (
            "every row that was sent and not refused as a whole was read"
        )
        assert read == kept, "what was read is there, refused, or an exact repeat"
        for audit in every_audit():
            scope = Scope(*store.ask("select min(day), max(day) from spans").row(0), as_of=store.version())
            measure = audit.measure(audit.load(store.ask, scope), scope)
            assert isinstance(measure, TooLittle) or audit.judge(measure).sentence
    return answers


def _keep(seed: int, body: bytes) -> None:
    REPORT.mkdir(exist_ok=True)
    (REPORT / f"body-{seed}.bin").write_bytes(body)


def test_some_hundred_damaged_bodies(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    answers = send_damaged(tmp_path, range(400))
    assert answers[200] > 50
    assert answers[400] > 50
    faults = [record.exc_text for record in caplog.records if record.name == "trueup.ingest"]
    assert not faults, faults[0]


@pytest.mark.slow
def test_twenty_thousand_damaged_bodies(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    answers = send_damaged(tmp_path, range(1_000, 21_000))
    print(f"20,000 damaged bodies: {dict(answers)}")
    faults = [record.exc_text for record in caplog.records if record.name == "trueup.ingest"]
    assert not faults, faults[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_is_taken_is_counted_to_the_last_row(kind: str) -> None:
    """600 bodies of each kind: what the decoder counts is what a reader by hand counts."""
    assert sum(is_taken_whole(kind, seed) for seed in range(600)) > 100


def is_taken_whole(kind: str, seed: int) -> bool:
    """Whether a damaged body was taken; asserts that it was counted to the last row."""
    random = Random(f"{kind} {seed}")
    media, body = damage(kind, random)
    try:
        batch = DECODE[kind.split(maxsplit=1)[0]](body, media, ReadOptions())
    except BadRequest:
        return False
    kept = "spans" if "trace" in kind else ""
    stored = sum(frame.height for table, frame in batch.frames.items() if table.startswith(kept))
    assert batch.rows_read == stored + len(batch.quarantined), f"seed {seed}"
    assert batch.rows_read == rows_of(body, media, SIGNAL[kind.split(maxsplit=1)[0]]), f"seed {seed}"
    assert all(len(row.reason) < 400 and len(row.row_text) <= 4_000 for row in batch.quarantined)
    return True


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ({"startTimeUnixNano": str(YEAR_1_NS)}, 0),
        ({"startTimeUnixNano": str(YEAR_9999_NS), "endTimeUnixNano": str(YEAR_9999_NS)}, 0),
        ({"endTimeUnixNano": str(START_NS - 1)}, 1),  # an end before the start is repaired and told
        ({"endTimeUnixNano": "1"}, None),
        ({"traceId": "0" * 32}, 0),
        ({"traceId": "abc"}, 0),
        ({"spanId": None}, 0),
        ({"name": ""}, 1),
        ({"name": "x" * 100_000}, 1),
        ({"kind": 99}, 1),
        ({"kind": "SPAN_KIND_CLIENT"}, 0),  # enums are numbers in OTLP/JSON
        ({"attributes": [{"key": f"k{n}", "value": {"intValue": n}} for n in range(10_000)]}, 1),
        ({"attributes": [{"key": "k", "value": {"stringValue": "v" * 100_000}}]}, 1),
        ({"events": [event(f"e{n}", n) for n in range(10_000)]}, 1),
        ({"attributes": [{"key": "gen_ai.usage.input_tokens", "value": {"doubleValue": "NaN"}}]}, 1),
        ({"attributes": [{"key": "gen_ai.usage.input_tokens", "value": {"doubleValue": "Infinity"}}]}, 1),
        ({"attributes": [{"key": "gen_ai.usage.input_tokens", "value": {"intValue": str(2**80)}}]}, None),
        ({"parentSpanId": "eee19b7ec3c1b174"}, 1),  # its own parent
        ({"status": {"code": 7}}, 1),
        ({"links": "none"}, 1),
    ],
)
def test_odd_spans_are_kept_or_refused_with_a_reason(changed: dict[str, Any], kept: int | None) -> None:
    body = json.dumps(request(span(ATTRIBUTES, **changed))).encode()
    batch = decode_traces(body, "application/json", ReadOptions())
    spans = batch.frames["spans"].height if "spans" in batch.frames else 0
    assert spans + len(batch.quarantined) == 1
    assert kept in (None, spans)
    assert all(len(row.reason) > 20 for row in batch.quarantined)


def test_cycles_crowds_and_strangers_are_derived(tmp_path: Path) -> None:
    """Parents that are each other's children, ten thousand children, ids that repeat with other content."""
    ring = [span(spanId=f"{n:016x}", parentSpanId=f"{n % 3 + 1:016x}", traceId="1" * 32) for n in range(1, 4)]
    crowd = [
        span(
            ATTRIBUTES,
            spanId=f"{n:016x}",
            parentSpanId="00000000000003e7" if n > 1000 else "",
            traceId="2" * 32,
        )
        for n in range(999, 11_000)
    ]
    again = [span({"gen_ai.operation.name": "chat", "n": n}, traceId="3" * 32) for n in range(50)]
    with serving(tmp_path) as (client, process):
        for spans in (ring, crowd, again):
            body = json.dumps(request(*spans)).encode()
            assert (
                client.post(
                    "/v1/traces", content=body, headers={"content-type": "application/json"}
                ).status_code
                == 200
            )
        wait_until_derived(process, 3)
        assert process.ledger().ask("select count(*) from runs where superseded_by > 3").item() == 3
