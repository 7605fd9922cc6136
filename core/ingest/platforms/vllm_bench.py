"""Results of `vllm bench serve --save-result --save-detailed`: one JSON document a run, a request an element of its lists.

`ttfts` (s), `itls` (s, a list a request: one per chunk after the first), `output_lens` (tokens), `input_lens`, and in newer
versions `start_times` become rows of `streams`. vLLM takes keys of your own by `--metadata region=eu-1 version=0.14 ...`.
`date` has no zone and is read as UTC. The n-th request of runs with one data set and one seed is the same prompt.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, BinaryIO

from core.ingest import quarantine, row_texts
from core.ingest.options import ReadOptions
from core.ingest.row_texts import NotARow
from core.ingest.streams import Chunks, measured, stream_frame
from core.ledger.batch import Batch, Quarantined

NAME = "vllm_bench"
_LISTS = ("ttfts", "itls", "output_lens")
_SIGNS = (b'"tokenizer_id"', b'"num_prompts"')


def detect(head: bytes, name: str) -> bool:
    """JSON with the first keys of a result."""
    return head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[") and all(sign in head for sign in _SIGNS)


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file, which `--append-result` may give several runs. Raises ValueError without a detailed run."""
    content = stream.read()
    rows: list[dict[str, Any]] = []
    refused: list[Quarantined] = []
    number = 0
    for place, run in enumerate(row_texts.json_rows(content.decode("utf-8-sig", "replace"))):
        if isinstance(run, NotARow):
            number += 1
            refused.append(quarantine.refused(number, None, run.reason, ""))
            continue
        columns = _columns(run)
        began, key, first_s = _date(run.get("date")), _key(run, place), _first_s(columns["start_times"])
        for at, held in enumerate(zip(*columns.values(), strict=True)):
            number += 1
            one = dict(zip(columns, held, strict=True))
            made = _row(run, key, began, first_s, at, one)
            if isinstance(made, str):
                refused.append(quarantine.refused(number, None, made, ""))
            else:
                rows.append(made)
    sha256 = hashlib.sha256(content).hexdigest()
    yield Batch(source, NAME, sha256, number, {"streams": stream_frame(rows)}, refused, demo=options.demo)


def _columns(run: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Lists of one length. Raises ValueError saying what to run."""
    lists = {name: run.get(name) for name in _LISTS}
    missing = [name for name, held in lists.items() if not isinstance(held, list)]
    if missing:
        raise ValueError(
            f"The result has no {', '.join(missing)}: chunk times are saved by vllm bench serve --save-result --save-detailed."
        )
    length = len(lists["ttfts"] or ())
    for name in ("input_lens", "start_times", "errors"):
        held = run.get(name)
        lists[name] = held if isinstance(held, list) and len(held) == length else [None] * length
    sound = {name: held for name, held in lists.items() if isinstance(held, list)}
    lengths = {name: len(held) for name, held in sound.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The lists are not of one length ({lengths}): export the result again.")
    return sound


def _date(value: Any) -> int:
    """UTC ns of `date`, as in 20261120-101500. Raises ValueError."""
    try:
        read = dt.datetime.strptime(str(value), "%Y%m%d-%H%M%S").replace(tzinfo=dt.UTC)
    except ValueError:
        raise ValueError(f"date is {str(value)[:40]!r}; write it like 20261120-101500 (UTC).") from None
    if not 1990 <= read.year < 2100:
        raise ValueError(f"date is {str(value)[:40]!r}; write a year between 1990 and 2100.")
    return int(read.timestamp()) * 10**9


def _key(run: Mapping[str, Any], place: int) -> str:
    said = [
        run.get(name) for name in ("date", "model_id", "label", "request_rate", "max_concurrency", "duration")
    ]
    return hashlib.sha256(repr((said, place)).encode()).hexdigest()[:16]


def _row(
    run: Mapping[str, Any], key: str, began_ns: int, first_s: float | None, at: int, one: Mapping[str, Any]
) -> dict[str, Any] | str:
    """A row of `streams`, or why the request has none."""
    if one["errors"]:
        return "The request failed: it has no stream."
    gaps, first = one["itls"], _seconds(one["ttfts"])
    if first is None or not isinstance(gaps, list) or any(_seconds(gap) is None for gap in gaps):
        return "ttfts or itls hold no seconds; export the result again."
    output = one["output_lens"]
    if isinstance(output, bool) or not isinstance(output, int) or not 0 <= output < 2**31:
        return "output_lens is no count of tokens; export the result again."
    after_s = _after_s(run, at, one["start_times"], first_s)
    times = [time * 1000 for time in accumulate(gaps, initial=first)]
    return {
        "stream_key": f"{key}/{at}",
        "source": "vllm_bench",
        "provider_name": _text(run, "provider") or "vllm",
        "request_model": _text(run, "model_id") or "unknown",
        "response_model": _text(run, "model_id"),
        "version_label": _text(run, "version") or _text(run, "label"),
        "cloud_region": _text(run, "region"),
        "prompt_id": f"bench-{at}-{one['input_lens']}",
        "started_at_ns": began_ns + int(after_s * 1e9),
        **measured(Chunks(times), output),
    }


def _first_s(started: Sequence[Any]) -> float | None:
    """The first time of a clock without a date; None where the run has no times."""
    return min((seconds for one in started if (seconds := _seconds(one)) is not None), default=None)


def _after_s(run: Mapping[str, Any], at: int, started: Any, first_s: float | None) -> float:
    """Seconds after the first request of the run: by that clock, else by the request rate."""
    seconds = _seconds(started)
    if seconds is not None and first_s is not None and seconds - first_s < 10**6:
        return seconds - first_s
    rate = _seconds(run.get("request_rate"))
    return at / rate if rate and at / rate < 10**6 else 0.0


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value < 1e9 else None


def _text(run: Mapping[str, Any], name: str) -> str | None:
    value = run.get(name)
    return str(value).strip()[:400] or None if isinstance(value, str | int | float) else None
