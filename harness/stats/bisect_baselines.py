"""Simulate what people do without this engine, in the same scenes: one boot a step, fixed k, greedy Bayesian.

All runs advance together, a row of an array each. To be fair to them, the greedy one is told the true rates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.stats.bisect_rates import Floats
from harness.stats.bisect_simulate import Scene, Searches

__all__ = ["simulate_fixed", "simulate_greedy"]

# After so many boots somebody would have given up.
_MOST_BOOTS = 5000


def simulate_fixed(scene: Scene, boots_a_step: int, runs: int, seed: int) -> Searches:
    """Bisect with ``boots_a_step`` boots a step, good if none fails; as ``git bisect run`` with a loop around the boot.

    Another signature counts as a failure too, since a loop that looks at the exit status cannot tell.
    """
    random = np.random.default_rng(seed)
    culprit = _culprits(scene, runs, random)
    low, high = np.zeros(runs, dtype=np.int64), np.full(runs, scene.candidates)
    boots, rounds, switches = np.zeros(runs), np.zeros(runs), np.zeros(runs)
    while (open_ := high - low > 1).any():
        middle = (low + high) // 2
        rate = np.where(middle >= culprit, scene.bad_rate, scene.good_rate) + scene.other_rate
        with np.errstate(divide="ignore"):
            fails_at = np.where(rate > 0, random.geometric(np.maximum(rate, 1e-12)), boots_a_step + 1)
        bad = fails_at <= boots_a_step
        made = np.minimum(np.ceil(np.minimum(fails_at, boots_a_step) / scene.at_once) * scene.at_once, boots_a_step)
        boots += np.where(open_, made, 0)
        rounds += np.where(open_, np.ceil(made / scene.at_once), 0)
        switches += open_
        high = np.where(open_ & bad, middle, high)
        low = np.where(open_ & ~bad, middle, low)
    return _searches(high == culprit, boots, scene.hours(rounds, switches, switches), switches)


def simulate_greedy(scene: Scene, confidence: float, runs: int, seed: int) -> Searches:
    """Boot, each time, the position whose next boot tells most, whatever it costs to get there (git_bayesect's way).

    Where several run at once, all of them boot that position.
    """
    random = np.random.default_rng(seed)
    culprit = _culprits(scene, runs, random)
    bad, good = max(scene.bad_rate, 1e-3), max(scene.good_rate, 1e-3)
    weight = np.full((runs, scene.candidates), 1 / scene.candidates)
    installed = np.full(runs, scene.candidates)
    rounds, switches = np.zeros(runs), np.zeros(runs)
    built = np.zeros((runs, scene.candidates + 1), dtype=bool)
    built[:, scene.candidates] = True
    named, live = np.zeros(runs, dtype=np.int64), np.arange(runs)
    at = np.arange(1, scene.candidates + 1)
    while len(live):
        failing = weight[live].cumsum(axis=1)  # the chance that position 1, 2, … fails at the bad rate
        fails = failing * bad + (1 - failing) * good
        told = _entropy(fails) - failing * _entropy(bad) - (1 - failing) * _entropy(good)
        choice = at[told.argmax(axis=1)]
        switches[live] += choice != installed[live]
        installed[live] = choice
        built[live, choice] = True
        rounds[live] += 1
        draws = random.random((len(live), scene.at_once))
        failed = draws < np.where(choice >= culprit[live], scene.bad_rate, scene.good_rate)[:, None]
        other = ~failed & (draws > 1 - scene.other_rate)
        passed = scene.at_once - failed.sum(axis=1) - other.sum(axis=1)
        beyond = at[None, :] <= choice[:, None]
        chance = np.where(beyond, bad, good)
        weight[live] *= chance ** failed.sum(axis=1)[:, None] * (1 - chance) ** passed[:, None]
        weight[live] /= weight[live].sum(axis=1, keepdims=True)
        named[live] = at[weight[live].argmax(axis=1)]
        live = live[(weight[live].max(axis=1) < confidence) & (rounds[live] * scene.at_once < _MOST_BOOTS)]
    hours = scene.hours(rounds, switches, built.sum(axis=1) - 1.0)
    return _searches(named == culprit, rounds * scene.at_once, hours, switches)


def _culprits(scene: Scene, runs: int, random: np.random.Generator) -> NDArray[np.int64]:
    if not scene.regression:
        return np.full(runs, scene.candidates + 1)
    return random.integers(1, scene.candidates + 1, runs)


def _entropy(chance: Floats | float) -> Floats:
    chance = np.clip(chance, 1e-12, 1 - 1e-12)
    return np.asarray(-chance * np.log(chance) - (1 - chance) * np.log(1 - chance))


def _searches(right: NDArray[np.bool_], boots: Floats, hours: Floats, switches: Floats) -> Searches:
    return Searches(right.astype(np.float64), np.ones(len(right)), hours, boots, switches)
