from __future__ import annotations

import numpy as np
import pytest

from harness.stats.bisect_rates import rate_grid


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
