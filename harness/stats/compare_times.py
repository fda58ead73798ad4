"""Compare how long something takes in two settings, on a machine that is noisy, drifts, and has bad moments.

Boots are compared only with their neighbours: a pair is one boot of each setting, made one after the other (or at the
same time) in an order that was drawn by lot. If the setting changes nothing, each pair could as well have come about
the other way round, whatever the machine did meanwhile. So the test is that of signs within pairs, by ranks (Wilcoxon,
"Individual comparisons by ranking methods", Biometrics Bulletin 1, 1945); drift, outliers and noise that remembers
leave its error rate as stated. Ratios rather than differences, because a busy machine stretches times. The effect is
the median of the Walsh averages with the interval that belongs to the same test (Hodges and Lehmann, Annals of
Mathematical Statistics 34, 1963).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist, median
from typing import Any

__all__ = ["PairedTimes", "UnpairedTimes", "paired_times", "unpaired_times"]

# Up to here the distribution of the rank sum is counted; beyond, its normal approximation is right to four digits.
_MOST_COUNTED = 100


@dataclass(frozen=True, slots=True)
class PairedTimes:
    """Say how B's times compare with A's in ``pairs``.

    ``ratio`` is how many times as long B takes; ``low`` and ``high`` are its interval, 0 and infinity where too few
    pairs allow none. ``longer`` is the share of the pairs in which B took longer, a tie counting half. ``p`` is how
    likely a difference as clear as this is if there is none.
    """

    pairs: int
    ratio: float
    low: float
    high: float
    longer: float
    p: float


@dataclass(frozen=True, slots=True)
class UnpairedTimes:
    """Describe times that were not measured in pairs; nothing can be concluded from a machine that may have changed.

    ``ratio`` is B's median over A's. ``longer`` is the share of all pairings in which B took longer, a tie counting
    half (Vargha and Delaney's A).
    """

    ratio: float
    longer: float


def paired_times(pairs: Sequence[tuple[float, float]], confidence: float) -> PairedTimes:
    """Compare at least one pair of (A's, B's) durations, all above 0, in any unit.

    ``confidence``, a fraction of 1, is that of the interval.
    """
    import numpy as np

    logs = np.array([math.log(b / a) for a, b in pairs])
    walsh = np.sort(np.add.outer(logs, logs)[np.triu_indices(len(logs))]) / 2
    rank = _outer_rank(len(logs), 1 - confidence)
    low, high = (math.exp(walsh[rank - 1]), math.exp(walsh[-rank])) if rank else (0.0, math.inf)
    longer = float((logs > 0).mean() + (logs == 0).mean() / 2)
    return PairedTimes(len(pairs), math.exp(float(np.median(walsh))), low, high, longer, _p(logs))


def unpaired_times(a: Sequence[float], b: Sequence[float]) -> UnpairedTimes:
    """Describe at least one duration of each, all above 0, in any unit."""
    import numpy as np

    order = np.sort(np.array(a))
    below, not_above = np.searchsorted(order, b, side="left"), np.searchsorted(order, b, side="right")
    return UnpairedTimes(median(b) / median(a), float((below + not_above).mean() / (2 * len(a))))


def _p(logs: Any) -> float:
    from scipy.stats import wilcoxon

    # A pair without a difference has no sign to ask about.
    different = logs[logs != 0]
    return float(wilcoxon(different).pvalue) if len(different) else 1.0


@lru_cache(maxsize=256)
def _outer_rank(pairs: int, miss: float) -> int:
    # The rank of the Walsh average that is the lower end, counted from 1 and, for the upper end, from above; 0: none.
    if pairs > _MOST_COUNTED:
        middle = pairs * (pairs + 1) / 4
        spread = math.sqrt(middle * (2 * pairs + 1) / 6)
        return max(0, math.floor(middle - NormalDist().inv_cdf(1 - miss / 2) * spread))
    # ways[s]: how many of the 2**pairs choices of signs have the rank sum s.
    ways = [1]
    for rank in range(1, pairs + 1):
        ways = [
            (ways[total] if total < len(ways) else 0) + (ways[total - rank] if total >= rank else 0)
            for total in range(len(ways) + rank)
        ]
    allowed, below = miss / 2 * 2**pairs, 0
    for total, count in enumerate(ways):
        below += count
        if below > allowed:
            return total
    return 0
