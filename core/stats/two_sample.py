"""Do two places answer alike? Kernel two-sample tests whose labels are permuted within the prompt only.

The statistic is s' K s with s = +1 / (answers of the first side) and -1 / (answers of the second side), per prompt
and divided by the number of prompts: the squared distance between the two sides' mean embeddings (Gretton et al.
2012, JMLR 13:723). With a kernel that is zero between prompts it is the statistic of Model Equality Testing (Gao,
Liang & Guestrin 2024, arXiv 2410.20247). With one answer a side and prompt such a kernel cannot tell: swapping the
pair changes nothing. Then the kernel must see across prompts, and permuting is flipping the signs of the pairs.

Permuting within the prompt keeps what differs between prompts out of the null. The Gram matrix is computed once;
p = (1 + draws at least as large) / (draws + 1) (Phipson & Smyth 2010), never 0.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SEED = 20_261_125
DRAWS = 2_000
"""The smallest p is then 0.0005: enough for Holm over some tens of signals."""
CHARACTERS = 1_000
"""Characters that the Hamming kernel compares, as in the source's default."""
OPENING = 16
"""Characters of an answer's opening: a code fence, a yes, an apology."""
BUCKETS = 4_096
"""Hash buckets of n-grams; a power of two of some times the distinct n-grams of an answer."""
Matrix = NDArray[np.float64]
Places = NDArray[np.intp]


class Kernel(NamedTuple):
    """A likeness of texts, as the matrix of all of them or of pairs alone, which costs as much as there are pairs."""

    name: str
    gram: Callable[[Sequence[str]], Matrix]
    of_pairs: Callable[[Sequence[str], Places, Places], NDArray[np.float64]]


class TwoSample(NamedTuple):
    """A permutation test. `statistic` is the squared distance less its mean under the null; `draws` permutations."""

    statistic: float
    p: float
    prompts: int
    n_first: int
    n_second: int
    draws: int
    seed: int


def hamming(texts: Sequence[str], characters: int = CHARACTERS) -> Matrix:
    """Share of equal characters at equal places, over the longer text; 1 for equal texts, also for two empty ones.

    >>> hamming(["abcd", "abxx", ""]).tolist()[0]
    [1.0, 0.5, 0.0]
    """
    codes, lengths = _codes(texts, characters)
    gram = np.empty((len(lengths), len(lengths)))
    for row, length in enumerate(lengths):
        equal = (codes[row:, :length] == codes[row, :length]).sum(axis=1)
        gram[row, row:] = gram[row:, row] = _share(equal, np.maximum(lengths[row:], length))
    return gram


def hamming_of_pairs(
    texts: Sequence[str], first: Places, second: Places, characters: int = CHARACTERS
) -> NDArray[np.float64]:
    """The same of chosen pairs of texts."""
    codes, lengths = _codes(texts, characters)
    equal = np.empty(len(first), dtype=np.intp)
    for start in range(0, len(first), 1_000):  # a block of 1,000 pairs of 1,000 characters holds 8 MB
        one, other = first[start : start + 1_000], second[start : start + 1_000]
        equal[start : start + 1_000] = ((codes[one] == codes[other]) & (codes[one] > 0)).sum(axis=1)
    return _share(equal, np.maximum(lengths[first], lengths[second]))


def _codes(texts: Sequence[str], characters: int) -> tuple[NDArray[np.uint32], Places]:
    """A row a text: its characters' code points + 1, and 0 behind its end."""
    found = [
        np.frombuffer(text[:characters].encode("utf-32-le", "surrogatepass"), dtype="<u4") for text in texts
    ]
    lengths = np.array([len(one) for one in found], dtype=np.intp)
    codes = np.zeros((len(found), max(int(lengths.max(initial=0)), 1)), dtype=np.uint32)
    for row, one in enumerate(found):
        codes[row, : len(one)] = one + 1
    return codes, lengths


def _share(equal: Places, longer: Places) -> NDArray[np.float64]:
    return np.where(longer > 0, equal / np.maximum(longer, 1), 1.0)


def ngrams(texts: Sequence[str], longest: int = 3, buckets: int = BUCKETS) -> Matrix:
    """Cosine of hashed counts of 1- to `longest`-grams of words (square roots, so that no word dominates).

    A text without words is equal to itself and to other such texts.
    """
    units, empty = _units(texts, longest, buckets)
    gram: Matrix = (units @ units.T).toarray()
    gram[np.ix_(empty, empty)] = 1.0
    return gram


