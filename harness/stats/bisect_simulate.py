"""Simulate bisections with known culprits: how often each way of searching is right, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.bisect import Answer, AnswerKind, Known, Question, next_step
from harness.stats.bisect_choice import Batch, Costs
from harness.stats.bisect_posterior import Tally
from harness.stats.bisect_rates import Floats
from harness.units import exact_rate

__all__ = ["SCENES", "Scene", "Searches", "Summary", "simulate_search", "summarise"]


@dataclass(frozen=True, slots=True)
class Scene:
    """Say what is simulated.

    ``bad_rate`` and ``good_rate`` are failure rates with the signature, ``other_rate`` that of an unrelated failure of
    another signature on both sides. With ``regression`` False all positions, the ends included, fail at ``good_rate``.
    Times are seconds: ``build_s`` of a position's first boots, ``switch_s`` of each change of position. ``at_once``
    boots run side by side, each as long as one alone. At the start the bad end is built and installed: somebody has
    just seen it fail.
    """

    bad_rate: float
    good_rate: float = 0.0
    other_rate: float = 0.0
    candidates: int = 64
    boot_s: float = 20.0
    switch_s: float = 300.0
    build_s: float = 0.0
    regression: bool = True
    at_once: int = 1

    @property
    def name(self) -> str:
        """Render as a row's name: ``20% / 0%``."""
        if not self.regression:
            return f"none ({exact_rate(self.good_rate)} everywhere)"
        other = f", {exact_rate(self.other_rate)} otherwise" if self.other_rate else ""
        return f"{exact_rate(self.bad_rate)} / {exact_rate(self.good_rate)}{other}"

    def hours(self, rounds: Floats, switches: Floats, builds: Floats) -> Floats:
        """Return what so many rounds of boots, switches and builds take."""
        return (rounds * self.boot_s + switches * self.switch_s + builds * self.build_s) / 3600


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """Hold one value a run of: whether the answer was right, hours, boots, switches; ``sure``: it named a culprit."""

    right: Floats
    sure: Floats
    hours: Floats
    boots: Floats
    switches: Floats


@dataclass(frozen=True, slots=True)
class Summary:
    """Be one line of the table; ``right`` is a fraction of 1 of all runs, ``right_of_sure`` of those that answered."""

    runs: int
    right: float
    right_of_sure: float
    mean_h: float
    p95_h: float
    boots: float
    switches: float


def summarise(searches: Searches) -> Summary:
    """Take means over the runs."""
    sure = searches.sure.astype(bool)
    return Summary(
        runs=len(searches.right),
        right=float(searches.right.mean()),
        right_of_sure=float(searches.right[sure].mean()) if sure.any() else 0.0,
        mean_h=float(searches.hours.mean()),
        p95_h=float(np.percentile(searches.hours, 95)),
        boots=float(searches.boots.mean()),
        switches=float(searches.switches.mean()),
    )


def simulate_search(
    scene: Scene, question: Question, runs: int, seed: int, recorded: int = 0, each: Callable[[], None] = lambda: None
) -> Searches:
    """Let this engine search ``runs`` times for a culprit drawn at random; the same seed gives the same runs.

    So many boots of each end were ``recorded`` before: they count, and cost nothing. ``each`` is called after a run.
    """
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(runs):
        rows.append(_search(scene, question, recorded, random))
        each()
    right, sure, boots, rounds, switches, builds = (
        np.array(column, dtype=np.float64) for column in zip(*rows, strict=True)
    )
    return Searches(right, sure, scene.hours(rounds, switches, builds), boots, switches)


def _search(
    scene: Scene, question: Question, recorded: int, random: np.random.Generator
) -> tuple[bool, bool, int, int, int, int]:
    culprit = int(random.integers(1, scene.candidates + 1)) if scene.regression else scene.candidates + 1
    prior = question.prior()
    tallies = _ends(scene, recorded, random) if recorded else {}
    installed, built, boots, rounds, switches = scene.candidates, {scene.candidates}, 0, 0, 0
    while True:
        costs = Costs(
            scene.boot_s,
            scene.boot_s,
            scene.switch_s,
            scene.build_s,
            frozenset(built),
            installed,
            at_once=scene.at_once,
        )
        step = next_step(question, Known(tallies), costs, prior)
        if isinstance(step, Answer):
            sure = step.kind is not AnswerKind.UNDECIDED
            return _right(step, scene, culprit), sure, boots, rounds, switches, len(built) - 1
        if step.position != installed:
            switches += 1
            installed = step.position
            built.add(installed)
        rate = scene.bad_rate if step.position >= culprit else scene.good_rate
        made = _boot(step, rate, scene, random)
        boots += made.told + made.other
        rounds += (made.told + made.other) // scene.at_once
        tallies[step.position] = tallies.get(step.position, Tally()) + made


def _ends(scene: Scene, recorded: int, random: np.random.Generator) -> dict[int, Tally]:
    bad_rate = scene.bad_rate if scene.regression else scene.good_rate
    failed = {
        at: int(random.binomial(recorded, rate)) for at, rate in ((0, scene.good_rate), (scene.candidates, bad_rate))
    }
    return {at: Tally(bad, recorded - bad) for at, bad in failed.items()}


def _boot(batch: Batch, rate: float, scene: Scene, random: np.random.Generator) -> Tally:
    # All boots of the batch, which is whole rounds, up to the round with its first failure of the signature.
    draws = random.random(batch.boots)
    failed = np.flatnonzero(draws < rate)
    made = (int(failed[0]) // scene.at_once + 1) * scene.at_once if len(failed) else batch.boots
    other = int((draws[:made] > 1 - scene.other_rate).sum())
    bad = int((draws[:made] < rate).sum())
    return Tally(bad, made - bad - other, other)


def _right(answer: Answer, scene: Scene, culprit: int) -> bool:
    if not scene.regression:
        return answer.kind in (AnswerKind.ABSENT, AnswerKind.BEFORE)
    return answer.kind is AnswerKind.FOUND and answer.group is not None and answer.group.first == culprit


#: The rows of the documentation's table (BISECTION.md).
SCENES: Sequence[Scene] = (
    Scene(0.5),
    Scene(0.2),
    Scene(0.1),
    Scene(0.05),
    Scene(0.02),
    Scene(0.2, other_rate=0.02),
    Scene(0.2, 0.02),
    Scene(0.0, 0.0, regression=False),
    Scene(0.2, 0.2, regression=False),
)
