"""Find where in an ordered range a failure begins that does not happen in every boot.

First the bad end is booted until its failure rate is known roughly, unless the rates are given. From then on each step
is the one that tells most for its cost, until one answer has the confidence that was asked for. Whether the failure was
there before the range is part of the same question: any position that does not fail refutes it, and if all fail, the
good end is booted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from harness.stats.bisect_choice import Batch, Costs, choose_batch
from harness.stats.bisect_posterior import Group, Posterior, Prior, Tally, even_prior, weigh
from harness.stats.bisect_rates import RateGrid, known_rates, rate_grid

__all__ = ["Answer", "AnswerKind", "Known", "Question", "next_step", "posterior_of"]

# So many failures of the bad end give its rate to about half; fewer cost more boots later, more cost them here.
_FAILURES_FIRST = 4
# An end that has failed so often fails, whatever else is thought.
_FAILURES_THAT_SHOW = 3
_CALIBRATION_STEP = 50
# When so many positions fail and none passes, the good end is asked whether it fails as well.
_POSITIONS_THAT_FAIL = 3
# Candidate 0 (both ends fail alike) and 1 (they differ), as likely as each other.
_ALIKE_OR_NOT = Prior(1, np.array([0.0, 0.5, 1.0, 1.0]))


class AnswerKind(StrEnum):
    """Name what a bisection can end with."""

    FOUND = "found"
    GROUP = "group"
    BEFORE = "before the range"
    ABSENT = "absent at the bad end"
    SWAPPED = "good and bad swapped"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Question:
    """Fix what is asked before the first boot.

    Positions are 0 (good end) to ``candidates`` (bad end). ``confidence`` and ``min_rate`` (the least failure rate that
    matters) are fractions of 1. ``max_boots`` None: as many as it takes. ``good_end_first`` boots the good end before
    the search even if nothing asks for it yet: cheap where another position costs little. ``rates`` are the failure
    rates of the bad and the good side where both are known for certain: nothing is booted to learn them then, and a
    wrong one gives wrong answers. None: they are learnt.
    """

    candidates: int
    confidence: float = 0.95
    min_rate: float = 0.01
    max_boots: int | None = None
    good_end_first: bool = False
    rates: tuple[float, float] | None = None

    @property
    def clean_boots(self) -> int:
        """Return after how many boots without a failure a position fails at less than ``min_rate``: 299 for 1%."""
        return math.ceil(math.log(0.05) / math.log1p(-self.min_rate))

    @property
    def grid(self) -> RateGrid:
        """Return the rates that are thought possible."""
        return rate_grid(self.min_rate) if self.rates is None else known_rates(*self.rates)

    def prior(self, acquitted: Set[int] = frozenset()) -> Prior:
        """Return what the candidates have beforehand."""
        return even_prior(self.candidates, acquitted)


@dataclass(frozen=True, slots=True)
class Known:
    """Hold what is known: the boots of each position, what cannot be tested, who cannot be the cause."""

    tallies: Mapping[int, Tally]
    untestable: Set[int] = frozenset()
    acquitted: Set[int] = frozenset()

    def at(self, position: int) -> Tally:
        """Return the boots of ``position``."""
        return self.tallies.get(position, Tally())

    @property
    def boots(self) -> int:
        """Return how many boots were made, those that told nothing included."""
        return sum(tally.told + tally.other for tally in self.tallies.values())


@dataclass(frozen=True, slots=True)
class Answer:
    """Say how it ended.

    ``group`` holds the culprit, or the candidates that cannot be told apart with their common probability; None where
    the ends do not differ.
    """

    kind: AnswerKind
    group: Group | None
    probability: float


def posterior_of(question: Question, known: Known, prior: Prior | None = None) -> Posterior:
    """Weigh all candidates; ``prior`` None: the even one."""
    prior = question.prior(known.acquitted) if prior is None else prior
    return weigh(prior, known.tallies, question.grid)


def next_step(question: Question, known: Known, costs: Costs, prior: Prior | None = None) -> Batch | Answer:
    """Return the boots to make next, or the answer; ``prior`` (None: the even one) saves making it each time.

    Where several boots run at once, a batch is whole rounds of them: what would stand idle may boot too, and each boot
    has as many beside it as any other. Only ``max_boots`` cuts a round short.
    """
    step = _step(question, known, costs, prior)
    if isinstance(step, Answer):
        return step
    boots = math.ceil(step.boots / costs.at_once) * costs.at_once
    if question.max_boots is not None:
        boots = min(boots, question.max_boots - known.boots)
    if boots <= 0:
        best = posterior_of(question, known, prior).best(known.untestable)
        return Answer(AnswerKind.UNDECIDED, None, best.probability)
    return Batch(step.position, boots)


def _step(question: Question, known: Known, costs: Costs, prior: Prior | None) -> Batch | Answer:
    first = _calibrate(question, known) if question.rates is None else None
    if first is not None:
        return first
    posterior = posterior_of(question, known, prior)
    best = posterior.best(known.untestable)
    if best.probability >= question.confidence:
        return _answer(question, known, best)
    batch = choose_batch(posterior, costs, known.untestable, question.confidence)
    return Answer(AnswerKind.UNDECIDED, None, best.probability) if batch is None else batch


def _calibrate(question: Question, known: Known) -> Batch | Answer | None:
    # None: the bad end fails often enough to search on.
    end, enough = question.candidates, question.clean_boots
    bad, good = known.at(end), known.at(0)
    if bad.bad == 0:
        if good.bad >= _FAILURES_THAT_SHOW and bad.good >= enough // 2:
            return Answer(AnswerKind.SWAPPED, None, 1.0)
        if bad.good < enough // 2:
            return Batch(end, enough // 2 - bad.good)
        # A failure that is at the good end alone: somebody has taken one for the other. Asked once half of the boots
        # are made, which a bad end that fails seldom gets to, too.
        look = min(_CALIBRATION_STEP, enough // 2)
        if good.told < look or (good.bad and good.told < enough):
            return Batch(0, max(1, look - good.told))
        if bad.good < enough:
            return Batch(end, enough - bad.good)
        return Answer(AnswerKind.ABSENT, None, 0.95)
    if bad.bad < _FAILURES_FIRST and bad.told < 3 * enough:
        return Batch(end, _CALIBRATION_STEP)
    if 0 in known.untestable:
        return None
    if good.bad >= _FAILURES_THAT_SHOW:
        return _compare_ends(question, known)
    others = [tally for position, tally in known.tallies.items() if position not in (0, end) and tally.told]
    nothing_passes = len(others) >= _POSITIONS_THAT_FAIL and all(tally.bad for tally in others)
    if question.good_end_first or nothing_passes:
        wanted = _to_tell(question, bad)
        if good.told < wanted or good.bad:
            return Batch(0, max(1, wanted - good.told)) if good.told < 2 * wanted else None
    return None


def _to_tell(question: Question, bad: Tally) -> int:
    # So many boots that a good end which fails like the bad one shows it in 19 of 20 cases.
    if bad.bad == 0:
        return question.clean_boots
    return min(question.clean_boots, math.ceil(math.log(0.05) / math.log1p(-bad.bad / (bad.told + 1))))


def _compare_ends(question: Question, known: Known) -> Batch | Answer | None:
    # Both ends fail. Alike: there is nothing to search for. Only the ends are asked, and only whether they differ.
    ends = {0: known.at(0), 1: known.at(question.candidates)}
    alike = weigh(_ALIKE_OR_NOT, ends, rate_grid(question.min_rate)).probability(0, 0)
    if alike >= question.confidence:
        return Answer(AnswerKind.BEFORE, None, alike)
    if alike <= 1 - question.confidence:
        return None
    return Batch(0 if ends[0].told <= ends[1].told else question.candidates, _CALIBRATION_STEP)


def _answer(question: Question, known: Known, best: Group) -> Batch | Answer:
    if best.last == 0:
        # At many candidates "before" outweighs the first ones unseen; only boots of the good end itself may say it.
        good = known.at(0)
        if good.bad < _FAILURES_THAT_SHOW and 0 not in known.untestable and good.told < question.clean_boots:
            return Batch(0, _CALIBRATION_STEP)
        return Answer(AnswerKind.BEFORE, None, best.probability)
    if best.first == question.candidates + 1:
        return Answer(AnswerKind.ABSENT, None, best.probability)
    # At few candidates the first ones outweigh "before" unseen; nobody believes a culprit compared with nothing.
    before = [tally for position, tally in known.tallies.items() if position < max(1, best.first)]
    if 0 not in known.untestable and not any(tally.told for tally in before):
        return Batch(0, _to_tell(question, known.at(question.candidates)))
    kind = AnswerKind.FOUND if best.first == best.last else AnswerKind.GROUP
    return Answer(kind, best, best.probability)
