"""Find the smallest set of differences that makes a failure which does not happen in every boot.

Each round finds, with the engine for ranges, the difference whose coming makes the failure appear; it is needed. The
next round keeps it in place and searches those before it, until what is needed is enough (the way of QuickXplain:
Junker, "QuickXplain", AAAI 2004), so that k of n differences cost k searches of log n.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.regress.difference import Difference
from harness.regress.journal import Checked, Untestable, known_of
from harness.regress.search import Result, Searcher, tells_nothing
from harness.regress.span import CannotTest, Span
from harness.stats.bisect import AnswerKind, Known, Question
from harness.stats.bisect_posterior import Prior, Tally, weigh

__all__ = ["Minimum", "SpanOf", "boots_to_check", "good_side", "minimise"]

#: Return the span of what is needed already, which is in place everywhere, and of the differences to search.
SpanOf = Callable[[Sequence[Difference], Sequence[Difference]], Span]

# Position 0 does not fail and 2 does: does 1, which is as likely as not.
_WHICH_SIDE = Prior(2, np.array([0.0, 0.0, 0.5, 1.0, 1.0]))
_SURE = 0.99
# Times the boots that show a failure at the bad side's rate: what is still undecided then has a rate between both.
_MOST_CHECKED = 20


@dataclass(frozen=True, slots=True)
class Minimum:
    """Be the differences that are needed, and the results of all rounds; ``whole`` False: a round found no answer.

    ``labels`` are the positions of the last round. ``alone`` are the boots of what is needed and nothing else,
    ``without`` those of it without the first, the second, and so on. ``stages`` of the journal are taken.
    """

    needed: tuple[Difference, ...]
    rounds: tuple[Result, ...]
    whole: bool
    labels: tuple[str, ...]
    alone: Tally
    without: tuple[Tally, ...]
    stages: int

    @property
    def kind(self) -> AnswerKind:
        """Return what that is as an answer: that of the last round where nothing was found, or it ended too early."""
        last = self.rounds[-1].answer.kind
        open_ = last in (AnswerKind.UNDECIDED, AnswerKind.GROUP) and not self.whole
        return AnswerKind.FOUND if self.needed and not open_ else last

    @property
    def decided(self) -> tuple[Result, ...]:
        """Return the rounds that found a difference that is needed, one each."""
        return tuple(result for result in self.rounds if result.answer.kind is AnswerKind.FOUND)

    def sentence(self, of: str, does: str, do: str) -> str:
        """Say which are needed ``of`` how many: this alone ``does``, or these together ``do``, or these at least."""
        names = "; ".join(one.label for one in self.needed)
        last = self.rounds[-1].answer
        if not self.whole and last.kind is AnswerKind.GROUP and last.group is not None:
            group = "; ".join(self.labels[max(1, last.group.first) : last.group.last + 1])
            return f"{of} these {do} the failure: {names}; and one of these, which no boot can tell apart: {group}"
        if not self.whole:
            return f"{of} these at least {do} the failure: {names}; whether more is needed beside was not decided"
        return f"{of} {f'these together {do}' if len(self.needed) > 1 else f'this alone {does}'} the failure: {names}"


async def minimise(
    searcher: Searcher,
    span_of: SpanOf,
    pool: Sequence[Difference],
    question: Question,
    ends: Mapping[int, Tally],
) -> Minimum:
    """Return the smallest set of ``pool``; of the rest, none is needed.

    ``ends`` are boots of both ends that were made before: of position 0, and of that with all of ``pool``.

    :raise InputError: as :meth:`~harness.regress.search.Searcher.search`.
    """
    needed: list[Difference] = []
    rounds: list[Result] = []
    inherited = dict(ends)
    bad_end = good = Tally()
    labels: tuple[str, ...] = ()
    turned = checked = False
    while pool:
        stage, span = len(rounds), span_of(needed, pool)
        # The good end costs only its boots, unless the host has to be rebooted for them.
        first = not span.hosts
        asked = Question(len(pool), question.confidence, question.min_rate, question.max_boots, good_end_first=first)
        if needed:
            enough = await _suffices(searcher, stage, span, asked, inherited, good)
            if enough is None:
                return _unfinished(needed, rounds, labels)
            if enough:
                inherited, checked = {0: _alone(searcher, stage)}, True
                break
        result = await searcher.search(stage, span, asked, inherited)
        rounds.append(result)
        labels = span.labels
        bad_end = bad_end if bad_end.told else result.known.at(len(pool))
        if len(rounds) == 1 and result.answer.group is not None:
            good = good_side(result.known, result.answer.group.first)
        if needed and result.answer.kind is AnswerKind.BEFORE:
            inherited = {0: result.known.at(0)}
            break  # what is needed does fail by itself: no more is
        if result.answer.kind is AnswerKind.GROUP and not turned:
            pool, inherited = _turned(pool, result)
            turned = True
            continue
        turned = False
        if result.answer.kind is not AnswerKind.FOUND or result.answer.group is None:
            return _unfinished(needed, rounds, labels)
        culprit = result.answer.group.first
        needed.append(pool[culprit - 1])
        pool = pool[: culprit - 1]
        inherited = {len(pool): result.known.at(culprit)}
    seen = {frozenset(needed): inherited.get(0, Tally()), frozenset[Difference](): rounds[0].known.at(0)}
    # A round can be wrong as often as the confidence allows: each is left out once, to see that it is needed.
    number = len(rounds)
    for one in list(needed) if len(needed) > 1 else []:
        number += 1
        rest = [other for other in needed if other is not one]
        asked = Question(1, question.confidence, question.min_rate)
        span = span_of(rest, [one])
        enough = await _suffices(searcher, number, span, asked, {1: bad_end}, good)
        seen[frozenset(rest)] = _alone(searcher, number)
        if enough:
            needed = rest
    without = tuple(seen.get(frozenset(needed) - {one}, Tally()) for one in needed)
    stages = number + 1 if checked or number > len(rounds) else number
    return Minimum(tuple(needed), tuple(rounds), True, labels, seen[frozenset(needed)], without, stages)


def _unfinished(needed: Sequence[Difference], rounds: Sequence[Result], labels: tuple[str, ...]) -> Minimum:
    return Minimum(tuple(needed), tuple(rounds), False, labels, Tally(), (), len(rounds))


def _alone(searcher: Searcher, stage: int) -> Tally:
    # The boots of what is in place everywhere, in a check whether that is enough.
    return known_of(list(searcher.journal.entries()), stage).at(0)


def _turned(pool: Sequence[Difference], result: Result) -> tuple[Sequence[Difference], dict[int, Tally]]:
    # A set has no order: where one does not build without a later one, the other way round may tell them apart. The
    # positions before and after the group hold the same differences as before.
    group = result.answer.group
    assert group is not None
    first, last = max(group.first, 1), min(group.last, len(pool))
    known = {at: tally for at, tally in result.known.tallies.items() if not first <= at < last}
    return [*pool[: first - 1], *reversed(pool[first - 1 : last]), *pool[last:]], known


async def _suffices(
    searcher: Searcher, stage: int, span: Span, question: Question, inherited: Mapping[int, Tally], good: Tally
) -> bool | None:
    # None: what is needed alone cannot be tested: it does not build or boot without the rest, which says nothing of it.
    entries = searcher.read(stage, span, question, inherited)
    if 0 in known_of(entries, stage).untestable:
        return None
    # What was decided stays so: the search of the same stage has booted this position more often since.
    checked = next((entry for entry in entries if isinstance(entry, Checked) and entry.stage == stage), None)
    if checked is not None:
        return checked.enough
    while True:
        alone = known_of(entries, stage).at(0)
        if tells_nothing(alone):
            searcher.journal.append(Untestable(stage, 0, f"{alone.other} boots were neither good nor bad"))
            return None
        left = boots_to_check(alone, good, inherited[question.candidates], question)
        if isinstance(left, bool):
            searcher.journal.append(Checked(stage, left))
            return left
        try:
            await searcher.boot_position(stage, span, 0, left, entries)
        except CannotTest as error:
            searcher.journal.append(Untestable(stage, 0, str(error)))
            return None


def boots_to_check(alone: Tally, good: Tally, bad: Tally, question: Question) -> bool | int:
    """Tell whether what is in place fails by itself, as the ``bad`` side does and the ``good`` one does not.

    Or how many more boots to make of it until that is known with 99%, or with what ``question`` asks for if it is more.
    """
    fails = weigh(_WHICH_SIDE, {0: good, 1: alone, 2: bad}, question.grid).probability(1, 1)
    sure = max(question.confidence, _SURE)
    if max(fails, 1 - fails) >= sure and alone.told:
        return fails >= sure
    rate = bad.bad / (bad.told + 1)
    clean = min(question.clean_boots, math.ceil(math.log(0.01) / math.log1p(-max(rate, question.min_rate))))
    made = alone.told + alone.other
    if made >= _MOST_CHECKED * clean and alone.told:
        return fails >= 0.5
    return max(1, clean - made)


def good_side(known: Known, first: int) -> Tally:
    """Return the boots of all positions before ``first``, where the first search found that the failure begins."""
    return sum((tally for position, tally in known.tallies.items() if position < first), Tally())
