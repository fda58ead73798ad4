from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_campaign import boot_line, lines_of

from harness.checks.base import Status
from harness.stability.account import Account, count_boots, failure_signature
from harness.stability.goal import Goal, Until
from harness.stats.answer import Answer
from harness.stats.anytime import anytime_interval
from harness.stats.binomial import exact_interval

FIXED = Goal(10, 0.5, 0.95)


def test_boots_count_in_the_order_in_which_they_were_started() -> None:
    # A boot that hangs ends last; what was started after it waits for it.
    account = count_boots(FIXED, 1, [boot_line(turn) for turn in (1, 3, 4, 5)])
    assert (account.counted, account.good, len(account.lines)) == (1, 1, 4)
    account.add(boot_line(2, Status.FAIL))
    assert (account.counted, account.good, account.bad) == (5, 4, 1)


@settings(deadline=None)  # the first call loads scipy
@given(st.text(".F?", min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_changes_the_account(pattern: str, shuffle: random.Random) -> None:
    goal = Goal(len(pattern), 0.2, 0.95, sequential=True)
    lines = lines_of(pattern)
    mixed = lines + lines[: len(lines) // 2]
    shuffle.shuffle(mixed)
    straight, other = count_boots(goal, 2, lines), count_boots(goal, 2, mixed)
    assert (straight.bad, straight.good, straight.lost) == tuple(map(pattern.count, "F.?"))
    for name in ("counted", "bad", "good", "lost", "decided", "answer", "interval", "stop"):
        assert getattr(straight, name) == getattr(other, name)
    assert straight.kinds() == other.kinds()
    assert (straight.complete, straight.missing()) == (True, [])


def test_a_boot_that_was_made_twice_is_what_it_was_first() -> None:
    account = count_boots(FIXED, 1, [boot_line(1), boot_line(1, Status.FAIL)])
    assert (account.counted, account.good, account.kinds()) == (1, 1, [])


@pytest.mark.parametrize("turn", [None, 11])
def test_a_boot_of_nobody_changes_nothing(turn: int | None) -> None:
    account = count_boots(FIXED, 1, [boot_line(turn)])
    assert account.lines == {}
    assert account.missing() == list(range(1, 11))


@pytest.mark.parametrize(
    ("goal", "pattern", "exact"),
    [
        (FIXED, "F.........", True),
        (FIXED, "F........", False),
        (replace(FIXED, extended=True), "F.........", False),
        (replace(FIXED, sequential=True), "F.........", False),
        (replace(FIXED, until=Until(9, "x")), "F.........", False),
    ],
)
def test_only_a_number_that_was_fixed_and_reached_is_exact(goal: Goal, pattern: str, exact: bool) -> None:
    account = count_boots(goal, 1, lines_of(pattern))
    rule = exact_interval if exact else anytime_interval
    assert account.exact is exact
    assert account.interval == rule(1, len(pattern), 0.95)


def test_what_told_nothing_is_not_in_the_rate() -> None:
    account = count_boots(FIXED, 1, lines_of("F..?E.?..."))
    assert (account.bad, account.good, account.lost) == (1, 6, 3)
    assert account.interval == exact_interval(1, 7, 0.95)
    assert [line.identity.turn for line in account.lost_lines()] == [4, 5, 7]


@pytest.mark.parametrize(
    ("goal", "pattern", "answer"),
    [
        (FIXED, ".........F", Answer.PASS),
        (FIXED, "FFFFFFFFF.", Answer.FAIL),
        (FIXED, "FFFFF.....", Answer.UNDECIDED),
        (FIXED, ".....?????", Answer.UNDECIDED),
        (FIXED, ".....", Answer.PASS),  # by the sequential rule, which holds although it was cut short
        (FIXED, "....", Answer.UNDECIDED),
        (Goal(3, None, 0.95), "...", Answer.PASS),
        (Goal(3, None, 0.95), "..", Answer.UNDECIDED),
        (Goal(3, None, 0.95), "..?", Answer.UNDECIDED),
        (Goal(3, None, 0.95), "F", Answer.FAIL),
        (Goal(3, None, 0.95), "", Answer.UNDECIDED),
    ],
)
def test_the_answer(goal: Goal, pattern: str, answer: Answer) -> None:
    assert count_boots(goal, 1, lines_of(pattern)).answer is answer


def test_the_first_answer_of_the_sequential_rule_is_final() -> None:
    account = count_boots(Goal(40, 0.5, 0.95, sequential=True), 1, lines_of("." * 5 + "F" * 35))
    assert account.decided == (Answer.PASS, 5)
    assert account.answer is Answer.PASS


@pytest.mark.parametrize("variants", [1, 2, 3])
def test_the_sequential_rule_asks_at_the_end_of_rounds(variants: int) -> None:
    account = count_boots(Goal(20, 0.5, 0.95, sequential=True), variants, lines_of("." * 20))
    assert account.decided is not None
    assert account.decided[1] % variants == 0


@pytest.mark.parametrize(
    ("goal", "pattern", "stop"),
    [
        (FIXED, ".........", None),
        (FIXED, "..........", "all boots are made"),
        (FIXED, ".....", None),
        (replace(FIXED, sequential=True), ".....", "decided by boot 5"),
        (replace(FIXED, until=Until(2, "panic")), "F..", None),
        (replace(FIXED, until=Until(2, "panic")), "F.F", "failures with 'panic': 2"),
        (replace(FIXED, until=Until(1, "hang")), "F.F", None),
        (Goal(99, None, 0.95), "?" * 9, None),
        (Goal(99, None, 0.95), "?" * 10, "none of the first 10 boots told anything"),
        (Goal(99, None, 0.95), "?" * 5 + "." + "?" * 5, None),
    ],
)
def test_when_no_further_boot_is_needed(goal: Goal, pattern: str, stop: str | None) -> None:
    assert count_boots(goal, 1, lines_of(pattern)).stop == stop


def test_failures_are_grouped_by_what_they_were() -> None:
    account = Account(FIXED, 1)
    for turn, signature in enumerate(["b", "a", "b", "b", "c"], start=2):
        account.add(boot_line(turn, Status.FAIL, signature))
    account.add(boot_line(1))
    kinds = account.kinds()
    assert [(kind.signature, kind.boots, kind.first.identity.turn) for kind in kinds] == [
        ("b", 3, 2),
        ("a", 1, 3),
        ("c", 1, 6),
    ]


@pytest.mark.parametrize(
    ("check", "signature"), [("outcome", "guest-panic: x"), ("vmpl_switches", "check: vmpl_switches")]
)
def test_the_signature_is_what_failed(check: str, signature: str) -> None:
    assert failure_signature(boot_line(1, Status.FAIL, check=check)) == signature
