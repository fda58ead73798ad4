"""Choose which position to boot next, and how often, by what is learnt for the seconds that it takes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.stats.bisect_posterior import Posterior
from harness.stats.bisect_rates import Floats

__all__ = ["Batch", "Costs", "choose_batch"]

# Where inside a segment it may be cut, as a share of what the segment had beforehand: a pass says less than a failure,
# so that the middle is not always best.
_CUTS = np.array([0.2, 0.32, 0.42, 0.5, 0.58, 0.68, 0.8])
# A segment that holds less than this share of the most probable one's is not worth a look.
_NEGLIGIBLE = 1e-3


@dataclass(frozen=True, slots=True)
class Costs:
    """Say what a step costs, in seconds.

    ``boot_s`` is a boot that works, ``failed_boot_s`` one that fails (a hang ends by its timeout). ``switch_s`` is
    what another position costs before its first boot: install, reboot of the host. ``build_s`` comes on top where a
    position is not in ``built``. ``installed`` needs no switch; None: nothing is installed. Nor do those in ``alike``,
    which need the same of the host. ``at_once`` boots run side by side, in the time of one.
    """

    boot_s: float
    failed_boot_s: float
    switch_s: float
    build_s: float = 0.0
    built: frozenset[int] = frozenset()
    installed: int | None = None
    alike: frozenset[int] = frozenset()
    at_once: int = 1

    def to_reach(self, positions: NDArray[np.int64]) -> Floats:
        """Return what each of ``positions`` costs before its first boot."""
        cost = np.full(len(positions), float(self.switch_s))
        if self.alike:
            cost[np.isin(positions, list(self.alike))] = 0.0
        if self.build_s:
            cost += np.where(np.isin(positions, list(self.built)), 0.0, self.build_s)
        if self.installed is not None:
            cost[positions == self.installed] = 0.0
        return cost


@dataclass(frozen=True, slots=True)
class Batch:
    """Ask for up to ``boots`` boots of ``position``; after one that fails with the signature none begins."""

    position: int
    boots: int


def choose_batch(posterior: Posterior, costs: Costs, untestable: Collection[int], confidence: float) -> Batch | None:
    """Return the batch that is expected to tell most bits a second; None: no position that can be tested is left.

    A batch that would reach ``confidence`` earlier ends there.
    """
    at, segment, share = _positions(posterior, untestable)
    if not len(at):
        return None
    grid, joint, mass = posterior.grid, posterior.joint, np.maximum(posterior.mass, 1e-300)[:, None]
    # The chance that a segment holds the cause and no boot of so many rounds fails, with the position on either side.
    pass_bad, pass_good = joint @ grid.no_bad**costs.at_once, joint @ grid.no_good**costs.at_once
    doubt_bad, doubt_good = mass * _binary_entropy(pass_bad / mass), mass * _binary_entropy(pass_good / mass)
    passes = _mix(pass_bad, pass_good, segment, share)
    doubt = _mix(doubt_bad, doubt_good, segment, share)
    told = _binary_entropy(np.clip(passes, 0.0, 1.0)) - doubt
    earlier = np.column_stack([np.ones(len(at)), passes[:, :-1]])
    rounds = np.cumsum((earlier + passes) / 2 * np.diff(grid.batches, prepend=0.0), axis=1)
    seconds = rounds * costs.boot_s + (1 - passes) * (costs.failed_boot_s - costs.boot_s)
    seconds += costs.to_reach(at)[:, None]
    value = told / np.maximum(seconds, 1e-9) * _testable(at, posterior, segment, untestable)[:, None]
    best, size = np.unravel_index(int(value.argmax()), value.shape)
    position, most = int(at[best]), int(grid.batches[size]) * costs.at_once
    return Batch(position, _enough(posterior, position, int(segment[best]), float(share[best]), most, confidence))


def _binary_entropy(chance: Floats) -> Floats:
    rest = 1 - chance
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(-chance * np.log(chance)) + np.nan_to_num(-rest * np.log(np.maximum(rest, 1e-300)))


def _positions(
    posterior: Posterior, untestable: Collection[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    # The positions that are compared: those that are tested already, and some inside each segment. Each with the
    # segment that it cuts, and the share of that segment's candidates that make the position fail.
    below, edges = posterior.prior.below, posterior.edges
    width = np.diff(edges)
    live = np.flatnonzero((width > 1) & (posterior.mass > _NEGLIGIBLE * posterior.mass.max()))
    wanted = below[edges[live] + 1][:, None] + _CUTS * posterior.beforehand[live][:, None]
    at = np.searchsorted(below, wanted.ravel(), side="right") - 1
    segment = np.repeat(live, len(_CUTS))
    at = np.clip(at, edges[segment] + 1, np.minimum(edges[segment + 1] - 1, posterior.prior.size))
    if untestable:
        at = _nearest_testable(at, edges[segment], edges[segment + 1], frozenset(untestable))
    inside = (at > edges[segment]) & (at < edges[segment + 1])
    at, segment = at[inside], segment[inside]
    share = (below[at + 1] - below[edges[segment] + 1]) / np.maximum(posterior.beforehand[segment], 1e-300)
    tested = edges[1:-1]
    return (
        np.concatenate([at, tested]),
        np.concatenate([segment, np.arange(1, len(tested) + 1)]),
        np.concatenate([share, np.zeros(len(tested))]),
    )


def _nearest_testable(
    at: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64], untestable: frozenset[int]
) -> NDArray[np.int64]:
    moved = at.copy()
    for i, position in enumerate(at):
        up = down = int(position)
        while up in untestable:
            up += 1
        while down in untestable:
            down -= 1
        nearest = up if up < high[i] and (up - position <= position - down or down <= low[i]) else down
        moved[i] = nearest if low[i] < nearest < high[i] else low[i]  # low itself: no such position
    return moved


def _testable(
    at: NDArray[np.int64], posterior: Posterior, segment: NDArray[np.int64], untestable: Collection[int]
) -> Floats:
    # What does not build seldom stands alone: the more of a segment was found untestable, the further from it to look.
    if not untestable:
        return np.ones(len(at))
    broken = np.array(sorted(untestable))
    distance = np.abs(at[:, None] - broken[None, :]).min(axis=1)
    edges = posterior.edges
    found = np.searchsorted(broken, edges[segment + 1]) - np.searchsorted(broken, edges[segment], side="right")
    tested = np.isin(at, edges)
    return np.where(tested, 1.0, distance / (distance + np.maximum(found, 0)))


def _mix(bad: Floats, good: Floats, segment: NDArray[np.int64], share: Floats) -> Floats:
    # Segments before the cut make the position fail, those after it do not, and the one that is cut does by its share.
    zero = np.zeros((1, bad.shape[1]))
    bad_before, good_before = np.concatenate([zero, bad.cumsum(0)]), np.concatenate([zero, good.cumsum(0)])
    part = share[:, None]
    within = part * bad[segment] + (1 - part) * good[segment]
    return np.asarray(bad_before[segment] + within + good_before[-1] - good_before[segment + 1])


def _enough(posterior: Posterior, position: int, segment: int, share: float, most: int, confidence: float) -> int:
    # The fewest passes after which one candidate alone reaches the confidence; ``most`` if so many do not suffice.
    edges, grid = posterior.edges, posterior.grid
    single = np.diff(edges) == 1
    cut = edges[segment] < position < edges[segment + 1]

    def reached(boots: int) -> bool:
        bad = posterior.joint @ (1 - grid.bad) ** boots
        good = posterior.joint @ (1 - grid.good) ** boots
        mass = np.where(edges[1:] <= position, bad, good)
        best = float(mass[single].max(initial=0.0))
        if cut:
            failing, passing = share * bad[segment], (1 - share) * good[segment]
            mass[segment] = failing + passing
            if edges[segment + 1] - position == 1:
                best = max(best, float(passing))
            if position - edges[segment] == 1:
                best = max(best, float(failing))
        return best >= confidence * float(mass.sum())

    if not reached(most):
        return most
    few, enough = 0, most
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if reached(middle) else (middle, enough)
    return enough
