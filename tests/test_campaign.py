"""Many boots: each recorded before it counts, never too many at once, ended together."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import campaign
from harness.boot.plan import RefusedBoot
from harness.boot.run import PlannedBoot
from harness.campaign import Observer, Planned, run_campaign, run_workers
from harness.checks.base import Status
from harness.errors import HostError, InputError, LaunchError, Unsupported
from harness.qemu.command import Accel
from harness.results.record import BootIdentity, BootLine
from harness.results.store import Run, create_run
from harness.scenario.model import Guest, Machine, Platform
from harness.scenario.setting import Setting, Variant

SETTING = Setting(Machine(), Guest(), None, (), (), 60.0, None)
SITE: Any = None  # what stands for booting in these tests needs no machine
QUIET = Observer(lambda identity, progress: None, lambda line: None)


def planned(number: int) -> PlannedBoot:
    variant = Variant("x", "Why.", (), "x.yaml", f"n={number}", f"x_n-{number}", (), ((Platform.TCG, SETTING),))
    return PlannedBoot(variant, Platform.TCG, SETTING, Accel.TCG)


def line_of(identity: BootIdentity, name: str) -> BootLine:
    return BootLine(identity, name, Status.PASS, "", (), None, 0.0)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return create_run(tmp_path / "results", {})


@pytest.fixture
def boots(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], Any]], None]:
    """Let ``act`` stand for a boot: it gets the boot's number, and what it raises is what the boot raised."""

    def install(act: Callable[[int], Any]) -> None:
        async def run_boot(plan: PlannedBoot, *rest: object) -> PlannedBoot:
            await act(int(plan.variant.id.removeprefix("n=")))
            return plan

        monkeypatch.setattr(campaign, "run_boot", run_boot)
        monkeypatch.setattr(Run, "write_record", lambda self, folder, record: None)
        monkeypatch.setattr(campaign, "judge_record", lambda folder, record, name: line_of(record.identity, name))

    return install


async def nothing(number: int) -> None:
    await asyncio.sleep(0)


def test_lines_come_back_in_the_order_of_the_plans_whatever_ends_first(run: Run, boots: Any) -> None:
    async def act(number: int) -> None:
        await asyncio.sleep(0.05 - number / 100)

    boots(act)
    seen: list[str] = []
    observer = Observer(lambda identity, progress: None, lambda line: seen.append(line.identity.variant))
    lines = asyncio.run(run_campaign([planned(n) for n in range(4)], SITE, run, 4, observer))
    assert [line.identity.variant for line in lines] == [f"x[n={n}]" for n in range(4)]
    assert seen == [f"x[n={n}]" for n in (3, 2, 1, 0)]
    assert [line.identity.variant for line in run.lines()] == seen  # the record is in the order of the ends


@pytest.mark.parametrize("parallel", [1, 2, 5])
def test_never_more_at_once_than_asked_for(run: Run, boots: Any, parallel: int) -> None:
    now, most = 0, 0

    async def act(number: int) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1

    boots(act)
    asyncio.run(run_campaign([planned(n) for n in range(8)], SITE, run, parallel, QUIET))
    assert most == parallel


def test_a_boot_is_on_the_disk_when_it_is_announced(run: Run, boots: Any) -> None:
    boots(nothing)
    announced = []

    def finished(line: BootLine) -> None:
        announced.append(line)
        assert list(run.lines()) == announced

    asyncio.run(run_campaign([planned(n) for n in range(3)], SITE, run, 1, Observer(lambda i, p: None, finished)))
    assert len(announced) == 3


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (Unsupported("too small", "more memory"), Status.UNSUPPORTED, "too small (more memory)"),
        (InputError("guest.kernel: no kernel"), Status.ERROR, "scenario: guest.kernel: no kernel"),
        (HostError("no busybox"), Status.ERROR, "host: no busybox"),
        (LaunchError(["qemu", "-x"], "exit status 1", "bad"), Status.ERROR, "host: QEMU did not start: exit status 1"),
        (OSError(28, "No space left on device"), Status.ERROR, "No space left on device"),
    ],
)
def test_what_keeps_one_boot_from_happening_spoils_no_other(
    run: Run, boots: Any, error: Exception, status: Status, reason: str
) -> None:
    async def act(number: int) -> None:
        if number == 1:
            raise error

    boots(act)
    lines = asyncio.run(run_campaign([planned(n) for n in range(3)], SITE, run, 2, QUIET))
    assert [line.status for line in lines] == [Status.PASS, status, Status.PASS]
    assert reason in lines[1].reason
    assert sorted(run.lines(), key=lambda line: line.identity.variant) == list(lines)


def test_a_refused_boot_is_recorded_without_a_folder(run: Run) -> None:
    refused = RefusedBoot(planned(1).identity, "kvm: there is no /dev/kvm")
    (line,) = asyncio.run(run_campaign([refused], SITE, run, 1, QUIET))
    assert (line.status, line.folder, line.reason) == (Status.UNSUPPORTED, None, "kvm: there is no /dev/kvm")
    assert list(run.lines()) == [line]


def test_results_that_cannot_be_written_end_the_campaign_with_one_error(run: Run, boots: Any) -> None:
    begun, ended = asyncio.Barrier(3), []

    async def act(number: int) -> None:
        if number == 0:
            await begun.wait()
            shutil.rmtree(run.folder)
            return
        await begun.wait()
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(number)

    boots(act)
    plans: list[Planned] = [planned(n) for n in range(3)]
    with pytest.raises(HostError, match="cannot write"):
        asyncio.run(asyncio.wait_for(run_campaign(plans, SITE, run, 3, QUIET), 10))
    assert sorted(ended) == [1, 2]  # the others were ended, not left


def test_cancelling_ends_all_and_keeps_what_is_finished(run: Run, boots: Any) -> None:
    ended = []

    async def act(number: int) -> None:
        if number:
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(number)

    boots(act)

    async def scenario() -> None:
        first = asyncio.Event()
        observer = Observer(lambda identity, progress: None, lambda line: first.set())
        running = asyncio.create_task(run_campaign([planned(n) for n in range(3)], SITE, run, 3, observer))
        await first.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(asyncio.wait_for(scenario(), 10))
    assert [line.identity.variant for line in run.lines()] == ["x[n=0]"]
    assert sorted(ended) == [1, 2]


def test_workers_end_when_nothing_is_left_and_all_of_them_when_one_fails() -> None:
    left, done = [1, 2, 3, 4, 5], []

    async def work() -> None:
        while left:
            done.append(left.pop())
            await asyncio.sleep(0)

    asyncio.run(run_workers(work, 2))
    assert sorted(done) == [1, 2, 3, 4, 5]

    begun = 0

    async def fail() -> None:
        nonlocal begun
        begun += 1
        if begun == 2:
            raise HostError("the disk is full")
        await asyncio.Event().wait()

    with pytest.raises(HostError, match="the disk is full"):
        asyncio.run(run_workers(fail, 3))
