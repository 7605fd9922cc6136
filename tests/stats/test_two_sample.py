"""Kernel two-sample tests within prompts: kernels by hand, the statistic by a plain loop, laws, size and power."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.stats.two_sample import HAMMING, NGRAMS, SEED, VIEWS, Kernel, hamming, mmd_test, mmd_tests, ngrams


def test_hamming_counts_equal_places_over_the_longer_text() -> None:
    """abcd and abxx share 2 of 4 places; abcd and ab share 2 of 4; two empty texts are equal."""
    gram = hamming(["abcd", "abxx", "ab", "", ""])
    assert gram[0].tolist() == [1.0, 0.5, 0.5, 0.0, 0.0]
    assert gram[3, 4] == 1.0
    assert np.array_equal(gram, gram.T)


def test_hamming_sees_only_the_first_characters() -> None:
    assert hamming(["same" + "a" * 9, "same" + "b" * 9], characters=4).tolist() == [[1, 1], [1, 1]]


def test_ngrams_are_a_cosine_of_roots() -> None:
    """Words only: "a a a a b" has roots 2 and 1, "a" has 1: cosine 2 / sqrt(5)."""
    gram = ngrams(["a a a a b", "a", "", ""], longest=1)
    assert gram[0, 1] == pytest.approx(2 / math.sqrt(5))
    assert gram[2].tolist() == [0, 0, 1, 1]


@given(st.lists(st.text("ab \n\U0001f600", max_size=9), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_pairs_are_what_the_matrix_says_of_them(texts: list[str]) -> None:
    first, second = (places.reshape(-1) for places in np.indices((len(texts), len(texts))))
    for kernel in (HAMMING, NGRAMS, VIEWS):
        whole, pairs = kernel.gram(texts), kernel.of_pairs(texts, first, second)
        np.testing.assert_allclose(pairs.reshape(whole.shape), whole, rtol=0, atol=1e-15)


def test_words_and_gaps_of_a_text_weigh_as_in_a_dense_matrix() -> None:
    """The same cosine from the plain counts of every bucket."""
    texts = ["the cat sat on the mat", "the cat sat", "a dog", "", "mat the on sat cat the"]
    counts = np.zeros((len(texts), 4_096))
    for row, text in enumerate(texts):
        words = text.split()
        for size in (1, 2, 3):
            for at in range(len(words) - size + 1):
                counts[row, zlib.crc32(" ".join(words[at : at + size]).encode()) % 4_096] += 1
    roots = np.sqrt(counts)
    lengths = np.sqrt((roots**2).sum(axis=1))
    plain = roots @ roots.T / np.maximum(np.outer(lengths, lengths), 1e-300)
    plain[3, 3] = 1.0
    np.testing.assert_allclose(ngrams(texts), plain, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel", [HAMMING, NGRAMS])
def test_blocks_of_prompts_permute_as_the_whole_matrix_does(kernel: Kernel) -> None:
    """Prompts with 2 to 5 answers: p from the same seed by the N x N matrix with zeros between prompts."""
    random = np.random.default_rng(3)
    prompts = [prompt for prompt in range(12) for _ in range(2 + prompt % 4)]
    second = [place % 2 == 1 for prompt in range(12) for place in range(2 + prompt % 4)]
    texts = [" ".join(random.choice(list("abcd"), 6)) + (" z" if side else "") for side in second]
    found = mmd_test(texts, prompts, second, kernel, draws=400)
    assert found is not None
    rows = sorted(zip((f"{prompt}" for prompt in prompts), second, texts, strict=True))
    code = np.unique([prompt for prompt, _, _ in rows], return_inverse=True)[1]
    sides = np.array([side for _, side, _ in rows])
    gram = np.where(code[:, None] == code, kernel.gram([text for _, _, text in rows]), 0.0)
    weights = np.where(sides, -1 / np.bincount(code[sides])[code], 1 / np.bincount(code[~sides])[code]) / 12
    keys = np.random.default_rng(SEED).random((400, len(code))) + code
    drawn = weights[np.argsort(keys, axis=1)]
    null = ((drawn @ gram) * drawn).sum(axis=1)
    observed = float(weights @ gram @ weights)
    assert found.p == (1 + int((null >= observed - 1e-12).sum())) / 401
    assert 0.002 < found.p < 0.9


def test_several_kernels_say_what_each_says_alone() -> None:
    texts, prompts = ["a b", "b a", "a b", "b b", "a a", "a b"], [0, 0, 0, 1, 1, 1]
    second = [True, False, True, True, False, False]
    alone = [mmd_test(texts, prompts, second, kernel) for kernel in (HAMMING, NGRAMS, VIEWS)]
    assert mmd_tests(texts, prompts, second, (HAMMING, NGRAMS, VIEWS)) == alone


def plain_statistic(gram: np.ndarray, prompts: list[int], second: list[bool]) -> float:
    """Squared distance of the mean embeddings, term by term: mean over prompts of the difference of means."""
    total, both = (
        0.0,
        [p for p in set(prompts) if len({second[i] for i, q in enumerate(prompts) if q == p}) == 2],
    )
    sides = {
        (p, s): [i for i, q in enumerate(prompts) if q == p and second[i] == s]
        for p in both
        for s in (False, True)
    }
    for p in both:
        for q in both:
            for s, t, sign in ((False, False, 1), (True, True, 1), (False, True, -1), (True, False, -1)):
                pairs = [(i, j) for i in sides[(p, s)] for j in sides[(q, t)]]
                total += sign * sum(gram[i, j] for i, j in pairs) / len(pairs)
    return total / len(both) ** 2


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.text("abc", max_size=6)), min_size=4, max_size=14)
)
@settings(max_examples=25, deadline=None)
def test_equals_the_plain_loop_and_ignores_the_order_of_rows(rows: list[tuple[int, bool, str]]) -> None:
    """The statistic is the plain one less its mean over permutations, which 200 draws give within 5 errors."""
    prompts, second, texts = (list(column) for column in zip(*rows, strict=True))
    found = mmd_test(texts, prompts, second, across_prompts=True)
    assert mmd_test(texts[::-1], prompts[::-1], second[::-1], across_prompts=True) == found
    if found is None:
        return
    assert 1 / 2001 <= found.p <= 1
    gram, drawn = hamming(texts), []
    for draw in range(200):
        drawn.append(plain_statistic(gram, prompts, permuted_within(prompts, second, draw)))
    tolerance = 5 * float(np.std(drawn)) / 200**0.5 + 1e-9
    plain = plain_statistic(gram, prompts, second)
    assert plain - found.statistic == pytest.approx(float(np.mean(drawn)), abs=tolerance)


def permuted_within(prompts: list[int], second: list[bool], seed: int) -> list[bool]:
    random, shuffled = np.random.default_rng(seed), list(second)
    for prompt in set(prompts):
        at = [i for i, p in enumerate(prompts) if p == prompt]
        for i, side in zip(at, random.permutation([second[i] for i in at]), strict=True):
            shuffled[i] = bool(side)
    return shuffled


def test_swapping_the_sides_changes_nothing() -> None:
    texts, prompts = ["ab", "ba", "ab", "bb", "aa", "ab"], [0, 0, 0, 1, 1, 1]
    second = [True, False, True, True, False, False]
    one = mmd_test(texts, prompts, second)
    other = mmd_test(texts, prompts, [not side for side in second])
    assert one is not None
    assert other is not None
    assert one.statistic == pytest.approx(other.statistic)
    assert (one.n_first, one.n_second) == (other.n_second, other.n_first)


def test_one_answer_a_prompt_needs_a_kernel_across_prompts() -> None:
    """Within prompts a swap changes nothing, so p is 1; across prompts the signs of 12 pairs tell."""
    prompts = [at // 2 for at in range(24)]
    second = [at % 2 == 1 for at in range(24)]
    texts = ["yes of course" if side else "no never" for side in second]
    within = mmd_test(texts, prompts, second, NGRAMS)
    across = mmd_test(texts, prompts, second, NGRAMS, across_prompts=True)
    assert within is not None
    assert across is not None
    assert within.p == 1.0
    # 2 of the 4,096 sign patterns are as extreme: all kept, all flipped.
    assert across.p < 0.01


def test_nothing_to_permute_is_no_answer() -> None:
    assert mmd_test(["a", "b"], [0, 0], [False, True]) is None
    assert mmd_test(["a", "b"], [0, 1], [False, True]) is None
    assert mmd_test([], [], []) is None


def answers(random: np.random.Generator, share: float, prompts: int, completions: int) -> list[str]:
    """Completions of 12 letters a prompt; a share of the letters comes from another alphabet."""
    drawn = []
    for prompt in range(prompts):
        letters = np.array(list("abcdefgh"))[(np.arange(12) + prompt) % 8]
        for _ in range(completions):
            odd = random.random(12) < 0.2 + share
            drawn.append("".join(np.where(odd, random.choice(list("xyz"), 12), letters)))
    return drawn


def rejected(share: float, worlds: int) -> float:
    random = np.random.default_rng(7)
    prompts = [at for at in range(10) for _ in range(4)] * 2
    second = [False] * 40 + [True] * 40
    hits = 0
    for world in range(worlds):
        texts = answers(random, 0.0, 10, 4) + answers(random, share, 10, 4)
        found = mmd_test(texts, prompts, second, draws=199, seed=world)
        assert found is not None
        hits += found.p <= 0.05
    return hits / worlds


@pytest.mark.slow
def test_size_and_power() -> None:
    """Size 5 %: of 1,000 worlds at most 5 % + 3 standard errors (2.1 points)."""
    size, power = rejected(0.0, 1_000), rejected(0.35, 200)
    print(f"MMD within prompts: size {size:.3f}, power at 35 % other letters {power:.3f}")
    assert size <= 0.071
    assert power >= 0.95
