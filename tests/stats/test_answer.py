from __future__ import annotations

import pytest
from scipy.stats import binom

from harness.stats.answer import Answer, fixed_answer


@pytest.mark.parametrize(
    ("bad", "good", "lost", "limit", "answer"),
    [
        (0, 299, 0, 0.01, Answer.PASS),
        (0, 298, 0, 0.01, Answer.UNDECIDED),
        (0, 0, 0, 0.01, Answer.UNDECIDED),
        (7, 113, 0, 0.05, Answer.UNDECIDED),
        (20, 100, 0, 0.05, Answer.FAIL),
        # One of 300 that told nothing could have been the one too many; among 500 it could not.
        (0, 299, 1, 0.01, Answer.UNDECIDED),
        (0, 499, 1, 0.01, Answer.PASS),
        (20, 100, 9, 0.05, Answer.FAIL),
        (11, 100, 400, 0.05, Answer.UNDECIDED),
        (0, 3, 0, None, Answer.PASS),
        (1, 3, 9, None, Answer.FAIL),
        (0, 3, 1, None, Answer.UNDECIDED),
        (0, 0, 0, None, Answer.UNDECIDED),
    ],
)
def test_the_answer(bad: int, good: int, lost: int, limit: float | None, answer: Answer) -> None:
    assert fixed_answer(bad, good, lost, limit, 0.95) is answer


@pytest.mark.parametrize("boots", [20, 59, 300])
@pytest.mark.parametrize("limit", [0.01, 0.05, 0.5])
def test_neither_answer_is_wrong_more_often_than_stated(boots: int, limit: float) -> None:
    # Exactly, at the limit, where both are worst.
    for answer in (Answer.PASS, Answer.FAIL):
        wrong = sum(
            float(binom.pmf(bad, boots, limit))
            for bad in range(boots + 1)
            if fixed_answer(bad, boots - bad, 0, limit, 0.95) is answer
        )
        assert wrong <= 0.05 + 1e-9
