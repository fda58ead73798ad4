"""State a failure rate from a number of boots that was fixed beforehand: Clopper-Pearson, exact, never too narrow.

Sources: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
Biometrika 26 (1934). These numbers hold only where nobody could stop early because of what was seen so far; where
somebody could, :mod:`harness.stats.anytime` holds.
"""

from __future__ import annotations

import math

__all__ = ["clean_boots_needed", "exact_interval", "lower_bound", "most_failures_allowed", "upper_bound"]


def exact_interval(bad: int, boots: int, confidence: float) -> tuple[float, float]:
    """Return the two-sided interval of the failure rate after ``bad`` of ``boots`` failed; 0 to 1 after no boot.

    ``confidence`` is a fraction of 1. Each end alone is missed with at most half of what is left of it.
    """
    one_sided = (1 + confidence) / 2
    return lower_bound(bad, boots, one_sided), upper_bound(bad, boots, one_sided)


def upper_bound(bad: int, boots: int, confidence: float) -> float:
    """Return the rate that the failure rate is below, with ``confidence`` (one-sided)."""
    from scipy.special import betaincinv

    _require_counts(bad, boots)
    return 1.0 if bad == boots else float(betaincinv(bad + 1, boots - bad, confidence))


def lower_bound(bad: int, boots: int, confidence: float) -> float:
    """Return the rate that the failure rate is above, with ``confidence`` (one-sided)."""
    from scipy.special import betaincinv

    _require_counts(bad, boots)
    return 0.0 if bad == 0 else float(betaincinv(bad, boots - bad + 1, 1 - confidence))


def clean_boots_needed(max_rate: float, confidence: float) -> int:
    """Return how many boots, all of them good, show with ``confidence`` that the failure rate is below ``max_rate``.

    299 for 1% at 95%. Both are fractions of 1, above 0 and below 1.
    """
    # (1 - max_rate) ** n <= 1 - confidence; the rounding of the logarithms is not trusted with the last boot.
    boots = max(1, math.floor(math.log(1 - confidence) / math.log1p(-max_rate)) - 1)
    while boots * math.log1p(-max_rate) > math.log(1 - confidence):
        boots += 1
    return boots


def most_failures_allowed(boots: int, max_rate: float, confidence: float) -> int | None:
    """Return with how many failures ``boots`` still show a rate below ``max_rate``; None if not even with none."""
    if upper_bound(0, boots, confidence) > max_rate:
        return None
    allowed, refused = 0, boots  # that all fail is never allowed
    while refused - allowed > 1:
        middle = (allowed + refused) // 2
        if upper_bound(middle, boots, confidence) <= max_rate:
            allowed = middle
        else:
            refused = middle
    return allowed


def _require_counts(bad: int, boots: int) -> None:
    if not 0 <= bad <= boots:
        raise ValueError(f"{bad} of {boots} boots cannot have failed")
