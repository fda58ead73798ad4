from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from harness.regress.difference import Difference, differences
from harness.regress.span import CannotTest, Place, Span, setting_span
from harness.regress.subset import boots_to_check, minimise
from harness.stats.bisect import AnswerKind, Question
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
    ("alone", "end", "left"),
    [
        (Tally(2, 9), Tally(4, 4), True),
        (Tally(), Tally(4, 4), 8),  # 44% would show itself in 8 boots with 99%
        (Tally(0, 8), Tally(4, 4), False),
        (Tally(0, 5, 3), Tally(4, 4), False),
        (Tally(0, 0, 8), Tally(4, 4), 1),
        (Tally(0, 0, 3), Tally(9, 0), 1),
        (Tally(1, 8), Tally(4, 4), 24),
        (Tally(1, 32), Tally(4, 4), False),
        (Tally(), Tally(1, 9), 49),
    ],
)
def test_how_many_boots_show_that_something_is_not_enough(alone: Tally, end: Tally, left: bool | int) -> None:
    found = boots_to_check(alone, end, Question(1))
    assert (found, type(found)) == (left, type(left))
