"""Compare two failure rates that were counted with fixed numbers of boots: an exact test, and an exact interval.

The test is Boschloo's ("Raised conditional level of significance for the 2 x 2 table when testing the equality of two
probabilities", Statistica Neerlandica 24, 1970), which is never weaker than Fisher's; where an arm has so many boots
that it would take seconds, Fisher's own, which the numbers make as good.

The interval is that of Chan and Zhang ("Test-based exact confidence intervals for the difference of two binomial
proportions", Biometrics 55, 1999): it holds every difference that neither of two one-sided tests refuses. Each test
takes the score of Miettinen and Nurminen (Statistics in Medicine 4, 1985) as its measure, and the worst over all rates
that have this difference as its probability. So it misses the true difference with at most what is left of the
confidence, whatever the rates are; approximate intervals do not near 0, where failure rates live.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

__all__ = ["difference_interval", "least_rate_p", "rate_p"]

# From here on Boschloo's test takes seconds (scipy searches its worst case among so many tables).
_MOST_BOSCHLOO = 200
# Scores that differ by rounding alone are the same score.
_SAME = 1e-7
_DELTAS = 33
_HALVINGS = 20


@lru_cache(maxsize=4096)
def rate_p(bad_a: int, boots_a: int, bad_b: int, boots_b: int) -> float:
    """Return how likely counts as different as these, or more, are if both fail at one rate (two-sided); exact.

    1 if an arm has no boots, or if all boots of both ended the same way.
    """
    from scipy.stats import boschloo_exact, fisher_exact

    _require_counts(bad_a, boots_a, bad_b, boots_b)
    if not boots_a or not boots_b or bad_a + bad_b in (0, boots_a + boots_b):
        return 1.0
    table = [[bad_a, bad_b], [boots_a - bad_a, boots_b - bad_b]]
    if max(boots_a, boots_b) > _MOST_BOSCHLOO:
        return float(fisher_exact(table)[1])
    return min(1.0, float(boschloo_exact(table).pvalue))


def least_rate_p(bad: int, boots_a: int, boots_b: int) -> float:
    """Return the least ``rate_p`` that ``bad`` failures in all could give: were they as unevenly spread as possible."""
    in_a, in_b = min(bad, boots_a), min(bad, boots_b)
    return min(rate_p(in_a, boots_a, bad - in_a, boots_b), rate_p(bad - in_b, boots_a, in_b, boots_b))


def difference_interval(
    bad_a: int, boots_a: int, bad_b: int, boots_b: int, confidence: float
) -> tuple[float, float]:  # fmt: skip
    """Return the interval of B's failure rate minus A's, a fraction of 1; -1 to 1 if an arm has no boots.

    With at least ``confidence`` (a fraction of 1) it holds the true difference; each end alone misses it with at most
    half of what is left.
    """
    _require_counts(bad_a, boots_a, bad_b, boots_b)
    if not boots_a or not boots_b:
        return -1.0, 1.0
    miss = (1 - confidence) / 2
    high = -_lower_end(bad_b, boots_b, bad_a, boots_a, miss)
    return _lower_end(bad_a, boots_a, bad_b, boots_b, miss), high


def _lower_end(bad_a: int, boots_a: int, bad_b: int, boots_b: int, miss: float) -> float:
    # The least difference that is not refused in favour of a greater one. The probability need not grow evenly with the
    # difference, so the first that is not refused is looked for from below.
    import numpy as np

    observed = bad_b / boots_b - bad_a / boots_a
    refused = -1.0
    for delta in np.linspace(-1.0, observed, _DELTAS)[1:]:
        if _probability(bad_a, boots_a, bad_b, boots_b, float(delta)) > miss:
            kept = float(delta)
            break
        refused = float(delta)
    else:
        return observed
    if bad_a == boots_a and bad_b == 0:
        return -1.0
    for _ in range(_HALVINGS):
        middle = (refused + kept) / 2
        if _probability(bad_a, boots_a, bad_b, boots_b, middle) > miss:
            kept = middle
        else:
            refused = middle
    return refused


def _probability(bad_a: int, boots_a: int, bad_b: int, boots_b: int, delta: float) -> float:
    # How likely counts speak as strongly for a difference above delta as these do, if it is delta: the worst over all
    # rates of A.
    import numpy as np

    observed = float(_score(np.array([bad_a]), boots_a, np.array([bad_b]), boots_b, delta)[0])
    least = _least_as_strong(boots_a, boots_b, delta, observed - _SAME * max(1.0, abs(observed)))
    low, high = max(0.0, -delta), min(1.0, 1.0 - delta)
    # Even steps of the arc sine: a binomial has the same width everywhere in them.
    steps = max(128, 4 * math.isqrt(max(boots_a, boots_b)))
    angles = np.linspace(0, math.pi / 2, steps + 1)
    chances = _chances(low + (high - low) * np.sin(angles) ** 2, boots_a, boots_b, delta, least)
    worst = int(np.argmax(chances))
    near = np.linspace(angles[max(0, worst - 1)], angles[min(steps, worst + 1)], 33)
    finer = _chances(low + (high - low) * np.sin(near) ** 2, boots_a, boots_b, delta, least)
    return float(max(chances.max(), finer.max()))


def _least_as_strong(boots_a: int, boots_b: int, delta: float, threshold: float) -> Any:
    # For each count of A the least count of B whose score reaches the threshold: the score grows with B's count.
    import numpy as np

    bad_a = np.arange(boots_a + 1)
    below = np.full(boots_a + 1, -1)
    reached = np.full(boots_a + 1, boots_b + 1)
    for _ in range((boots_b + 2).bit_length()):
        middle = (below + reached) // 2
        asked = np.clip(middle, 0, boots_b)
        reaches = (_score(bad_a, boots_a, asked, boots_b, delta) >= threshold) | (middle > boots_b)
        apart = reached - below > 1
        reached = np.where(apart & reaches, middle, reached)
        below = np.where(apart & ~reaches, middle, below)
    return reached


def _chances(rates_a: Any, boots_a: int, boots_b: int, delta: float, least: Any) -> Any:
    import numpy as np

    in_a = _binomial(rates_a, boots_a)
    in_b = _binomial(np.clip(rates_a + delta, 0.0, 1.0), boots_b)
    # tail[:, k]: how likely B has k failures or more; none has boots_b + 1.
    tail = np.cumsum(in_b[:, ::-1], axis=1)[:, ::-1]
    tail = np.concatenate([tail, np.zeros((len(tail), 1))], axis=1)
    return (in_a * tail[:, least]).sum(axis=1)


def _binomial(rates: Any, boots: int) -> Any:
    import numpy as np
    from scipy.special import gammaln, xlog1py, xlogy

    bad = np.arange(boots + 1)
    ways = gammaln(boots + 1) - gammaln(bad + 1) - gammaln(boots - bad + 1)
    rate = rates[:, None]
    return np.exp(ways + xlogy(bad, rate) + xlog1py(boots - bad, -rate))


def _score(bad_a: Any, boots_a: int, bad_b: Any, boots_b: int, delta: float) -> Any:
    # How far the observed difference is above delta, in its standard deviations at the likeliest rates that differ by
    # delta. Those are the root of a cubic (Miettinen and Nurminen, appendix I, with their 1 as our B).
    import numpy as np

    boots = boots_a + boots_b
    a = np.asarray(bad_a, dtype=float)
    b = np.asarray(bad_b, dtype=float)
    l3 = float(boots)
    l2 = (boots_b + 2 * boots_a) * delta - boots - (a + b)
    l1 = (boots_a * delta - boots - 2 * a) * delta + a + b
    l0 = a * delta * (1 - delta)
    third = l2 / (3 * l3)
    q = third**3 - l1 * l2 / (6 * l3**2) + l0 / (2 * l3)
    root = np.sqrt(np.maximum(third**2 - l1 / (3 * l3), 0.0))
    p = np.where(q < 0, -root, root)
    cube = p**3
    cosine = np.divide(q, cube, out=np.zeros_like(q), where=np.abs(cube) > 0)
    angle = (math.pi + np.arccos(np.clip(cosine, -1.0, 1.0))) / 3
    rate_a = np.clip(2 * p * np.cos(angle) - third, max(0.0, -delta), min(1.0, 1.0 - delta))
    rate_b = np.clip(rate_a + delta, 0.0, 1.0)
    variance = rate_a * (1 - rate_a) / boots_a + rate_b * (1 - rate_b) / boots_b
    above = b / boots_b - a / boots_a - delta
    certain = np.where(np.abs(above) < 1e-12, 0.0, np.copysign(math.inf, above))
    return np.divide(above, np.sqrt(variance), out=certain, where=variance > 1e-15)


def _require_counts(bad_a: int, boots_a: int, bad_b: int, boots_b: int) -> None:
    if not 0 <= bad_a <= boots_a or not 0 <= bad_b <= boots_b:
        raise ValueError(f"{bad_a} of {boots_a} and {bad_b} of {boots_b} boots cannot have failed")