def ngrams_of_pairs(
    texts: Sequence[str], first: Places, second: Places, longest: int = 3, buckets: int = BUCKETS
) -> NDArray[np.float64]:
    """The same of chosen pairs of texts."""
    units, empty = _units(texts, longest, buckets)
    cosines = np.asarray(units[first].multiply(units[second]).sum(axis=1)).reshape(-1)
    return np.where(empty[first] & empty[second], 1.0, cosines)


def _units(texts: Sequence[str], longest: int, buckets: int) -> tuple[Any, NDArray[np.bool_]]:
    """A sparse row of length 1 a text, and which texts have no words: a short answer fills few of the buckets."""
    from scipy.sparse import csr_array

    rows = [_unit(text, longest, buckets) for text in texts]
    ends = np.cumsum([0, *(len(places) for places, _ in rows)])
    places, sizes = (np.concatenate([row[part] for row in rows] or [np.empty(0)]) for part in (0, 1))
    shape = (len(rows), buckets)
    return csr_array((sizes, places.astype(np.int32), ends), shape=shape), np.diff(ends) == 0


def views(texts: Sequence[str]) -> Matrix:
    """Mean of kernels on characters, words and the opening: sees what any of them sees (Gretton et al. 2012, NeurIPS 25)."""
    return np.asarray((hamming(texts) + ngrams(texts) + hamming(texts, OPENING)) / 3)


def views_of_pairs(texts: Sequence[str], first: Places, second: Places) -> NDArray[np.float64]:
    """The same of chosen pairs of texts."""
    places = sum(hamming_of_pairs(texts, first, second, length) for length in (CHARACTERS, OPENING))
    return np.asarray((places + ngrams_of_pairs(texts, first, second)) / 3)


