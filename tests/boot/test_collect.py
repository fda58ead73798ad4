"""Ask a real QEMU for its state: one that is well, one that answers late, one that does not answer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from harness.boot.collect import collect_state
from harness.boot.context import BootContext
from harness.boot.vitals import Observer
from harness.clock import Deadline, poll
from harness.evidence.records import Loss
from harness.host.local import LocalHost
from harness.qemu.command import Stream
from harness.qemu.machine import launch
from tests.boot.waiting_qemu import QEMU, build_waiting

pytestmark = [pytest.mark.qemu, pytest.mark.skipif(not QEMU, reason="QEMU is not installed")]


def _collect(folder: Path, course: Callable[[BootContext], Awaitable[None]]) -> list[Loss]:
    async def boot() -> list[Loss]:
        async with launch(build_waiting, [Stream.CONSOLE], folder, Deadline.after(30)) as machine:
            context = BootContext(machine, folder, Observer(machine, encrypted=False, kvm=False), LocalHost())
            await course(context)
            await machine.process.kill()
            return context.losses

    return asyncio.run(boot())


def _state(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((folder / "state.json").read_text())
    return state


def test_the_state_of_a_machine_that_waits(tmp_path: Path) -> None:
    losses = _collect(tmp_path, lambda context: collect_state(context, Deadline.after(20)))
    state = _state(tmp_path)
    assert losses == []
    assert state["query-status"]["status"] == "prelaunch" and len(state["query-cpus-fast"]) == 2
    assert any(line.startswith("EIP=0000fff0") for line in state["info registers -a"])


def test_a_qemu_that_is_too_busy_for_a_look_still_tells_its_state(tmp_path: Path) -> None:
    async def busy(context: BootContext) -> None:
        pid = context.machine.process.pid
        os.kill(pid, signal.SIGSTOP)
        collecting = asyncio.create_task(collect_state(context, Deadline.after(20)))
        async for _ in poll(Deadline.after(20), 0.01):
            if context.observer.silence:
                break
        os.kill(pid, signal.SIGCONT)
        await collecting

    assert _collect(tmp_path, busy) == []
    assert json.loads((tmp_path / "vitals.json").read_text())["silence"].startswith("QEMU did not answer")
    assert _state(tmp_path)["query-status"]["status"] == "prelaunch"


def test_a_qemu_that_does_not_answer_is_a_loss_that_says_which_question(tmp_path: Path) -> None:
    async def hung(context: BootContext) -> None:
        os.kill(context.machine.process.pid, signal.SIGSTOP)
        await collect_state(context, Deadline.after(3))

    assert _collect(tmp_path, hung) == [Loss("state", "QEMU did not answer QMP query-status")]
    assert set(_state(tmp_path)) == {"at_s"}
