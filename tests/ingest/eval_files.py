"""Small files of every eval tool, written here in the shape the tools write, and zip archives as they can be damaged."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zstandard

from core.ingest.files import read_upload
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch

TRACE = "0af7651916cd43dd8448eb211c80319c"


class Entry(NamedTuple):
    """One entry of a hand-made zip archive; what is None is as it should be."""

    name: str
    content: bytes
    method: int = 93
    flags: int = 0
    crc: int | None = None
    size: int | None = None


def zipped(*entries: Entry) -> bytes:
    """A zip archive written byte by byte: zipfile before Python 3.14 writes no Zstandard, and nothing wrong on purpose."""
    out, directory = io.BytesIO(), io.BytesIO()
    for entry in entries:
        packed = {
            0: lambda content: content,
            8: lambda content: zlib.compress(content, 9)[2:-4],
            93: zstandard.ZstdCompressor().compress,
        }.get(entry.method, lambda content: content)(entry.content)
        crc = zlib.crc32(entry.content) if entry.crc is None else entry.crc
        size = len(entry.content) if entry.size is None else entry.size
        name = entry.name.encode()
        shared = struct.pack(
            "<5H3I2H", 63, entry.flags, entry.method, 0, 33, crc, len(packed), size, len(name), 0
        )
        directory.write(b"PK\x01\x02" + struct.pack("<H", 63) + shared)
        directory.write(struct.pack("<3H2I", 0, 0, 0, 0, out.tell()) + name)
        out.write(b"PK\x03\x04" + shared + name + packed)
    at, listed = out.tell(), directory.getvalue()
    end = struct.pack("<4H2IH", 0, 0, len(entries), len(entries), len(listed), at, 0)
    return out.getvalue() + listed + b"PK\x05\x06" + end


def dumped(document: Any) -> bytes:
    return json.dumps(document).encode()


INSPECT_HEADER: dict[str, Any] = {
    "version": 2,
    "status": "success",
    "eval": {
        "eval_id": "E1",
        "run_id": "R1",
        "created": "2026-11-20T10:00:00+00:00",
        "task": "capitals",
        "task_id": "T1",
        "task_version": 3,
        "task_args": {"arm": "text"},
        "dataset": {"samples": 3, "sample_ids": ["paris", "rome", 7], "shuffled": False},
        "model": "openai/gpt-4o-mini",
        "model_args": {"quantization": "int4"},
        "config": {"epochs": 1},
        "revision": {"type": "git", "commit": "abc123"},
        "packages": {"inspect_ai": "0.3.285"},
        "metadata": {"region": "eu-west-1"},
        "scorers": [
            {"name": "includes", "metrics": [{"name": "inspect_ai/accuracy"}]},
            {"name": "multi", "metrics": {"correct": [{"name": "mean"}], "concise": [{"name": "mean"}]}},
        ],
    },
    "plan": {"steps": [{"solver": "system_message", "params": {"template": "Answer briefly."}}]},
    "results": {
        "total_samples": 3,
        "completed_samples": 2,
        "scores": [
            {"name": "includes", "scorer": "includes", "metrics": {"accuracy": {"value": 1.0}}},
            {"name": "correct", "scorer": "multi", "metrics": {"mean": {"value": 0.75}}},
        ],
    },
    "stats": {
        "started_at": "2026-11-20T10:00:01+00:00",
        "completed_at": "2026-11-20T10:00:09+00:00",
        "model_usage": {"m": {"input_tokens": 40, "output_tokens": 10, "input_tokens_cache_read": 16}},
    },
}
INSPECT_SAMPLES: list[dict[str, Any]] = [
    {
        "id": "paris",
        "epoch": 1,
        "input": "Capital of France?",
        "target": ["Paris"],
        "scores": {
            "includes": {"value": "C", "answer": "paris", "explanation": "it says Paris"},
            "multi": {"value": {"correct": "C", "concise": 0.5}},
        },
        "metadata": {
            "trace_id": TRACE.upper(), "topic": "geo", "arm": "image", "slices": {"tier": "pro"},
            "source": "production", "created_on": "2026-10-01", "source_trace_id": TRACE, "subject_key": "user-7",
            "twin_of": "capitals/paris-fr", "canary_guid": "g-1", "store": "s3", "reader_groups": ["evals", "ops"],
            "note": "long prose " * 20, "email": "someone@example.org",
        },
        "output": {"model": "gpt-4o-mini-2024-07-18", "completion": "Paris"},
        "model_usage": {"m": {"input_tokens": 20, "output_tokens": 5}},
        "total_time": 0.5,
        "uuid": "U1",
        "error_retries": [{}],
    },
    {
        "id": 7,
        "epoch": 1,
        "input": [{"id": "random", "role": "user", "content": "Capital of Norway?"}],
        "target": "Oslo",
        "scores": {"includes": {"value": "C"}, "multi": {"value": {"correct": "P", "concise": float("nan")}}},
        "metadata": {},
    },
    {
        "id": "rome",
        "epoch": 1,
        "input": "Capital of Italy?",
        "target": "Rome",
        "scores": {},
        "error": {"message": "RuntimeError('tool backend down')", "traceback": "..."},
        "metadata": {},
    },
]  # fmt: skip


def inspect_json(header: dict[str, Any] = INSPECT_HEADER, samples: Any = INSPECT_SAMPLES) -> bytes:
    return dumped({**header, "samples": samples})


def inspect_eval(
    header: dict[str, Any] | None = INSPECT_HEADER,
    samples: list[dict[str, Any]] = INSPECT_SAMPLES,
    method: int = 93,
    changed: dict[str, Entry] | None = None,
) -> bytes:
    """A log as an archive; `changed` puts entries of its own in the place of those with their names."""
    start = {"version": 2, "eval": INSPECT_HEADER["eval"], "plan": INSPECT_HEADER["plan"]}
    entries = [Entry("_journal/start.json", dumped(start), method)]
    entries += [
        Entry(f"samples/{one['id']}_epoch_{one['epoch']}.json", dumped(one), method) for one in samples
    ]
    entries.append(Entry("summaries.json", dumped(samples), method))
    if header is not None:
        entries.append(Entry("header.json", dumped(header), method))
    return zipped(*((changed or {}).get(entry.name, entry) for entry in entries))


LM_EVAL_RESULTS: dict[str, Any] = {
    "results": {
        "capitals": {
            "alias": "capitals", "sample_len": 2, "acc,none": 0.5, "acc_stderr,none": "N/A",
            "exact_match,strict-match": 1.0,
        },
        "all": {"alias": "all", "acc,none": 0.5},
    },
    "group_subtasks": {"all": ["capitals"]},
    "configs": {"capitals": {"task": "capitals", "metadata": {"version": 2.0}}},
    "versions": {"capitals": 2.0},
    "n-shot": {"capitals": 5},
    "higher_is_better": {"capitals": {"acc": True}},
    "n-samples": {"capitals": {"original": 10, "effective": 2}},
    "config": {"model": "hf", "model_args": "pretrained=org/model-7b,load_in_4bit=True", "limit": 2},
    "git_hash": "abc123",
    "date": 1795132800.5,
    "lm_eval_version": "0.4.13",
    "task_hashes": {"capitals": ""},
    "model_name": "org__model-7b",
    "total_evaluation_time_seconds": "45.5",
}  # fmt: skip


def lm_eval_samples() -> bytes:
    """Two documents, the second of them read through two filters; the prompts' and answers' real hashes."""
    lines = []
    for doc_id, prompt, answer, metrics in (
        (0, "Q: Capital of France?\nA:", "Paris", {"acc": 1.0, "perplexity": 12.5}),
        (1, "Q: Capital of Norway?\nA:", "Oslo", {"acc": 0.0, "perplexity": float("nan")}),
    ):
        hashes = {"doc_hash": str(doc_id) * 64, "prompt_hash": sha(prompt), "target_hash": sha(answer)}
        shared = {
            "doc_id": doc_id, "doc": {"q": prompt}, "target": answer,
            "arguments": {"gen_args_0": {"arg_0": prompt}}, "resps": [["Paris"]], "filtered_resps": ["Paris"],
        }  # fmt: skip
        lines.append({**shared, "filter": "none", "metrics": list(metrics), **hashes, **metrics})
    again = {"filter": "strict-match", "metrics": ["exact_match"], "exact_match": 1.0}
    lines.append(
        {**{key: value for key, value in lines[1].items() if key not in ("acc", "perplexity")}, **again}
    )
    return b"\n".join(map(dumped, lines)) + b"\n"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


PROMPTFOO_ROWS: list[dict[str, Any]] = [
    {
        "id": "row-1", "testIdx": 0, "promptIdx": 0, "promptId": "p0", "success": True, "score": 0.75,
        "failureReason": 0, "latencyMs": 250, "cost": 0.001, "vars": {"city": "Paris"},
        "provider": {"id": "openai:chat:gpt-4o-mini", "label": "ok"},
        "prompt": {"raw": "Weather in Paris?", "label": "Weather in {{city}}?"},
        "testCase": {"vars": {"city": "Paris"}, "assert": [{"type": "contains", "value": "Paris"}]},
        "metadata": {"trace_id": TRACE, "language": "en"},
        "namedScores": {"mentions": 1},
        "gradingResult": {"componentResults": [
            {"pass": True, "score": 1, "assertion": {"type": "contains", "metric": "mentions"}},
            {"pass": True, "score": 0.3, "assertion": {"type": "similar"}},
            {"pass": False, "score": 0.9, "assertion": {"type": "similar"}},
        ]},
        "tokenUsage": {"prompt": 100, "completion": 9},
        "response": {
            "output": "rain", "cached": False,
            "metadata": {"http": {"status": 200, "headers": {"x-request-id": "req_1"}}},
        },
    },
    {
        "id": "row-2", "testIdx": 1, "promptIdx": 0, "success": False, "score": 0, "failureReason": 1,
        "vars": {"city": "Oslo"}, "provider": {"id": "openai:chat:gpt-4o-mini"}, "namedScores": {},
        "gradingResult": {"componentResults": []},
    },
    {
        "id": "row-3", "testIdx": 2, "promptIdx": 0, "success": False, "score": 0, "failureReason": 2,
        "error": "API error: 429 Too Many Requests", "vars": {"city": "Paris"}, "namedScores": {}, "cost": 0,
        "provider": {"id": "openai:chat:gpt-4o-mini"}, "gradingResult": None,
        "testCase": {"assert": [{"type": "contains"}, {"type": "latency"}]},
    },
]  # fmt: skip
PROMPTFOO: dict[str, Any] = {
    "evalId": "eval-1",
    "results": {
        "version": 3,
        "timestamp": "2026-11-20T10:00:00.000Z",
        "prompts": [{"raw": "Weather in {{city}}?", "metrics": {"score": 0.75, "testPassCount": 1}}],
        "results": PROMPTFOO_ROWS,
    },
    "config": {"description": "weather", "metadata": {"region": "eu-west-1", "quantization": "fp8"}},
    "metadata": {"promptfooVersion": "0.123.1"},
}

LEGACY: list[dict[str, Any]] = [
    {
        "spec": {
            "completion_fns": ["gpt-4o-mini"],
            "eval_name": "capitals.test.v1",
            "base_eval": "capitals",
            "split": "test",
            "run_config": {"seed": 1, "max_samples": 4},
            "run_id": "RUN",
            "created_at": "2026-11-20 10:00:00.500000",
        }
    },
    {"final_report": {"accuracy": 0.5, "boostrap_std": 0.35}, "run_id": "RUN"},
    *(
        {"run_id": "RUN", "event_id": number, "sample_id": sample, "type": kind, "data": given}
        for number, (sample, kind, given) in enumerate(
            [
                ("c.0", "sampling", {"prompt": "Capital of France?", "sampled": ["Paris"], "model": "m",
                                     "usage": {"prompt_tokens": 20, "completion_tokens": 5}}),
                ("c.0", "match", {"correct": True, "expected": "Paris"}),
                ("c.1", "match", {"correct": False, "expected": "Oslo"}),
                ("c.1", "metrics", {"similarity": 0.2, "choice": "B"}),
                ("c.2", "error", {"type": "TimeoutError", "message": "model timed out"}),
                ("c.3", "error", {"type": "RateLimitError", "message": "slow down"}),
                ("c.3", "match", {"correct": True, "expected": "Rome"}),
            ]
        )
    ),
]  # fmt: skip

API_RUN: dict[str, Any] = {
    "object": "eval.run",
    "id": "evalrun_1",
    "eval_id": "eval_1",
    "status": "completed",
    "model": "gpt-4o-mini",
    "name": "nightly",
    "created_at": 1795132800,
    "result_counts": {"total": 3, "errored": 1, "failed": 1, "passed": 1},
    "per_testing_criteria_results": [{"testing_criteria": "match", "passed": 1, "failed": 1}],
    "data_source": {
        "input_messages": {"template": [{"role": "developer", "content": "Answer."}]},
        "source": {"content": [{"item": {"input": name}} for name in ("a", "b", "c")]},
    },
    "metadata": {"region": "eu-west-1", "git_sha": "abc123"},
}
API_ITEMS: list[dict[str, Any]] = [
    {
        "object": "eval.run.output_item",
        "id": f"item_{number}",
        "run_id": "evalrun_1",
        "eval_id": "eval_1",
        "status": status,
        "datasource_item_id": number,
        "datasource_item": {"input": "Capital of France?", "ground_truth": "Paris", "trace_id": TRACE},
        "results": results,
        "sample": {
            "model": "gpt-4o-mini-2024-07-18",
            "finish_reason": "stop",
            "usage": {"prompt_tokens": 20, "completion_tokens": 2, "cached_tokens": 4},
            "error": error,
            "output": [{"role": "assistant", "content": "Paris"}],
        },
    }
    for number, status, results, error in (
        (1, "pass", [{"name": "match", "passed": True, "score": 1.0}], None),
        (2, "fail", [{"name": "match", "passed": False, "score": 0.8}], None),
        (3, "error", [], {"code": "rate_limit_exceeded", "message": "Rate limit reached"}),
    )
]
API_PAGE: dict[str, Any] = {"object": "list", "data": API_ITEMS, "has_more": True, "last_id": "item_3"}


def deepeval_case(snake: bool) -> dict[str, Any]:
    case: dict[str, Any] = {
        "name": "paris",
        "input": "Capital of France?",
        "actual_output": "Paris",
        "expected_output": "Paris",
        "success": True,
        "metrics_data": [
            {"name": "Contains", "threshold": 0.5, "success": True, "score": 0.4, "evaluation_model": "j"},
            {"name": "Toxicity", "threshold": 0.5, "success": False, "score": 0.9, "reason": "why"},
            {"name": "Broken", "threshold": 0.5, "success": False, "score": None, "error": "ValueError: no"},
            {"name": "Unasked", "threshold": 0.5, "success": None, "score": None},
        ],
        "metadata": {"trace_id": TRACE, "arm": "text", "language": "en"},
        "index": 0,
        "run_duration": 0.5,
        "evaluation_cost": 0.25,
    }
    return case if snake else camelled(case)


def camelled(value: Any) -> Any:
    """The same in camelCase, except what a map of the user's own holds."""
    if isinstance(value, list):
        return [camelled(one) for one in value]
    if not isinstance(value, dict):
        return value
    words = ((name.split("_"), inner) for name, inner in value.items())
    return {
        first + "".join(word.capitalize() for word in rest): inner if first == "metadata" else camelled(inner)
        for (first, *rest), inner in words
    }


