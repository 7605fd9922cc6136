"""Azure's meter names: "gpt 4o 1120 cached Inp glbl Tokens", "5.4 cd inp Gl 1M Tokens", "gpt-4o-mini-0718-FT-inp-glbl".

Names are abbreviated differently from meter to meter, and hyphens, spaces and capitals separate words alike.
The words before the first word about direction, cache, tier or deployment are the model. A version like 1120 is
month and day: its year comes from the models' own names, and a version that is not listed is left out.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from core.ingest.bills import sku_text

_WORDS = {
    "cached": "cach cached cchd ccchd chd cd cache",
    "input": "inp inpt input inputs in",
    "output": "outp outpt otpt opt out output outputs",
    "batch": "batch",
    "priority": "pp priority",
    "flex": "flex",
    "global": "gl glbl global",
    "regional": "regnl rgnl regional",
    "datazone": "dz dzn dzone datazone",
    "tokens": "tokens token tkn tkns",
    "write": "write wr creation",
    "text": "txt text",
    "audio": "aud audio",
    "image": "img image",
    "finetuned": "ft finetuned",
    "training": "trng training",
    "hosting": "hstng hosting hosted",
    "realtime": "rt realtime",
    "preview": "prvw preview",
    "calls": "calls",
    "provisioned": "provisioned ptu prov managed mngd",
    "context": "shortco longco shrtco lngco",
}
_MEANING = {spelling: word for word, spellings in _WORDS.items() for spelling in spellings.split()}
_MODALITIES = frozenset({"text", "audio", "image"})
_ENDS_MODEL = frozenset(_WORDS) - _MODALITIES - {"realtime", "preview"}

_RUN_TOGETHER = (
    (re.compile(r"(?<=[a-z])(?=[A-Z][a-z])"), " "),  # BatchOutp
    (re.compile(r"data zone", re.IGNORECASE), "datazone"),
    (re.compile(r"(?<=(?:short|.long)) co\b", re.IGNORECASE), "co"),  # ShortCo
    (re.compile(r"(?<=[a-z])(?=\d{4}(?!\d))"), " "),  # mini0718
    (re.compile(r"\bgpt(?=\d)", re.IGNORECASE), "gpt "),  # gpt4o
    (re.compile(r"(?<=\d)o(?=mini)", re.IGNORECASE), "o "),  # 4omini
    (re.compile(r"(?<=turbo)(?=\d)", re.IGNORECASE), " "),  # turbo16K
)
_GPT = re.compile(r"\d+(?:\.\d+)?o?")
_SNAPSHOTS = """
    gpt-4o-2024-05-13 gpt-4o-2024-08-06 gpt-4o-2024-11-20 gpt-4o-mini-2024-07-18 gpt-4.1-2025-04-14
    gpt-4.1-mini-2025-04-14 gpt-4.1-nano-2025-04-14 o1-2024-12-17 o3-mini-2025-01-31 o3-2025-04-16
    o4-mini-2025-04-16
"""
_DATED = {
    (name[:-11], name[-5:].replace("-", "")): name for name in _SNAPSHOTS.split()
}  # ("gpt-4o", "1120"): "gpt-4o-2024-11-20"


class Meter(NamedTuple):
    """What a meter's name says; None where it does not. `deployment` is global, regional or datazone."""

    model: str | None
    token_type: str | None
    service_tier: str | None
    batch: bool | None
    deployment: str | None
    counts_tokens: bool


@lru_cache(maxsize=16_384)
def read(meter: str, product: str) -> Meter:
    """Read a meter's name; the product tells whose model "5.4" or "R1" is."""
    words = _split(meter)
    cut = next((i for i, word in enumerate(words) if word in _ENDS_MODEL and i > 0), len(words))
    model = _model(words[:cut], product.lower()) or sku_text.model_name(meter)
    rest = words[cut:] if model else words
    said = set(rest)
    kind = None if said & {"training", "hosting", "provisioned"} else sku_text.token_type(" ".join(rest))
    if kind is None and "tokens" in said and model and "embedding" in model:
        kind = "input"  # embeddings bill nothing else, and their meters do not say it
    return Meter(
        model=model,
        token_type=kind,
        service_tier="priority" if "priority" in said else "flex" if "flex" in said else None,
        batch=True if "batch" in said else None,
        deployment=next((where for where in ("global", "regional", "datazone") if where in said), None),
        counts_tokens="tokens" in said,
    )


def _split(meter: str) -> list[str]:
    """The words of a name in one spelling; the unit that some names repeat is left out."""
    for pattern, apart in _RUN_TOGETHER:
        meter = pattern.sub(apart, meter)
    found = re.findall(r"[a-z0-9]+(?:\.[a-z0-9]+)*", meter.lower())
    words = [_MEANING.get(word, word) for word in found]
    return [
        word
        for i, word in enumerate(words)
        if not (word in {"1k", "1m"} and words[i + 1 : i + 2] == ["tokens"])
    ]


def _model(words: list[str], product: str) -> str | None:
    """The model's name from the words before the direction; None when they are no model that is known to be one."""
    if "gpt5" in product.replace(" ", "").replace("-", "") and words and _GPT.fullmatch(words[0]):
        words = ["gpt", *words]
    if "deepseek" in product and words and words[0] != "deepseek":
        words = ["deepseek", *words]
    is_gpt = len(words) > 1 and words[0] == "gpt"
    is_named = bool(words) and (
        re.fullmatch(r"o[1-9]", words[0]) or words[0] in {"deepseek", "codex"} or "embedding" in words[:2]
    )
    if not is_gpt and not is_named:
        return None
    if words[1:2] == ["35"]:
        words = ["gpt", "3.5", *words[2:]]
    version = next((word for word in words if re.fullmatch(r"\d{4}", word)), "")
    speaks = {"realtime", "transcribe", "tts"} & set(words)
    # the kind of the tokens, not of the model: gpt-image and gpt-4o-audio are models, realtime audio is not
    dropped = {version, "text", "dev"} | ({"audio", "image"} if speaks else set())
    kept = [word for i, word in enumerate(words) if word not in dropped or (word == "text" and i == 0)]
    name = "-".join(kept).replace("embedding-ada", "text-embedding-ada-002")
    return _DATED.get((name, version), name)
