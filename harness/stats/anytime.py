"""State a failure rate from boots that were watched: the interval holds at every moment, whenever one stops.

The beta-binomial mixture confidence sequence. Under a true rate p the mixture likelihood ratio
``M = B(a + bad, b + good) / (B(a, b) * p**bad * (1 - p)**good)`` is a martingale that starts at 1, so by Ville's
inequality it ever reaches 1/alpha with a probability of at most alpha; the rates at which it has not are the interval.
Sources: Robbins, "Statistical methods related to the law of the iterated logarithm" (1970); Howard, Ramdas, McAuliffe
and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences" (2021). a = b = 1/2 favours the rare
failures that are looked for: 0 of 1000 gives 0.70%, against 0.99% with a = b = 1 and the exact 0.37% of a fixed number.
"""

from __future__ import annotations

import math

__all__ = ["anytime_interval"]

_A = _B = 0.5
# Log odds beyond which a rate is 0 or 1 to a float.
_FAR = 700.0


def anytime_interval(bad: int, boots: int, confidence: float) -> tuple[float, float]:
    """Return the interval of the failure rate after ``bad`` of ``boots`` failed; 0 to 1 after no boot.

    With ``confidence`` (a fraction of 1), the true rate is inside at all moments of a campaign at once.
    """
    from scipy.optimize import brentq
    from scipy.special import betaln, expit, log_expit

    if not 0 <= bad <= boots:
        raise ValueError(f"{bad} of {boots} boots cannot have failed")
    good = boots - bad
    level = float(betaln(_A + bad, _B + good) - betaln(_A, _B)) + math.log(1 - confidence)

    def outside(log_odds: float) -> float:
        # log M - log 1/alpha: above 0 at the rates that are ruled out.
        return level - bad * float(log_expit(log_odds)) - good * float(log_expit(-log_odds))

    # A mixture of likelihoods is never above the greatest of them, so the observed rate is never ruled out, and M grows
    # to both sides of it. In log odds because rates near 0 and near 1 need their digits.
    observed = math.log(bad / good) if bad and good else _FAR if bad else -_FAR
    low = float(expit(brentq(outside, -_FAR, observed))) if bad else 0.0
    high = float(expit(brentq(outside, observed, _FAR))) if good else 1.0
    return low, high
