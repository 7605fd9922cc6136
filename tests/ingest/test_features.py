"""Word lists: counts by hand, Unicode, languages, lists that cannot be used, and time that grows with the text only."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ingest.features import (
    GROUPS,
    LISTS_PATH,
    BadWordList,
    Features,
    features_of,
    phrase_counts,
    word_lists,
    words_of,
)


def test_an_answer_counted_by_hand() -> None:
    text = (
        "I'm sorry, I can't help with that.\n"  # 34 characters and the break: apology (1), refusal (1)
        "Perhaps this might do:\n"  # 22 + 1: hedges (2)
        "- Please note the limit\n"  # 23 + 1: bullet (1), caveat (1)
        "2. You're right, great question!\n"  # 32 + 1: bullet (2), agreements (2)
        "\\boxed{42}"  # 10: boxed (1)
    )
    assert features_of(text, "en") == Features(
        length_chars=35 + 23 + 24 + 33 + 10, apologies=1, caveats=1, hedges=2, refusals=1, bullets=2, boxed=1,
        agreements=2, language="en", word_list="en-2026-11",
    )  # fmt: skip


def test_the_longest_phrase_counts_and_only_once() -> None:
    # "i'm sorry" and "sorry" are both listed, "you are absolutely right" holds "absolutely right"
    assert features_of("I'm sorry. Sorry!", "en").apologies == 2
    assert features_of("You are absolutely right.", "en").agreements == 1
    assert features_of("mightily unlikely", "en").hedges == 0  # whole words only


@pytest.mark.parametrize(
    "text",
    [
        "I\u2019m sorry",  # a typographic apostrophe
        "I'M SORRY",
        "i'm\n\n  sorry",
        "**I'm sorry**",
        "I'm\u00a0sorry",
        "(I'm sorry)",
    ],
)
def test_writing_makes_no_difference(text: str) -> None:
    assert features_of(text, "en").apologies == 1


def test_german_and_composed_letters() -> None:
    composed = features_of("Möglicherweise. Es tut mir leid, dabei kann ich Ihnen nicht helfen.", "de-AT")
    apart = features_of("Mo\u0308glicherweise. Es tut mir leid, dabei kann ich Ihnen nicht helfen.", "de-AT")
    assert composed == apart
    assert (composed.hedges, composed.apologies, composed.refusals, composed.word_list) == (
        1,
        1,
        1,
        "de-2026-11",
    )


def test_a_language_without_a_list_has_no_counts_which_are_not_zero() -> None:
    french = features_of("Désolé.\n- \\boxed{1}", "fr")
    assert [getattr(french, group) for group in GROUPS] == [None] * 5
    assert (french.length_chars, french.bullets, french.boxed, french.word_list) == (7 + 1 + 11, 1, 1, None)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The answer is that you can do it.", "en"),
        ("Das ist nicht die Antwort auf die Frage.", "de"),
        ("Désolé, je ne peux pas vous aider.", None),
        ("42", None),
        ("", None),
    ],
)
def test_the_language_is_guessed_from_common_words(text: str, language: str | None) -> None:
    assert features_of(text).language == language


@pytest.mark.parametrize(
    ("text", "bullets"),
    [
        ("- a\n* b\n+ c\n\u2022 d\n\u2013 e", 5),
        ("1. a\n2) b\n100. c", 3),
        ("  - nested", 1),
        ("a - b", 0),
        ("---\n-5 degrees\n3.14", 0),
        ("- a\r\n- b", 2),
    ],
)
def test_bullets(text: str, bullets: int) -> None:
    assert features_of(text).bullets == bullets


def test_boxed() -> None:
    assert (
        features_of(r"\boxed{1} and \fbox{2}, \boxed {3}, \fboxed{4} but not \unboxed{5} or boxed{6}").boxed
        == 3
    )


@given(st.text())
def test_any_text_is_counted(text: str) -> None:
    for language in (None, "en", "de", "xx"):
        found = features_of(text, language)
        assert 0 <= found.length_chars <= 3 * len(text)
        assert all(count is None or 0 <= count <= max(1, len(text)) for count in found[1:8])


@given(
    st.lists(
        st.sampled_from(["i'm", "sorry", "not", "sure", "i", "am", "right", "you're", "absolutely", "x"]),
        max_size=40,
    )
)
def test_against_a_naive_search(words: list[str]) -> None:
    """Walk each group alone: at every word the longest listed phrase that begins there, then go on after it."""
    listed = tomllib.loads(LISTS_PATH.read_text())["list"][0]
    expected = {}
    for group in GROUPS:
        phrases = sorted((phrase.split() for phrase in listed[group]), key=len, reverse=True)
        at = found = 0
        while at < len(words):
            hit = next((phrase for phrase in phrases if words[at : at + len(phrase)] == phrase), None)
            found += hit is not None
            at += len(hit) if hit else 1
        expected[group] = found
    assert phrase_counts(words, word_lists()["en"]) == expected


def test_every_phrase_of_the_lists_is_found() -> None:
    for listed in tomllib.loads(LISTS_PATH.read_text())["list"]:
        for group in GROUPS:
            for phrase in listed[group]:
                assert getattr(features_of(phrase, listed["language"]), group) >= 1, (group, phrase)
                assert " ".join(words_of(phrase)) == phrase.casefold().replace("-", " "), phrase


WORK = 200_000


@pytest.mark.parametrize(
    "piece",
    ["'", "a'", " ", "\n", "- ", "\\boxed", "1", "1.", "i am ", "i'm not a ", "\u0301\u0323", "\U0001f600"],
)
def test_no_text_is_slow(piece: str) -> None:
    """Two hundred thousand repetitions end at all: composing marks, for one, is quadratic and would take minutes."""
    assert features_of(piece * WORK, "en").length_chars > 0


LIST = (
    '[[list]]\nversion = "xx-2026-01"\nlanguage = "xx"\nchecked = 2026-01-01\nsource = "s"\ncommon = ["a"]\n'
    + "".join(f'{group} = ["b"]\n' for group in GROUPS)
)


def test_the_newest_list_of_a_language_counts(tmp_path: Path) -> None:
    path = tmp_path / "lists.toml"
    path.write_text(LIST + LIST.replace("xx-2026-01", "xx-2027-02").replace('"b"', '"c"'))
    assert features_of("b c c", "xx", path).hedges == 2
    assert features_of("b", "xx", path).word_list == "xx-2027-02"


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ("version", "name", "name is not a key"),
        ('hedges = ["b"]', "hedges = []", "hedges is missing"),
        ("xx-2026-01", "first", "write language, year and month"),
        ('hedges = ["b"]', 'hedges = ["?"]', "no word"),
        ("[[list]]", "[[list", "is not TOML"),
    ],
)
def test_a_list_that_cannot_be_used_is_named(tmp_path: Path, before: str, after: str, names: str) -> None:
    path = tmp_path / "lists.toml"
    path.write_text(LIST.replace(before, after, 1))
    with pytest.raises(BadWordList, match=names):
        features_of("b", "xx", path)
