"""Facts that instrumentations hide inside JSON texts, taken out before the text is dropped as content.

OpenInference has the response id only in output.value and, on failed OpenAI calls, the request model only in
llm.invocation_parameters. Langfuse sends usage and cost as JSON maps.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson

from core.ingest.privacy import SHORT_TEXT

LONGEST_JSON = 1_000_000
"""Characters of a JSON text that are still parsed for an id."""


def _object(value: Any) -> dict[str, Any]:
    """The JSON object in a text, or an empty one: prose in these attributes is common and no error."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, str) or not value.startswith("{") or len(value) > LONGEST_JSON:
        return {}
    try:
        parsed = orjson.loads(value)
        orjson.dumps([[[[parsed]]]])  # it reads 1,024 levels and writes 254: what cannot be stored is prose
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _dig(value: Any, *path: str | int) -> Any:
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def model_answer(value: Any) -> dict[str, Any]:
    """Id, tier and fingerprint of a provider's answer in output.value, also when LangChain wraps it.

    Only texts that look like a model's answer count: an object of a tool may have an `id` as well.
    """
    answer = _object(value)
    if "generations" in answer:
        answer = _dig(answer, "generations", 0, 0, "message", "kwargs", "response_metadata") or {}
    elif not ({"choices", "usage", "output", "stop_reason"} & answer.keys()):
        return {}
    names = ("id", "service_tier", "system_fingerprint")
    return {f"output.value:{name}": answer[name] for name in names if isinstance(answer.get(name), str)}


def invocation_parameters(value: Any) -> dict[str, Any]:
    """Model, stream, user and tier that were asked for; numbers and switches are kept, texts are not."""
    parameters = _object(value)
    found: dict[str, Any] = {}
    for name, item in parameters.items():
        if name in ("model", "service_tier", "stream", "user"):
            found[f"llm.invocation_parameters:{name}"] = item
        elif isinstance(item, int | float):
            found[f"llm.invocation_parameters.{name}"] = item
    if "llm.invocation_parameters:model" not in found and isinstance(parameters.get("model_name"), str):
        found["llm.invocation_parameters:model"] = parameters["model_name"]
    return found


def embedding_parameters(value: Any) -> dict[str, Any]:
    """Request model of an OpenInference embedding."""
    model = _object(value).get("model")
    return {"embedding.invocation_parameters:model": model} if model else {}


def _total(entries: dict[str, int], *starts: str) -> int | None:
    numbers = [number for name, number in entries.items() if name.startswith(starts)]
    return sum(numbers) if numbers else None


def langfuse_usage(value: Any) -> dict[str, Any]:
    """Token counts of Langfuse's usage_details in the meaning of the ledger.

    Langfuse's parts are disjoint: `input` excludes cache reads and writes, `output` excludes reasoning, so
    the ledger's input and output are sums. A map whose total already equals input + output is not disjoint
    (an OpenAI usage object passed through), and its parts are taken as they are.
    """
    entries = {
        name: int(number)
        for name, number in _object(value).items()
        if isinstance(number, int | float) and not isinstance(number, bool) and number >= 0
    }
    reads = ("cache_read", "input_cache_read", "input_cached")
    writes = ("cache_creation", "cache_write", "input_cache_creation", "input_cache_write")
    inputs = _total(entries, "input", "prompt", "cache_")
    outputs = _total(entries, "output", "completion")
    plain_in = entries.get("input", entries.get("prompt_tokens", entries.get("input_tokens")))
    plain_out = entries.get("output", entries.get("completion_tokens", entries.get("output_tokens")))
    total = entries.get("total", entries.get("total_tokens"))
    if total is not None and plain_in is not None and total == plain_in + (plain_out or 0):
        inputs, outputs = plain_in, plain_out
    found = {
        "langfuse.usage:input": inputs,
        "langfuse.usage:output": outputs,
        "langfuse.usage:cache_read": _total(entries, *reads),
        "langfuse.usage:cache_write": _total(entries, *writes),
        "langfuse.usage:reasoning": _total(entries, "output_reasoning", "reasoning"),
    }
    return {name: number for name, number in found.items() if number is not None}


def langfuse_cost(value: Any) -> dict[str, Any]:
    """Dollars of Langfuse's cost_details: the total when given, else the sum of the parts."""
    parts = {name: Decimal(repr(cost)) for name, cost in _object(value).items() if type(cost) in (int, float)}
    if not parts:
        return {}
    return {"langfuse.cost:total": str(parts.get("total", sum(parts.values(), Decimal(0))))}


def model_parameters(value: Any) -> dict[str, Any]:
    """Numbers and switches of Langfuse's model parameters under the names of the conventions."""
    known = {"temperature", "top_p", "top_k", "max_tokens", "seed", "frequency_penalty", "presence_penalty"}
    return {
        f"gen_ai.request.{name}" if name in known else f"langfuse.model.parameters.{name}": item
        for name, item in _object(value).items()
        if isinstance(item, int | float)
    }


def metadata(value: Any) -> dict[str, Any]:
    """OpenInference metadata: the user and LangGraph's thread; other short scalars under metadata.<name>."""
    found: dict[str, Any] = {}
    for name, item in _object(value).items():
        if name in ("user_id", "thread_id"):
            found[f"metadata:{name}"] = item
        elif isinstance(item, int | float) or (isinstance(item, str) and len(item) <= SHORT_TEXT):
            found[f"metadata.{name}"] = item
    return found


EMBEDDED: dict[str, Callable[[Any], dict[str, Any]]] = {
    "output.value": model_answer,
    "metadata": metadata,
    "llm.invocation_parameters": invocation_parameters,
    "embedding.invocation_parameters": embedding_parameters,
    "langfuse.observation.usage_details": langfuse_usage,
    "langfuse.observation.cost_details": langfuse_cost,
    "langfuse.observation.model.parameters": model_parameters,
}
