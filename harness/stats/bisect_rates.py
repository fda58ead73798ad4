"""Know nothing of the failure rates beforehand: a grid of rates to integrate over.

The bad side fails at a rate somewhere between half the least rate that matters and nearly 1, evenly in its logarithm of
odds but for the square root of the rate: somebody has seen it fail, and what fails often is seen sooner. The good side
may well not fail in this way at all, since boots are matched by signature; otherwise it fails at a share of the bad
side's rate, at most half of it. Rates that are closer than that count as no difference.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "RateGrid", "known_rates", "rate_grid"]

Floats = NDArray[np.float64]

# Enough that the sum over the grid is the integral to three digits, few enough that a choice takes half a millisecond.
_BAD_RATES = 28
_GOOD_SHARES = (0.05, 0.1, 0.2, 0.35, 0.5)
# A clean side may still fail once in 10,000 boots with the signature: no single boot settles anything for ever.
_CLEAN_RATE = 1e-4
# Weighed higher, a good side that does fail is taken for the bad one too often: at 0.5 and at 0.45, some 94% of the
# answers at a stated 95% are right where 20% is to be told from 2%, at 0.4 some 95%. All others pay 1% more for it.
_CLEAN_WEIGHT = 0.4

#: The sizes of a batch that are compared, in rounds.
_BATCHES = (1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 36, 48, 64, 86, 115, 150, 200, 300)


@dataclass(frozen=True, slots=True, eq=False)
class RateGrid:
    """Hold pairs of rates (bad side, good side), flattened to one axis of ``pairs``, and what is needed of them.

    ``log_bad`` and ``log_good`` are 2 by pairs: the logarithms of failing and of not failing. ``log_weight`` is the
    prior. ``batches`` are sizes of batches, in rounds of one boot or of several at once; ``no_bad`` and ``no_good``,
    pairs by batches, are the chances that none of so many boots fails.
    """

    bad: Floats
    good: Floats
    log_bad: Floats
    log_good: Floats
    log_weight: Floats
    batches: Floats
    no_bad: Floats
    no_good: Floats


@functools.cache
def rate_grid(min_rate: float) -> RateGrid:
    """Make the grid for failures that matter from ``min_rate`` (a fraction of 1) on."""
    least, most = min_rate / 2, 0.98
    odds = np.linspace(np.log(least / (1 - least)), np.log(most / (1 - most)), _BAD_RATES)
    rates = 1 / (1 + np.exp(-odds))
    good = np.column_stack([np.minimum(_CLEAN_RATE, rates / 10), rates[:, None] * np.array(_GOOD_SHARES)])
    weight = np.array([_CLEAN_WEIGHT, *[(1 - _CLEAN_WEIGHT) / len(_GOOD_SHARES)] * len(_GOOD_SHARES)])
    beforehand = np.outer(np.sqrt(rates) / np.sqrt(rates).sum(), weight)
    return _grid(np.repeat(rates, len(weight)), good.ravel(), beforehand.ravel())


@functools.cache
def known_rates(bad: float, good: float) -> RateGrid:
    """Make the grid of one pair, for rates (fractions of 1) that are known; a ``good`` of 0 is taken as 1 in 10,000."""
    return _grid(np.array([bad]), np.array([max(good, _CLEAN_RATE)]), np.ones(1))


def _grid(bad: Floats, good: Floats, beforehand: Floats) -> RateGrid:
    batches = np.array(_BATCHES, dtype=np.float64)
    return RateGrid(
        bad=bad,
        good=good,
        log_bad=np.stack([np.log(bad), np.log1p(-bad)]),
        log_good=np.stack([np.log(good), np.log1p(-good)]),
        log_weight=np.log(beforehand),
        batches=batches,
        no_bad=(1 - bad[:, None]) ** batches,
        no_good=(1 - good[:, None]) ** batches,
    )
