from __future__ import annotations

import itertools

import numpy as np
import pytest

from harness.stats.bisect_posterior import Group, Posterior, Tally, even_prior, weigh
from harness.stats.bisect_rates import rate_grid

GRID = rate_grid(0.01)


def _by_hand(size: int, tallies: dict[int, Tally]) -> list[float]:
    # Every candidate and every pair of rates, one after the other.
    share = np.diff(even_prior(size).below)
    weights = []
    for c in range(size + 2):
        likelihood = np.exp(GRID.log_weight)
        for position, tally in tallies.items():
            rate = GRID.bad if position >= c else GRID.good
            likelihood = likelihood * rate**tally.bad * (1 - rate) ** tally.good
        weights.append(likelihood.sum() * share[c])
    return [weight / sum(weights) for weight in weights]


@pytest.mark.parametrize(
    "tallies",
    [
        {},
        {8: Tally(3, 10)},
        {8: Tally(3, 10), 4: Tally(0, 12)},
        {8: Tally(3, 10), 4: Tally(0, 12), 5: Tally(1, 2, 7), 0: Tally(0, 3)},
        {0: Tally(2, 4), 8: Tally(2, 5)},
    ],
)
def test_it_is_what_a_sum_over_everything_gives(tallies: dict[int, Tally]) -> None:
    posterior = weigh(even_prior(8), tallies, GRID)
    found = [posterior.probability(c, c) for c in range(10)]
    assert found == pytest.approx(_by_hand(8, tallies))
    assert posterior.probability(2, 6) == pytest.approx(sum(found[2:7]))
    entropy = -sum(p * np.log2(p) for p in found)
    if tallies == {}:
        assert posterior.entropy_bits == pytest.approx(entropy, rel=0.2)


def test_boots_that_ended_otherwise_tell_nothing() -> None:
    with_ = weigh(even_prior(8), {8: Tally(3, 9), 4: Tally(0, 9, 50)}, GRID)
    without = weigh(even_prior(8), {8: Tally(3, 9), 4: Tally(0, 9)}, GRID)
    assert with_.probability(5, 8) == pytest.approx(without.probability(5, 8))


def _found(c: int, size: int = 16) -> Posterior:
    return weigh(even_prior(size), {size: Tally(8, 8), c: Tally(6, 6), c - 1: Tally(0, 40)}, GRID)


@pytest.mark.parametrize("c", [2, 7, 16])
def test_best_names_the_candidate_between_a_pass_and_a_failure(c: int) -> None:
    best = _found(c).best(())
    assert (best.first, best.last) == (c, c)
    assert best.probability > 0.95


def test_what_cannot_be_tested_is_not_acquitted() -> None:
    tallies = {16: Tally(8, 8), 9: Tally(6, 6), 5: Tally(0, 60)}
    best = weigh(even_prior(16), tallies, GRID).best({6, 7, 8})
    assert (best.first, best.last) == (6, 9)
    assert best.probability > 0.95


def test_credible_set_holds_what_it_promises_and_no_more() -> None:
    posterior = weigh(even_prior(16), {16: Tally(8, 8), 8: Tally(0, 60)}, GRID)
    groups = posterior.credible(0.9)
    assert [(group.first, group.last) for group in groups] == [(9, 15)] or groups[0].first == 9
    assert sum(group.probability for group in groups) >= 0.9
    held = list(itertools.chain.from_iterable(range(group.first, group.last + 1) for group in groups))
    assert sum(posterior.probability(c, c) for c in held[:-1]) < 0.9


def test_acquitted_candidates_get_nothing() -> None:
    posterior = weigh(even_prior(8, {5}), {8: Tally(8, 8), 4: Tally(0, 40), 5: Tally(5, 5)}, GRID)
    assert posterior.probability(5, 5) == 0
    assert posterior.best(()) != Group(5, 5, 0)
