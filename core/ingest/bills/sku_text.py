"""What the wording of a bill says about its line: model, kind of token, unit, tier.

No bill has a column for the kind of token, so it is read from words like "cached input" in meter names and
descriptions. Words that say nothing, or contradict each other, give None: the line stays visible as unmapped.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_DATED = r"(?:-\d{4}-\d{2}-\d{2})?"
_MODEL = re.compile(
    r"(?<![\w.-])(?:"
    rf"(?:ft:)?(?:gpt|chatgpt)-[\w.:-]+|o[1-9](?:-(?:mini|pro|preview|deep-research))*{_DATED}(?![\w.])"
    r"|text-embedding-[\w.-]+|(?:omni|text)-moderation[\w.-]*|whisper-[\w.-]+|tts-1[\w.-]*|dall-e-\d"
    r"|(?:(?:[a-z]{2,6}\.)?anthropic\.)?claude-[\w.:@-]+"
    r"|gemini-[\w.-]+|gemma-[\w.-]+|imagen-[\w.-]+|veo-[\w.-]+"
    r"|(?:mistral|mixtral|ministral|codestral|magistral|devstral|pixtral)-[\w.-]+|open-mi[sx]tral-[\w.-]+"
    r"|(?:meta[./-])?llama-?\d[\w.:-]*|command-(?:a|r|light)[\w.-]*|embed-(?:v\d|english|multilingual)[\w.-]*"
    r"|rerank-[\w.-]+|deepseek-[\w.-]+|grok-[\w.-]+|qwen[\d-][\w.-]*|kimi-[\w.-]+|glm-\d[\w.-]*"
    r"|sonar(?:-[\w-]+)?(?![\w.])|(?:amazon\.)?nova-(?:micro|lite|pro|premier|sonic|canvas|reel)[\w.:-]*"
    r"|(?:amazon\.)?titan-[\w.:-]+"
    r")",
    re.ASCII,
)
_SPACED = re.compile(
    r"(?<![\w.-])(?:gemini \d(?:\.\d+)? (?:pro|flash(?: lite)?|nano|ultra)|claude (?:opus|sonnet|haiku) \d(?:\.\d+)?"
    r"|claude \d(?:\.\d+)? (?:opus|sonnet|haiku)|gpt \d(?:\.\d+)?o?(?: (?:mini|nano|pro|turbo))?)(?![\w.])"
)
"""Names as marketing and Google's meters write them."""

_JOINED = re.compile(
    r"(?:-(?:in|out|inp|outp|input|output|prompt|completion|cached?|read|write|creation|reasoning|thinking|text"
    r"|batch|flex|priority|tokens?))+$"
)
"""Words that some bills join to the model's name with hyphens: gpt-4o-mini-input-tokens."""

_SIZE = re.compile(r" (mini|nano|pro|turbo)(?![\w.-])")
"""The size after a space, as in "GPT-5 Mini Output": without it the line would be another model's."""

_UNIT = re.compile(
    r"(?:per )?(\d[\d,]*(?:\.\d+)?)?\s*(k|m|mm|b|thousand|million|billion)?\s*(?:input|output)?\s*tokens?",
    re.ASCII,
)
_SCALES = {
    "k": 10**3,
    "thousand": 10**3,
    "m": 10**6,
    "mm": 10**6,
    "million": 10**6,
    "b": 10**9,
    "billion": 10**9,
}


class Wording(NamedTuple):
    """What the text of a line says; None where it does not."""

    model: str | None
    token_type: str | None
    service_tier: str | None
    batch: bool | None


@lru_cache(maxsize=16_384)
def read(*texts: str | None) -> Wording:
    """Read the texts of one line, the most specific first: the first that names a model gives the model."""
    model = next((name for text in texts if text and (name := model_name(text))), None)
    kind = next((kind for text in texts if text and (kind := token_type(text))), None)
    words = {word for text in texts if text for word in _words(_without_model(text))}
    tier = "flex" if "flex" in words else "priority" if "priority" in words else None
    return Wording(model, kind, tier, True if "batch" in words or "batches" in words else None)


def model_name(text: str) -> str | None:
    """The model a text names, as written but lower case; None when it names none."""
    lowered = text.lower()
    found = _MODEL.search(lowered)
    if found:
        size = _SIZE.match(lowered, found.end())
        return _JOINED.sub("", found.group().rstrip(".-:")) + (f"-{size[1]}" if size else "")
    spaced = _SPACED.search(lowered)
    if spaced is None:
        return None
    name = spaced.group().replace(" ", "-")
    return name.replace(".", "-") if name.startswith("claude") else name


def _without_model(text: str) -> str:
    """gpt-4o-audio-preview is no audio meter and command-r-reasoning no reasoning meter."""
    name = model_name(text)
    return text if name is None else re.sub(re.escape(name), " ", text, flags=re.IGNORECASE)


def _words(text: str) -> list[str]:
    """Words of a text; CacheReadInputTokenCount is five."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return re.findall(r"[a-z]+", apart.lower())


def token_type(text: str) -> str | None:
    """input (uncached), cache_read, cache_write, output, reasoning, tool, request or mixed; None when unsaid."""
    words = _words(_without_model(text))
    said = set(words)
    if any(word.startswith("cach") or word == "cchd" for word in words):
        if said & {"storage", "store", "hours", "hour"}:
            return None
        return "cache_write" if said & {"write", "writes", "creation", "written"} else "cache_read"
    if said & {"reasoning", "thinking", "thoughts"}:
        return "reasoning"
    if said & {
        "search",
        "searches",
        "interpreter",
        "grounding",
        "tool",
        "tools",
    } or "code execution" in " ".join(words):
        return "tool"
    into = bool(said & {"input", "inputs", "inp", "inpt", "prompt"})
    out = bool(said & {"output", "outputs", "outp", "outpt", "opt", "completion", "completions", "generated"})
    if into and out:
        return "mixed"
    if into or out:
        return "input" if into else "output"
    return "request" if said & {"request", "requests", "calls"} else None


@lru_cache(maxsize=1_024)
def tokens_per_unit(unit: str | None) -> int | None:
    """How many tokens one unit is: "Tokens" 1, "1K tokens" and "1000_tokens" 1000, "1M Tokens" 1000000; else None."""
    if unit is None:
        return None
    found = _UNIT.fullmatch(unit.lower().replace("_", " ").strip())
    if found is None:
        return None
    number = float((found[1] or "1").replace(",", "")) * _SCALES.get(found[2] or "", 1)
    return int(number) if number >= 1 and number == int(number) else None
