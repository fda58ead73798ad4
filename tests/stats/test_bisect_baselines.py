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
