"""Send fixed prompts to the same model in several regions and write what comes back as JSON lines.

    python probe.py probes.toml

Needs Python 3.11 and nothing else. Keys come from the environment and are never written. Prompts, completions and
regions take turns, so that a bad minute falls on all regions alike. Give the file to Trueup: see README.md.
"""

from __future__ import annotations

import datetime as dt
import http.client
import json
import os
import re
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REFUSAL = r"(?i)\b(sorry|i can(no|')t|i am unable|i'm unable)\b"
"""What counts as a refusal unless the file gives its own `refusal`."""

Row = dict[str, Any]


def main(path: str) -> int:
    """Run every round; 0 when every region answered, 1 when one never did, 2 for a config that cannot be used."""
    try:
        config = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        check(config)
    except (OSError, tomllib.TOMLDecodeError, ValueError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 2
    answered = dict.fromkeys((region["name"] for region in config["region"]), 0)
    with Path(config.get("out", "probes.jsonl")).open("a", encoding="utf-8") as out:
        for number in range(config.get("rounds", 1)):
            if number:
                time.sleep(config.get("pause_s", 0))
            for row in one_round(config):
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
                out.flush()
                answered[row["region"]] += 1
    print(", ".join(f"{name} {count} answers" for name, count in answered.items()))
    return 0 if all(answered.values()) else 1


def check(config: Row) -> None:
    """Raises ValueError naming what is missing."""
    for table, fields in (("region", ("name", "api", "url", "model")), ("prompt", ("id", "text"))):
        if not config.get(table):
            raise ValueError(f"there is no [[{table}]]")
        for place, entry in enumerate(config[table], 1):
            for field in fields:
                if not entry.get(field):
                    raise ValueError(f"[[{table}]] number {place} has no {field}")
    for region in config["region"]:
        if region["api"] not in ("openai", "anthropic"):
            raise ValueError(f"region {region['name']}: api is {region['api']!r}; write openai or anthropic")
        if "key_env" in region and region["key_env"] not in os.environ:
            raise ValueError(f"region {region['name']}: the environment has no {region['key_env']}")


def one_round(config: Row) -> Iterator[Row]:
    """Every prompt to every region, completion by completion; the region that goes first changes every time."""
    regions, turn = config["region"], 0
    for completion in range(config.get("completions", 2)):
        for prompt in config["prompt"]:
            turn += 1
            for place in range(len(regions)):
                region = regions[(turn + place) % len(regions)]
                try:
                    yield ask(config, region, prompt, completion)
                except (
                    urllib.error.URLError,
                    http.client.HTTPException,
                    OSError,
                    ValueError,
                    KeyError,
                ) as error:
                    # Not an answer, so not a probe: how often calls fail is for traces to say.
                    print(f"{region['name']} {prompt['id']}: {error!r}", file=sys.stderr)


def ask(config: Row, region: Row, prompt: Row, completion: int) -> Row:
    """One streamed answer as a row of the probes format."""
    at = dt.datetime.now(dt.UTC)
    started = time.monotonic()
    with urllib.request.urlopen(
        request(config, region, prompt), timeout=config.get("timeout_s", 60)
    ) as answer:
        names = sorted({name.lower() for name in answer.headers})
        read = openai_events if region["api"] == "openai" else anthropic_events
        row = read(events(answer), started)
    text = "".join(row.pop("pieces"))
    return {
        "probe_id": f"{region['name']}/{prompt['id']}/{at.isoformat()}/{completion}",
        "prompt_id": prompt["id"],
        "region": region["name"],
        "at": at.isoformat(),
        "request_model": region["model"],
        **row,
        "last_chunk_ms": round((time.monotonic() - started) * 1000, 1),
        **judged(config, prompt, text),
        "text": text,
        "header_names": names,
    }


def request(config: Row, region: Row, prompt: Row) -> urllib.request.Request:
    """The HTTP request of one prompt."""
    body: Row = {
        "model": region["model"],
        "messages": [{"role": "user", "content": prompt["text"]}],
        "max_tokens": config.get("max_tokens", 400),
        "temperature": config.get("temperature", 1.0),
        "stream": True,
    }
    headers = {"content-type": "application/json", **region.get("headers", {})}
    key = os.environ.get(region.get("key_env", ""), "")
    if region["api"] == "openai":
        body["stream_options"] = {"include_usage": True}
        headers |= {"authorization": f"Bearer {key}"} if key else {}
    else:
        headers |= {"anthropic-version": "2023-06-01"} | ({"x-api-key": key} if key else {})
    body |= region.get("body", {})
    return urllib.request.Request(region["url"], json.dumps(body).encode(), headers)


def events(answer: Any) -> Iterator[Row]:
    """The JSON objects of a stream of server-sent events."""
    for line in answer:
        text = line.decode("utf-8", "replace").strip()
        if text.startswith("data:") and text != "data: [DONE]":
            yield json.loads(text[5:])


def openai_events(found: Iterator[Row], started: float) -> Row:
    """Chunks of a chat completion."""
    row: Row = {"pieces": []}
    for event in found:
        row["response_model"] = event.get("model") or row.get("response_model")
        row["system_fingerprint"] = event.get("system_fingerprint") or row.get("system_fingerprint")
        if usage := event.get("usage"):
            row |= {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}
        for choice in event.get("choices", []):
            if piece := (choice.get("delta") or {}).get("content"):
                row.setdefault("first_chunk_ms", round((time.monotonic() - started) * 1000, 1))
                row["pieces"].append(piece)
            row["finish_reason"] = choice.get("finish_reason") or row.get("finish_reason")
    return finished(row)


def anthropic_events(found: Iterator[Row], started: float) -> Row:
    """Events of a message."""
    row: Row = {"pieces": []}
    for event in found:
        if event["type"] == "error":
            raise ValueError(str(event.get("error"))[:200])
        if event["type"] == "message_start":
            message = event["message"]
            row |= {"response_model": message["model"], "input_tokens": message["usage"]["input_tokens"]}
        elif event["type"] == "content_block_delta" and (piece := event["delta"].get("text")):
            row.setdefault("first_chunk_ms", round((time.monotonic() - started) * 1000, 1))
            row["pieces"].append(piece)
        elif event["type"] == "message_delta":
            row["finish_reason"] = event["delta"].get("stop_reason")
            row["output_tokens"] = event["usage"]["output_tokens"]
    return finished(row)


def finished(row: Row) -> Row:
    """The row, unless the stream broke: half an answer is none."""
    if not row.get("finish_reason"):
        raise ValueError("the stream ended without a finish reason")
    return row


def judged(config: Row, prompt: Row, text: str) -> Row:
    """Score, form and refusal by the file's own patterns; what a prompt has no pattern for stays unknown."""
    row: Row = {"refusal": bool(re.search(config.get("refusal", REFUSAL), text))}
    if "format" in prompt:
        row["format_ok"] = bool(re.search(prompt["format"], text))
    if "answer" in prompt:
        said = re.findall(prompt.get("pattern", config.get("pattern", r"(\S+)\s*$")), text)
        row |= {"score": int(said[-1:] == [prompt["answer"]]), "scorer": config.get("scorer", "probe.py 1")}
    return row


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python probe.py probes.toml")
    sys.exit(main(sys.argv[1]))
