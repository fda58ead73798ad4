from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sample_campaign import boot_line

from harness.boot.context import Progress
from harness.boot.run import PlannedBoot
from harness.boot.site import Site
from harness.checks.base import Status
from harness.errors import HostError, InputError
from harness.qemu.command import Accel
from harness.results.record import BootLine
from harness.results.store import Run, create_run
from harness.scenario.model import Machine, Payload, Platform
from harness.scenario.setting import Setting
from harness.scenario.stored import dump_setting
from harness.stability import run as subject
from harness.stability.account import Account, count_boots
from harness.stability.goal import Goal, Until
from harness.stability.plan import CampaignPlan, _Entry


def _plan(goal: Goal, vcpus: int = 1) -> CampaignPlan:
    machine = Machine(vcpus=vcpus)
    setting = Setting(machine, None, Payload(image="vmpl_model"), (), (), 10.0, None)
    entry = _Entry("s", "about", "s.yaml", "-", "s", Platform.MODEL, Accel.TCG, dump_setting(setting), {})
    return CampaignPlan(goal, (entry,))


class Boots:
    """Stand for QEMU: a boot ends when all boots that ``after`` names for it have ended."""

    def __init__(self, bad: Iterable[int] = (), after: Mapping[int, int] | None = None) -> None:
        self.bad = set(bad)
        self.after = after or {}
        self.begun: list[int] = []
        self.at_once = 0
        self.ended: dict[int, asyncio.Event] = {}

    async def record(self, boot: PlannedBoot, site: Site, run: Run, report: Callable[[Progress], None]) -> BootLine:
        turn = boot.turn
        assert turn is not None
        self.begun.append(turn)
        self.at_once = max(self.at_once, len(self.begun) - sum(event.is_set() for event in self.ended.values()))
        report(Progress("qemu", ""))
        mine = self.ended.setdefault(turn, asyncio.Event())
        if turn in self.after:
            await self.ended.setdefault(self.after[turn], asyncio.Event()).wait()
        await asyncio.sleep(0)
        line = boot_line(turn, Status.FAIL if turn in self.bad else Status.PASS)
        run.append(line)
        mine.set()
        return line


def _make(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, boots: Boots, goal: Goal, parallel: int = 2, **more: Any
) -> tuple[Account, list[Any]]:
    monkeypatch.setattr(subject, "record_boot", boots.record)
    run = create_run(tmp_path, {})
    account = more.get("account", count_boots(goal, 1, ()))
    heard: list[Any] = []
    site: Any = None
    plan = _plan(goal)
    asyncio.run(
        subject.make_boots(plan, site, run, account, parallel, lambda who, what: heard.append((who.turn, what)))
    )
    assert subject.count_run(run, plan).lines.keys() | set(more.get("before", ())) == account.lines.keys()
    return account, heard


@pytest.mark.parametrize("parallel", [1, 2, 5, 20])
def test_every_boot_is_made_once_and_not_too_many_at_a_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, parallel: int
) -> None:
    boots = Boots(bad={3})
    account, heard = _make(monkeypatch, tmp_path, boots, Goal(12, None, 0.95), parallel)
    assert boots.begun == list(range(1, 13))
    assert boots.at_once <= parallel
    assert (account.complete, account.bad, account.good) == (True, 1, 11)
    assert sum(isinstance(what, BootLine) for _, what in heard) == 12
    assert sum(isinstance(what, Progress) for _, what in heard) == 12


def test_only_what_is_missing_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    goal = Goal(6, None, 0.95)
    before = count_boots(goal, 1, [boot_line(turn) for turn in (1, 2, 5)])
    boots = Boots()
    account, _ = _make(monkeypatch, tmp_path, boots, goal, account=before, before=(1, 2, 5))
    assert boots.begun == [3, 4, 6]
    assert account.complete


def test_a_boot_that_hangs_is_waited_for_and_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Boot 2 is bad, and ends only after boot 8: asked about in the order of their ends, the rule would have said PASS
    # after five good ones. It also is not cut off once another boot has decided.
    boots = Boots(bad={2}, after={2: 8})
    account, _ = _make(monkeypatch, tmp_path, boots, Goal(50, 0.5, 0.95, sequential=True))
    assert 2 in account.lines
    assert account.decided is not None
    assert account.decided[1] > 5
    assert account.counted == len(account.lines) == len(boots.begun)


def test_no_boot_begins_after_the_decision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    boots = Boots()
    account, _ = _make(monkeypatch, tmp_path, boots, Goal(50, 0.5, 0.95, sequential=True))
    assert account.decided is not None
    assert len(boots.begun) <= account.decided[1] + 1  # the one that ran beside it


def test_enough_failures_of_a_kind_end_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    boots = Boots(bad={2, 4, 9})
    account, _ = _make(monkeypatch, tmp_path, boots, Goal(50, None, 0.95, until=Until(2, "panic")), parallel=1)
    assert boots.begun == [1, 2, 3, 4]
    assert account.kinds()[0].boots == 2


def test_results_that_cannot_be_written_end_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def refuse(*_: Any) -> BootLine:
        raise HostError("the disk is full")

    boots = Boots()
    boots.record = refuse  # type: ignore[method-assign]
    with pytest.raises(HostError, match="disk is full"):
        _make(monkeypatch, tmp_path, boots, Goal(5, None, 0.95))


def test_boots_that_never_ended_are_counted(tmp_path: Path) -> None:
    run = create_run(tmp_path, {})
    for _ in range(3):
        run.new_boot_folder()
    account = count_boots(Goal(5, None, 0.95), 1, [boot_line(2)])
    assert subject.cut_short(run, account) == 2


def test_two_processes_do_not_make_the_same_boots(tmp_path: Path) -> None:
    run = create_run(tmp_path, {})
    with subject.alone(run), pytest.raises(InputError, match="another process"), subject.alone(run):
        pass
    with subject.alone(run):
        pass


@pytest.mark.parametrize(("cpus", "vcpus", "boots"), [(8, 2, 4), (8, 3, 2), (2, 4, 1), (1, 1, 1)])
def test_each_vcpu_has_a_cpu_of_its_own(cpus: int, vcpus: int, boots: int) -> None:
    plan = _plan(Goal(1, None, 0.95), vcpus)
    site: Any = SimpleNamespace(slots=None, host=SimpleNamespace(facts=SimpleNamespace(cpus=cpus)))
    assert subject.boots_at_once(plan, site) == boots
    site.slots = 3  # as the host's entry says
    assert subject.boots_at_once(plan, site) == 3
