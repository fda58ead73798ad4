from __future__ import annotations

import pytest

from harness.stats.bisect_baselines import simulate_fixed, simulate_greedy
from harness.stats.bisect_simulate import Scene, summarise


@pytest.mark.parametrize(
    ("boots", "right"),
    [(1, 0.04), (10, 0.72), (30, 0.994)],
)
def test_fixed_k_does_as_well_as_arithmetic_says(boots: int, right: float) -> None:
    # Six steps, half of them on the bad side: with one boot a step, 20% of those are noticed.
    summary = summarise(simulate_fixed(Scene(0.2), boots, 4000, seed=1))
    assert summary.right == pytest.approx(right, abs=0.03)
    assert summary.switches == 6


def test_greedy_is_right_and_switches_for_almost_every_boot() -> None:
    summary = summarise(simulate_greedy(Scene(0.2), 0.95, 300, seed=1))
    assert summary.right > 0.93
    assert summary.switches > 20


def test_an_unrelated_failure_misleads_a_loop_around_the_boot() -> None:
    assert summarise(simulate_fixed(Scene(0.2, other_rate=0.02), 60, 1000, seed=1)).right < 0.2


def test_boots_at_once_take_the_time_of_one() -> None:
    alone, three = (simulate_fixed(Scene(0.2, at_once=n, build_s=60), 30, 500, seed=1) for n in (1, 3))
    assert (three.hours < alone.hours).all()
    # A step makes at most 30 boots, which are ten rounds; six positions are built.
    assert three.hours.max() <= 6 * (10 * 20 + 300 + 60) / 3600
    assert alone.hours == pytest.approx((alone.boots * 20 + alone.switches * 360) / 3600)
    one, two = (simulate_greedy(Scene(0.2, at_once=n), 0.95, 200, seed=1) for n in (1, 2))
    assert summarise(two).right > 0.9
    assert summarise(two).mean_h < summarise(one).mean_h
    assert (two.boots % 2 == 0).all()
