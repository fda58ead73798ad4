"""Search the commits of a range by first parents, then those inside the merge that is found, as deep as merges go."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.regress.build import Builder
from harness.regress.git_range import Commit
from harness.regress.search import Result, Searcher
from harness.regress.span import Span, tree_span
from harness.stats.bisect import AnswerKind, Known, Question
from harness.stats.bisect_posterior import Tally

__all__ = ["CommitSearch", "boots_of_both_sides", "search_commits"]


@dataclass(frozen=True, slots=True)
class CommitSearch:
    """Be how the last search ended, which was over ``commits``.

    ``probability`` is that of all answers together, a fraction of 1; ``steps`` is what git's own log of it says.
    ``stage`` is the next that is free in the journal.
    """

    commits: Sequence[Commit]
    question: Question
    result: Result
    probability: float
    steps: Sequence[tuple[str, Commit]]
    stage: int

    @property
    def found(self) -> int | None:
        """Return the position of the commit that was found; None: no single one was."""
        answer = self.result.answer
        return answer.group.first if answer.kind is AnswerKind.FOUND and answer.group is not None else None


async def search_commits(
    builder: Builder,
    variable: str,
    ends: tuple[str, str],
    searcher: Searcher,
    confidence: float,
    question_of: Callable[[Span, float], Question],
    known_ends: Callable[[int], Mapping[int, Tally]],
    beside: Mapping[str, str] | None = None,
    stage: int = 0,
) -> CommitSearch:
    """Search the commits after the first of ``ends`` up to the second, each built and put into ``variable``.

    A merge that is found is entered: its branches are searched one after the other, until one holds the commit, which
    may be a merge again; if none does, it is the merge itself. All answers together have ``confidence``: a search that
    may be followed by another is asked for more. ``question_of`` makes the question of a span and a confidence,
    ``known_ends`` says by the number of candidates what is known of both ends. ``beside`` are values that are the same
    at every commit. ``stage`` is the first that is free in the journal.

    :raise InputError, HostError: as :meth:`~harness.regress.search.Searcher.search`, and for a range without commits.
    """
    repository = builder.repository

    async def search(
        commits: Sequence[Commit], before: CommitSearch | None, inherited: Mapping[int, Tally], more: bool
    ) -> CommitSearch:
        nonlocal stage
        span = tree_span(commits, builder, variable).beside(beside or {})
        so_far = 1.0 if before is None else before.probability
        left = confidence / so_far
        question = question_of(span, math.sqrt(left) if more else left)
        result = await searcher.search(stage, span, question, inherited)
        stage += 1
        steps = (*(before.steps if before is not None else ()), *_git_steps(commits, result))
        return CommitSearch(commits, question, result, so_far * result.answer.probability, steps, stage)

    commits = repository.commits(*ends)
    now = await search(commits, None, known_ends(len(commits) - 1), _has_merge(commits[1:]))
    entered: list[Commit] = []
    while (at := now.found) is not None and now.commits[at] not in entered:
        merge = now.commits[at]
        entered.append(merge)
        good, bad = boots_of_both_sides(now.result.known, at)
        branches = repository.inside(merge.hash)
        for number, branch in enumerate(branches, 1):
            searcher.say(f"{merge.label} is a merge; going on with the {len(branch) - 2} commits inside")
            last = len(branch) - 1
            more = number < len(branches) or _has_merge(branch[1:last])
            now = await search(branch, now, {0: good, last: bad}, more)
            if now.found != last:
                break
    return now


def boots_of_both_sides(known: Known, culprit: int) -> tuple[Tally, Tally]:
    """Return all boots that told something before ``culprit``, and those from there on: each side has one rate."""
    sides = [Tally(), Tally()]
    for position, tally in known.tallies.items():
        sides[position >= culprit] += Tally(tally.bad, tally.good)
    return sides[0], sides[1]


def _has_merge(commits: Sequence[Commit]) -> bool:
    return any(commit.parents > 1 for commit in commits)


def _git_steps(commits: Sequence[Commit], result: Result) -> list[tuple[str, Commit]]:
    # git knows only good, bad and skip: what is bad is what failed, what is good is what lies before the answer.
    group = result.answer.group
    first = len(commits) if group is None else group.first
    steps = []
    for position in sorted({*result.known.tallies, *result.known.untestable}):
        if position in result.known.untestable:
            steps.append(("skip", commits[position]))
        elif position >= first:
            steps.append(("bad", commits[position]))
        elif group is not None:
            steps.append(("good", commits[position]))
    return steps
