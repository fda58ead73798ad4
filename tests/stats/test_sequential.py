from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats.answer import Answer
from harness.stats.binomial import clean_boots_needed
from harness.stats.sequential import sequential_answer, sequential_clean_boots_needed

from .exact_walk import ever_probability

_answer = cache(sequential_answer)


def _wrong(answer: Answer, limit: float, rate: float, boots: int, confidence: float) -> float:
    return ever_probability(rate, boots, lambda bad, made: _answer(bad, made - bad, 0, limit, confidence) is answer)


@pytest.mark.parametrize("limit", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_neither_error_is_likelier_than_stated(limit: float, confidence: float) -> None:
    # At the limit itself both answers are wrong, and there both errors are worst; exactly, over 250 looks.
    for factor in (1.0, 1.5):
        assert _wrong(Answer.PASS, limit, limit * factor, 250, confidence) <= 1 - confidence
    for factor in (1.0, 0.5, 0.0):
        assert _wrong(Answer.FAIL, limit, limit * factor, 250, confidence) <= 1 - confidence


def test_the_bound_is_not_idle() -> None:
    # An error rate far below what is stated would mean boots that are made for nothing.
    assert _wrong(Answer.PASS, 0.05, 0.05, 250, 0.95) > 0.015


def _until_answer(draws: np.ndarray, limit: float) -> tuple[Answer, int]:
    bad = 0
    for made, failed in enumerate(draws, start=1):
        bad += int(failed)
        if (answer := _answer(bad, made - bad, 0, limit, 0.95)) is not Answer.UNDECIDED:
            return answer, made
    return Answer.UNDECIDED, len(draws)


@pytest.mark.parametrize(
    ("rate", "right", "most_boots"), [(0.0, Answer.PASS, 65), (0.01, Answer.PASS, 130), (0.2, Answer.FAIL, 60)]
)
def test_clear_cases_are_soon_decided(rate: float, right: Answer, most_boots: int) -> None:
    generator = np.random.default_rng(3)
    found = [_until_answer(generator.random(1000) < rate, 0.05) for _ in range(200)]
    assert sum(answer is right for answer, _ in found) >= 185  # 95% of 200, and chance
    assert np.median([made for _, made in found]) <= most_boots


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "wrong"), [(0.05, Answer.PASS), (0.05, Answer.FAIL)])
def test_the_error_rates_hold_in_a_long_simulation(rate: float, wrong: Answer) -> None:
    generator = np.random.default_rng(4)
    errors = sum(_until_answer(generator.random(3000) < rate, 0.05)[0] is wrong for _ in range(600))
    assert errors / 600 <= 0.05 + 0.027  # three standard deviations


def test_variants_that_differ_keep_the_bound_at_the_end_of_rounds() -> None:
    # One variant never fails, the other fails in 10%: their mean is the limit.
    alive = {0: 1.0}
    wrong = 0.0
    for rounds in range(1, 200):
        after: dict[int, float] = {}
        for bad, chance in alive.items():
            after[bad] = after.get(bad, 0.0) + chance * 0.9
            after[bad + 1] = after.get(bad + 1, 0.0) + chance * 0.1
        alive = {}
        for bad, chance in after.items():
            if _answer(bad, 2 * rounds - bad, 0, 0.05, 0.95) is Answer.PASS:
                wrong += chance
            else:
                alive[bad] = chance
    assert wrong <= 0.05


@pytest.mark.parametrize("limit", [0.5, 0.1, 0.01, 0.001])
def test_being_able_to_stop_costs_a_tenth_more_clean_boots(limit: float) -> None:
    boots = sequential_clean_boots_needed(limit, 0.95)
    assert sequential_answer(0, boots, 0, limit, 0.95) is Answer.PASS
    assert sequential_answer(0, boots - 1, 0, limit, 0.95) is Answer.UNDECIDED
    assert clean_boots_needed(limit, 0.95) <= boots <= 1.12 * clean_boots_needed(limit, 0.95)


@settings(deadline=None)  # the first call loads scipy
@given(st.integers(0, 50), st.integers(0, 500), st.integers(0, 50))
def test_lost_boots_never_make_an_answer(bad: int, good: int, lost: int) -> None:
    answer = sequential_answer(bad, good, lost, 0.05, 0.95)
    if answer is not Answer.UNDECIDED:
        assert sequential_answer(bad, good + lost, 0, 0.05, 0.95) is answer
        assert sequential_answer(bad + lost, good, 0, 0.05, 0.95) is answer


@pytest.mark.parametrize(
    ("bad", "good", "answer"),
    [(0, 0, Answer.UNDECIDED), (0, 10**6, Answer.PASS), (10**6, 0, Answer.FAIL), (10**5, 10**6, Answer.FAIL)],
)
def test_extreme_counts_have_an_answer(bad: int, good: int, answer: Answer) -> None:
    assert sequential_answer(bad, good, 0, 0.01, 0.95) is answer
