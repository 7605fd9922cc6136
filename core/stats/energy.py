"""Whether two samples of several numbers come from one distribution: the energy test with labels swapped in blocks.

Source: Szekely and Rizzo 2013 (J. Stat. Plan. Inference 143:1249).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SEED = 20_260_104
DRAWS = 2_000


class Energy(NamedTuple):
    """Distance between the samples in standard deviations, and how often a relabelling is as far apart."""

    distance: float
    p: float
    n: int
    """Rows of a side."""


def energy_test(
    first: Sequence[Sequence[float]],
    second: Sequence[Sequence[float]],
    blocks: Sequence[object] | None = None,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Energy:
    """Energy distance of equally many rows of standardised columns; p by permutation.

    blocks None: rows are pairs, and a draw swaps within pairs. Else row i of both sides is of block blocks[i], and a draw
    deals a block's rows of both sides anew. Raises ValueError for sides of different lengths or of fewer than 2 rows.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.shape != b.shape or len(a) < 2:
        raise ValueError(f"an energy test needs sides alike with 2 rows or more, got {a.shape} and {b.shape}")
    both = np.concatenate([a, b])
    spread = both.std(axis=0)
    both = (both - both.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    squares = (both**2).sum(axis=1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * both @ both.T, 0.0))
    n = len(a)
    signs = _signs(n, blocks, draws, np.random.default_rng(seed))
    found = -np.einsum("ij,ij->i", signs @ apart, signs) / n**2
    as_far = int(np.sum(found[1:] >= found[0] - 1e-12))
    return Energy(float(found[0]), (1 + as_far) / (1 + draws), n)


def _signs(
    n: int, blocks: Sequence[object] | None, draws: int, random: np.random.Generator
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """+1 for a row that counts as the first side's; the first line is as observed."""
    signs = np.ones((draws + 1, 2 * n))
    signs[:, n:] = -1
    if blocks is None:
        flips = random.choice((-1.0, 1.0), size=(draws, n))
        signs[1:, :n] = flips
        signs[1:, n:] = -flips
        return signs
    for block in dict.fromkeys(blocks):
        own = [at for at, one in enumerate(blocks) if one == block]
        places = np.array(own + [n + at for at in own])
        dealt = random.permuted(np.tile(signs[0, places], (draws, 1)), axis=1)
        signs[1:, places] = dealt
    return signs
