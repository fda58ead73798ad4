from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from results.sample_record import RECORD, write_folder
from sample_campaign import boot_line

from harness.checks.base import Status
from harness.compare.arms import START_UP, names_of_times, planned_arms, recorded_arms
from harness.errors import InputError
from harness.qemu.command import Accel
from harness.results.record import BootLine
from harness.results.store import Run, create_run
from harness.scenario.model import Platform
from harness.stability.goal import Goal
from harness.stability.plan import CampaignPlan, _Entry, place_of_turn, with_plan

ENTRY = _Entry("s", "about", "s.yaml", "-", "s", Platform.TCG, Accel.TCG, {}, {})


def _plan(arms: tuple[str, ...], boots: int) -> CampaignPlan:
    return CampaignPlan(Goal(boots, None, 0.95), (ENTRY,) * max(2, len(arms)), arms, 3)


def _record(run: Run, line: BootLine) -> None:
    folder = run.new_boot_folder()
    write_folder(folder)
    run.write_record(folder, RECORD)
    run.append(replace(line, folder=f"boots/{folder.name}"))


def _run(tmp_path: Path, plan: CampaignPlan | None = None) -> Run:
    return create_run(tmp_path / "results", {} if plan is None else with_plan({}, plan))


def _line(variant: str, status: Status = Status.PASS, platform: str = "tcg", turn: int | None = None) -> BootLine:
    line = boot_line(turn, status)
    return replace(line, identity=replace(line.identity, variant=variant, platform=platform))


def test_a_planned_comparison_counts_whole_blocks_only(tmp_path: Path) -> None:
    plan = _plan(("x: machine.cpu=max", "y: as it is"), 10)
    run = _run(tmp_path, plan)
    for turn in (1, 2, 3, 5, 6, 2):
        arm = place_of_turn(plan, turn).arm
        _record(run, boot_line(turn, Status.FAIL if arm == 0 else Status.PASS))
    x, y = planned_arms(run, plan)
    assert (x.label, x.what, y.label) == ("x", "machine.cpu=max", "y")
    assert [boot.block for boot in x.boots] == [boot.block for boot in y.boots] == [0, 2]
    assert (x.bad, x.told, y.bad, y.told) == (2, 2, 0, 2)
    assert x.boots[0].times_s[START_UP] == 4.0
    assert x.boots[0].times_s["kernel"] == pytest.approx(0.5)
    assert names_of_times((x, y)) == [START_UP, "firmware", "kernel", "init", "ready", "ssh"]


def test_recorded_runs_are_compared_by_what_both_have(tmp_path: Path) -> None:
    first, second = _run(tmp_path), _run(tmp_path)
    for line in (_line("s[v=1]"), _line("s[v=1]", Status.FAIL), _line("s[v=2]")):
        _record(first, line)
    for line in (_line("s[v=1]"), _line("s[v=1]", Status.INCONCLUSIVE), _line("s[v=3]", Status.FAIL)):
        _record(second, line)
    a, b = recorded_arms(tmp_path / "results", [first.folder.name, str(second.folder)])
    assert (a.label, a.bad, a.told, a.lost) == ("A", 1, 2, 0)
    assert (b.label, b.bad, b.told, b.lost) == ("B", 0, 1, 1)
    assert {boot.block for boot in (*a.boots, *b.boots)} == {None}
    assert b.boots[1].times_s == {}


def test_variants_of_one_campaign_are_neighbours(tmp_path: Path) -> None:
    run = _run(tmp_path, _plan((), 4))
    for turn in range(1, 5):
        _record(run, _line(f"s[v={turn % 2}]", turn=turn))
    name = run.folder.name
    a, b = recorded_arms(tmp_path / "results", [f"{name}:s[v=1]", f"{name}:s[v=0]"])
    assert [boot.block for boot in a.boots] == [boot.block for boot in b.boots] == [0, 1]


def test_what_cannot_be_compared_says_so(tmp_path: Path) -> None:
    run = _run(tmp_path)
    _record(run, _line("s[v=1]"))
    _record(run, _line("s[v=2]", platform="model"))
    other = _run(tmp_path)
    _record(other, _line("s[v=9]"))
    results, name = tmp_path / "results", run.folder.name
    for names, said in (
        ([f"{name}:s[v=1]", f"{name}:s[v=2]"], "boots of different grades"),
        ([name, other.folder.name], "no boots to compare"),
        ([f"{name}:s[v=7]", name], "no boots to compare"),
        ([name, "nothing"], "there is no run nothing"),
    ):
        with pytest.raises(InputError, match=said):
            recorded_arms(results, names)
