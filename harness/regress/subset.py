"""Find the smallest set of differences that makes a failure which does not happen in every boot.

Each round finds, with the engine for ranges, the difference whose coming makes the failure appear; it is needed. The
next round keeps it in place and searches those before it, until what is needed is enough (the way of QuickXplain:
Junker, "QuickXplain", AAAI 2004), so that k of n differences cost k searches of log n.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.regress.journal import known_of
from harness.regress.search import Result, Searcher
from harness.regress.span import Difference, Span, setting_span
from harness.stats.bisect import AnswerKind, Question
from harness.stats.bisect_posterior import Tally

__all__ = ["Minimum", "minimise"]

# What is needed is enough once it has failed so often by itself.
_FAILURES_THAT_SHOW = 2


@dataclass(frozen=True, slots=True)
class Minimum:
    """Be the differences that are needed, and the results of all rounds; ``whole`` False: a round found no answer."""

    needed: tuple[Difference, ...]
    rounds: tuple[Result, ...]
    whole: bool


async def minimise(
    searcher: Searcher, good: Mapping[str, str], pool: Sequence[Difference], question: Question
) -> Minimum:
    """Return the smallest set; of the rest, none is needed.

    :raise InputError: as :meth:`~harness.regress.search.Searcher.search`.
    """
    needed: list[Difference] = []
    rounds: list[Result] = []
    inherited: dict[int, Tally] = {}
    bad_end = Tally()
    while pool:
        stage, span = len(rounds), setting_span(good, needed, pool)
        asked = Question(len(pool), question.confidence, question.min_rate, question.max_boots, good_end_first=True)
        if needed and await _suffices(searcher, stage, span, asked, inherited):
            break
        result = await searcher.search(stage, span, asked, inherited)
        rounds.append(result)
        bad_end = bad_end if bad_end.told else result.known.at(len(pool))
        if result.answer.kind is not AnswerKind.FOUND or result.answer.group is None:
            return Minimum(tuple(needed), tuple(rounds), False)
        culprit = result.answer.group.first
        needed.append(pool[culprit - 1])
        pool = pool[: culprit - 1]
        inherited = {len(pool): result.known.at(culprit)}
    # A round can be wrong as often as the confidence allows: each is left out once, to see that it is needed.
    for number, one in enumerate(list(needed) if len(needed) > 1 else [], start=len(rounds) + 1):
        rest = [other for other in needed if other is not one]
        asked = Question(1, question.confidence, question.min_rate)
        if await _suffices(searcher, number, setting_span(good, rest, [one]), asked, {1: bad_end}):
            needed = rest
    return Minimum(tuple(needed), tuple(rounds), True)


async def _suffices(
    searcher: Searcher, stage: int, span: Span, question: Question, inherited: Mapping[int, Tally]
) -> bool:
    entries = searcher.read(stage, span, question, inherited)
    end = inherited[question.candidates]
    rate = end.bad / (end.told + 1)
    clean = min(question.clean_boots, math.ceil(math.log(0.01) / math.log1p(-max(rate, question.min_rate))))
    while True:
        tally = known_of(entries, stage).at(0)
        if tally.bad >= _FAILURES_THAT_SHOW:
            return True
        # One failure alone may be a stray; it is looked at for longer.
        wanted = clean * (4 if tally.bad else 1)
        made = tally.good + tally.other
        if made >= wanted:
            return False
        await searcher.boot_position(stage, span, 0, wanted - made, entries)
