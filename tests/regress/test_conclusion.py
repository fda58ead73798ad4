from __future__ import annotations

import pytest

from harness.regress.conclusion import conclusion_of
from harness.regress.search import Result
from harness.stats.bisect import Answer, AnswerKind, Known, Question
from harness.stats.bisect_posterior import Group, Tally

LABELS, QUESTION = ("a", "b", "c"), Question(2)
KNOWN = Known({0: Tally(0, 9), 1: Tally(0, 11), 2: Tally(5, 5)})


@pytest.mark.parametrize(("given", "title"), [(None, "c"), ("Fixes: c", "Fixes: c")])
def test_a_culprit_is_the_title_and_both_sides_have_a_rate(given: str | None, title: str) -> None:
    answer = Answer(AnswerKind.FOUND, Group(2, 2, 0.97), 0.97)
    found = conclusion_of(Result(answer, KNOWN), LABELS, QUESTION, given, "log")
    assert (found.kind, found.probability, found.title, found.git_log) == (AnswerKind.FOUND, 0.97, title, "log")
    assert found.sentences[0] == "the failure begins with c (probability 97%)"
    assert found.sentences[1].startswith("before: 0 of 20 boots failed")
    assert found.sentences[2].startswith("from there on: 5 of 10 boots failed")


def test_without_a_culprit_there_is_no_title() -> None:
    group = conclusion_of(Result(Answer(AnswerKind.GROUP, Group(1, 2, 0.98), 0.98), KNOWN), LABELS, QUESTION)
    assert group.title is None and "one of 2" in group.sentences[0] and len(group.sentences) == 3
    absent = conclusion_of(Result(Answer(AnswerKind.ABSENT, None, 0.95), Known({2: Tally(0, 299)})), LABELS, QUESTION)
    assert absent.title is None and len(absent.sentences) == 1
    assert absent.sentences[0].startswith("no difference: the bad end failed in 0 of 299 boots")
