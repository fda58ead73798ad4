"""Decide while boots are made whether the failure rate is below a limit, and stop as soon as it is known.

Two tests run side by side, each a mixture likelihood ratio against the limit R:

- "R or above" is rejected, the answer PASS, once ``∫ q**bad (1 - q)**good dw(q) / (R**bad (1 - R)**good)`` over rates q
  below R reaches 1/alpha; half of w is on q = 0, a build that never fails, the rest is Jeffreys' prior below R;
- "R or below" is rejected, the answer FAIL, once the same with Jeffreys' prior over the rates above R reaches 1/alpha.

Each ratio is a supermartingale from 1 under every rate that it speaks against, so each wrong answer has a probability
of at most alpha = 1 - confidence, however often one looks and wherever one stops (Ville's inequality; Robbins, 1970).
Wald's SPRT would need a second rate, below which a build counts as good, that nobody can name; this costs 10% more
clean boots than a fixed number does, and nothing has to be guessed. Variants that take turns and differ among
themselves keep the bound at the end of each round, where it speaks of their mean (the inequality of the means), so ask
only there.
"""

from __future__ import annotations

import math

from harness.stats.answer import Answer

__all__ = ["sequential_answer", "sequential_clean_boots_needed"]

_A = _B = 0.5
_WEIGHT_OF_NEVER = 0.5


def sequential_answer(bad: int, good: int, lost: int, max_rate: float, confidence: float) -> Answer:
    """Return the answer at this moment; the first that is not UNDECIDED is final.

    ``lost`` boots told nothing: an answer is given only if it would be the same had all of them failed, or none.
    """
    needed = -math.log(1 - confidence)
    if _evidence_below(bad + lost, good, max_rate) >= needed:
        return Answer.PASS
    if _evidence_above(bad, good + lost, max_rate) >= needed:
        return Answer.FAIL
    return Answer.UNDECIDED


def sequential_clean_boots_needed(max_rate: float, confidence: float) -> int:
    """Return after how many boots, all of them good, the answer is PASS: 328 for 1% at 95%."""
    needed = -math.log(1 - confidence)
    few, enough = 0, 1
    while _evidence_below(0, enough, max_rate) < needed:
        few, enough = enough, 2 * enough
    while enough - few > 1:
        middle = (few + enough) // 2
        if _evidence_below(0, middle, max_rate) < needed:
            few = middle
        else:
            enough = middle
    return enough


# Both return the logarithm of the ratio; -inf where the counts speak so much for the limit that floats end.
def _evidence_below(bad: int, good: int, max_rate: float) -> float:
    from scipy.special import betainc, betaln

    a, b = _A + bad, _B + good
    share = float(betainc(a, b, max_rate))
    prior = float(betaln(_A, _B)) + math.log(float(betainc(_A, _B, max_rate)))
    spread = float(betaln(a, b)) + math.log(share) - prior if share else -math.inf
    # A build that never fails explains every good boot fully and no bad one.
    never = 0.0 if bad == 0 else -math.inf
    likelihood = _log_sum(math.log(_WEIGHT_OF_NEVER) + never, math.log1p(-_WEIGHT_OF_NEVER) + spread)
    return likelihood - _log_likelihood(bad, good, max_rate)


def _evidence_above(bad: int, good: int, max_rate: float) -> float:
    from scipy.special import betaincc, betaln

    a, b = _A + bad, _B + good
    share = float(betaincc(a, b, max_rate))
    if not share:
        return -math.inf
    prior = float(betaln(_A, _B)) + math.log(float(betaincc(_A, _B, max_rate)))
    return float(betaln(a, b)) + math.log(share) - prior - _log_likelihood(bad, good, max_rate)


def _log_likelihood(bad: int, good: int, rate: float) -> float:
    return bad * math.log(rate) + good * math.log1p(-rate)


def _log_sum(x: float, y: float) -> float:
    most = max(x, y)
    return most if most == -math.inf else most + math.log(math.exp(x - most) + math.exp(y - most))
