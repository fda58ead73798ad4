from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from harness.errors import InputError
from harness.regress.difference import Difference, differences
from harness.regress.journal import Untestable
from harness.regress.span import CannotTest, Place, Span, setting_span
from harness.regress.subset import boots_to_check, good_side, minimise
from harness.stats.bisect import AnswerKind, Known, Question
from harness.stats.bisect_posterior import Tally

from .simulated import searcher

GOOD = {f"flag{number}": "off" for number in range(9)}
BAD = {f"flag{number}": "on" for number in range(9)}


@pytest.mark.parametrize("culprits", [{"flag4"}, {"flag0"}, {"flag2", "flag7"}, {"flag0", "flag3", "flag8"}])
def test_the_smallest_set_is_found(tmp_path: Path, culprits: Set[str]) -> None:
    def rate(values: Mapping[str, str]) -> float:
        return 0.4 if all(values[name] == "on" for name in culprits) else 0.0

    pool = differences(GOOD, BAD)
    question = Question(len(pool), confidence=0.99)
    minimum = asyncio.run(minimise(searcher(tmp_path, rate), partial(setting_span, GOOD), pool, question, {}))
    assert minimum.whole
    assert {one.key for one in minimum.needed} == culprits


def test_a_good_side_that_fails_now_and_then_does_not_make_one_of_two_enough(tmp_path: Path) -> None:
    def rate(values: Mapping[str, str]) -> float:
        return 0.6 if values["flag2"] == values["flag7"] == "on" else 0.04

    pool, right = differences(GOOD, BAD), 0
    for seed in range(12):
        engine = searcher(tmp_path / str(seed), rate, seed=seed)
        engine.journal.path.parent.mkdir()
        question = Question(len(pool), confidence=0.99)
        minimum = asyncio.run(minimise(engine, partial(setting_span, GOOD), pool, question, {}))
        right += {one.key for one in minimum.needed} == {"flag2", "flag7"}
        # What has ended stays as it is: nothing is booted and nothing decided anew.
        lines = engine.journal.path.read_bytes()
        after = searcher(engine.journal.path.parent, lambda _: pytest.fail("booted again"))
        again = asyncio.run(minimise(after, partial(setting_span, GOOD), pool, question, {}))
        assert again.needed == minimum.needed
        assert engine.journal.path.read_bytes() == lines
    # Two strays were once enough: then half of them are wrong.
    assert right >= 10


def test_what_the_host_does_not_take_alone_leaves_the_rest_open(tmp_path: Path) -> None:
    def settle(values: Mapping[str, str]) -> Mapping[str, str]:
        if values["flag7"] == "on" and values["flag2"] == "off":
            raise InputError("no such modules")
        return values

    engine = searcher(tmp_path, lambda values: 0.5 if values["flag7"] == "on" else 0.0)
    engine.settle = settle
    pool = differences(GOOD, BAD)
    minimum = asyncio.run(minimise(engine, partial(setting_span, GOOD), pool, Question(9, confidence=0.99), {}))
    assert (minimum.whole, minimum.kind) == (False, AnswerKind.FOUND)
    assert minimum.sentence("of 9", "makes", "make").startswith(
        "of 9 these at least make the failure: flag7: off → on;"
    )
    refused = [entry for entry in engine.journal.entries() if isinstance(entry, Untestable) and entry.position == 0]
    assert [entry.why for entry in refused] == ["no such modules"]


def test_a_group_in_a_later_round_is_named_and_is_the_answer(tmp_path: Path) -> None:
    def rate(values: Mapping[str, str]) -> float:
        on = {name for name, value in values.items() if value == "on"}
        if ("flag1" in on) != ("flag2" in on):
            return -1.0  # one does not start without the other
        return 0.6 if {"flag1", "flag2", "flag7"} <= on else 0.0

    pool = differences(GOOD, BAD)
    minimum = asyncio.run(minimise(searcher(tmp_path, rate), partial(setting_span, GOOD), pool, Question(9, 0.99), {}))
    assert (minimum.whole, minimum.kind) == (False, AnswerKind.GROUP)
    said = minimum.sentence("of 9", "makes", "make")
    assert said.startswith(
        "of 9 these make the failure: flag7: off → on; and one of these, which no boot can tell apart: "
    )
    assert "flag1: off → on" in said and "flag2: off → on" in said


def test_no_difference_is_no_set(tmp_path: Path) -> None:
    pool = differences(GOOD, BAD)
    clean = searcher(tmp_path, lambda values: 0.0)
    minimum = asyncio.run(minimise(clean, partial(setting_span, GOOD), pool, Question(9, min_rate=0.05), {}))
    assert minimum.needed == ()
    assert minimum.rounds[0].answer.kind is AnswerKind.ABSENT


def test_what_is_needed_alone_and_cannot_be_tested_leaves_the_rest_undecided(tmp_path: Path) -> None:
    def span_of(needed: Sequence[Difference], pool: Sequence[Difference]) -> Span:
        span = setting_span(GOOD, needed, pool)

        def prepare(position: int) -> Place:
            place = span.prepare(position)
            if place.values["flag7"] == "on" and place.values["flag2"] == "off":
                raise CannotTest("does not build")
            return place

        return replace(span, prepare=prepare)

    def rate(values: Mapping[str, str]) -> float:
        return 0.5 if values["flag2"] == values["flag7"] == "on" else 0.0

    pool = differences(GOOD, BAD)
    minimum = asyncio.run(minimise(searcher(tmp_path, rate), span_of, pool, Question(9, confidence=0.99), {}))
    assert not minimum.whole
    assert [one.key for one in minimum.needed] == ["flag7"]


@pytest.mark.parametrize(
    ("alone", "good", "bad", "left"),
    [
        (Tally(8, 8), Tally(0, 20), Tally(4, 4), True),
        (Tally(), Tally(0, 9), Tally(4, 4), 8),  # 44% would show itself in 8 boots with 99%
        (Tally(0, 20), Tally(0, 9), Tally(4, 4), False),
        (Tally(0, 20, 3), Tally(0, 9), Tally(4, 4), False),
        (Tally(0, 0, 3), Tally(0, 9), Tally(9, 0), 1),  # boots that told nothing say nothing of it
        (Tally(0, 0, 9), Tally(0, 9), Tally(9, 0), 1),
        (Tally(), Tally(0, 9), Tally(1, 9), 49),
        (Tally(2, 60), Tally(2, 100), Tally(30, 70), False),  # two strays, as the good side has them
        (Tally(20, 60), Tally(2, 100), Tally(30, 70), True),
    ],
)
def test_how_many_boots_show_whether_something_is_enough(
    alone: Tally, good: Tally, bad: Tally, left: bool | int
) -> None:
    found = boots_to_check(alone, good, bad, Question(1))
    assert (found, type(found)) == (left, type(left))


def test_one_failure_more_or_less_is_asked_about_again() -> None:
    for alone in (Tally(1, 8), Tally(2, 60)):
        left = boots_to_check(alone, Tally(1, 30), Tally(4, 16), Question(1))
        assert left is not True and left is not False and left >= 1


def test_the_good_side_are_the_positions_before_the_first_that_is_needed() -> None:
    known = Known({0: Tally(0, 5), 2: Tally(1, 7, 2), 3: Tally(4, 1), 9: Tally(3, 0)})
    assert good_side(known, 3) == Tally(1, 12, 2)
    assert good_side(known, 0) == Tally()
