from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, wilcoxon

from harness.stats.compare_times import _outer_rank, paired_times, unpaired_times

from .noisy_machine import busy_times


def test_what_takes_a_fifth_longer_is_measured_as_such() -> None:
    generator = np.random.default_rng(1)
    pairs = [(a, b * 1.2) for a, b in busy_times(generator, 60)]
    found = paired_times(pairs, 0.95)
    assert found.pairs == 60
    assert found.low < 1.2 < found.high
    assert found.low > 1.1
    assert found.p < 1e-6
    assert found.longer > 0.8


def test_the_test_is_wilcoxons_on_ratios() -> None:
    generator = np.random.default_rng(2)
    pairs = busy_times(generator, 30)
    assert paired_times(pairs, 0.95).p == pytest.approx(wilcoxon([math.log(b / a) for a, b in pairs]).pvalue)


def test_by_all_signs_the_test_is_exact() -> None:
    # Every way in which the lots could have been drawn, of one set of times: no assumption is left.
    times = busy_times(np.random.default_rng(3), 9)
    wrong = sum(
        paired_times([(a, b) if kept else (b, a) for (a, b), kept in zip(times, lots, strict=True)], 0.95).p <= 0.05
        for lots in itertools.product((True, False), repeat=9)
    )
    assert 0 < wrong / 2**9 <= 0.05


@pytest.mark.parametrize("pairs", [8, 40, 150])
def test_the_interval_covers_as_often_as_it_says(pairs: int) -> None:
    generator = np.random.default_rng(pairs)
    covered = 0
    for _ in range(400):
        found = paired_times([(a, b * 0.7) for a, b in busy_times(generator, pairs)], 0.95)
        covered += found.low <= 0.7 <= found.high
    assert covered / 400 >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 400)


def test_interval_and_test_agree_about_no_difference() -> None:
    generator = np.random.default_rng(4)
    for effect in (1.0, 1.02, 1.05, 1.1):
        for _ in range(40):
            found = paired_times([(a, b * effect) for a, b in busy_times(generator, 20)], 0.95)
            assert (found.p <= 0.05) == (not found.low <= 1 <= found.high)


@pytest.mark.parametrize(("pairs", "rank"), [(5, 0), (6, 1), (10, 9), (20, 53)])
def test_known_ranks(pairs: int, rank: int) -> None:
    # Hollander and Wolfe, "Nonparametric Statistical Methods", table A.4: one more than the critical value.
    assert _outer_rank(pairs, 0.05) == rank


def test_the_approximation_takes_over_without_a_step() -> None:
    assert _outer_rank(101, 0.05) == pytest.approx(_outer_rank(100, 0.05) * (101 / 100) ** 2, rel=0.01)


def test_too_few_pairs_bound_nothing_and_equal_times_say_nothing() -> None:
    few = paired_times([(1.0, 2.0)] * 5, 0.95)
    assert (few.low, few.high) == (0.0, math.inf)
    same = paired_times([(1.0, 1.0)] * 8, 0.95)
    assert (same.ratio, same.longer, same.p) == (1.0, 0.5, 1.0)


def test_unpaired_times_are_described() -> None:
    generator = np.random.default_rng(5)
    a, b = list(generator.lognormal(0, 0.3, 31)), list(generator.lognormal(0.2, 0.3, 20))
    found = unpaired_times(a, b)
    assert found.longer == pytest.approx(mannwhitneyu(b, a).statistic / (31 * 20))
    assert found.ratio == pytest.approx(np.median(b) / np.median(a))
    assert unpaired_times([2.0], [2.0]).longer == 0.5
