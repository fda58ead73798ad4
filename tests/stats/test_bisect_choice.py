from __future__ import annotations

import time

import pytest

from harness.stats.bisect_choice import Costs, choose_batch
from harness.stats.bisect_posterior import Posterior, Tally, even_prior, weigh
from harness.stats.bisect_rates import rate_grid

GRID = rate_grid(0.01)


def _after(tallies: dict[int, Tally], size: int = 64) -> Posterior:
    return weigh(even_prior(size), tallies, GRID)


def test_it_begins_near_the_middle() -> None:
    batch = choose_batch(_after({64: Tally(4, 16)}), Costs(20, 20, 300, installed=64), (), 0.95)
    assert batch is not None
    assert 20 <= batch.position <= 45
    assert 5 <= batch.boots <= 40


def test_dear_switches_make_longer_batches() -> None:
    posterior = _after({64: Tally(4, 16)})
    sizes = [choose_batch(posterior, Costs(20, 20, switch_s, installed=64), (), 0.95) for switch_s in (0, 300, 3000)]
    boots = [batch.boots for batch in sizes if batch is not None]
    assert boots == sorted(boots)
    assert boots[0] < boots[-1]


def test_boots_at_once_make_longer_batches_as_cheaper_boots_would() -> None:
    posterior = _after({64: Tally(4, 196)})
    alone, four, cheap = (
        choose_batch(posterior, costs, (), 0.95)
        for costs in (Costs(20, 20, 300), Costs(20, 20, 300, at_once=4), Costs(5, 5, 300))
    )
    assert alone is not None and four is not None and cheap is not None
    assert alone.boots < four.boots == pytest.approx(cheap.boots, rel=0.1)


def test_what_is_installed_is_preferred_to_what_tells_the_same() -> None:
    posterior = _after({64: Tally(4, 16), 32: Tally(0, 3)})
    dear = Costs(20, 20, 3000, installed=32)
    batch = choose_batch(posterior, dear, (), 0.95)
    assert batch is not None
    assert batch.position == 32


def test_what_is_built_is_preferred() -> None:
    posterior = _after({64: Tally(4, 16)})
    batch = choose_batch(posterior, Costs(1, 1, 0, build_s=1000, built=frozenset({30}), installed=None), (), 0.95)
    free = choose_batch(posterior, Costs(1, 1, 0, installed=None), (), 0.95)
    assert batch is not None and free is not None
    assert batch.boots > free.boots


def test_untestable_positions_are_never_chosen_and_their_neighbours_seldom() -> None:
    untestable = set(range(25, 45))
    batch = choose_batch(_after({64: Tally(4, 16)}), Costs(20, 20, 300, installed=64), untestable, 0.95)
    assert batch is not None
    assert batch.position not in untestable
    assert batch.position not in (24, 45)


def test_a_batch_ends_where_the_answer_is_reached() -> None:
    tallies = {16: Tally(8, 8), 9: Tally(6, 6)}
    costs, good = Costs(20, 20, 300, installed=8), 8

    def probability(boots: int) -> float:
        return _after({**tallies, 8: Tally(0, boots)}, 16).best(()).probability

    while probability(good) < 0.95:
        batch = choose_batch(_after({**tallies, 8: Tally(0, good)}, 16), costs, (), 0.95)
        assert batch is not None and batch.position == 8
        good += batch.boots
    assert probability(good) >= 0.95 > probability(good - 1)


@pytest.mark.parametrize("size", [1000, 15000])
def test_choosing_takes_under_50_ms(size: int) -> None:
    tallies = {size: Tally(4, 16)} | {at: Tally(0, 9) for at in range(size // 20, size // 2, size // 20)}
    prior = even_prior(size)
    costs = Costs(20, 20, 300, installed=size)
    choose_batch(weigh(prior, tallies, GRID), costs, (), 0.95)
    begin = time.process_time()
    for _ in range(5):
        choose_batch(weigh(prior, tallies, GRID), costs, (), 0.95)
    assert (time.process_time() - begin) / 5 < 0.05
