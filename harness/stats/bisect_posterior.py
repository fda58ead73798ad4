"""Weigh, from boots, where in an ordered range a failure begins.

Positions are 0 (the good end) to N (the bad end). Candidate ``c`` says that positions from ``c`` on fail at the bad
side's rate and all before it at the good side's. ``c`` = 0 says that even the good end has the failure (it began before
the range), ``c`` = N + 1 that not even the bad end has it.

Between two tested positions all candidates explain the boots equally well, so that a range of 15,000 costs no more than
one of 15: all is computed over segments between tested positions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.stats.bisect_rates import Floats, RateGrid

__all__ = ["Group", "Posterior", "Prior", "Tally", "even_prior", "weigh"]

# What is kept for "before the range" and for "not even at the bad end", each. At 15,000 candidates it is far more than
# any single one has; an answer of that kind therefore also needs boots at the end that it speaks of (stats/bisect.py).
_BESIDE = 0.02


@dataclass(frozen=True, slots=True)
class Tally:
    """Count the boots of one position: failed with the signature, did not fail, ended in any other way.

    Those that ended otherwise are neither good nor bad: they tell nothing of where this failure begins.
    """

    bad: int = 0
    good: int = 0
    other: int = 0

    def __add__(self, more: Tally) -> Tally:
        """Count both."""
        return Tally(self.bad + more.bad, self.good + more.good, self.other + more.other)

    @property
    def told(self) -> int:
        """Return how many boots told something."""
        return self.bad + self.good


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """Hold what each candidate from 0 to N + 1 has beforehand; ``below[c]`` is the sum of all before ``c``."""

    size: int
    below: Floats

    def of(self, first: int, last: int) -> float:
        """Return the sum from ``first`` to ``last``, both included."""
        return float(self.below[last + 1] - self.below[first])


def even_prior(size: int, acquitted: Collection[int] = ()) -> Prior:
    """Make the prior of a range of ``size`` candidates, equal for all but those that are ``acquitted``.

    Acquitted is what cannot be the cause: a commit whose image is identical to the one before it.
    """
    share = np.full(size + 2, (1 - 2 * _BESIDE) / max(1, size - len(acquitted)))
    share[0] = share[-1] = _BESIDE
    share[list(acquitted)] = 0
    return Prior(size, np.concatenate([[0.0], np.cumsum(share / share.sum())]))


@dataclass(frozen=True, slots=True)
class Group:
    """Be candidates ``first`` to ``last`` that nothing can tell apart, and the probability that it is one of them."""

    first: int
    last: int
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Hold what the boots show.

    ``edges`` are -1, the tested positions, and N + 1: segment ``j`` holds the candidates after ``edges[j]`` up to
    ``edges[j + 1]``. ``joint`` is segments by pairs of rates, and sums to 1; ``mass`` its sum over the rates.
    """

    prior: Prior
    grid: RateGrid
    edges: NDArray[np.int64]
    beforehand: Floats
    joint: Floats
    mass: Floats

    def probability(self, first: int, last: int) -> float:
        """Return the probability that the failure begins at one of ``first`` to ``last``, both included."""
        below = self.prior.below
        low, high = np.maximum(first, self.edges[:-1] + 1), np.minimum(last, self.edges[1:])
        inside = np.where(high >= low, below[np.maximum(high, low) + 1] - below[low], 0.0)
        return float((self.mass * inside / self._divisor()).sum())

    def _divisor(self) -> Floats:
        return np.maximum(self.beforehand, 1e-300)

    @property
    def entropy_bits(self) -> float:
        """Return how many yes-or-no answers are still missing."""
        live = (self.mass > 0) & (self.beforehand > 0)
        mass, prior = self.mass[live], self.beforehand[live]
        each = prior / np.maximum(1, np.diff(self.edges)[live])
        return float(-(mass * np.log2(mass * each / prior)).sum())

    @property
    def bad_rate(self) -> float:
        """Return the expected failure rate of the bad side."""
        return float(self.joint.sum(axis=0) @ self.grid.bad)

    def best(self, untestable: Collection[int]) -> Group:
        """Return the most probable candidate, together with those that no testable position separates from it."""
        width = np.diff(self.edges)
        each = np.where(self.beforehand > 0, self.mass / self._divisor(), 0.0)
        below = self.prior.below
        ends = [Group(0, 0, self.probability(0, 0)), Group(self.prior.size + 1, self.prior.size + 1, 0.0)]
        ends[1] = Group(ends[1].first, ends[1].last, self.probability(ends[1].first, ends[1].last))
        groups = ends if not untestable else [*ends, *self._runs(untestable)]
        # Within a segment the prior decides, and all candidates but the two beside the range have the same or none.
        for j in np.argsort(each)[::-1][:3]:
            first = int(self.edges[j]) + 1
            if width[j] == 1:
                groups.append(Group(first, first, float(self.mass[j])))
                continue
            shares = np.diff(below[first : int(self.edges[j + 1]) + 2])
            if first == 0:
                shares[0] = 0
            at = first + int(shares.argmax())
            groups.append(Group(at, at, self.probability(at, at)))
        if untestable:
            merged = self._runs(untestable)
            groups = [
                next((run for run in merged if run.first <= group.first <= run.last), group) for group in groups
            ] + merged
        return max(groups, key=lambda group: group.probability)

    def _runs(self, untestable: Collection[int]) -> list[Group]:
        # Only a boot of position u tells candidate u (u fails) from u + 1 (it does not): a run of untestable positions
        # u to v leaves u to v + 1 together.
        runs: list[tuple[int, int]] = []
        for position in sorted(untestable):
            if runs and runs[-1][1] == position:
                runs[-1] = (runs[-1][0], position + 1)
            else:
                runs.append((position, position + 1))
        return [Group(first, last, self.probability(first, last)) for first, last in runs]

    def credible(self, confidence: float) -> list[Group]:
        """Return the smallest set of candidates that holds the cause with ``confidence``, as ranges in order."""
        size = self.prior.size
        shares = np.diff(self.prior.below)
        each = np.where(self.beforehand > 0, self.mass / self._divisor(), 0.0)
        of = np.repeat(each, np.diff(self.edges)) * shares
        order = np.argsort(-of, kind="stable")
        taken = order[: int(np.searchsorted(np.cumsum(of[order]), confidence)) + 1]
        groups: list[Group] = []
        for c in sorted(int(c) for c in taken):
            beside = c in (0, 1, size + 1)  # "before" and "not even" are no neighbours of the first and the last
            if groups and groups[-1].last == c - 1 and not beside:
                groups[-1] = Group(groups[-1].first, c, groups[-1].probability + float(of[c]))
            else:
                groups.append(Group(c, c, float(of[c])))
        return groups


def weigh(prior: Prior, tallies: Mapping[int, Tally], grid: RateGrid) -> Posterior:
    """Weigh all candidates by the boots of the tested positions, over all rates that could be."""
    tested = sorted(position for position, tally in tallies.items() if tally.told)
    counts = np.array([(tallies[at].bad, tallies[at].good) for at in tested], dtype=np.float64).reshape(-1, 2)
    edges = np.array([-1, *tested, prior.size + 1])
    # Seen from segment j, the tested positions before it are on the good side and all others on the bad one.
    on_good = np.concatenate([np.zeros((1, 2)), np.cumsum(counts, axis=0)])
    on_bad = on_good[-1] - on_good
    log_likelihood = on_bad @ grid.log_bad + on_good @ grid.log_good + grid.log_weight
    beforehand = prior.below[edges[1:] + 1] - prior.below[edges[:-1] + 1]
    joint = np.exp(log_likelihood - log_likelihood.max()) * beforehand[:, None]
    joint /= joint.sum()
    return Posterior(prior, grid, edges, beforehand, joint, joint.sum(axis=1))
