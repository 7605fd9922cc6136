"""Ratings come from those who rate: what a change of the mix does, and what the silent could do at worst."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from core.stats.proportions import Interval


class Rated(NamedTuple):
    """Of one stratum: rated positively, rated at all, and could have been rated."""

    positive: int
    rated: int
    eligible: int


def poststratified(found: Mapping[str, Rated], mix: Mapping[str, float]) -> tuple[float, float] | None:
    """The positive share if users came in the shares of `mix`, and its standard error.

    Strata without a rating are left out and the mix is scaled to the others; None when nothing is left.
    Source: Holt & Smith 1979, JRSS A 142:33.
    """
    known = {name: rated for name, rated in found.items() if rated.rated and mix.get(name, 0.0) > 0}
    whole = sum(mix[name] for name in known)
    if not known or whole <= 0:
        return None
    value, variance = 0.0, 0.0
    for name, rated in known.items():
        weight = mix[name] / whole
        # Agresti & Coull's two more of each keep a stratum of few and equal ratings from claiming certainty.
        smooth = (rated.positive + 2) / (rated.rated + 4)
        value += weight * rated.positive / rated.rated
        variance += weight**2 * smooth * (1 - smooth) / rated.rated
    return value, variance**0.5


def worst_case(found: Rated) -> Interval:
    """The positive share among all eligible, whatever the silent think (Manski 1990, Am. Econ. Rev. 80:319).

    >>> worst_case(Rated(positive=30, rated=40, eligible=100))
    Interval(low=0.3, high=0.9)
    """
    if not 0 <= found.positive <= found.rated <= found.eligible or not found.eligible:
        raise ValueError(f"needs 0 <= positive <= rated <= eligible, got {found}")
    silent = found.eligible - found.rated
    return Interval(found.positive / found.eligible, (found.positive + silent) / found.eligible)


def mix_of(found: Mapping[str, Rated]) -> dict[str, float]:
    """The shares in which the eligible came."""
    whole = sum(rated.eligible for rated in found.values())
    return {name: rated.eligible / whole for name, rated in found.items()} if whole else {}
