"""Find what differs between arms: how often boots fail, in which way, and how long start-up takes.

All questions of one comparison share one error rate: where nothing differs, any claim at all is made in at most
``1 - confidence`` of the comparisons. Half of that is for the question that was asked, whether the failure rates
differ; a quarter each for the kinds of failure and for the times. Questions that these boots cannot answer, however
they had come out between the arms, are not asked, and leave theirs to the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from harness.compare.arms import START_UP, Arm, names_of_times
from harness.stats.compare_many import correct_p
from harness.stats.compare_rates import difference_interval, least_rate_p, rate_p
from harness.stats.compare_times import PairedTimes, UnpairedTimes, paired_times, unpaired_times

__all__ = ["Comparison", "KindFound", "RatesFound", "TimeFound", "compare_arms"]

_RATE_WEIGHT, _KIND_WEIGHT, _TIME_WEIGHT = 2.0, 1.0, 1.0
# With fewer pairs, no order of them is rare enough to say anything.
_FEWEST_PAIRS = 6
# Marks come with the pieces of a console: below this, a time is when QEMU wrote rather than when the guest did.
_SHORTEST_S = 0.001


@dataclass(frozen=True, slots=True)
class RatesFound:
    """Hold the failures of both arms, and ``low`` to ``high``, the interval of B's rate minus A's.

    ``corrected`` is ``p`` among all questions of the comparison. ``firm``: the claim stands even if all boots that told
    nothing had spoken against it.
    """

    bad_a: int
    told_a: int
    bad_b: int
    told_b: int
    low: float
    high: float
    p: float
    corrected: float
    firm: bool

    @property
    def difference(self) -> float:
        """Return B's observed rate minus A's; 0 if an arm has none."""
        if not self.told_a or not self.told_b:
            return 0.0
        return self.bad_b / self.told_b - self.bad_a / self.told_a


@dataclass(frozen=True, slots=True)
class KindFound:
    """Hold the failures of one signature in both arms; ``corrected`` None: too few to ask about."""

    signature: str
    bad_a: int
    bad_b: int
    p: float
    corrected: float | None


@dataclass(frozen=True, slots=True)
class TimeFound:
    """Hold one time of start-up, in seconds: the medians, how B compares, and the pairs that this rests on.

    ``paired`` None: no two boots that got so far were made beside each other, so that the times can be described, not
    tested; ``corrected`` is None there, and where the pairs are too few.
    """

    name: str
    median_a_s: float
    median_b_s: float
    described: UnpairedTimes
    paired: PairedTimes | None
    corrected: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Hold all that was found about B (``other``) beside A (``reference``) with ``confidence``, a fraction of 1."""

    reference: Arm
    other: Arm
    confidence: float
    rates: RatesFound
    kinds: tuple[KindFound, ...]
    times: tuple[TimeFound, ...]

    def shown(self, corrected: float | None) -> bool:
        """Tell whether a corrected p is small enough for a claim."""
        return corrected is not None and corrected <= 1 - self.confidence

    @property
    def rate_differs(self) -> bool:
        """Tell whether a difference of the failure rates is shown."""
        return self.shown(self.rates.corrected) and self.rates.firm

    @property
    def kinds_shown(self) -> tuple[KindFound, ...]:
        """Return the kinds of failure whose frequencies differ."""
        return tuple(kind for kind in self.kinds if self.shown(kind.corrected))

    @property
    def times_shown(self) -> tuple[TimeFound, ...]:
        """Return the times that differ."""
        return tuple(time for time in self.times if self.shown(time.corrected))

    @property
    def worse(self) -> bool:
        """Tell whether B is shown to be worse in anything."""
        return (
            (self.rate_differs and self.rates.difference > 0)
            or any(_more_in_b(kind, self) for kind in self.kinds_shown)
            or any(time.paired is not None and time.paired.ratio > 1 for time in self.times_shown)
        )

    @property
    def differs(self) -> bool:
        """Tell whether any difference is shown."""
        return self.rate_differs or bool(self.kinds_shown) or bool(self.times_shown)


def compare_arms(arms: Sequence[Arm], confidence: float) -> tuple[Comparison, ...]:
    """Compare each arm but the first with the first."""
    reference = arms[0]
    found = [_ask(reference, other, confidence) for other in arms[1:]]
    asked: list[tuple[float, float]] = []
    for comparison in found:
        asked += _questions(comparison)
    answers = iter(correct_p(asked))
    return tuple(_corrected(comparison, lambda: next(answers)) for comparison in found)


