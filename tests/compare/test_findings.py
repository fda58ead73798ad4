from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.compare.arms import START_UP, Arm
from harness.compare.findings import Comparison, compare_arms
from harness.stats.compare_rates import rate_p

from .imaginary_arms import arm_of, imaginary_arms


def _compare(*arms: Arm) -> Comparison:
    (found,) = compare_arms(arms, 0.95)
    return found


@pytest.fixture(autouse=True)
def without_intervals(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    # A simulation claims by p alone, and intervals take a tenth of a second each.
    if "simulation" in request.node.name:
        monkeypatch.setattr("harness.compare.findings.difference_interval", lambda *_: (-1.0, 1.0))


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_in_a_simulation_of_1000_settings_that_are_the_same_nothing_is_claimed(rate: float) -> None:
    generator = np.random.default_rng(20261122)
    claims = sum(_compare(*imaginary_arms(generator, 20, (rate, rate))).differs for _ in range(1000))
    assert claims < 50


def test_in_a_short_simulation_of_settings_that_are_the_same_nothing_is_claimed() -> None:
    # 200 of them: at 5% there would be 10, and 19 with three standard deviations.
    generator = np.random.default_rng(7)
    claims = [_compare(*imaginary_arms(generator, 16, (0.05, 0.05))) for _ in range(200)]
    assert sum(found.differs for found in claims) < 19


@pytest.mark.parametrize(
    ("rates", "slower", "least"),
    [((0.3, 0.0), 1.0, 0.95), ((0.1, 0.1), 1.4, 0.8), ((0.0, 0.0), 1.25, 0.8)],
)
def test_in_a_simulation_what_differs_is_found(rates: tuple[float, float], slower: float, least: float) -> None:
    generator = np.random.default_rng(3)
    found = [_compare(*imaginary_arms(generator, 40, rates, slower)) for _ in range(30)]
    if slower == 1.0:
        assert sum(one.rate_differs for one in found) >= least * 30
        assert not any(one.worse for one in found if one.rate_differs and not one.times_shown)
    else:
        kernel = [time.name == "kernel" and time.paired for one in found for time in one.times_shown]
        assert sum(map(bool, kernel)) >= least * 30
        assert all(one.worse for one in found if one.times_shown)


def test_times_tested_without_neighbours_would_be_claimed_to_differ_on_a_machine_that_drifts() -> None:
    # What pairing is for: the same boots, one setting after the other.
    generator = np.random.default_rng(5)
    claims = 0
    for _ in range(40):
        a, b = imaginary_arms(generator, 40, (0.0, 0.0))
        boots = [boot for pair in zip(a.boots, b.boots, strict=True) for boot in pair]
        early = Arm("A", "early", tuple(replace(boot, block=at) for at, boot in enumerate(boots[:40])))
        late = Arm("B", "late", tuple(replace(boot, block=at) for at, boot in enumerate(boots[40:])))
        claims += bool(_compare(early, late).times_shown)
    assert claims > 20


def test_times_without_neighbours_are_described_and_never_claimed() -> None:
    a, b = imaginary_arms(np.random.default_rng(5), 40, (0.0, 0.0), slower=3.0)
    apart = [replace(arm, boots=tuple(replace(boot, block=None) for boot in arm.boots)) for arm in (a, b)]
    found = _compare(*apart)
    start_up = next(time for time in found.times if time.name == START_UP)
    assert start_up.described.ratio > 1.5
    assert (start_up.paired, start_up.corrected, found.differs) == (None, None, False)


def test_the_first_time_is_the_whole_and_the_others_follow_in_order() -> None:
    found = _compare(*imaginary_arms(np.random.default_rng(1), 8))
    assert [time.name for time in found.times] == [START_UP, "firmware", "kernel", "init", "network", "ssh"]


def test_counts_rates_and_their_correction() -> None:
    found = _compare(arm_of("A", "F" * 12 + "." * 28), arm_of("B", "." * 40))
    rates = found.rates
    assert (rates.bad_a, rates.told_a, rates.bad_b, rates.told_b) == (12, 40, 0, 40)
    assert rates.difference == pytest.approx(-0.3)
    assert rates.low < -0.3 < rates.high < 0
    # One kind is no second question.
    assert rates.corrected == pytest.approx(rate_p(12, 40, 0, 40))
    assert (found.rate_differs, found.worse, found.differs) == (True, False, True)
    assert [(kind.bad_a, kind.bad_b, kind.corrected) for kind in found.kinds] == [(12, 0, None)]


def test_a_kind_that_another_replaces_is_found_though_the_rates_are_the_same() -> None:
    a, b = arm_of("A", "F" * 15 + "." * 25, "hang: idle"), arm_of("B", "F" * 15 + "." * 25, "guest-panic: x")
    found = _compare(a, b)
    assert not found.rate_differs
    assert {kind.signature for kind in found.kinds_shown} == {"hang: idle", "guest-panic: x"}
    assert found.worse


def test_a_kind_too_rare_to_tell_is_not_asked_about() -> None:
    a, b = arm_of("A", "FFFFFFFFFF.........."), arm_of("B", "." * 20)
    rare = arm_of("A", "F", "hang: idle").boots
    found = _compare(replace(a, boots=a.boots + rare), b)
    assert {kind.signature: kind.corrected is None for kind in found.kinds} == {
        "guest-panic: x": False,
        "hang: idle": True,
    }


def test_boots_that_told_nothing_can_take_a_claim_back() -> None:
    bad, good = arm_of("A", "F" * 8 + "." * 12), arm_of("B", "." * 20)
    assert _compare(bad, good).rate_differs
    unsure = _compare(arm_of("A", "F" * 8 + "." * 12), arm_of("B", "." * 20 + "?" * 8))
    assert (unsure.rates.firm, unsure.rate_differs, unsure.differs) == (False, False, False)
    firm = _compare(arm_of("A", "F" * 15 + "." * 5), arm_of("B", "." * 20 + "?"))
    assert firm.rate_differs


def test_an_arm_that_told_nothing_differs_in_nothing() -> None:
    found = _compare(arm_of("A", "FF.."), arm_of("B", "????"))
    assert (found.rates.told_b, found.rates.difference, found.differs, found.worse) == (0, 0.0, False, False)


def test_several_settings_share_one_error_rate() -> None:
    arms = [arm_of("A", "." * 20), arm_of("B", "F" * 10 + "." * 10), arm_of("C", "F" + "." * 19)]
    alone = _compare(arms[0], arms[1])
    together = compare_arms(arms, 0.95)
    assert [found.other.label for found in together] == ["B", "C"]
    assert together[0].rates.corrected >= alone.rates.corrected
    assert [found.worse for found in together] == [True, False]
