"""Find which of several components carries a failure, then where in it: kernel, QEMU, SVSM and firmware at once.

The ends of all components are the differences of a setting, of which the smallest set that matters is found; each of
that set is then searched inside, beside the others as they were found: those that are needed bad, the rest good.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from harness.regress.conclusion import Conclusion, conclusion_of, first_rates
from harness.regress.difference import Difference, apply_differences
from harness.regress.proof import how_sure
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
    chance = math.prod(result.answer.probability for result in minimum.decided)
    sentences = [minimum.sentence(f"of {len(pool)} components", "carries", "carry")]
    kinds, titles, git_log, stage = [minimum.kind], [], None, minimum.stages
    left = min(question.confidence / chance, share) ** (1 / len(minimum.needed))
    for number, one in enumerate(minimum.needed):
        within = next(component.within for component in components if component.difference is one)
        if within is None or not minimum.whole:
            titles.append(one.label)
            continue
        others = [other for other in minimum.needed if other is not one]
        beside = {key: value for key, value in apply_differences(good, others).items() if key != one.key}
        searcher.say(f"going on inside {one.key}")
        known = partial(_ends, minimum.without[number], minimum.alone)
        found, stage = await within(Inside(beside, stage, left, known))
        sentences += [f"{one.key}: {found.sentences[0]}", *found.sentences[1:]]
        title = found.title or one.label
        titles.append(title if found.git_log or found.title is None else f"{one.key}: {title}")
        chance *= found.probability
        git_log = found.git_log or git_log
        kinds.append(_inside(found.kind))
        if kinds[-1] is AnswerKind.UNDECIDED:
            break  # what comes after it may need a place in the journal that this one takes when it goes on
    if len(sentences) == 1:
        sentences += first_rates(minimum.decided[0])
    sentences.append(f"all of this together has a probability of {how_sure(chance)}")
    kind = next((kind for kind in (AnswerKind.UNDECIDED, AnswerKind.GROUP) if kind in kinds), minimum.kind)
    return Conclusion(kind, tuple(sentences), chance, "; ".join(titles), git_log)


def _inside(kind: AnswerKind) -> AnswerKind:
    # That neither end fails, or both do, contradicts what the search over the components has found.
    return kind if kind in (AnswerKind.FOUND, AnswerKind.GROUP) else AnswerKind.UNDECIDED


def _ends(good: Tally, bad: Tally, candidates: int) -> dict[int, Tally]:
    return {at: tally for at, tally in ((0, good), (candidates, bad)) if tally.told}
