"""Outcomes as OTLP log events `gen_ai.evaluation.result`: `conversion` of a run, where anybody recorded it."""

from __future__ import annotations

import gzip
from pathlib import Path
from random import Random

from data.demo.plan import DAY_NS, END_DAY, SECOND_NS, day_start_ns
from data.demo.traces import resource_json
from data.demo.world import Run

Records = dict[tuple[str, int], list[str]]
"""Log records by (service, region)."""

_LAST_NS = day_start_ns(END_DAY) + DAY_NS - 1


def add_outcome(rng: Random, run: Run, root_id: bytes, records: Records) -> None:
    """Record the outcome of a run, if anybody did: seconds to minutes after it, on its root span."""
    if run.converted is None:
        return
    at_ns = min(run.end_ns + int(rng.expovariate(1 / 180) * SECOND_NS) + SECOND_NS, _LAST_NS)
    value, label = ("1.0", "converted") if run.converted else ("0.0", "not_converted")
    records.setdefault((run.service.name, run.region), []).append(
        '{"severityNumber":9,"attributes":['
        '{"key":"gen_ai.evaluation.name","value":{"stringValue":"conversion"}},'
        f'{{"key":"gen_ai.evaluation.score.value","value":{{"doubleValue":{value}}}}},'
        f'{{"key":"gen_ai.evaluation.score.label","value":{{"stringValue":"{label}"}}}},'
        '{"key":"evaluation.source","value":{"stringValue":"business"}}],'
        f'"flags":1,"traceId":"{run.trace_id.hex()}","spanId":"{root_id.hex()}",'
        f'"observedTimeUnixNano":"{at_ns}","eventName":"gen_ai.evaluation.result"}}'
    )


def write_outcomes(path: Path, records: Records) -> None:
    """Collector JSON lines, gzip: one request a line, at most 500 records each."""
    lines = []
    for key, items in records.items():
        head = b'{"resourceLogs":[{"resource":' + resource_json(*key)
        head += b',"scopeLogs":[{"scope":{"name":"northwind.outcomes","version":"1.3.0"},"logRecords":['
        for start in range(0, len(items), 500):
            lines.append(head + ",".join(items[start : start + 500]).encode() + b"]}]}]}\n")
    path.write_bytes(gzip.compress(b"".join(lines), compresslevel=1, mtime=0))
