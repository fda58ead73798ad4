import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.nightly.evidence import build_digest, find_campaign
from harness.qemu.command import Accel
from harness.results.store import Run, create_run
from harness.scenario.model import Platform
from harness.stability.goal import Goal
from harness.stability.plan import CampaignPlan, _Entry, with_plan

ENTRY = _Entry("s", "About.", "/a/s.yaml", "-", "s", Platform.MODEL, Accel.TCG, {"machine": {}}, {"payload": "abc"})
PLAN = CampaignPlan(Goal(9, 0.05, 0.95), (ENTRY,))
ABOUT: dict[str, Any] = {
    "host": {"kernel": "6.1", "machine": "x86_64", "cpu": "EPYC", "cpus": 2, "memory_bytes": 1, "system": "Debian"},
    "harness": {"version": "0.1.0", "commit": "a"},
}


def entry(**changes: Any) -> CampaignPlan:
    return replace(PLAN, entries=(replace(ENTRY, **changes),))


@pytest.mark.parametrize(
    ("plan", "about"),
    [
        (replace(PLAN, goal=replace(PLAN.goal, boots=99, extended=True)), ABOUT),
        (entry(about="Other words.", file="/b/s.yaml"), ABOUT),
        (PLAN, {**ABOUT, "host": {**ABOUT["host"], "system": "Debian 12.1"}, "command": ["x"]}),
        (PLAN, {**ABOUT, "harness": {"version": "0.1.0", "commit": "b"}}),
    ],
)
def test_what_changes_no_boot_changes_no_build(plan: CampaignPlan, about: dict[str, Any]) -> None:
    assert build_digest(plan, about) == build_digest(PLAN, ABOUT)


@pytest.mark.parametrize(
    ("plan", "about"),
    [
        (entry(made_of={"payload": "abd"}), ABOUT),
        (entry(setting={"machine": {"vcpus": 2}}), ABOUT),
        (entry(platform=Platform.KVM), ABOUT),
        (replace(PLAN, entries=(ENTRY, ENTRY)), ABOUT),
        (replace(PLAN, goal=replace(PLAN.goal, max_failure_rate=0.01)), ABOUT),
        (replace(PLAN, goal=replace(PLAN.goal, sequential=True)), ABOUT),
        (PLAN, {**ABOUT, "host": {**ABOUT["host"], "kernel": "6.2"}}),
        (PLAN, {**ABOUT, "harness": {"version": "0.2.0"}}),
        (PLAN, {}),
    ],
)
def test_what_changes_boots_is_another_build(plan: CampaignPlan, about: dict[str, Any]) -> None:
    assert build_digest(plan, about) != build_digest(PLAN, ABOUT)


def stored(results: Path, name: str, plan: CampaignPlan | None) -> Run:
    run = create_run(results, ABOUT if plan is None else with_plan(ABOUT, plan))
    return Run(run.folder.rename(results / name))


def test_the_newest_campaign_of_the_build_is_found(tmp_path: Path) -> None:
    digest = build_digest(PLAN, ABOUT)
    assert find_campaign(tmp_path, digest) is None
    stored(tmp_path, "1", PLAN)
    newest = stored(tmp_path, "2", replace(PLAN, goal=replace(PLAN.goal, boots=50, extended=True)))
    stored(tmp_path, "3", entry(made_of={"payload": "other"}))
    stored(tmp_path, "4", None)
    stored(tmp_path, "5", replace(PLAN, arms=("a", "b")))
    (tmp_path / "6").mkdir()
    (tmp_path / "6" / "run.json").write_text("{")
    old = stored(tmp_path, "7", PLAN)
    about = json.loads((old.folder / "run.json").read_text())
    about["stability"] = {"another": "version"}
    (old.folder / "run.json").write_text(json.dumps(about))
    assert find_campaign(tmp_path, digest) == newest
