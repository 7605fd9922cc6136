"""The drift alarm: its formula against an integral, its false alarms and its power by seeded simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.stats.sequential import MIX, symmetric_drift

DAYS = 90


def test_the_closed_form_is_the_integral_it_claims_to_be() -> None:
    """E = integral over l > 0 of 2 n(l; 0, 1/r) exp(l S - l^2 V / 2), by the trapezoid rule."""
    shares = [0.02, -0.01, 0.03, 0.015]
    total, square = sum(shares), sum(share**2 for share in shares)
    rates = np.linspace(0, 400, 400_001)
    density = 2 * math.sqrt(MIX / (2 * math.pi)) * np.exp(-MIX * rates**2 / 2)
    integral = np.trapezoid(density * np.exp(rates * total - rates**2 * square / 2), rates)
    assert math.exp(symmetric_drift(shares, [1.0] * 4).log_e[-1]) == pytest.approx(integral, rel=1e-6)


def test_nothing_seen_is_no_evidence_either_way() -> None:
    """All zeros, and periods without traffic: E stays 1 (2 x Phi(0))."""
    found = symmetric_drift([0.0, 0.0, 0.0], [5.0, 0.0, 7.0])
    assert found.log_e == pytest.approx([0.0, 0.0, 0.0])
    assert found.alarm is None


def test_cut_off_noise_returns_to_zero_and_never_alarms() -> None:
    """Requests that slip over midnight come back: d_t = e_t - e_(t-1), with slips up to 20 % of a day."""
    random = np.random.default_rng(11)
    for _ in range(200):
        slipped = random.integers(0, 200, DAYS + 1).astype(float)
        assert symmetric_drift(np.diff(slipped).tolist(), [2_000.0] * DAYS).alarm is None


def test_a_drift_is_dated() -> None:
    """40 quiet days, then 4 % of requests more on the bill: the alarm comes after, the start lies near day 40."""
    random = np.random.default_rng(3)
    noise = random.normal(0, 10, DAYS)
    noise[40:] += 40
    found = symmetric_drift(noise.tolist(), [2_000.0] * DAYS)
    assert found.alarm is not None
    assert found.began is not None
    assert 40 <= found.alarm < 70
    assert abs(found.began - 40) <= 5


def test_fewer_on_the_bill_never_alarms() -> None:
    assert symmetric_drift([-30.0] * DAYS, [2_000.0] * DAYS).alarm is None


@pytest.mark.parametrize("noise", ["normal", "heavy", "lumpy", "half the days"])
def test_false_alarms_stay_below_the_promise(noise: str) -> None:
    """1,000 quiet series of 90 days: at most 5 % may ever alarm (three standard errors allowed on top)."""
    random = np.random.default_rng(17)
    draws = {
        "normal": lambda: random.normal(0, 20, DAYS),
        "heavy": lambda: 10 * random.standard_t(2, DAYS),
        "lumpy": lambda: random.choice([-100.0, 0.0, 0.0, 0.0, 100.0], DAYS),
        "half the days": lambda: random.normal(0, 20, DAYS) * (random.random(DAYS) < 0.5),
    }[noise]
    alarms = sum(symmetric_drift(draws().tolist(), [2_000.0] * DAYS).alarm is not None for _ in range(1_000))
    assert alarms / 1_000 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1_000)


@pytest.mark.parametrize(("hidden_share", "within_days"), [(0.03, 30), (0.01, 60)])
def test_power(hidden_share: float, within_days: int) -> None:
    """1 % daily noise of billed - traced: 3 % hidden is found in 30 days, 1 % in 60, nine times in ten."""
    random = np.random.default_rng(23)
    found = 0
    for _ in range(300):
        differences = random.normal(1_000 * hidden_share, 10, within_days)
        found += symmetric_drift(differences.tolist(), [2_000.0] * within_days).alarm is not None
    assert found / 300 >= 0.9
