"""Estimate how long a campaign still takes: first from boots recorded earlier, then more and more from its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean

from harness.errors import InputError
from harness.results.record import BootLine
from harness.results.store import Run
from harness.stability.plan import CampaignPlan

__all__ = ["Earlier", "recorded_earlier", "time_left_s"]

# The newest boots tell most of today's machine, and whoever waits for the first line should not wait for this.
_MOST_RUNS = 50
_MOST_LINES = 1000
# What was recorded earlier counts as much as so many boots of the campaign's own.
_WEIGHT_BOOTS = 4


@dataclass(frozen=True, slots=True)
class Earlier:
    """Hold how many ``boots`` were found, and the mean seconds of one, each variant counted alike."""

    boots: int
    boot_s: float


def recorded_earlier(results: Path, plan: CampaignPlan) -> Earlier | None:
    """Look through the newest runs under ``results`` for boots of the plan's variants on its platform.

    A variant that has none is taken to be like the scenario's others. None: nothing was recorded of the scenario. A run
    that another version of the harness wrote is passed over.
    """
    variants = {entry.variant: list[float]() for entry in plan.entries}
    others: list[float] = []
    for line in islice(_newest(results), _MOST_LINES):
        who = line.identity
        # Without an outcome nothing was booted.
        if line.outcome is None or (who.scenario, who.platform) != (plan.scenario, plan.platform):
            continue
        variants.get(who.variant, others).append(line.duration_s)
    found = [times for times in variants.values() if times] or ([others] if others else [])
    if not found:
        return None
    return Earlier(sum(map(len, found)), fmean(map(fmean, found)))


def _newest(results: Path) -> Iterator[BootLine]:
    # The name of a run begins with its time (harness.results.store).
    try:
        folders = sorted((path for path in results.iterdir() if not path.is_symlink()), reverse=True)
    except OSError:
        return
    runs = (run for run in map(Run, folders) if run.any_ended)
    for run in islice(runs, _MOST_RUNS):
        try:
            yield from run.lines()
        except InputError:
            continue


def time_left_s(made: int, left: int, elapsed_s: float, expected_s: float | None) -> float | None:
    """Return the seconds that ``left`` boots still take, when ``made`` took ``elapsed_s`` seconds.

    ``expected_s`` is what a boot was expected to add to the whole beforehand; None: nobody knew. Returns None where
    neither tells anything.
    """
    if made == 0:
        return None if expected_s is None else max(0.0, expected_s * left - elapsed_s)
    if expected_s is None:
        return elapsed_s / made * left
    return (expected_s * _WEIGHT_BOOTS + elapsed_s) / (_WEIGHT_BOOTS + made) * left