DEEPEVAL_RUN: dict[str, Any] = {
    "testCases": [deepeval_case(snake=False)],
    "conversationalTestCases": [],
    "metricsScores": [{"metric": "Contains", "scores": [0.4], "passes": 1, "fails": 0, "errors": 0}],
    "hyperparameters": {
        "model": "gpt-4o-mini",
        "region": "eu-west-1",
        "quantization": "int4",
        "git_sha": "abc123",
    },
    "testPassed": 1,
    "runDuration": 0.5,
}
DEEPEVAL_RESULT: dict[str, Any] = {"test_results": [deepeval_case(snake=True)], "test_run_id": None}

RAGAS = (
    b"user_input,retrieved_contexts,response,reference,faithfulness,answer_relevancy,remark,language,trace_id,model,arm\n"
    b"Capital of France?,\"['It is Paris']\",Paris,Paris,0.75,1.0,seen by hand,en,"
    + TRACE.encode()
    + b",m,text\n"
    b"Capital of Norway?,['Oslo'],Bergen,Oslo,nan,0.0,so so,en,,m,text\n"
    b"Capital of Norway?,['Oslo'],Oslo,Oslo,,,again,en,,m,text\n"
)

BRAINTRUST: dict[str, Any] = {
    "summary": {
        "project_name": "lab",
        "experiment_id": "exp-1",
        "experiment_name": "nightly",
        "scores": {"exact": {"name": "exact", "score": 0.5}, "judge": {"name": "judge", "score": None}},
        "metrics": {"duration": {"metric": 1.5}},
    },
    "results": [
        {
            "input": "Capital of France?", "output": "Paris", "expected": "Paris", "error": None,
            "metadata": {"id": "paris", "trace_id": TRACE, "model": "m", "arm": "text", "language": "en",
                         "region": "eu-west-1", "git_sha": "abc123", "quantization": "int4"},
            "scores": {"exact": 1.0, "judge": None},
        },
        {"input": "Capital of Norway?", "expected": "Oslo", "metadata": {}, "scores": {"exact": 0.0}, "error": None},
        {"input": "Capital of Italy?", "expected": "Rome", "scores": {}, "error": "ValueError: bad"},
    ],
}  # fmt: skip
BRAINTRUST_EVENTS: list[dict[str, Any]] = [
    {
        "id": "ev-1", "_xact_id": "2", "experiment_id": "exp-2", "project_id": "proj", "span_id": "s1",
        "root_span_id": "s1", "span_parents": None, "input": "Capital of France?", "expected": "Paris",
        "scores": {"exact": 1}, "metadata": {}, "metrics": {"prompt_tokens": 20, "completion_tokens": 2}, "error": None,
    },
    {
        "id": "ev-1", "_xact_id": "1", "experiment_id": "exp-2", "project_id": "proj", "span_id": "s1",
        "root_span_id": "s1", "input": "Capital of France?", "scores": {"exact": 0},
    },
    {
        "id": "ev-2", "_xact_id": "2", "experiment_id": "exp-2", "project_id": "proj", "span_id": "s2",
        "root_span_id": "s1", "span_parents": ["s1"], "input": "step", "scores": {},
    },
]  # fmt: skip