@lru_cache(maxsize=8_192)
def _unit(text: str, longest: int, buckets: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """A text's buckets and their parts; remembered, because one reference is compared with every other region."""
    words = text.lower().split()
    found = [
        zlib.crc32(" ".join(words[at : at + size]).encode()) % buckets
        for size in range(1, longest + 1)
        for at in range(len(words) - size + 1)
    ]
    places, counts = np.unique(np.array(found, dtype=np.int64), return_counts=True)
    roots = np.sqrt(counts.astype(float))
    return places, roots / max(float(np.linalg.norm(roots)), 1.0)


HAMMING = Kernel("hamming", hamming, hamming_of_pairs)
NGRAMS = Kernel("ngrams", ngrams, ngrams_of_pairs)
VIEWS = Kernel("characters, words and opening", views, views_of_pairs)


def mmd_test(
    texts: Sequence[str],
    prompts: Sequence[object],
    second: Sequence[bool],
    kernel: Kernel = HAMMING,
    across_prompts: bool = False,
    draws: int = DRAWS,
    seed: int = SEED,
) -> TwoSample | None:
    """Test whether the sides (second: True or False for each answer) answer alike, given the prompt.

    Prompts answered on one side only are left out. `across_prompts` keeps the kernel between prompts. None when
    nothing is left to permute: no prompt on both sides, or a single one with one answer each. The order of the
    answers does not matter.
    """
    return mmd_tests(texts, prompts, second, (kernel,), across_prompts, draws, seed)[0]


def mmd_tests(
    texts: Sequence[str],
    prompts: Sequence[object],
    second: Sequence[bool],
    kernels: Sequence[Kernel],
    across_prompts: bool = False,
    draws: int = DRAWS,
    seed: int = SEED,
) -> list[TwoSample | None]:
    """The same for several kernels, which see the same permutations."""
    named = [str(prompt) for prompt in prompts]
    sides_of: dict[str, set[bool]] = defaultdict(set)
    for prompt, side in zip(named, second, strict=True):
        sides_of[prompt].add(bool(side))
    rows = sorted(
        (prompt, bool(side), text)
        for prompt, side, text in zip(named, second, texts, strict=True)
        if len(sides_of[prompt]) == 2
    )
    if not rows or len(rows) == 2:
        return [None] * len(kernels)
    _, code = np.unique([prompt for prompt, _, _ in rows], return_inverse=True)
    sides = np.array([side for _, side, _ in rows])
    pairs = _pairs_within(code)
    forms = [_form([text for _, _, text in rows], code, kernel, pairs, across_prompts) for kernel in kernels]
    weights = _weights(sides, code)
    nulls = _permuted(weights, code, forms, draws, np.random.default_rng(seed))
    found: list[TwoSample | None] = []
    for form, null in zip(forms, nulls, strict=True):
        observed = float(form.values(weights[None, :])[0])
        tolerance = 1e-12 * max(1.0, abs(observed))  # equal permutations must count as equal
        p = (1 + int((null >= observed - tolerance).sum())) / (draws + 1)
        excess = observed - _mean_under_null(weights, code, form, pairs[0])
        found.append(
            TwoSample(excess, p, int(code[-1]) + 1, int((~sides).sum()), int(sides.sum()), draws, seed)
        )
    return found


class _Form(NamedTuple):
    """The kernel as a quadratic form, prompts of one size together: without pairs across prompts the rest of it is 0."""

    diagonal: NDArray[np.float64]
    within: NDArray[np.float64]
    """Of the pairs within prompts, each once."""
    blocks: list[tuple[Places, Matrix]]
    """Places, blocks x size, and what the kernel says of them, blocks x size x size."""

    def values(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """w' K w of each row of weights."""
        total = np.zeros(len(weights))
        for places, grams in self.blocks:
            drawn = np.ascontiguousarray(weights[:, places].transpose(1, 0, 2))
            total += ((drawn @ grams) * drawn).sum(axis=(0, 2))
        return total


def _pairs_within(code: Places) -> tuple[Places, Places]:
    """Places of every two answers to one prompt; rows lie prompt by prompt."""
    starts = np.searchsorted(code, np.arange(int(code[-1]) + 2))
    first, second = [], []
    for start, stop in pairwise(starts.tolist()):
        one, other = np.triu_indices(stop - start, 1)
        first.append(one + start)
        second.append(other + start)
    return np.concatenate(first), np.concatenate(second)


def _form(
    texts: Sequence[str], code: Places, kernel: Kernel, pairs: tuple[Places, Places], across_prompts: bool
) -> _Form:
    everyone = np.arange(len(texts))
    if across_prompts:
        gram = kernel.gram(texts)
        return _Form(np.diagonal(gram), gram[pairs], [(everyone[None, :], gram[None, :, :])])
    diagonal, within = kernel.of_pairs(texts, everyone, everyone), kernel.of_pairs(texts, *pairs)
    sizes = np.bincount(code)
    starts, blocks = np.cumsum(sizes) - sizes, []
    for size in np.unique(sizes):
        own = sizes == size
        grams = np.zeros((int(own.sum()), size, size))
        one, other = np.triu_indices(size, 1)
        grams[:, one, other] = grams[:, other, one] = within[own[code[pairs[0]]]].reshape(len(grams), -1)
        places = starts[own][:, None] + np.arange(size)
        grams[:, np.arange(size), np.arange(size)] = diagonal[places]
        blocks.append((places, grams))
    return _Form(diagonal, within, blocks)


def _weights(sides: NDArray[np.bool_], code: Places) -> NDArray[np.float64]:
    per_first, per_second = np.bincount(code[~sides]), np.bincount(code[sides])
    shares = np.where(sides, -1.0 / per_second[code], 1.0 / per_first[code])
    return np.asarray(shares / len(per_first))


def _mean_under_null(weights: NDArray[np.float64], code: Places, form: _Form, first: Places) -> float:
    """Exact: weights sum to 0 within a prompt, so two of its places have mean product -(mean square) / (n - 1)."""
    n = np.bincount(code)
    squares = np.bincount(code, weights=weights**2) / n
    diagonal = np.bincount(code, weights=form.diagonal)
    beside = 2 * np.bincount(code[first], weights=form.within, minlength=len(n))
    return float((squares * (diagonal - beside / (n - 1))).sum())


def _permuted(
    weights: NDArray[np.float64],
    code: Places,
    forms: Sequence[_Form],
    draws: int,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """Each form under permutations of the weights within each prompt, forms x draws (rows lie prompt by prompt)."""
    nulls = np.empty((len(forms), draws))
    for start in range(0, draws, 500):
        count = min(500, draws - start)
        keys = random.random((count, len(weights))) + code  # sorts within the prompt, never across
        drawn = weights[np.argsort(keys, axis=1)]
        for row, form in enumerate(forms):
            nulls[row, start : start + count] = form.values(drawn)
    return nulls
