from __future__ import annotations

import pytest

from harness.stats.bisect import Answer, AnswerKind, Known, Question, next_step, posterior_of
from harness.stats.bisect_choice import Batch, Costs
from harness.stats.bisect_posterior import Tally

COSTS = Costs(20, 20, 300, installed=64)


def _next(tallies: dict[int, Tally], untestable: frozenset[int] = frozenset(), **question: object) -> Batch | Answer:
    return next_step(Question(64, **question), Known(tallies, untestable), COSTS)  # type: ignore[arg-type]


def test_the_bad_end_is_booted_first_until_its_rate_is_known() -> None:
    assert _next({}) == Batch(64, 149)
    step = _next({64: Tally(3, 30)})
    assert isinstance(step, Batch) and step.position == 64
    step = _next({64: Tally(4, 30)})
    assert isinstance(step, Batch) and step.position != 64


def test_rates_that_are_known_are_not_learnt_and_acquit_as_soon_as_arithmetic_says() -> None:
    step = _next({}, rates=(0.2, 0.0))
    assert isinstance(step, Batch) and step.position not in (0, 64)
    # Left are 19 candidates before it, "before the range" with a third more than one has, each by 25 passes at 20%.
    boots = {20: Tally(2, 0), 19: Tally(0, 25)}
    told = posterior_of(Question(64, rates=(0.2, 0.0)), Known(boots)).probability(20, 20)
    assert told == pytest.approx(1 / (1 + (19 + 4 / 3) * 0.8**25), abs=1e-3)


def test_a_failure_that_never_comes_is_absent_and_one_at_the_good_end_alone_is_swapped() -> None:
    assert _next({64: Tally(0, 299), 0: Tally(0, 60)}) == Answer(AnswerKind.ABSENT, None, 0.95)
    assert _next({64: Tally(0, 150), 0: Tally(3, 12)}) == Answer(AnswerKind.SWAPPED, None, 1.0)
    assert _next({64: Tally(0, 149)}) == Batch(0, 50)


def test_ends_that_fail_alike_are_no_range_to_search() -> None:
    step = _next({64: Tally(40, 160), 0: Tally(41, 159), 32: Tally(1, 3), 16: Tally(1, 3), 8: Tally(1, 2)})
    assert isinstance(step, Answer) and step.kind is AnswerKind.BEFORE
    step = _next({64: Tally(4, 16), 32: Tally(1, 3), 16: Tally(1, 3), 8: Tally(1, 2)})
    assert isinstance(step, Batch) and step.position == 0


def test_the_good_end_can_be_asked_for_first() -> None:
    step = _next({64: Tally(4, 16)}, good_end_first=True)
    assert isinstance(step, Batch) and step.position == 0


def test_one_candidate_is_found_or_the_group_that_cannot_be_told_apart() -> None:
    found = _next({64: Tally(8, 8), 20: Tally(8, 8), 19: Tally(0, 60)})
    assert isinstance(found, Answer) and found.kind is AnswerKind.FOUND
    assert found.group is not None and found.group.first == 20
    group = _next({64: Tally(8, 8), 20: Tally(8, 8), 16: Tally(0, 80)}, frozenset({17, 18, 19}))
    assert isinstance(group, Answer) and group.kind is AnswerKind.GROUP and group.group is not None
    assert (group.group.first, group.group.last) == (17, 20)


@pytest.mark.parametrize("candidates", [1, 2])
def test_no_culprit_is_named_before_anything_was_compared_with_it(candidates: int) -> None:
    def step(**more: int) -> Batch | Answer:
        question = Question(candidates, min_rate=0.3, **more)
        return next_step(question, Known({at: Tally(4) for at in range(1, candidates + 1)}), COSTS)

    asked = step()
    assert isinstance(asked, Batch) and asked.position == 0
    limited = step(max_boots=4)
    assert isinstance(limited, Answer) and limited.kind is AnswerKind.UNDECIDED
    known = Known({0: Tally(0, 2), **{at: Tally(4) for at in range(1, candidates + 1)}})
    found = next_step(Question(candidates, min_rate=0.3), known, COSTS)
    assert isinstance(found, Answer) and found.group is not None and found.group.first == 1


def test_a_limit_of_boots_ends_undecided() -> None:
    step = _next({64: Tally(4, 16), 32: Tally(0, 5)}, max_boots=25)
    assert isinstance(step, Answer) and step.kind is AnswerKind.UNDECIDED


@pytest.mark.parametrize(("rate", "boots"), [(0.01, 299), (0.05, 59)])
def test_clean_boots(rate: float, boots: int) -> None:
    assert Question(4, min_rate=rate).clean_boots == boots


def test_the_posterior_is_that_of_the_boots() -> None:
    known = Known({64: Tally(8, 8), 20: Tally(8, 8), 19: Tally(0, 60)})
    assert posterior_of(Question(64), known).probability(20, 20) > 0.95


@pytest.mark.parametrize(
    "tallies",
    [
        {},
        {64: Tally(4, 16)},
        {64: Tally(4, 16), 32: Tally(1, 3), 16: Tally(1, 3), 8: Tally(1, 2)},
        {64: Tally(8, 8), 20: Tally(8, 8), 19: Tally(0, 9)},
    ],
)
def test_boots_at_once_fill_their_rounds_and_a_limit_cuts_them(tallies: dict[int, Tally]) -> None:
    costs, known = Costs(20, 20, 300, installed=64, at_once=7), Known(tallies)
    step = next_step(Question(64), known, costs)
    assert isinstance(step, Batch) and step.boots % 7 == 0
    limited = next_step(Question(64, max_boots=known.boots + 2), known, costs)
    assert limited == Batch(step.position, 2)
    ended = next_step(Question(64, max_boots=known.boots), known, costs)
    assert isinstance(ended, Answer) and ended.kind is AnswerKind.UNDECIDED
