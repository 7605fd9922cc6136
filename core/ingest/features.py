r"""What an answer is made of: its length, its form, and phrases counted by dated word lists.

The lists are data/reference/response_features.toml. A phrase is found as whole words in a row, so the text is split into
words once and each word looked up once: the time grows with the length of the text and with nothing else. A language
without a list has no counts of phrases, which is not the same as none found.

>>> features_of("I'm sorry, I can't help with that.\n\n- Great question", "en")._asdict()["refusals"]
1
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

LISTS_PATH = Path(__file__).parents[2] / "data" / "reference" / "response_features.toml"
GROUPS = ("apologies", "caveats", "hedges", "refusals", "agreements")
"""Groups of phrases, by their columns of `responses`."""

FEW_WORDS = 300
"""So many words tell a text's language."""

_KEYS = {"version", "language", "checked", "source", "common", *GROUPS}
_APOSTROPHES = "\u2019\u2018\u02bc\uff07`\u00b4"
_WORD = re.compile(r"\w+(?:'\w+)*")
_BULLET = re.compile(r"^[ \t]{0,12}(?:[-*+\u2022\u2023\u25e6\u2013]|\d{1,3}[.)])[ \t]", re.MULTILINE)
_BOXED = re.compile(r"\\f?boxed[ ]?\{")
_MARKS = re.compile(r"[^\w\x00-\x7f]{31}")
"""More marks on one letter than the stream-safe text of Unicode (UAX 15) allows; composing them is quadratic."""


First = TypeVar("First", str, tuple[str, str])


class BadWordList(ValueError):
    """The lists cannot be used; the message names the list, the key and what to write."""


class Features(NamedTuple):
    """Counts of one text; the phrases are None where no list speaks its language."""

    length_chars: int
    apologies: int | None
    caveats: int | None
    hedges: int | None
    refusals: int | None
    bullets: int
    boxed: int
    agreements: int | None
    language: str | None
    """As given, else as guessed; None when neither."""
    word_list: str | None
    """Version of the list that counted."""


class WordList(NamedTuple):
    """One list: first word of each phrase, or first two -> (group, words), the longest phrase first."""

    version: str
    language: str
    common: frozenset[str]
    starts: frozenset[str]
    single: dict[str, tuple[tuple[str, list[str]], ...]]
    longer: dict[tuple[str, str], tuple[tuple[str, list[str]], ...]]


def features_of(text: str, language: str | None = None, path: Path = LISTS_PATH) -> Features:
    """Count one text; `language` is BCP 47, without it the words tell. Raises BadWordList.

    Characters are counted in composed form, so that one letter is one character however it was typed.
    """
    composed = text if text.isascii() or _MARKS.search(text) else unicodedata.normalize("NFC", text)
    words = words_of(composed)
    lists = word_lists(path)
    spoken = language or language_of(words, lists)
    found = lists.get(spoken.replace("_", "-").partition("-")[0].lower()) if spoken else None
    counts: dict[str, int | None] = dict.fromkeys(GROUPS)
    if found is not None:
        counts.update(phrase_counts(words, found))
    return Features(
        length_chars=len(composed),
        bullets=len(_BULLET.findall(composed)),
        boxed=len(_BOXED.findall(composed)),
        language=spoken,
        word_list=found.version if found else None,
        **counts,
    )


def words_of(text: str) -> list[str]:
    """Words without case, with plain apostrophes.

    >>> words_of("You\u2019re RIGHT!")
    ["you're", 'right']
    """
    for mark in _APOSTROPHES:
        text = text.replace(mark, "'")
    return _WORD.findall(text.casefold())


def phrase_counts(words: list[str], listed: WordList) -> dict[str, int | None]:
    """How often each group's phrases occur; overlapping phrases of a group count once."""
    counts: dict[str, int] = dict.fromkeys(GROUPS, 0)
    free_from = dict.fromkeys(GROUPS, 0)
    following = [*words, ""]
    for at, word in enumerate(words):
        if word not in listed.starts:
            continue
        for group, phrase in (
            *listed.longer.get((word, following[at + 1]), ()),
            *listed.single.get(word, ()),
        ):
            if at >= free_from[group] and words[at : at + len(phrase)] == phrase:
                counts[group] += 1
                free_from[group] = at + len(phrase)
    return dict(counts)


def language_of(words: list[str], lists: dict[str, WordList]) -> str | None:
    """The language whose common words are most frequent; None without any or with two alike."""
    seen = [word for word in words[:FEW_WORDS] if not word.isdigit()]
    scores = sorted((sum(word in one.common for word in seen), one.language) for one in lists.values())
    if not scores or scores[-1][0] == 0 or (len(scores) > 1 and scores[-1][0] == scores[-2][0]):
        return None
    return scores[-1][1]


@cache
def word_lists(path: Path = LISTS_PATH) -> dict[str, WordList]:
    """Language -> its newest list; the file is read once a process. Raises BadWordList."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("list", [])
    except tomllib.TOMLDecodeError as error:
        raise BadWordList(f"{path.name} is not TOML: {error}") from error
    made = [_list(entry, f"{path.name} [[list]] {n}") for n, entry in enumerate(entries, 1)]
    return {one.language: one for one in sorted(made, key=lambda one: one.version)}


def _list(entry: dict[str, Any], where: str) -> WordList:
    unknown = sorted(entry.keys() - _KEYS)
    if unknown:
        raise BadWordList(f"{where}: {unknown[0]} is not a key; the keys are {', '.join(sorted(_KEYS))}.")
    for key in sorted(_KEYS):
        if not entry.get(key):
            raise BadWordList(
                f"{where}: {key} is missing; a list without it cannot count or be checked later."
            )
    version, language = str(entry["version"]), str(entry["language"]).lower()
    if re.fullmatch(rf"{re.escape(language)}-\d{{4}}-\d{{2}}", version) is None:
        raise BadWordList(
            f"{where}: version is {version!r}; write language, year and month, like en-2026-11."
        )
    single: dict[str, list[tuple[str, list[str]]]] = {}
    longer: dict[tuple[str, str], list[tuple[str, list[str]]]] = {}
    for group in GROUPS:
        for phrase in entry[group]:
            words = words_of(unicodedata.normalize("NFC", str(phrase)))
            if not words:
                raise BadWordList(f"{where}: {group} holds {phrase!r}, in which there is no word.")
            held = (
                longer.setdefault((words[0], words[1]), [])
                if len(words) > 1
                else single.setdefault(words[0], [])
            )
            held.append((group, words))
    common = frozenset(str(word).casefold() for word in entry["common"])
    starts = frozenset(single) | {first for first, _ in longer}
    return WordList(version, language, common, starts, _longest_first(single), _longest_first(longer))


def _longest_first(
    index: dict[First, list[tuple[str, list[str]]]],
) -> dict[First, tuple[tuple[str, list[str]], ...]]:
    return {first: tuple(sorted(held, key=lambda one: -len(one[1]))) for first, held in index.items()}
