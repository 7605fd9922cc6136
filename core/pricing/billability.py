"""Which calls a provider bills although they failed, and which it does not: the rules of billability.toml.

Success is billed. A failure is looked up in data/reference/billability.toml, where every rule names its
source and date; a failure that no rule fits is "maybe", because neither answer is known.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

Answer = Literal["yes", "no", "maybe"]
RULES_PATH = Path(__file__).parents[2] / "data" / "reference" / "billability.toml"

ALIASES = {
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azure.ai.inference": "azure.ai.openai",
    "az.ai.inference": "azure.ai.openai",
}
"""Names instrumentations give to one service. The inference endpoint serves the same deployments."""

_KEYS = {"provider", "http_status", "error_class", "answer", "basis", "why", "source", "checked"}


class BadRules(ValueError):
    """The rules cannot be used; the message names the rule, the key and what to write."""


class Rule(NamedTuple):
    """One line of the table: empty http_status or error_class means any."""

    provider: str
    http_status: frozenset[int]
    error_class: frozenset[str]
    answer: Answer
    basis: str
    why: str
    source: str
    checked: str

    def fits(self, provider: str, error_class: str | None, http_status: int | None) -> bool:
        """Whether the rule speaks about a failed call; provider is lower case."""
        return (
            self.provider in ("*", provider)
            and (not self.http_status or http_status in self.http_status)
            and (not self.error_class or error_class in self.error_class)
        )


def rules(path: Path = RULES_PATH) -> tuple[Rule, ...]:
    """The rules in the order they are tried. Raises BadRules; the file is read once per process."""
    return _read(path)


@cache
def _read(path: Path) -> tuple[Rule, ...]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BadRules(f"{path.name} is not TOML: {error}") from error
    return tuple(
        _rule(entry, f"{path.name} [[rule]] {n}") for n, entry in enumerate(entries.get("rule", []), 1)
    )


def _rule(entry: dict[str, Any], where: str) -> Rule:
    unknown = sorted(entry.keys() - _KEYS)
    if unknown:
        raise BadRules(f"{where}: {unknown[0]} is not a key; the keys are {', '.join(sorted(_KEYS))}.")
    for key in ("provider", "answer", "why", "source", "checked"):
        if not entry.get(key):
            raise BadRules(f"{where}: {key} is missing; a rule without it cannot be checked later.")
    if entry["answer"] not in ("yes", "no", "maybe"):
        raise BadRules(f"{where}: answer is {entry['answer']!r}; write yes, no or maybe.")
    return Rule(
        provider=str(entry["provider"]).lower(),
        http_status=frozenset(entry.get("http_status", ())),
        error_class=frozenset(entry.get("error_class", ())),
        answer=entry["answer"],
        basis=str(entry.get("basis", "assumed")),
        why=str(entry["why"]),
        source=str(entry["source"]),
        checked=str(entry["checked"]),
    )


def rule_for(provider: str | None, error_class: str | None, http_status: int | None) -> Rule | None:
    """The rule that decides about a failed call, for showing its source beside the answer."""
    name = (provider or "").strip().lower()
    name = ALIASES.get(name, name)
    for rule in rules():
        if rule.fits(name, error_class, http_status):
            return rule
    return None


@cache
def billable(provider: str | None, error_class: str | None, http_status: int | None, ok: bool) -> Answer:
    """Whether the provider bills a call: yes, no or maybe (not known). `ok` calls are billed."""
    if ok:
        return "yes"
    rule = rule_for(provider, error_class, http_status)
    return rule.answer if rule else "maybe"
