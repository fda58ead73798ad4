"""Ask many questions of the same boots, and still claim something untrue in no more cases than one question would.

Holm's step-down rule with weights ("A simple sequentially rejective multiple test procedure", Scandinavian Journal of
Statistics 6, 1979): whatever the questions have to do with each other, the probability that any claim is untrue stays
below what is left of the confidence. The weights say how much of that each question may use up.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["correct_p"]


def correct_p(asked: Sequence[tuple[float, float]]) -> list[float]:
    """Return the corrected p of each (p, weight), in the same order; each may be held against the confidence itself.

    Weights are above 0, in any unit.
    """
    order = sorted(range(len(asked)), key=lambda at: asked[at][0] / asked[at][1])
    corrected = [1.0] * len(asked)
    left = sum(weight for _, weight in asked)
    least = 0.0
    for at in order:
        p, weight = asked[at]
        # Never below p itself, also where `left` has lost its last digits or p is the smallest number there is.
        least = max(least, p, min(1.0, p * (left / weight)))
        corrected[at] = least
        left -= weight
    return corrected
