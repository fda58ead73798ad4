"""``svsm-harness bisect --simulate``: how often each way of searching is right, and what it costs, as a table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

import typer

from harness.errors import InputError
from harness.stats.bisect import Question
from harness.stats.bisect_baselines import simulate_fixed, simulate_greedy
from harness.stats.bisect_simulate import SCENES, Scene, Searches, simulate_search, summarise
from harness.units import exact_duration, exact_rate, parse_duration_s, parse_rate

__all__ = [
    "BootTime",
    "BuildTime",
    "Candidates",
    "Flake",
    "Rates",
    "SwitchTime",
    "simulated_scenes",
    "simulation_table",
]

Rates = Annotated[
    list[str] | None,
    typer.Option(
        metavar="BAD/GOOD",
        help="With --simulate: failure rates of both sides, such as 5%/0%; the same twice is no regression. May be "
        "repeated.  [default: the rows of the documentation]",
        show_default=False,
    ),
]
Flake = Annotated[
    str | None,
    typer.Option(
        metavar="R", help="With --rates: another failure, of another signature, on both sides.", show_default=False
    ),
]
Candidates = Annotated[
    int | None,
    typer.Option(
        min=1, max=100_000, metavar="N", help="With --simulate: how many candidates.  [default: 64]", show_default=False
    ),
]
BootTime = Annotated[
    str | None,
    typer.Option(metavar="T", help="With --simulate: what a boot takes.  [default: 20s]", show_default=False),
]
SwitchTime = Annotated[
    str | None,
    typer.Option(
        metavar="T",
        help="With --simulate: what a reboot of the host takes, or 0s.  [default: 300s]",
        show_default=False,
    ),
]
BuildTime = Annotated[
    str | None,
    typer.Option(metavar="T", help="With --simulate: what a build takes.  [default: 0s]", show_default=False),
]

_HEAD = "| bad / good rate | way | right | mean h | p95 h | boots | switches |\n|---|---|---|---|---|---|---|"
_FIXED = (1, 10, 30)
# What a nightly has of a kernel after one night, and after three.
_RECORDED = (300, 1000)
# The constants of the engine were chosen by other seeds.
_SEED = 2
# Some boots must tell something, and the model of a rate ends before 100%.
_MOST_TOGETHER = 0.95
# The greedy way weighs all candidates of all runs after each boot.
_MOST_GREEDY = 4_000_000
# What is stated where nothing else is asked for: of the answers at it, as many must be right, whatever the scene.
_USUAL_CONFIDENCE = 0.95

_Each = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Way:
    """Be a way of searching: its name, and what simulates it, given what to call after each run."""

    name: str
    simulate: Callable[[_Each], Searches]


def simulated_scenes(
    rates: Sequence[str] | None,
    flake: str | None,
    candidates: int | None,
    times: tuple[str | None, str | None, str | None],
    at_once: int,
) -> tuple[Scene, ...]:
    """Return what is to be simulated, a row each; ``times`` are those of a boot, a switch and a build.

    :raise InputError: if one of them is no rate or no time.
    """
    if flake is not None and not rates:
        raise InputError("--flake needs --rates: the failure that is searched for beside it")
    scenes = [_scene(text) for text in rates] if rates else list(SCENES)
    boot_s, switch_s, build_s = (
        _duration_s(option, text)
        for option, text in zip(("--boot-time", "--switch-time", "--build-time"), times, strict=True)
    )
    if boot_s == 0:
        raise InputError("--boot-time 0s: a boot takes some time")
    other = None if flake is None else _rate("--flake", flake)
    found = []
    for scene in scenes:
        if other is not None and round(other + scene.bad_rate, 9) > _MOST_TOGETHER:
            most = exact_rate(_MOST_TOGETHER)
            raise InputError(f"--flake {flake}: with a rate of {exact_rate(scene.bad_rate)} that is more than {most}")
        found.append(
            replace(
                scene,
                other_rate=scene.other_rate if other is None else other,
                candidates=scene.candidates if candidates is None else candidates,
                boot_s=scene.boot_s if boot_s is None else boot_s,
                switch_s=scene.switch_s if switch_s is None else switch_s,
                build_s=scene.build_s if build_s is None else build_s,
                at_once=at_once,
            )
        )
    return tuple(found)


def _scene(text: str) -> Scene:
    bad, slash, good = text.partition("/")
    if not slash:
        raise InputError(f"--rates {text}: write BAD/GOOD, such as 5%/0%")
    bad_rate, good_rate = (_rate("--rates", side) for side in (bad, good))
    if bad_rate > _MOST_TOGETHER:
        raise InputError(
            f"--rates {text}: what fails nearly always needs no statistics; write at most {exact_rate(_MOST_TOGETHER)}"
        )
    if bad_rate < good_rate:
        raise InputError(f"--rates {text}: the bad side fails more often; write {good}/{bad}")
    return Scene(bad_rate, good_rate, regression=bad_rate != good_rate)


def _rate(option: str, text: str) -> float:
    try:
        return parse_rate(text)
    except ValueError as error:
        raise InputError(f"{option}: {error}") from error


def _duration_s(option: str, text: str | None) -> float | None:
    try:
        return None if text is None else parse_duration_s(text)
    except ValueError as error:
        raise InputError(f"{option}: {error}") from error


def simulation_table(runs: int, confidence: float, min_rate: float, scenes: Sequence[Scene]) -> Iterator[str]:
    """Yield the table as Markdown, line by line as it is computed; standard error shows how far a line is."""
    scene = scenes[0]
    times = f"{exact_duration(scene.boot_s)} a boot, {exact_duration(scene.switch_s)} a switch"
    if scene.build_s:
        times += f", {exact_duration(scene.build_s)} a build"
    if scene.at_once > 1:
        times += f"; {scene.at_once} boots at the same time"
    yield f"{runs} runs; {scene.candidates} candidates; {times};"
    yield f"stated confidence {confidence:.1%}; the bad end is installed at the start. Seed {_SEED}."
    yield ""
    yield from _HEAD.splitlines()
    for scene in scenes:
        for way in _ways(scene, runs, confidence, min_rate):
            with _shown(f"{scene.name}, {way.name}", runs) as each:
                summary = summarise(way.simulate(each))
            yield (
                f"| {scene.name} | {way.name} | {summary.right:.1%} | {summary.mean_h:.2f} | {summary.p95_h:.2f} "
                f"| {summary.boots:.0f} | {summary.switches:.1f} |"
            )


def _ways(scene: Scene, runs: int, confidence: float, min_rate: float) -> Iterator[Way]:
    # What is compared with cannot say that there is no regression.
    def engine(name: str, question: Question, recorded: int = 0) -> Way:
        return Way(name, lambda each: simulate_search(scene, question, runs, _SEED, recorded, each))

    def fixed(name: str, boots: int) -> Way:
        return Way(name, lambda each: simulate_fixed(scene, boots, runs, _SEED))

    question = Question(scene.candidates, confidence, min_rate)
    yield engine("this engine", question)
    if confidence != _USUAL_CONFIDENCE:
        yield engine(f"this engine at {_USUAL_CONFIDENCE:.0%}", replace(question, confidence=_USUAL_CONFIDENCE))
    if not scene.regression:
        return
    for recorded in _RECORDED:
        yield engine(f"this engine, {recorded} boots of each end recorded", question, recorded)
    if scene.bad_rate >= max(min_rate, 2 * scene.good_rate):  # closer ones, or rarer, are no difference to any way
        yield engine("this engine, told the rates", replace(question, rates=(scene.bad_rate, scene.good_rate)))
    for boots in _FIXED:
        yield fixed("one boot a step" if boots == 1 else f"{boots} boots a step", boots)
    if runs * scene.candidates <= _MOST_GREEDY:
        yield Way("greedy Bayesian", lambda each: simulate_greedy(scene, confidence, runs, _SEED))


@contextmanager
def _shown(what: str, runs: int) -> Iterator[_Each]:
    # A line of the table takes up to minutes.
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, redirect_stdout=False) as progress:
        yield partial(progress.advance, progress.add_task(what, total=runs))
