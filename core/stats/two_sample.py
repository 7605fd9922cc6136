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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SEED = 20_261_125
DRAWS = 2_000
"""The smallest p is then 0.0005: enough for Holm over some tens of signals."""
CHARACTERS = 1_000
"""Characters that the Hamming kernel compares, as in the source's default."""
BUCKETS = 4_096
"""Hash buckets of n-grams; a power of two of some times the distinct n-grams of an answer."""

Matrix = NDArray[np.float64]
Kernel = Callable[[Sequence[str]], Matrix]


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
    cut = [text[:characters] for text in texts]
    width = max((len(text) for text in cut), default=0)
    codes = np.zeros((len(cut), max(width, 1)), dtype=np.uint32)
    for row, text in enumerate(cut):
        codes[row, : len(text)] = [ord(character) + 1 for character in text]
    lengths = np.array([len(text) for text in cut])
    gram = np.empty((len(cut), len(cut)))
    for row in range(len(cut)):
        equal = ((codes == codes[row]) & (codes[row] > 0)).sum(axis=1)
        longer = np.maximum(lengths, lengths[row])
        gram[row] = np.where(longer > 0, equal / np.maximum(longer, 1), 1.0)
    return gram


def ngrams(texts: Sequence[str], longest: int = 3, buckets: int = BUCKETS) -> Matrix:
    """Cosine of hashed counts of 1- to `longest`-grams of words (square roots, so that no word dominates).

    A text without words is equal to itself and to other such texts.
    """
    counts = np.zeros((len(texts), buckets))
    for row, text in enumerate(texts):
        counts[row] = np.bincount(_grams(text, longest) % buckets, minlength=buckets)
    roots = np.sqrt(counts)
    norms = np.linalg.norm(roots, axis=1, keepdims=True)
    units = roots / np.where(norms > 0, norms, 1.0)
    empty = norms[:, 0] == 0
    gram: Matrix = units @ units.T
    gram[np.ix_(empty, empty)] = 1.0
    return gram


@lru_cache(maxsize=8_192)
def _grams(text: str, longest: int) -> NDArray[np.int64]:
    """Hashes of a text's word n-grams; remembered, because one reference is compared with every other region."""
    words = text.lower().split()
    found = [
        zlib.crc32(" ".join(words[at : at + size]).encode())
        for size in range(1, longest + 1)
        for at in range(len(words) - size + 1)
    ]
    return np.array(found, dtype=np.int64)


def mmd_test(
    texts: Sequence[str],
    prompts: Sequence[object],
    second: Sequence[bool],
    kernel: Kernel = hamming,
    across_prompts: bool = False,
    draws: int = DRAWS,
    seed: int = SEED,
) -> TwoSample | None:
    """Test whether the sides (second: True or False for each answer) answer alike, given the prompt.

    Prompts answered on one side only are left out. `across_prompts` keeps the kernel between prompts. None when
    nothing is left to permute: no prompt on both sides, or a single one with one answer each. The order of the
    answers does not matter.
    """
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
        return None
    _, code = np.unique([prompt for prompt, _, _ in rows], return_inverse=True)
    sides = np.array([side for _, side, _ in rows])
    gram = kernel([text for _, _, text in rows])
    if not across_prompts:
        gram = np.where(code[:, None] == code[None, :], gram, 0.0)
    weights = _weights(sides, code)
    null = _permuted(weights, code, gram, draws, np.random.default_rng(seed))
    observed = float(weights @ gram @ weights)
    tolerance = 1e-12 * max(1.0, abs(observed))  # equal permutations must count as equal
    p = (1 + int((null >= observed - tolerance).sum())) / (draws + 1)
    excess = observed - _mean_under_null(weights, code, gram)
    return TwoSample(excess, p, int(code[-1]) + 1, int((~sides).sum()), int(sides.sum()), draws, seed)


def _weights(sides: NDArray[np.bool_], code: NDArray[np.intp]) -> NDArray[np.float64]:
    per_first, per_second = np.bincount(code[~sides]), np.bincount(code[sides])
    shares = np.where(sides, -1.0 / per_second[code], 1.0 / per_first[code])
    return np.asarray(shares / len(per_first))


def _mean_under_null(weights: NDArray[np.float64], code: NDArray[np.intp], gram: Matrix) -> float:
    """Exact: weights sum to 0 within a prompt, so two of its places have mean product -(mean square) / (n - 1)."""
    total = 0.0
    for prompt in range(int(code[-1]) + 1):
        at = np.flatnonzero(code == prompt)
        block, square = gram[np.ix_(at, at)], float((weights[at] ** 2).mean())
        diagonal = float(np.trace(block))
        total += square * (diagonal - (float(block.sum()) - diagonal) / (len(at) - 1))
    return total


def _permuted(
    weights: NDArray[np.float64],
    code: NDArray[np.intp],
    gram: Matrix,
    draws: int,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """The statistic under permutations of the weights within each prompt (rows lie prompt by prompt)."""
    null = np.empty(draws)
    for start in range(0, draws, 500):
        count = min(500, draws - start)
        keys = random.random((count, len(weights))) + code  # sorts within the prompt, never across
        drawn = weights[np.argsort(keys, axis=1)]
        null[start : start + count] = np.einsum("ij,ij->i", drawn @ gram, drawn)
    return null
