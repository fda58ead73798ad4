"""Answer whether a failure rate is below its limit, from a number of boots that was fixed beforehand."""

from __future__ import annotations

from enum import StrEnum

from harness.stats.binomial import lower_bound, upper_bound

__all__ = ["Answer", "fixed_answer"]


class Answer(StrEnum):
    """Say what the boots show: below the limit, above it, or neither."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNDECIDED = "UNDECIDED"


def fixed_answer(bad: int, good: int, lost: int, max_rate: float | None, confidence: float) -> Answer:
    """Return the answer after all boots that were planned.

    PASS and FAIL are each wrong with a probability of at most ``1 - confidence``. ``lost`` boots told nothing: an
    answer is given only if it would be the same had all of them failed, or none. ``max_rate`` None: no failure is
    accepted, and PASS says no more than that none was seen.
    """
    boots = bad + good + lost
    if max_rate is None:
        return Answer.FAIL if bad else Answer.UNDECIDED if lost or not boots else Answer.PASS
    if upper_bound(bad + lost, boots, confidence) <= max_rate:
        return Answer.PASS
    if lower_bound(bad, boots, confidence) > max_rate:
        return Answer.FAIL
    return Answer.UNDECIDED
