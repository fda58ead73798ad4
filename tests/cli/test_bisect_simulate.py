from __future__ import annotations

from harness.cli.bisect_simulate import simulation_table
from harness.stats.bisect_simulate import Scene


def test_the_table_has_a_line_for_each_way_and_scene() -> None:
    scenes = (Scene(0.5, candidates=8), Scene(0.0, 0.0, candidates=8, regression=False))
    lines = list(simulation_table(5, 0.97, scenes))
    assert lines[0].startswith("5 runs")
    ways = [line.split(" | ")[1] for line in lines if line.startswith("| 50%")]
    recorded = [f"this engine, {boots} boots of each end recorded" for boots in (300, 1000)]
    mine = ["this engine", "this engine at 95%", *recorded, "this engine, told the rates"]
    assert ways == [*mine, "one boot a step", "10 boots a step", "30 boots a step", "greedy Bayesian"]
    boots = [int(line.split(" | ")[5]) for line in lines if line.startswith("| 50%")]
    assert boots[2] < boots[0]
    assert sum(line.startswith("| none") for line in lines) == 2
