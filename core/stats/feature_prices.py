"""What a score pays for: prices of features within a prompt, or between two answers shown side by side.

Prices come with errors that keep a prompt's answers together. A price is an association: a feature that always comes
with something the score likes is paid for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.stats.proportions import Z_95


class Price(NamedTuple):
    """Change of the score (or of the log odds of being chosen) per unit of a feature."""

    feature: str
    value: float
    se: float

    @property
    def z(self) -> float:
        """The price in standard errors."""
        return self.value / self.se if self.se > 0 else 0.0

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.value - Z_95 * self.se

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.value + Z_95 * self.se


def within_prices(
    score: ArrayLike, features: ArrayLike, names: Sequence[str], prompt: ArrayLike
) -> list[Price]:
    """Regression of the score on features with a constant a prompt, errors clustered by prompt.

    `features`: one column a name. A feature that does not vary within prompts has no price and is left out.
    Fixed effects are taken off by demeaning (Frisch-Waugh-Lovell); variance as Liang & Zeger 1986.
    """
    y, x = np.asarray(score, dtype=float), np.asarray(features, dtype=float)
    prompts = np.unique(np.asarray(prompt), return_inverse=True)[1].reshape(-1)
    x, y = _demeaned(x, prompts), _demeaned(y[:, None], prompts)[:, 0]
    kept = _independent(x)
    count = int(prompts.max()) + 1 if len(prompts) else 0
    if not kept or count < 2:
        return []
    x = x[:, kept]
    inverse = np.linalg.inv(x.T @ x)
    value = inverse @ (x.T @ y)
    scores = np.zeros((count, len(kept)))
    np.add.at(scores, prompts, x * (y - x @ value)[:, None])
    variance = inverse @ (scores.T @ scores) @ inverse * count / (count - 1)
    return [
        Price(names[at], float(v), float(s))
        for at, v, s in zip(kept, value, np.sqrt(np.diag(variance)), strict=True)
    ]


def pair_prices(differences: ArrayLike, names: Sequence[str]) -> list[Price]:
    """Conditional logit of which of two answers was chosen; `differences`: features of the chosen less the other's.

    Newton's method on sum log expit(d b) (Cox 1972; Bradley & Terry 1952 with covariates). Features that never differ
    have no price; none has one where the choice is told perfectly (the likelihood has no top).
    """
    d = np.asarray(differences, dtype=float)
    kept = _independent(d)
    if not kept:
        return []
    d = d[:, kept]
    b = np.zeros(len(kept))
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(d @ b, -500, 500)))
        information = d.T @ (d * (chance * (1 - chance))[:, None])
        if np.linalg.cond(information) > 1e12:
            return []
        step = np.linalg.solve(information, d.T @ (1 - chance))
        b = b + step
        if float(np.abs(step).max()) < 1e-10:
            se = np.sqrt(np.diag(np.linalg.inv(information)))
            return [Price(names[at], float(v), float(s)) for at, v, s in zip(kept, b, se, strict=True)]
    return []


class Part(NamedTuple):
    """One feature's part in a rise: price times change of its mean, with a 95 % interval."""

    feature: str
    value: float
    low: float
    high: float


def rise_parts(
    score: ArrayLike,
    features: ArrayLike,
    names: Sequence[str],
    prompt: ArrayLike,
    later: ArrayLike,
    draws: int = 500,
    seed: int = 20_261_125,
) -> list[Part]:
    """The rise of the mean score from the earlier rows to the later ones, as parts that sum to it exactly.

    Pooled two-fold decomposition (Oaxaca 1973; Jann 2008, Stata J. 8:453): prices from both halves together with a
    constant a prompt and one for `later`; a part is price x change of the feature's mean; the rest, which no feature
    explains, is named "not explained". Intervals: percentile bootstrap over prompts.
    """
    y, x = np.asarray(score, dtype=float), np.asarray(features, dtype=float)
    prompts = np.unique(np.asarray(prompt), return_inverse=True)[1].reshape(-1)
    after = np.asarray(later, dtype=bool)
    wide = np.column_stack([x, after.astype(float), y])
    within = _demeaned(wide, prompts)  # of a prompt drawn twice too: its rows have one weight
    value = _parts(wide, within, after, np.ones(len(y)))
    random = np.random.default_rng(seed)
    count = int(prompts.max()) + 1 if len(prompts) else 0
    drawn = []
    for _ in range(draws):
        weights = np.bincount(random.integers(0, count, count), minlength=count)[prompts].astype(float)
        if weights[after].sum() > 0 and weights[~after].sum() > 0:
            drawn.append(_parts(wide, within, after, weights))
    low, high = np.quantile(np.array(drawn), [0.025, 0.975], axis=0)
    told = (*names, "not explained")
    return [Part(name, float(value[at]), float(low[at]), float(high[at])) for at, name in enumerate(told)]


def _parts(
    wide: NDArray[np.float64],
    within: NDArray[np.float64],
    after: NDArray[np.bool_],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Columns of both: features, `after`, score; `within` without the mean of the prompt. One weight a prompt."""
    used = within * np.sqrt(weights)[:, None]
    value = np.linalg.lstsq(used[:, :-1], used[:, -1], rcond=1e-10)[0][:-1]
    now, before = (np.where(side, weights, 0.0) for side in (after, ~after))
    moved = now @ wide / now.sum() - before @ wide / before.sum()
    parts = value * moved[: len(value)]
    return np.append(parts, moved[-1] - parts.sum())


def _demeaned(values: NDArray[np.float64], groups: NDArray[np.intp]) -> NDArray[np.float64]:
    sizes = np.maximum(np.bincount(groups), 1)
    means = np.column_stack([np.bincount(groups, weights=column) / sizes for column in values.T])
    demeaned: NDArray[np.float64] = values - means[groups]
    return demeaned


def _independent(x: NDArray[np.float64]) -> list[int]:
    """Columns that vary and are no sum of those before them."""
    kept: list[int] = []
    basis = np.empty((len(x), 0))
    for at in range(x.shape[1]):
        column = x[:, at]
        rest = column - basis @ (basis.T @ column)
        size = math.sqrt(float(rest @ rest))
        if size > 1e-8 * max(1.0, math.sqrt(float(column @ column))):
            kept.append(at)
            basis = np.column_stack([basis, rest / size])
    return kept
