from __future__ import annotations

import pytest

from harness.errors import InputError
from harness.scenario.model import Stability
from harness.stability.goal import Asked, Goal, Until, choose_goal, resume_goal

SECTION = Stability(boots=60, max_failure_rate=0.05, confidence=0.9)
RECORDED = Goal(100, 0.01, 0.95, sequential=True, until=Until(3, "panic"))


@pytest.mark.parametrize(
    ("asked", "section", "goal"),
    [
        (Asked(), SECTION, Goal(60, 0.05, 0.9)),
        (Asked(boots=7), SECTION, Goal(7, 0.05, 0.9)),
        (Asked(boots=7, max_failure_rate="1%", confidence="99%"), SECTION, Goal(7, 0.01, 0.99)),
        (Asked(boots=7), None, Goal(7, None, 0.95)),
        (Asked(boots=7, max_failure_rate="1%", sequential=True), None, Goal(7, 0.01, 0.95, sequential=True)),
        (Asked(boots=7, until="2: hang: after x"), None, Goal(7, None, 0.95, until=Until(2, "hang: after x"))),
    ],
)
def test_what_is_typed_stands_above_the_scenario(asked: Asked, section: Stability | None, goal: Goal) -> None:
    assert choose_goal(asked, [section, section]) == goal


@pytest.mark.parametrize(
    ("asked", "sections", "why"),
    [
        (Asked(), [None], "say how many boots"),
        (Asked(boots=1, max_failure_rate="0%"), [None], "no number of boots can show a failure rate below 0%"),
        (Asked(boots=1, max_failure_rate="100%"), [None], "a limit must say more"),
        (Asked(boots=1, max_failure_rate="0.01"), [None], "--max-failure-rate: '0.01' is no percentage"),
        (Asked(boots=1, confidence="100%"), [None], "--confidence must be above 0% and below 100%"),
        (Asked(boots=1, sequential=True), [None], "add --max-failure-rate"),
        (Asked(boots=1), [None, SECTION], "differ"),
        *((Asked(boots=1, until=text), [None], "K:SIGNATURE") for text in ("panic", "0:panic", "x:panic", "3:", "3: ")),
    ],
)
def test_what_means_nothing_is_refused(asked: Asked, sections: list[Stability | None], why: str) -> None:
    with pytest.raises(InputError, match=why):
        choose_goal(asked, sections)


@pytest.mark.parametrize(
    ("goal", "peeks"),
    [
        (Goal(1, None, 0.95), False),
        (Goal(1, 0.1, 0.95, sequential=True), True),
        (Goal(1, 0.1, 0.95, until=Until(1, "x")), True),
        (Goal(1, 0.1, 0.95, extended=True), True),
    ],
)
def test_which_goals_let_the_boots_decide_their_number(goal: Goal, peeks: bool) -> None:
    assert goal.peeks is peeks


@pytest.mark.parametrize(
    "asked",
    [Asked(), Asked(boots=100), Asked(max_failure_rate="1%", confidence="95%", sequential=True, until="3:panic")],
)
def test_a_resumed_campaign_keeps_its_goal(asked: Asked) -> None:
    assert resume_goal(RECORDED, asked) == RECORDED


def test_more_boots_than_were_planned_are_no_fixed_number_any_more() -> None:
    extended = resume_goal(Goal(10, 0.1, 0.95), Asked(boots=20))
    assert extended == Goal(20, 0.1, 0.95, extended=True)
    assert extended.peeks


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (Asked(boots=99), "less than the 100"),
        (Asked(max_failure_rate="2%"), "--max-failure-rate is not what"),
        (Asked(confidence="99%"), "--confidence is not what"),
        (Asked(until="4:panic"), "--until is not what"),
    ],
)
def test_the_question_is_not_changed_half_way(asked: Asked, why: str) -> None:
    with pytest.raises(InputError, match=why):
        resume_goal(RECORDED, asked)


def test_a_fixed_campaign_does_not_become_sequential() -> None:
    with pytest.raises(InputError, match="--sequential"):
        resume_goal(Goal(10, 0.1, 0.95), Asked(sequential=True))


def test_until_reads_what_it_writes() -> None:
    assert Until.parse(str(Until(3, "hang: after x"))) == Until(3, "hang: after x")