def _ask(a: Arm, b: Arm, confidence: float) -> Comparison:
    most = 1 - confidence
    low, high = difference_interval(a.bad, a.told, b.bad, b.told, confidence)
    rates = RatesFound(a.bad, a.told, b.bad, b.told, low, high, rate_p(a.bad, a.told, b.bad, b.told), 1.0, True)
    in_a, in_b = a.kinds(), b.kinds()
    kinds = []
    # One kind alone is the failure rate once more.
    several = len(in_a | in_b) > 1
    for signature, total in (in_a + in_b).most_common():
        p = rate_p(in_a[signature], a.told, in_b[signature], b.told)
        asked = several and least_rate_p(total, a.told, b.told) <= most
        kinds.append(KindFound(signature, in_a[signature], in_b[signature], p, 1.0 if asked else None))
    times = [time for name in names_of_times((a, b)) if (time := _time(name, a, b, confidence)) is not None]
    return Comparison(a, b, confidence, rates, tuple(kinds), tuple(times))


def _time(name: str, a: Arm, b: Arm, confidence: float) -> TimeFound | None:
    of_a = [max(_SHORTEST_S, boot.times_s[name]) for boot in a.boots if name in boot.times_s]
    of_b = [max(_SHORTEST_S, boot.times_s[name]) for boot in b.boots if name in boot.times_s]
    if not of_a or not of_b:
        return None
    in_block = {boot.block: max(_SHORTEST_S, boot.times_s[name]) for boot in a.boots if name in boot.times_s}
    pairs = [
        (in_block[boot.block], max(_SHORTEST_S, boot.times_s[name]))
        for boot in b.boots
        if name in boot.times_s and boot.block is not None and boot.block in in_block
    ]
    paired = paired_times(pairs, confidence) if pairs else None
    corrected = 1.0 if len(pairs) >= _FEWEST_PAIRS else None
    return TimeFound(name, median(of_a), median(of_b), unpaired_times(of_a, of_b), paired, corrected)


# The questions of a comparison with their weights, in the order in which _corrected takes the answers.
def _questions(found: Comparison) -> list[tuple[float, float]]:
    rates = found.rates
    possible = least_rate_p(rates.bad_a + rates.bad_b, rates.told_a, rates.told_b) <= 1 - found.confidence
    asked = [(rates.p, _RATE_WEIGHT if possible else 1e-9)]
    kinds = [kind for kind in found.kinds if kind.corrected is not None]
    asked += [(kind.p, _KIND_WEIGHT / len(kinds)) for kind in kinds]
    times = [time for time in found.times if time.corrected is not None]
    # The whole of start-up is what people ask about; its phases say where the difference is.
    shares = [len(times) - 1 or 1 if time.name == START_UP else 1 for time in times]
    for time, share in zip(times, shares, strict=True):
        assert time.paired is not None  # corrected is None where it is
        asked.append((time.paired.p, _TIME_WEIGHT * share / sum(shares)))
    return asked


def _corrected(found: Comparison, answer: Callable[[], float]) -> Comparison:
    rates = replace(found.rates, corrected=answer())
    found = replace(
        found,
        rates=rates,
        kinds=tuple(kind if kind.corrected is None else replace(kind, corrected=answer()) for kind in found.kinds),
        times=tuple(time if time.corrected is None else replace(time, corrected=answer()) for time in found.times),
    )
    return replace(found, rates=replace(rates, firm=_is_firm(found)))


def _is_firm(found: Comparison) -> bool:
    rates, a, b = found.rates, found.reference, found.other
    if not found.shown(rates.corrected) or not a.lost + b.lost:
        return True
    # The lost boots of the arm that fails more count as good, those of the other as bad.
    worse_b = rates.difference > 0
    bad_a = rates.bad_a + (a.lost if worse_b else 0)
    bad_b = rates.bad_b + (0 if worse_b else b.lost)
    boots_a, boots_b = rates.told_a + a.lost, rates.told_b + b.lost
    still = (bad_b / boots_b > bad_a / boots_a) == worse_b
    factor = rates.corrected / rates.p if rates.p else 1.0
    return still and found.shown(min(1.0, rate_p(bad_a, boots_a, bad_b, boots_b) * factor))


def _more_in_b(kind: KindFound, found: Comparison) -> bool:
    return kind.bad_b * found.rates.told_a > kind.bad_a * found.rates.told_b
