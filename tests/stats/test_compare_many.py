from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.compare_many import correct_p

QUESTIONS = st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 1)), max_size=8)


def test_with_equal_weights_it_is_holms() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    generator = np.random.default_rng(1)
    for number in (1, 2, 5, 9):
        ps = generator.random(number) ** 3
        theirs = multitest.multipletests(ps, method="holm")[1]
        assert correct_p([(float(p), 0.3) for p in ps]) == pytest.approx(list(theirs))


@pytest.mark.parametrize(
    ("asked", "corrected"),
    [
        ([], []),
        ([(0.01, 1.0)], [0.01]),
        ([(0.01, 1), (0.04, 1)], [0.02, 0.04]),
        # The heavier question pays less; what it no longer needs goes to the other.
        ([(0.02, 3), (0.02, 1)], [0.02 * 4 / 3, 0.02 * 4 / 3]),
        ([(0.5, 1), (0.9, 1)], [1.0, 1.0]),
    ],
)
def test_known_corrections(asked: list[tuple[float, float]], corrected: list[float]) -> None:
    assert correct_p(asked) == pytest.approx(corrected)


@given(QUESTIONS)
def test_a_correction_never_makes_a_claim_easier(asked: list[tuple[float, float]]) -> None:
    for (p, _), corrected in zip(asked, correct_p(asked), strict=True):
        assert p * (1 - 1e-12) <= corrected <= 1


def test_untrue_claims_stay_as_rare_as_stated() -> None:
    generator = np.random.default_rng(2)
    weights = (2.0, 1.0, 0.5, 0.5)
    wrong = sum(
        min(correct_p([(float(p), weight) for p, weight in zip(generator.random(4), weights, strict=True)])) <= 0.05
        for _ in range(20000)
    )
    assert 0.04 < wrong / 20000 < 0.055
