from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.boot.run import PlannedBoot
from harness.boot.site import Site
from harness.catalogue import load_files
from harness.errors import InputError
from harness.host.protocol import HostKind
from harness.qemu.command import Accel
from harness.results.store import Run, create_run
from harness.scenario.model import Platform
from harness.stability.goal import Goal, Until
from harness.stability.plan import (
    CampaignPlan,
    boot_of_turn,
    make_plan,
    read_plan,
    require_same_parts,
    with_plan,
    write_goal,
)

SCENARIO = """
name: many
about: Two variants on the model.
matrix: {vcpus: [1, 2]}
platforms:
  model:
    machine: {memory: 64M}
    payload: {image: vmpl_model, trace: roy, debug_exit: true, seed: 7}
"""
GOAL = Goal(9, 0.05, 0.95, sequential=True, until=Until(2, "hang"))


@pytest.fixture
def planned(tmp_path: Path) -> list[PlannedBoot]:
    file = tmp_path / "many.yaml"
    file.write_text(SCENARIO)
    (scenario,) = load_files([file], {}, {})
    return [PlannedBoot(variant, *variant.platforms[0], Accel.TCG) for variant in scenario.variants]


@pytest.fixture
def plan(planned: list[PlannedBoot], site: Site) -> CampaignPlan:
    return asyncio.run(make_plan(GOAL, planned, site))


@pytest.fixture
def run(tmp_path: Path, plan: CampaignPlan) -> Run:
    return create_run(tmp_path / "results", with_plan({"command": ["x"]}, plan))


def test_a_plan_comes_back_as_it_was(run: Run, plan: CampaignPlan) -> None:
    assert read_plan(run) == plan


def test_the_scenario_file_may_go_away(run: Run, plan: CampaignPlan, planned: list[PlannedBoot]) -> None:
    Path(planned[0].variant.file).unlink()
    boot = boot_of_turn(read_plan(run), 2)
    assert boot.setting.machine == planned[1].setting.machine
    assert boot.identity == replace(planned[1].identity, turn=2)


def test_variants_take_turns_and_every_boot_has_a_seed_of_its_own(plan: CampaignPlan) -> None:
    boots = [boot_of_turn(plan, turn) for turn in range(1, 6)]
    assert [boot.setting.machine.vcpus for boot in boots] == [1, 2, 1, 2, 1]
    assert [boot.identity.turn for boot in boots] == [1, 2, 3, 4, 5]
    seeds = [boot.setting.payload.seed for boot in boots if boot.setting.payload is not None]
    assert seeds == [7, 8, 9, 10, 11]


def test_boots_of_different_grades_are_not_counted_together(planned: list[PlannedBoot], site: Site) -> None:
    mixed = [planned[0], replace(planned[1], platform=Platform.KVM)]
    with pytest.raises(InputError, match=r"model and kvm.*--platform"):
        asyncio.run(make_plan(GOAL, mixed, site))


def test_more_boots_are_remembered(run: Run, plan: CampaignPlan) -> None:
    goal = replace(GOAL, boots=20, extended=True)
    write_goal(run, goal)
    assert read_plan(run) == replace(plan, goal=goal)
    assert json.loads((run.folder / "run.json").read_bytes())["command"] == ["x"]


@pytest.mark.parametrize("part", ["QEMU", "payload vmpl_model", "a part that is gone"])
def test_another_build_is_another_campaign(plan: CampaignPlan, site: Site, part: str) -> None:
    asyncio.run(require_same_parts(plan, site))
    was = replace(plan.entries[1], made_of={**plan.entries[1].made_of, part: "!"})
    with pytest.raises(InputError, match=f"{part} was ! when the campaign began"):
        asyncio.run(require_same_parts(replace(plan, entries=(plan.entries[0], was)), site))


def test_a_campaign_belongs_to_its_host(plan: CampaignPlan, site: Site) -> None:
    assert plan.host == "local"
    there = tuple(
        replace(entry, made_of={**entry.made_of, "host": "snp-1", "QEMU": "another"}) for entry in plan.entries
    )
    campaign = replace(plan, entries=there)
    assert campaign.host == "snp-1"
    with pytest.raises(InputError, match="are made on snp-1: go on with --host snp-1"):
        asyncio.run(require_same_parts(campaign, site))


def test_the_host_is_one_of_the_parts(planned: list[PlannedBoot], site: Site) -> None:
    host: Any = SimpleNamespace(kind=HostKind.SSH, name="snp-1")
    made = asyncio.run(make_plan(GOAL, planned, replace(site, host=host)))
    assert made.host == "snp-1"
    with pytest.raises(InputError, match="go on with --host snp-1"):
        asyncio.run(require_same_parts(made, site))


def test_a_run_that_is_no_campaign_says_so(tmp_path: Path) -> None:
    run = create_run(tmp_path, {})
    with pytest.raises(InputError, match="is no stability campaign"):
        read_plan(run)


def test_another_versions_plan_says_so(run: Run) -> None:
    path = run.folder / "run.json"
    about: dict[str, Any] = json.loads(path.read_bytes())
    about["stability"]["goal"]["boots"] = "many"
    path.write_text(json.dumps(about))
    with pytest.raises(InputError, match="another version of the harness wrote it"):
        read_plan(run)
