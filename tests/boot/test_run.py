from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from harness.boot.plan import plan_boots
from harness.boot.site import open_site
from harness.campaign import record_boot
from harness.catalogue import load_files, select_variants
from harness.checks.base import Status
from harness.clock import Deadline
from harness.qemu.machine import VirtualMachine
from harness.qemu.monitor import Monitor, QemuHungUp
from harness.results.provenance import describe_run
from harness.results.record import BootLine
from harness.results.store import create_run
from harness.scenario.model import Platform

SCENARIO = Path(__file__).parents[2] / "scenarios" / "vmpl" / "svsm_calls.yaml"


def _boot(folder: Path) -> BootLine:
    async def boot() -> BootLine:
        site = await open_site(os.environ)
        variants = select_variants(load_files([SCENARIO], {}, os.environ), ["svsm-calls[flavour=roy,vcpus=1,calls=1]"])
        (plan,) = await plan_boots(variants, site, Platform.MODEL)
        return await record_boot(plan, site, create_run(folder, describe_run(["test"])), lambda progress: None)

    return asyncio.run(boot())


@pytest.mark.qemu
@pytest.mark.parametrize("killed", [False, True])
def test_a_guest_may_be_over_before_qemu_has_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    machines: list[VirtualMachine] = []
    start, execute = VirtualMachine.start, Monitor.execute

    async def noted(self: VirtualMachine, deadline: Deadline) -> None:
        machines.append(self)
        await start(self, deadline)

    async def hangs_up(self: Monitor, command: str, arguments: Any, deadline: Deadline, **more: Any) -> Any:
        answer = await execute(self, command, arguments, deadline, **more)
        if command == "cont":
            if killed:
                os.kill(machines[0].process.pid, signal.SIGKILL)
            # It has hung up, and cannot be waited for yet.
            assert machines[0].process.status is None
            raise QemuHungUp("QEMU hung up during QMP cont")
        return answer

    monkeypatch.setattr(VirtualMachine, "start", noted)
    monkeypatch.setattr(Monitor, "execute", hangs_up)
    line = _boot(tmp_path)
    assert line.outcome is not None
    assert (line.status, line.outcome.kind) == (
        (Status.FAIL, "qemu-crash") if killed else (Status.PASS, "payload-ended")
    )
