from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from harness.stats.binomial import (
    clean_boots_needed,
    exact_interval,
    lower_bound,
    most_failures_allowed,
    upper_bound,
)

from .exact_walk import RATES

CONFIDENCES = st.floats(0.5, 0.999)


@settings(deadline=None)  # the first call loads scipy
@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), CONFIDENCES)
def test_the_interval_is_scipys(counts: tuple[int, int], confidence: float) -> None:
    bad, boots = counts
    theirs = binomtest(bad, boots).proportion_ci(confidence, "exact")
    assert exact_interval(bad, boots, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("boots", [1, 7, 40, 120, 500])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_the_interval_covers_at_least_as_often_as_it_says(rate: float, boots: int, confidence: float) -> None:
    # Exactly, by the sum over all counts: no simulation could be as strict.
    covered = sum(
        float(binom.pmf(bad, boots, rate))
        for bad in range(boots + 1)
        if exact_interval(bad, boots, confidence)[0] <= rate <= exact_interval(bad, boots, confidence)[1]
    )
    assert covered >= confidence - 1e-9


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.1, 0.5])
def test_it_covers_in_a_simulation_too(rate: float) -> None:
    bad = np.random.default_rng(1).binomial(120, rate, 2000)
    covered = sum(low <= rate <= high for low, high in (exact_interval(int(k), 120, 0.95) for k in bad))
    assert covered / 2000 >= 0.95 - 0.015  # three standard deviations of 2000 draws


@pytest.mark.parametrize(
    ("bad", "boots", "interval"),
    [(7, 120, (0.0238, 0.1165)), (0, 1000, (0.0, 0.00368)), (0, 0, (0.0, 1.0)), (3, 3, (0.2924, 1.0))],
)
def test_known_intervals(bad: int, boots: int, interval: tuple[float, float]) -> None:
    assert exact_interval(bad, boots, 0.95) == pytest.approx(interval, abs=1e-4)


@pytest.mark.parametrize(("bad", "boots"), [(-1, 4), (5, 4)])
def test_impossible_counts_are_refused(bad: int, boots: int) -> None:
    with pytest.raises(ValueError, match="cannot have failed"):
        upper_bound(bad, boots, 0.95)
    with pytest.raises(ValueError, match="cannot have failed"):
        lower_bound(bad, boots, 0.95)


@pytest.mark.parametrize(
    ("max_rate", "confidence", "boots"),
    [(0.01, 0.95, 299), (0.003, 0.95, 998), (0.001, 0.95, 2995), (0.05, 0.95, 59), (0.5, 0.5, 1), (0.99, 0.5, 1)],
)
def test_known_numbers_of_clean_boots(max_rate: float, confidence: float, boots: int) -> None:
    assert clean_boots_needed(max_rate, confidence) == boots


@settings(deadline=None)  # the first call loads scipy
@given(st.floats(0.001, 0.9), CONFIDENCES)
def test_one_clean_boot_fewer_is_not_enough(max_rate: float, confidence: float) -> None:
    boots = clean_boots_needed(max_rate, confidence)
    assert upper_bound(0, boots, confidence) <= max_rate * (1 + 1e-9)
    assert boots == 1 or upper_bound(0, boots - 1, confidence) > max_rate * (1 - 1e-9)


@settings(deadline=None)  # the first call loads scipy
@given(st.integers(1, 3000), st.floats(0.001, 0.9), CONFIDENCES)
def test_one_failure_more_is_too_many(boots: int, max_rate: float, confidence: float) -> None:
    allowed = most_failures_allowed(boots, max_rate, confidence)
    if allowed is None:
        assert upper_bound(0, boots, confidence) > max_rate
    else:
        assert upper_bound(allowed, boots, confidence) <= max_rate
        assert upper_bound(allowed + 1, boots, confidence) > max_rate
