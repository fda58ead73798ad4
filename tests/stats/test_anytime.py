from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from harness.stats.anytime import anytime_interval
from harness.stats.binomial import exact_interval

from .exact_walk import RATES, ever_probability

COUNTS = st.integers(0, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))

_interval = cache(anytime_interval)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_rate_is_never_outside_more_often_than_it_says(rate: float, confidence: float) -> None:
    # At any of 200 moments, exactly. The exact interval of a fixed number fails this by far: see below.
    def outside(bad: int, boots: int) -> bool:
        low, high = _interval(bad, boots, confidence)
        return not low <= rate <= high

    assert ever_probability(rate, 200, outside) <= 1 - confidence


def test_the_exact_interval_does_not_survive_peeking() -> None:
    def outside(bad: int, boots: int) -> bool:
        low, high = exact_interval(bad, boots, 0.95)
        return not low <= 0.1 <= high

    assert ever_probability(0.1, 300, outside) > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.0, 0.002, 0.03, 0.5])
def test_it_covers_in_a_long_simulation(rate: float) -> None:
    draws = np.random.default_rng(2).random((400, 3000)) < rate
    missed = 0
    for counts in np.cumsum(draws, axis=1):
        # M moves by a factor of about 1 + 1/n a boot, so few moments are left out by looking at these.
        looks = sorted({round(1.05**power) for power in range(165)})
        missed += any(
            not low <= rate <= high
            for low, high in (_interval(int(counts[look - 1]), look, 0.95) for look in looks if look <= 3000)
        )
    assert missed / 400 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


@settings(deadline=None)  # the first call loads scipy
@given(COUNTS, st.floats(0.5, 0.999))
def test_the_observed_rate_is_inside_and_mirroring_mirrors(counts: tuple[int, int], confidence: float) -> None:
    bad, boots = counts
    low, high = anytime_interval(bad, boots, confidence)
    assert 0 <= low <= high <= 1
    if boots:
        assert low <= bad / boots <= high
    mirrored = anytime_interval(boots - bad, boots, confidence)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


@settings(deadline=None)  # the first call loads scipy
@given(COUNTS)
def test_peeking_costs_width(counts: tuple[int, int]) -> None:
    bad, boots = counts
    low, high = anytime_interval(bad, boots, 0.95)
    exact_low, exact_high = exact_interval(bad, boots, 0.95)
    assert low <= exact_low + 1e-9
    assert high >= exact_high - 1e-9


@pytest.mark.parametrize(("bad", "boots"), [(1, 4), (0, 9), (5, 12)])
def test_the_ends_are_where_the_mixture_reaches_its_bound(bad: int, boots: int) -> None:
    # By numerical integration over the prior, beside the closed form of the code.
    def likelihood(rate: float) -> float:
        return rate**bad * (1 - rate) ** (boots - bad)

    # q = sin(t)**2 turns Jeffreys' prior into a uniform one over t.
    mixture = quad(lambda t: likelihood(math.sin(t) ** 2), 0, math.pi / 2)[0] / (math.pi / 2)
    low, high = anytime_interval(bad, boots, 0.95)
    for end in (low, high):
        if 0 < end < 1:
            assert mixture / likelihood(end) == pytest.approx(20, rel=1e-6)


@pytest.mark.parametrize(
    ("bad", "boots", "interval"), [(3, 1000, (0.00012, 0.0143)), (0, 1000, (0.0, 0.0070)), (0, 0, (0.0, 1.0))]
)
def test_known_intervals(bad: int, boots: int, interval: tuple[float, float]) -> None:
    assert anytime_interval(bad, boots, 0.95) == pytest.approx(interval, abs=5e-5)


@pytest.mark.parametrize(("bad", "boots"), [(-1, 4), (5, 4)])
def test_impossible_counts_are_refused(bad: int, boots: int) -> None:
    with pytest.raises(ValueError, match="cannot have failed"):
        anytime_interval(bad, boots, 0.95)
