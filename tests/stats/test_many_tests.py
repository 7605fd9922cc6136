"""Holm and Benjamini-Hochberg against statsmodels and by their plain definitions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.stats.many_tests import benjamini_hochberg, holm

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@settings(max_examples=40, deadline=None)
@given(P_VALUES)
def test_statsmodels_agrees(p_values: list[float]) -> None:
    """statsmodels 0.15.0, multipletests: 'holm' and 'fdr_bh'."""
    from statsmodels.stats.multitest import multipletests

    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)
    assert benjamini_hochberg(p_values) == pytest.approx(
        multipletests(p_values, method="fdr_bh")[1], abs=1e-12
    )


def test_worked_example() -> None:
    """Holm: .01 x 3, .02 x 2, .04 x 1. BH: .01 x 3/1, .02 x 3/2, .04 x 3/3."""
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert benjamini_hochberg([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.03])


@given(P_VALUES)
def test_adjusting_never_helps_and_holm_is_stricter(p_values: list[float]) -> None:
    for p, watched, claimed in zip(p_values, benjamini_hochberg(p_values), holm(p_values), strict=True):
        assert p <= watched + 1e-12
        assert watched <= claimed + 1e-12


def test_no_tests_and_bad_tests() -> None:
    assert holm([]) == []
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm([0.5, 1.5])
