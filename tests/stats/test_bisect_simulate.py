from __future__ import annotations

import pytest
from scipy.stats import binomtest

from harness.stats.bisect import Question
from harness.stats.bisect_simulate import Scene, simulate_search, summarise


@pytest.mark.parametrize(
    "scene", [Scene(0.5), Scene(0.2), Scene(0.2, other_rate=0.02), Scene(0.2, 0.02, candidates=16)]
)
def test_answers_at_95_percent_are_right_in_95_percent(scene: Scene) -> None:
    runs = 150
    summary = summarise(simulate_search(scene, Question(scene.candidates), runs, seed=7))
    # An engine that is right in 94% does worse than this once in 10,000 times.
    assert binomtest(round(summary.right * runs), runs, 0.94, alternative="less").pvalue > 1e-4
    assert summary.mean_h < 4


def test_rates_that_are_told_save_what_learning_them_costs() -> None:
    scene = Scene(0.2)
    learnt = summarise(simulate_search(scene, Question(64, 0.97), 40, seed=7))
    told = summarise(simulate_search(scene, Question(64, 0.97, rates=(0.2, 0.0)), 40, seed=7))
    assert told.boots < 0.7 * learnt.boots
    assert binomtest(round(told.right * 40), 40, 0.96, alternative="less").pvalue > 1e-4


def test_boots_that_were_recorded_of_both_ends_save_as_much() -> None:
    scene = Scene(0.2)
    alone, recorded = (summarise(simulate_search(scene, Question(64, 0.97), 40, 7, boots)) for boots in (0, 300))
    assert recorded.boots < 0.7 * alone.boots
    assert binomtest(round(recorded.right * 40), 40, 0.96, alternative="less").pvalue > 1e-4
    # A bad end that was never seen to fail in 300 boots has nothing to search for.
    none = summarise(simulate_search(Scene(0.0, regression=False), Question(64), 3, 7, 300))
    assert (none.boots, none.right) == (0, 1)


def test_no_regression_is_said_to_be_none() -> None:
    clean = summarise(simulate_search(Scene(0.0, 0.0, regression=False), Question(64), 20, seed=1))
    assert clean.right == 1
    alike = summarise(simulate_search(Scene(0.2, 0.2, regression=False), Question(64), 30, seed=1))
    assert binomtest(round(alike.right * 30), 30, 0.95, alternative="less").pvalue > 1e-4


def test_the_same_seed_gives_the_same_runs() -> None:
    first, again = (simulate_search(Scene(0.5), Question(64), 5, seed=3) for _ in range(2))
    assert (first.boots == again.boots).all()
    assert Scene(0.2, 0.02).name == "20% / 2%"


def test_boots_at_once_save_time_and_are_right_as_often() -> None:
    alone, two = (simulate_search(Scene(0.2, at_once=at_once), Question(64), 100, seed=7) for at_once in (1, 2))
    assert (two.boots % 2 == 0).all()
    assert two.hours == pytest.approx((two.boots / 2 * 20 + two.switches * 300) / 3600)
    assert summarise(two).mean_h < 0.85 * summarise(alone).mean_h
    assert binomtest(round(float(two.right.sum())), 100, 0.94, alternative="less").pvalue > 1e-4


def test_a_build_is_paid_once_a_position_and_makes_the_search_stay() -> None:
    free, dear = (simulate_search(Scene(0.2, switch_s=0, build_s=s), Question(64), 60, seed=7) for s in (0.0, 3600.0))
    assert dear.switches.mean() < free.switches.mean()
    builds = dear.hours - dear.boots * 20 / 3600
    assert builds == pytest.approx(builds.round())
    assert (builds >= 5).all() and (builds <= dear.switches).all()


def test_each_run_is_told() -> None:
    told: list[int] = []
    simulate_search(Scene(0.5, candidates=4), Question(4), 5, 3, each=lambda: told.append(1))
    assert len(told) == 5
    assert [Scene(0.005, other_rate=0.02).name, Scene(0.0, 0.125, regression=False).name] == [
        "0.5% / 0%, 2% otherwise",
        "none (12.5% everywhere)",
    ]
