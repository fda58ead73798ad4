"""Find which of several components carries a failure, then where in it: kernel, QEMU, SVSM and firmware at once.

The ends of all components are the differences of a setting, of which the smallest set that matters is found; each of
that set is then searched inside, beside the others as they were found: those that are needed bad, the rest good.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from harness.regress.conclusion import Conclusion, conclusion_of
from harness.regress.difference import Difference, apply_differences
from harness.regress.proof import rates_lines
from harness.regress.search import Searcher
from harness.regress.span import setting_span
from harness.regress.subset import minimise
from harness.stats.bisect import AnswerKind, Question
from harness.stats.bisect_posterior import Tally

__all__ = ["Component", "Inside", "Within", "search_components"]


@dataclass(frozen=True, slots=True)
class Inside:
    """Say how to search inside a component.

    ``beside`` are the values of all others. ``stage`` is the first that is free in the journal. ``ends`` says, by the
    number of candidates, which boots of both ends were made already.
    """

    beside: Mapping[str, str]
    stage: int
    confidence: float
    ends: Callable[[int], Mapping[int, Tally]]


#: Search inside a component; returns the answer, and the stage that is free then.
Within = Callable[[Inside], Awaitable[tuple[Conclusion, int]]]


@dataclass(frozen=True, slots=True)
class Component:
    """Be one of several things that changed; ``within`` None: there is nothing between its two ends."""

    difference: Difference
    within: Within | None


async def search_components(
    searcher: Searcher,
    good: Mapping[str, str],
    components: Sequence[Component],
    question: Question,
    ends: Mapping[int, Tally],
) -> Conclusion:
    """Return which of ``components`` carry the failure, and where in them it begins.

    ``good`` is the setting without any of the differences; ``ends`` are boots of it and of that with all of them. The
    searches share the confidence that ``question`` asks for; where more than one component is needed, all answers
    together may have less, and the conclusion says what they have.

    :raise InputError, HostError: as :meth:`~harness.regress.search.Searcher.search`.
    """
    pool = [component.difference for component in components]
    share = question.confidence ** (1 / 3)
    first = Question(len(pool), share, question.min_rate, question.max_boots)
    minimum = await minimise(searcher, partial(setting_span, good), pool, first, ends)
    if not minimum.needed:
        return conclusion_of(minimum.rounds[-1], minimum.labels, first)
    decided = [result for result in minimum.rounds if result.answer.kind is AnswerKind.FOUND]
    chance = math.prod(result.answer.probability for result in decided)
    carry = "these together carry" if len(minimum.needed) > 1 else "this alone carries"
    names = "; ".join(one.label for one in minimum.needed)
    sentences = [f"of {len(pool)} components {carry} the failure: {names}"]
    if not minimum.whole:
        return Conclusion(
            AnswerKind.UNDECIDED, (*sentences, "whether more is needed beside it was not decided"), chance, names, None
        )
    kind, titles, git_log, stage = AnswerKind.FOUND, [], None, minimum.stages
    left = min(question.confidence / chance, share) ** (1 / len(minimum.needed))
    for number, one in enumerate(minimum.needed):
        within = next(component.within for component in components if component.difference is one)
        if within is None:
            titles.append(one.label)
            group = decided[0].answer.group
            if len(minimum.needed) == 1 and group is not None:
                sentences += rates_lines(decided[0].known, group.first)
            continue
        others = [other for other in minimum.needed if other is not one]
        beside = {key: value for key, value in apply_differences(good, others).items() if key != one.key}
        searcher.say(f"going on inside {one.key}")
        known = partial(_ends, minimum.without[number], minimum.alone)
        found, stage = await within(Inside(beside, stage, left, known))
        sentences += [f"{one.key}: {found.sentences[0]}", *found.sentences[1:]]
        chance *= found.probability
        titles += [found.title or one.label]
        git_log = found.git_log or git_log
        kind = found.kind if found.kind is not AnswerKind.FOUND else kind
    return Conclusion(kind, tuple(sentences), chance, "; ".join(titles), git_log)


def _ends(good: Tally, bad: Tally, candidates: int) -> dict[int, Tally]:
    return {at: tally for at, tally in ((0, good), (candidates, bad)) if tally.told}
