from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import barnard_exact, binom, boschloo_exact, fisher_exact

from harness.stats.compare_rates import _probability, difference_interval, least_rate_p, rate_p

TABLES = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
    lambda n: st.tuples(st.integers(0, n[0]), st.just(n[0]), st.integers(0, n[1]), st.just(n[1]))
)
RATES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.35, 0.5)

_interval = cache(difference_interval)


@pytest.mark.parametrize("rate_a", RATES)
def test_the_interval_covers_at_least_as_often_as_it_says(rate_a: float) -> None:
    # Exactly, by the sum over all tables: no simulation could be as strict.
    boots_a, boots_b = 11, 8
    for rate_b in RATES:
        covered = 0.0
        for bad_a in range(boots_a + 1):
            for bad_b in range(boots_b + 1):
                low, high = _interval(bad_a, boots_a, bad_b, boots_b, 0.95)
                if low <= rate_b - rate_a <= high:
                    covered += float(binom.pmf(bad_a, boots_a, rate_a) * binom.pmf(bad_b, boots_b, rate_b))
        assert covered >= 0.95 - 1e-9, rate_b


@pytest.mark.slow
@pytest.mark.parametrize(("rate_a", "rate_b"), [(0.0, 0.0), (0.0, 0.02), (0.01, 0.05), (0.2, 0.0)])
def test_it_covers_with_as_many_boots_as_people_make(rate_a: float, rate_b: float) -> None:
    # Tables too rare to matter are left out, and count as missed.
    boots_a, boots_b = 60, 40
    covered = 0.0
    for bad_a in range(boots_a + 1):
        for bad_b in range(boots_b + 1):
            chance = float(binom.pmf(bad_a, boots_a, rate_a) * binom.pmf(bad_b, boots_b, rate_b))
            if chance > 2e-5:
                low, high = _interval(bad_a, boots_a, bad_b, boots_b, 0.95)
                covered += chance * (low <= rate_b - rate_a <= high)
    assert covered >= 0.95 - 0.005


@pytest.mark.parametrize(("bad_a", "boots_a", "bad_b", "boots_b"), [(2, 15, 7, 12), (0, 20, 4, 20), (5, 30, 9, 33)])
def test_at_no_difference_it_is_barnards_test(bad_a: int, boots_a: int, bad_b: int, boots_b: int) -> None:
    table = [[bad_b, bad_a], [boots_b - bad_b, boots_a - bad_a]]
    theirs = barnard_exact(table, alternative="greater", pooled=True, n=256).pvalue
    # Both search the worst case; the greater one has found more of it.
    assert theirs * (1 - 1e-4) <= _probability(bad_a, boots_a, bad_b, boots_b, 0.0) <= theirs * 1.001


@pytest.mark.parametrize(
    ("counts", "interval"),
    [
        ((40, 40, 0, 40), (-1.0, -0.910)),
        ((0, 40, 0, 40), (-0.0902, 0.0902)),
        ((12, 40, 0, 40), (-0.465, -0.165)),
        ((0, 0, 3, 4), (-1.0, 1.0)),
        ((3, 1000, 12, 1000), (0.0015, 0.0183)),
    ],
)
def test_known_intervals(counts: tuple[int, int, int, int], interval: tuple[float, float]) -> None:
    assert difference_interval(*counts, 0.95) == pytest.approx(interval, abs=1e-3)


def test_near_a_half_it_is_little_wider_than_the_approximate_one() -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    for bad_a, boots_a, bad_b, boots_b in ((56, 70, 48, 80), (40, 100, 55, 100), (15, 40, 22, 45)):
        score = proportion.confint_proportions_2indep(bad_b, boots_b, bad_a, boots_a, method="score", compare="diff")
        low, high = difference_interval(bad_a, boots_a, bad_b, boots_b, 0.95)
        assert score[0] - 0.025 <= low <= score[0] + 1e-4
        assert score[1] - 1e-4 <= high <= score[1] + 0.025


@settings(deadline=None, max_examples=15)
@given(TABLES)
def test_the_observed_difference_is_inside_and_swapping_swaps(counts: tuple[int, int, int, int]) -> None:
    bad_a, boots_a, bad_b, boots_b = counts
    low, high = difference_interval(*counts, 0.95)
    assert -1 <= low <= bad_b / boots_b - bad_a / boots_a <= high <= 1
    assert difference_interval(bad_b, boots_b, bad_a, boots_a, 0.95) == pytest.approx((-high, -low), abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(TABLES)
def test_the_test_is_scipys(counts: tuple[int, int, int, int]) -> None:
    bad_a, boots_a, bad_b, boots_b = counts
    p = rate_p(*counts)
    if bad_a + bad_b in (0, boots_a + boots_b):
        assert p == 1
    else:
        table = [[bad_a, bad_b], [boots_a - bad_a, boots_b - bad_b]]
        assert p == pytest.approx(min(1.0, boschloo_exact(table).pvalue))


def test_with_many_boots_it_is_fishers() -> None:
    assert rate_p(3, 1000, 14, 990) == pytest.approx(fisher_exact([[3, 14], [997, 976]])[1])


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3, 0.5])
def test_the_test_is_wrong_no_more_often_than_it_says(rate: float) -> None:
    # Exactly, by the sum over all tables.
    wrong = sum(
        float(binom.pmf(bad_a, 14, rate) * binom.pmf(bad_b, 14, rate))
        for bad_a in range(15)
        for bad_b in range(15)
        if rate_p(bad_a, 14, bad_b, 14) <= 0.05
    )
    assert wrong <= 0.05


def test_no_spread_is_more_uneven_than_all_in_one_arm() -> None:
    for bad in (1, 3, 6):
        spreads = [rate_p(bad_a, 15, bad - bad_a, 18) for bad_a in range(bad + 1)]
        assert least_rate_p(bad, 15, 18) == min(spreads)


@pytest.mark.parametrize("counts", [(-1, 4, 0, 4), (5, 4, 0, 4), (0, 4, 5, 4)])
def test_impossible_counts_are_refused(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="cannot have failed"):
        rate_p(*counts)
    with pytest.raises(ValueError, match="cannot have failed"):
        difference_interval(*counts, 0.95)
