from __future__ import annotations

import numpy as np
import pytest

from harness.stats.bisect_rates import known_rates, rate_grid


def test_the_prior_sums_to_one_and_holds_only_sides_that_differ() -> None:
    grid = rate_grid(0.01)
    assert np.exp(grid.log_weight).sum() == pytest.approx(1)
    assert (grid.good <= grid.bad / 2 + 1e-12).all()
    assert grid.bad.min() == pytest.approx(0.005)


def test_chances_of_a_batch_are_those_of_boots_that_do_not_depend_on_each_other() -> None:
    grid = rate_grid(0.02)
    column = list(grid.batches).index(20)
    assert grid.no_bad[:, column] == pytest.approx(np.exp(20 * grid.log_bad[1]))
    assert grid.no_good[:, column] == pytest.approx(np.exp(20 * grid.log_good[1]))


def test_rates_that_are_seen_to_fail_sooner_are_likelier_and_the_good_side_is_doubted() -> None:
    grid = rate_grid(0.01)
    weight = np.exp(grid.log_weight)
    rates = np.unique(grid.bad)
    of = np.array([weight[grid.bad == rate].sum() for rate in rates])
    assert of / of[0] == pytest.approx(np.sqrt(rates / rates[0]))
    assert 0.35 < weight[grid.good <= 1e-4].sum() < 0.45


def test_known_rates_are_one_pair_and_a_clean_side_may_still_fail_once_in_a_while() -> None:
    grid = known_rates(0.2, 0.0)
    assert (list(grid.bad), list(grid.good)) == ([0.2], [1e-4])
    assert list(known_rates(0.2, 0.02).good) == [0.02]
    assert grid.no_bad[0, list(grid.batches).index(4)] == pytest.approx(0.8**4)
