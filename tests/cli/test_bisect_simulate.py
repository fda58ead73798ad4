from __future__ import annotations

import pytest

from harness.cli.bisect_simulate import simulated_scenes, simulation_table
from harness.errors import InputError
from harness.stats.bisect_simulate import SCENES, Scene

from .command import Bench

NOTHING = (None, None, None)


def test_the_table_has_a_line_for_each_way_and_scene() -> None:
    scenes = (Scene(0.5, candidates=8), Scene(0.0, 0.0, candidates=8, regression=False))
    lines = list(simulation_table(5, 0.97, 0.01, scenes))
    assert lines[0] == "5 runs; 8 candidates; 20s a boot, 300s a switch;"
    ways = [line.split(" | ")[1] for line in lines if line.startswith("| 50%")]
    recorded = [f"this engine, {boots} boots of each end recorded" for boots in (300, 1000)]
    mine = ["this engine", "this engine at 95%", *recorded, "this engine, told the rates"]
    assert ways == [*mine, "one boot a step", "10 boots a step", "30 boots a step", "greedy Bayesian"]
    boots = [int(line.split(" | ")[5]) for line in lines if line.startswith("| 50%")]
    assert boots[2] < boots[0]
    assert sum(line.startswith("| none") for line in lines) == 2


def test_rates_and_costs_are_those_that_were_given() -> None:
    assert simulated_scenes(None, None, None, NOTHING, 1) == tuple(SCENES)
    given = simulated_scenes(["5%/0.5%", "10%/10%"], "1%", 30, ("10s", "0s", "2m"), 4)
    costs = {"other_rate": 0.01, "candidates": 30, "boot_s": 10.0, "switch_s": 0.0, "build_s": 120.0, "at_once": 4}
    assert given == (Scene(0.05, 0.005, **costs), Scene(0.1, 0.1, regression=False, **costs))  # type: ignore[arg-type]
    assert next(iter(simulation_table(5, 0.95, 0.01, given))) == (
        "5 runs; 30 candidates; 10s a boot, 0s a switch, 120s a build; 4 boots at the same time;"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rates", "5%"), "--rates 5%: write BAD/GOOD, such as 5%/0%"),
        (("--rates", "0%/5%"), "the bad side fails more often; write 5%/0%"),
        (("--rates", "0.05/0"), "--rates: '0.05' is no percentage"),
        (("--flake", "1%"), "--flake needs --rates"),
        (("--rates", "60%/0%", "--flake", "50%"), "more than 95%"),
        (("--rates", "100%/0%"), "what fails nearly always needs no statistics"),
        (("--candidates", "100001"), "100000"),
        (("--boots", "9"), "--simulate boots nothing: leave out"),
        (("a.yaml",), "--simulate boots nothing: leave out"),
        (("--boot-time", "0s"), "a boot takes some time"),
        (("--switch-time", "5"), "--switch-time:"),
    ],
)
def test_what_cannot_be_simulated_is_said(bench: Bench, words: tuple[str, ...], said: str) -> None:
    done = bench.command("bisect", "--simulate", *words)
    assert done.status == 2
    assert said in done.err


def test_the_command_simulates_what_is_asked_for(bench: Bench) -> None:
    words = ("--rates", "50%/0%", "--candidates", "8", "--runs", "5")
    done = bench.command("bisect", "--simulate", *words, "-n", "2")
    assert (done.status, done.err) == (0, ""), done
    assert "5 runs; 8 candidates; 20s a boot, 300s a switch; 2 boots at the same time;" in done.out
    assert done.out.count("| 50% / 0% |") == 8
    alone = bench.command("bisect", *words)
    assert alone.status == 2
    assert "--rates, --flake, --candidates and the times of boots, switches and builds go with --simulate" in alone.err


def test_only_a_scene_with_a_regression_is_compared() -> None:
    (scene,) = simulated_scenes(["20%/20%"], None, 4, NOTHING, 1)
    with pytest.raises(InputError):
        simulated_scenes(["20%/20%"], None, None, ("1s", "x", None), 1)
    rows = [line for line in simulation_table(3, 0.95, 0.01, (scene,)) if line.startswith("| none")]
    assert [row.split(" | ")[1] for row in rows] == ["this engine"]


@pytest.mark.parametrize(
    ("rates", "ways"),
    [
        ("50%/0%", ["this engine", "told", "one boot", "greedy"]),
        ("0.01%/0%", ["this engine", "one boot", "greedy"]),
        ("20%/19%", ["this engine", "one boot", "greedy"]),
        ("95%/50%", ["this engine", "one boot", "greedy"]),
    ],
)
@pytest.mark.parametrize("candidates", [1, 2])
def test_rates_that_are_close_or_low_and_one_candidate_come_to_an_end(
    rates: str, ways: list[str], candidates: int
) -> None:
    (scene,) = simulated_scenes([rates], None, candidates, NOTHING, 1)
    table = list(simulation_table(3, 0.95, 0.01, (scene,)))
    rows = [line.split(" | ")[1] for line in table if line.startswith(f"| {scene.name}")]
    for way in ("this engine", "told", "one boot", "greedy"):
        assert any(way in row for row in rows) == (way in ways)
