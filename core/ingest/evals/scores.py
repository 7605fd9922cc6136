"""What one score of an eval says: its number, its word, and whether it is a pass, a failure, an error or neither.

A score that is missing is never a zero: NaN is an error, null is skipped. A number is judged by the tool's own flag or
threshold; without one, 0 to 1 passes from PASS_FROM on, and any other scale (a perplexity, a mark out of ten)
has a value and no verdict (skipped). Partial credit (Inspect's P, worth 0.5) is no pass.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

PASS, FAIL, ERROR, SKIPPED = "pass", "fail", "error", "skipped"
PASS_FROM = 0.5
UNNAMED = "score"
"""Scorer of a sample that errored before anything could tell what would have scored it."""
LONGEST_LABEL = 100
"""Characters: a longer one is prose, and prose is content."""


class Score(NamedTuple):
    """value: as a number, null when it has none; label: as a word; verdict: pass, fail, error or skipped."""

    value: float | None
    label: str | None
    verdict: str


FAILED_TO_SCORE = Score(None, None, ERROR)
NOT_SCORED = Score(None, None, SKIPPED)

_LETTERS = {"C": (1.0, PASS), "I": (0.0, FAIL), "P": (0.5, FAIL), "N": (0.0, FAIL)}
"""Inspect's correct, incorrect, partial and no answer, with the numbers it gives them."""
_WORDS = {
    **dict.fromkeys(("correct", "pass", "passed", "true", "yes"), (1.0, PASS)),
    **dict.fromkeys(("incorrect", "fail", "failed", "false", "no"), (0.0, FAIL)),
}


def score_of(raw: Any, passed: bool | None = None, threshold: float | None = None) -> Score:
    """The score a tool wrote; `passed` is its own verdict and goes before the threshold."""
    if isinstance(raw, str):
        read = _of_text(raw)
    elif isinstance(raw, bool):
        read = Score(float(raw), None, PASS if raw else FAIL)
    elif isinstance(raw, int | float):
        read = _of_number(raw, threshold)
    else:
        read = NOT_SCORED
    if passed is None or read.verdict == ERROR:
        return read
    return read._replace(verdict=PASS if passed else FAIL)


def _of_number(raw: float, threshold: float | None) -> Score:
    try:
        value = float(raw)
    except OverflowError:
        return FAILED_TO_SCORE
    if not math.isfinite(value):
        return FAILED_TO_SCORE
    if threshold is not None and math.isfinite(threshold):
        return Score(value, None, PASS if value >= threshold else FAIL)
    if not 0 <= value <= 1:
        return Score(value, None, SKIPPED)
    return Score(value, None, PASS if value >= PASS_FROM else FAIL)


def _of_text(raw: str) -> Score:
    text = raw.strip()
    known = _LETTERS.get(text) or _WORDS.get(text.lower())
    if known:
        return Score(known[0], text, known[1])
    number = number_of(text)
    if number is not None:
        return _of_number(number, None)
    return Score(None, text if 0 < len(text) <= LONGEST_LABEL else None, SKIPPED)


def number_of(raw: Any) -> float | None:
    """A number, or a text that writes one (NaN and infinities too); None for anything else."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    if isinstance(raw, str) and not 0 < len(raw) <= LONGEST_LABEL:
        return None
    try:
        return float(raw)
    except (ValueError, OverflowError):
        return None


def parts(name: str, raw: Any) -> list[tuple[str, Any]]:
    """The scores behind one name: a map or a list of several becomes `name/key` each."""
    if isinstance(raw, dict) and raw:
        return [(f"{name}/{key}", inner) for key, inner in raw.items()]
    if isinstance(raw, list) and raw:
        return [(f"{name}/{number}", inner) for number, inner in enumerate(raw)]
    return [(name, raw)]


def distinct(names: list[str]) -> list[str]:
    """The names with #2, #3 behind a repeated one, so that two scores of one name stay two."""
    seen: dict[str, int] = {}
    found: list[str] = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found
