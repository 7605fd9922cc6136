"""Who rates: a mix put back, and what the silent may hide."""

from __future__ import annotations

import pytest

from core.stats.nonresponse import Rated, mix_of, poststratified, worst_case


def test_a_mix_put_back_shows_that_nothing_changed() -> None:
    """EU rates 80 %, US 60 %. First half and half: 70 %. Then 20 : 80: pooled 64 %; at the old mix still 70 %."""
    before = {"eu": Rated(40, 50, 500), "us": Rated(30, 50, 500)}
    after = {"eu": Rated(16, 20, 200), "us": Rated(48, 80, 800)}
    found = poststratified(after, mix_of(before))
    assert found is not None
    assert found[0] == pytest.approx(0.5 * 0.8 + 0.5 * 0.6)
    assert found[1] > 0


def test_a_stratum_that_nobody_rated_is_left_out() -> None:
    found = poststratified({"eu": Rated(8, 10, 90), "us": Rated(0, 0, 10)}, {"eu": 0.9, "us": 0.1})
    assert found is not None
    assert found[0] == pytest.approx(0.8)
    assert poststratified({"us": Rated(0, 0, 10)}, {"us": 1.0}) is None


def test_equal_ratings_are_not_certain() -> None:
    found = poststratified({"eu": Rated(3, 3, 3)}, {"eu": 1.0})
    assert found is not None
    # (3 + 2) / (3 + 4) = 0.714; sqrt(0.714 x 0.286 / 3) = 0.261
    assert found == pytest.approx((1.0, 0.261), abs=1e-3)


def test_bounds_hold_whatever_the_silent_think() -> None:
    assert worst_case(Rated(0, 0, 7)) == (0.0, 1.0)
    assert worst_case(Rated(5, 7, 7)) == (5 / 7, 5 / 7)
    with pytest.raises(ValueError, match="positive <= rated"):
        worst_case(Rated(3, 2, 7))
