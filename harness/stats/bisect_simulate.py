"""Simulate bisections with known culprits: how often each way of searching is right, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.bisect import Answer, AnswerKind, Known, Question, next_step
from harness.stats.bisect_choice import Batch, Costs
from harness.stats.bisect_posterior import Tally
from harness.stats.bisect_rates import Floats

__all__ = ["SCENES", "Scene", "Searches", "Summary", "simulate_search", "summarise"]


@dataclass(frozen=True, slots=True)
class Scene:
    """Say what is simulated.

    ``bad_rate`` and ``good_rate`` are failure rates with the signature, ``other_rate`` that of an unrelated failure of
    another signature on both sides. With ``regression`` False all positions, the ends included, fail at ``good_rate``.
    Times are seconds. At the start the bad end is installed: somebody has just seen it fail.
    """

    bad_rate: float
    good_rate: float = 0.0
    other_rate: float = 0.0
    candidates: int = 64
    boot_s: float = 20.0
    switch_s: float = 300.0
    regression: bool = True

    @property
    def name(self) -> str:
        """Render as a row's name: ``20% / 0%``."""
        if not self.regression:
            return f"none ({self.good_rate:.0%} everywhere)"
        other = f", {self.other_rate:.0%} otherwise" if self.other_rate else ""
        return f"{self.bad_rate:.0%} / {self.good_rate:.0%}{other}"


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


def simulate_search(scene: Scene, question: Question, runs: int, seed: int, recorded: int = 0) -> Searches:
    """Let this engine search ``runs`` times for a culprit drawn at random; the same seed gives the same runs.

    So many boots of each end were ``recorded`` before: they count, and cost nothing.
    """
    random = np.random.default_rng(seed)
    rows = [_search(scene, question, recorded, random) for _ in range(runs)]
    right, sure, boots, switches = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    hours = (boots * scene.boot_s + switches * scene.switch_s) / 3600
    return Searches(right, sure, hours, boots, switches)


def _search(
    scene: Scene, question: Question, recorded: int, random: np.random.Generator
) -> tuple[bool, bool, int, int]:
    culprit = int(random.integers(1, scene.candidates + 1)) if scene.regression else scene.candidates + 1
    prior = question.prior()
    tallies = _ends(scene, recorded, random) if recorded else {}
    installed, boots, switches = scene.candidates, 0, 0
    while True:
        costs = Costs(scene.boot_s, scene.boot_s, scene.switch_s, installed=installed)
        step = next_step(question, Known(tallies), costs, prior)
        if isinstance(step, Answer):
            return _right(step, scene, culprit), step.kind is not AnswerKind.UNDECIDED, boots, switches
        if step.position != installed:
            switches += 1
            installed = step.position
        rate = scene.bad_rate if step.position >= culprit else scene.good_rate
        made = _boot(step, rate, scene.other_rate, random)
        boots += made.told + made.other
        tallies[step.position] = tallies.get(step.position, Tally()) + made


def _ends(scene: Scene, recorded: int, random: np.random.Generator) -> dict[int, Tally]:
    bad_rate = scene.bad_rate if scene.regression else scene.good_rate
    failed = {
        at: int(random.binomial(recorded, rate)) for at, rate in ((0, scene.good_rate), (scene.candidates, bad_rate))
    }
    return {at: Tally(bad, recorded - bad) for at, bad in failed.items()}


def _boot(batch: Batch, rate: float, other_rate: float, random: np.random.Generator) -> Tally:
    # All boots of the batch, cut at its first failure with the signature.
    draws = random.random(batch.boots)
    failed = np.flatnonzero(draws < rate)
    made = int(failed[0]) + 1 if len(failed) else batch.boots
    other = int((draws[:made] > 1 - other_rate).sum())
    bad = int(len(failed) > 0)
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
