"""Write down when each chunk of a streamed answer arrived, how large it was and of what kind. No text is written.

    from stream_recorder import Recorder

    recorder = Recorder("streams.jsonl", provider="openai", model="gpt-4o", region="eu-west-1", version="before")
    watch = recorder.watch(prompt_id="p-017")           # before the request is sent
    for chunk in watch.events(client.chat.completions.create(..., stream=True)):
        ...                                             # your own code, as before

Events of OpenAI's chat completions and responses and of Anthropic's messages, as their SDKs give them (sync or async) or as
lines of server-sent events. Needs Python 3.11 and nothing else. Give the file to Trueup: see README.md.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ENDS = (".", "!", "?", "…", "\u3002", "\uff01", "\uff1f", "\n")
"""What a sentence ends with."""


class Recorder:
    """One file; as many streams at once as you like.

    count: tokens of a text, such as `lambda text: len(encoding.encode(text))`; without it only what the provider reports
    is known, which is enough for tokens a chunk.
    """

    def __init__(
        self,
        path: str | Path,
        provider: str,
        model: str = "",
        region: str = "",
        version: str = "",
        service_name: str = "",
        count: Callable[[str], int] | None = None,
    ) -> None:
        self.path = Path(path)
        self.same = {
            "provider": provider,
            "model": model,
            "region": region,
            "version": version,
            "service_name": service_name,
        }
        self.count = count
        self._lock = threading.Lock()

    def watch(self, prompt_id: str = "", prompt: str = "", model: str = "") -> Watch:
        """Call it before the request: times count from here. Of a `prompt` its hash becomes the prompt_id."""
        if prompt and not prompt_id:
            prompt_id = hashlib.sha256(prompt.encode()).hexdigest()[:16]
        return Watch(self, prompt_id, model)

    def write(self, row: dict[str, Any]) -> None:
        """One line, whole."""
        line = json.dumps({key: value for key, value in row.items() if value not in (None, "")}) + "\n"
        with self._lock, self.path.open("a", encoding="utf-8") as out:
            out.write(line)


class Watch:
    """One answer. What passes through is handed on as it came."""

    def __init__(self, recorder: Recorder, prompt_id: str, model: str) -> None:
        self._recorder, self._began = recorder, time.perf_counter()
        at = dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")
        self._row: dict[str, Any] = {
            "stream_id": uuid.uuid4().hex,
            "at": at,
            **recorder.same,
            "prompt_id": prompt_id,
        }
        if model:
            self._row["model"] = model
        self._row.update(_current_span())
        self._chunks: list[tuple[float, int, int | None, str, int]] = []

    def events(self, stream: Iterable[Any]) -> Iterator[Any]:
        """Events as objects of an SDK or as dictionaries."""
        try:
            for event in stream:
                self._see(event)
                yield event
        finally:  # also when the reader leaves, or the stream breaks
            self._close()

    async def aevents(self, stream: AsyncIterable[Any]) -> AsyncIterator[Any]:
        """The same of an asynchronous client."""
        try:
            async for event in stream:
                self._see(event)
                yield event
        finally:
            self._close()

    def lines(self, stream: Iterable[str | bytes]) -> Iterator[str | bytes]:
        """Lines of server-sent events: response.iter_lines() of httpx or requests, or a response of urllib."""
        try:
            for line in stream:
                text = (line.decode("utf-8", "replace") if isinstance(line, bytes) else line).strip()
                if text.startswith("data:") and text[5:].strip() != "[DONE]":
                    self._see(json.loads(text[5:]))
                yield line
        finally:
            self._close()

    def _see(self, event: Any) -> None:
        at = (time.perf_counter() - self._began) * 1000
        for kind, text in [
            *_openai_chat(event, self._row),
            *_openai_responses(event, self._row),
            *_anthropic(event, self._row),
        ]:
            if text:
                tokens = self._recorder.count(text) if self._recorder.count else None
                end = int(kind == "text" and text.rstrip(" ").endswith(ENDS))
                self._chunks.append((round(at, 3), len(text), tokens, kind, end))

    def _close(self) -> None:
        if not self._chunks:
            return  # an answer that never came is for traces to tell
        times, chars, tokens, kinds, ends = (list(column) for column in zip(*self._chunks, strict=True))
        self._chunks = []
        row = {**self._row, "t_ms": times, "chars": chars, "kind": kinds, "sentence_end": ends}
        if self._recorder.count:
            row["tokens"] = tokens
        row["model"] = row.get("model") or row.get("response_model")
        self._recorder.write(row)


def _of(held: Any, name: str) -> Any:
    return held.get(name) if isinstance(held, dict) else getattr(held, name, None)


def _put(row: dict[str, Any], **found: Any) -> None:
    row.update({name: value for name, value in found.items() if value is not None})


def _openai_chat(event: Any, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    choices = _of(event, "choices")
    if choices is None:
        return
    usage = _of(event, "usage")
    hidden = _of(_of(usage, "completion_tokens_details"), "reasoning_tokens")
    _put(row, response_id=_of(event, "id"), response_model=_of(event, "model"),
         output_tokens=_of(usage, "completion_tokens"), reasoning_tokens=hidden)  # fmt: skip
    for choice in list(choices)[:1]:
        _put(row, finish_reason=_of(choice, "finish_reason"))
        delta = _of(choice, "delta")
        yield "reasoning", _of(delta, "reasoning_content") or _of(delta, "reasoning") or ""
        yield "text", _of(delta, "content") or ""
        for call in _of(delta, "tool_calls") or ():
            function = _of(call, "function")
            yield "tool_call", (_of(function, "name") or "") + (_of(function, "arguments") or "")


def _openai_responses(event: Any, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    name = str(_of(event, "type") or "")
    if not name.startswith("response."):
        return
    answer = _of(event, "response")
    if answer is not None:
        usage = _of(answer, "usage")
        hidden = _of(_of(usage, "output_tokens_details"), "reasoning_tokens")
        done = "stop" if name == "response.completed" else None
        _put(row, response_id=_of(answer, "id"), response_model=_of(answer, "model"), finish_reason=done,
             output_tokens=_of(usage, "output_tokens"), reasoning_tokens=hidden)  # fmt: skip
    item = _of(event, "item")
    if name == "response.output_item.added" and _of(item, "type") == "function_call":
        yield "tool_call", _of(item, "name") or ""
    if name.endswith(".delta"):
        kind = "reasoning" if "reasoning" in name else "tool_call" if "arguments" in name else "text"
        delta = _of(event, "delta")
        yield kind, delta if isinstance(delta, str) else ""


def _anthropic(event: Any, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    name = _of(event, "type")
    if name == "message_start":
        message = _of(event, "message")
        _put(row, response_id=_of(message, "id"), response_model=_of(message, "model"))
    elif name == "message_delta":
        _put(row, finish_reason=_of(_of(event, "delta"), "stop_reason"),
             output_tokens=_of(_of(event, "usage"), "output_tokens"))  # fmt: skip
    elif name == "content_block_start" and _of(_of(event, "content_block"), "type") == "tool_use":
        yield "tool_call", _of(_of(event, "content_block"), "name") or ""
    elif name == "content_block_delta":
        delta = _of(event, "delta")
        yield "text", _of(delta, "text") or ""
        yield "reasoning", _of(delta, "thinking") or ""
        yield "tool_call", _of(delta, "partial_json") or ""


def _current_span() -> dict[str, str]:
    """Ids of the span that is open, where OpenTelemetry is used."""
    try:
        from opentelemetry import trace
    except ImportError:
        return {}
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
