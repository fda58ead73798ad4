"""Say how a bisection ended, in sentences for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.regress.proof import answer_sentence, rates_lines
from harness.regress.search import Result
from harness.stats.bisect import AnswerKind, Question

__all__ = ["Conclusion", "conclusion_of", "first_rates"]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Be the answer: its kind, sentences for people, and the probability (a fraction of 1).

    ``title`` is ``Fixes:`` style, None where nothing was found. ``git_log`` is in git's own format, None without git.
    """

    kind: AnswerKind
    sentences: tuple[str, ...]
    probability: float
    title: str | None
    git_log: str | None


def conclusion_of(
    result: Result, labels: Sequence[str], question: Question, title: str | None = None, git_log: str | None = None
) -> Conclusion:
    """Return what a search over ``labels`` has found; ``title`` None: the label of the culprit."""
    answer = result.answer
    sentences = [answer_sentence(answer, labels, result.known, question)]
    if answer.group is not None:
        sentences += rates_lines(result.known, answer.group.last)
    if answer.kind is AnswerKind.FOUND and title is None and answer.group is not None:
        title = labels[answer.group.first]
    return Conclusion(answer.kind, tuple(sentences), answer.probability, title, git_log)


def first_rates(result: Result) -> list[str]:
    """Return the failure rates on both sides of what a search has found, in a sentence each."""
    group = result.answer.group
    return [] if group is None else rates_lines(result.known, group.first)
