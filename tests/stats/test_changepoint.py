from __future__ import annotations

import math

import pytest

from harness.stats.changepoint import fisher_p, holm, mann_whitney_p, rate_change, time_change

np = pytest.importorskip("numpy")


def test_a_rate_that_jumps_is_found_where_it_jumps() -> None:
    found = rate_change([(0, 60)] * 10 + [(9, 60)] * 5)
    assert found is not None
    assert (found.index, found.before, found.after) == (10, 0.0, 0.15)
    assert found.p == pytest.approx(1 / 20_000)
    assert found.confidence > 0.999


def test_last_night_alone_can_be_the_change() -> None:
    found = rate_change([(0, 60)] * 10 + [(12, 60)])
    assert found is not None and (found.index, found.p < 0.001) == (10, True)


@pytest.mark.parametrize("nights", [[], [(3, 60)], [(0, 60)] * 9, [(60, 60)] * 9, [(0, 0), (3, 60), (0, 0)]])
def test_what_cannot_show_a_change(nights: list[tuple[int, int]]) -> None:
    assert rate_change(nights) is None


def test_nights_without_boots_are_no_evidence() -> None:
    nights = [(0, 60)] * 6 + [(9, 60)] * 3
    found, thinned = rate_change(nights), rate_change([(0, 0), *nights, (0, 0)])
    assert found is not None and thinned is not None
    assert (found.before, found.after) == (thinned.before, thinned.after)


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="5 of 4"):
        rate_change([(5, 4), (0, 1)])


def test_a_time_that_jumps_is_found_where_it_jumps() -> None:
    found = time_change([1.0, 1.1, 0.9, 1.05, 0.95, 1.02, 0.98, 1.5, 1.6, 1.4, 1.55, 1.45])
    assert found is not None
    assert (found.index, found.before, found.after) == (7, 1.0, 1.5)
    assert found.p < 0.02


def test_one_night_that_waited_for_an_hour_is_one_night() -> None:
    found = time_change([1.0, 1.1, 0.9, 1.05, 3600.0, 0.95, 1.02, 0.98])
    assert found is not None and found.p > 0.2


def test_few_nights_prove_nothing_of_times() -> None:
    assert time_change([1.0, 1.0, 1.0, 2.0, 2.1]) is None
    assert time_change([1.0] * 9) is None
    six = time_change([1.0, 1.1, 1.2, 2.0, 2.1, 2.2])
    assert six is not None and six.p == pytest.approx(0.1, abs=0.04)


@pytest.mark.parametrize("rate", [0.02, 0.2])
def test_false_alarms_of_rates_are_no_more_than_promised(rate: float) -> None:
    generator = np.random.default_rng(7)
    ps = []
    for _ in range(400):
        found = rate_change([(int(generator.binomial(40, rate)), 40) for _ in range(12)])
        ps.append(1.0 if found is None else found.p)
    _require_honest(ps)


def test_false_alarms_of_times_are_no_more_than_promised() -> None:
    generator = np.random.default_rng(8)
    found = [time_change(list(generator.lognormal(0, 0.3, 12))) for _ in range(400)]
    _require_honest([each.p for each in found if each is not None])


def _require_honest(ps: list[float]) -> None:
    # A p-value of at most x with a probability of at most x, but for three standard deviations of the count.
    for limit in (0.01, 0.05, 0.2):
        seen = sum(p <= limit for p in ps)
        assert seen <= len(ps) * limit + 3 * math.sqrt(len(ps) * limit * (1 - limit)), (limit, seen)


def test_a_real_change_is_mostly_found() -> None:
    generator = np.random.default_rng(9)
    found = 0
    for _ in range(40):
        nights = [(int(generator.binomial(60, rate)), 60) for rate in [0.01] * 8 + [0.12] * 4]
        change = rate_change(nights)
        found += change is not None and change.p < 0.05 and abs(change.index - 8) <= 1
    assert found >= 34


def test_fisher_agrees_with_scipy() -> None:
    from scipy.stats import fisher_exact

    for before, after in [((0, 60), (11, 60)), ((3, 50), (4, 40)), ((5, 5), (0, 5))]:
        table = [[after[0], after[1] - after[0]], [before[0], before[1] - before[0]]]
        assert fisher_p(before, after) == pytest.approx(fisher_exact(table, alternative="greater").pvalue)
    assert fisher_p((0, 0), (3, 3)) == 1.0


def test_mann_whitney_by_hand() -> None:
    assert mann_whitney_p([1, 2, 3], [4, 5, 6]) == pytest.approx(0.1)
    assert mann_whitney_p([], [1]) == mann_whitney_p([1, 1], [1, 1]) == 1.0


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.5, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()
