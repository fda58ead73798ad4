"""``svsm-harness bisect --simulate``: how often each way of searching is right, and what it costs, as a table."""

from __future__ import annotations

from collections.abc import Iterator

from harness.stats.bisect import Question
from harness.stats.bisect_baselines import simulate_fixed, simulate_greedy
from harness.stats.bisect_simulate import SCENES, Scene, Summary, simulate_search, summarise

__all__ = ["simulation_rows", "simulation_table"]

_HEAD = "| bad / good rate | way | right | mean h | p95 h | boots | switches |\n|---|---|---|---|---|---|---|"
_FIXED = (1, 10, 30)
# What a nightly has of a kernel after one night, and after three.
_RECORDED = (300, 1000)
# The constants of the engine were chosen by other seeds.
_SEED = 2
# What is stated where nothing else is asked for: of the answers at it, as many must be right, whatever the scene.
_USUAL_CONFIDENCE = 0.95


def simulation_table(runs: int, confidence: float, scenes: tuple[Scene, ...] = tuple(SCENES)) -> Iterator[str]:
    """Yield the table as Markdown, line by line as it is computed."""
    scene = scenes[0]
    yield f"{runs} runs; {scene.candidates} candidates; {scene.boot_s:.0f} s a boot, {scene.switch_s:.0f} s a switch;"
    yield f"stated confidence {confidence:.1%}; the bad end is installed at the start. Seed {_SEED}."
    yield ""
    yield from _HEAD.splitlines()
    for scene in scenes:
        for way, summary in simulation_rows(scene, runs, confidence):
            yield (
                f"| {scene.name} | {way} | {summary.right:.1%} | {summary.mean_h:.2f} | {summary.p95_h:.2f} "
                f"| {summary.boots:.0f} | {summary.switches:.1f} |"
            )


def simulation_rows(scene: Scene, runs: int, confidence: float) -> Iterator[tuple[str, Summary]]:
    """Yield each way of searching with its summary; what is compared with cannot say that there is no regression."""
    question = Question(scene.candidates, confidence)
    yield "this engine", summarise(simulate_search(scene, question, runs, _SEED))
    if confidence != _USUAL_CONFIDENCE:
        usual = Question(scene.candidates, _USUAL_CONFIDENCE)
        yield f"this engine at {_USUAL_CONFIDENCE:.0%}", summarise(simulate_search(scene, usual, runs, _SEED))
    if scene.regression:
        for recorded in _RECORDED:
            name = f"this engine, {recorded} boots of each end recorded"
            yield name, summarise(simulate_search(scene, question, runs, _SEED, recorded))
        told = Question(scene.candidates, confidence, rates=(scene.bad_rate, scene.good_rate))
        yield "this engine, told the rates", summarise(simulate_search(scene, told, runs, _SEED))
        for boots in _FIXED:
            name = "one boot a step" if boots == 1 else f"{boots} boots a step"
            yield name, summarise(simulate_fixed(scene, boots, runs, _SEED))
        yield "greedy Bayesian", summarise(simulate_greedy(scene, confidence, runs, _SEED))