def json_lines(rows: list[Any]) -> bytes:
    return b"".join(dumped(row) + b"\n" for row in rows)


SHAPES: dict[str, tuple[bytes, ...]] = {
    "inspect": (inspect_json(), inspect_eval(), inspect_eval(method=8)),
    "lm_eval": (dumped(LM_EVAL_RESULTS), lm_eval_samples()),
    "promptfoo": (dumped(PROMPTFOO), json_lines(PROMPTFOO_ROWS)),
    "openai_evals_legacy": (json_lines(LEGACY),),
    "openai_evals_api": (dumped(API_RUN), dumped(API_PAGE), dumped(API_ITEMS[0])),
    "deepeval": (dumped(DEEPEVAL_RUN), dumped(DEEPEVAL_RESULT)),
    "ragas": (RAGAS,),
    "braintrust": (dumped(BRAINTRUST), dumped(BRAINTRUST["summary"]), json_lines(BRAINTRUST_EVENTS)),
}
"""A sound file of every shape of every format, for detection and for the hostile tests."""


def batch_of(content: bytes, name: str = "log", capture: bool = False) -> Batch:
    """The one batch of a file, through the door that every file takes."""
    (batch,) = read_upload(io.BytesIO(content), name, ReadOptions(capture_content=capture))
    return batch


def table_of(batch: Batch, table: str) -> list[dict[str, Any]]:
    """Rows of a table with their JSON parsed; no rows where the batch has none."""
    if table not in batch.frames:
        return []
    rows = batch.frames[table].rows(named=True)
    parsed = ("attributes", "slices")
    return [
        {name: json.loads(cell) if name in parsed and cell else cell for name, cell in row.items()}
        for row in rows
    ]


def known(row: dict[str, Any]) -> dict[str, Any]:
    """The row without what is unknown: a golden row then names every column that has a value."""
    return {name: cell for name, cell in row.items() if cell is not None}


def verdicts(batch: Batch) -> dict[tuple[str, str], tuple[float | None, str]]:
    """(sample, scorer) -> (value, verdict)."""
    rows = table_of(batch, "eval_samples")
    return {(row["sample_id"], row["scorer"]): (row["value"], row["verdict"]) for row in rows}


def fixture(*path: str) -> Path:
    """A file that a real tool wrote; skips where the shared folder is absent."""
    found = Path(__file__).parents[3].joinpath("shared", "fixtures", "evals", *path)
    if not found.exists():
        pytest.skip("../shared is absent")
    return found
