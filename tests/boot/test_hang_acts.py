"""Do each thing to a real QEMU whose guest spins, and see from /proc that it is what was meant."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from harness.boot import hang_acts
from harness.boot.hang_acts import pause, silence, starve, stop_process, stop_vcpu, throttle, wait_only
from harness.boot.hang_images import SPIN, payload_image
from harness.boot.vitals import Observer, read_process
from harness.clock import Deadline, monotonic_s, settle
from harness.evidence.vitals import ThreadLook, parse_process
from harness.qemu.command import QemuCommand, Stream, Wiring
from harness.qemu.machine import VirtualMachine, launch

QEMU = shutil.which("qemu-system-x86_64") or ""
pytestmark = [pytest.mark.qemu, pytest.mark.skipif(not QEMU, reason="QEMU is not installed")]

Act = Callable[[VirtualMachine], AbstractAsyncContextManager[None]]


def _during(folder: Path, act: Act, look: Callable[[VirtualMachine], object]) -> object:
    image = folder / "kernel.elf"
    image.write_bytes(payload_image(SPIN, b"Linux version 6\n"))

    def build(wiring: Wiring) -> QemuCommand:
        options: list[tuple[str, ...]] = [("-machine", "q35,accel=tcg"), ("-nodefaults",), ("-display", "none")]
        options += [("-smp", "2"), ("-m", "32M"), ("-S",), ("-kernel", str(image))]
        if wiring.monitor is not None:
            options += [("-chardev", wiring.monitor.replace(",", ",id=qmp,", 1)), ("-mon", "chardev=qmp,mode=control")]
            options += [("-chardev", wiring.chardevs[Stream.CONSOLE].replace(",", ",id=console,", 1))]
            options += [("-serial", "chardev:console")]
        return QemuCommand(QEMU, tuple(options))

    async def boot() -> object:
        async with launch(build, [Stream.CONSOLE], folder, Deadline.after(30)) as machine:
            await machine.start(Deadline.after(5))
            async with act(machine):
                answer = look(machine)
                return await answer if asyncio.iscoroutine(answer) else answer

    return asyncio.run(boot())


@pytest.fixture(autouse=True)
def _briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hang_acts, "_LASTS_S", 0.4)
    monkeypatch.setattr(hang_acts, "_SILENT_S", 0.4)


def _threads(machine: VirtualMachine) -> list[ThreadLook]:
    return list(parse_process(read_process(machine.process.pid), {})[0])


def _states(machine: VirtualMachine) -> set[str]:
    return {thread.state for thread in _threads(machine)}


async def _share(machine: VirtualMachine) -> float:
    before, begin_s = sum(thread.cpu_ns for thread in _threads(machine)), monotonic_s()
    await settle(1.0)
    return (sum(thread.cpu_ns for thread in _threads(machine)) - before) / 1e9 / (monotonic_s() - begin_s)


def test_a_stopped_process(tmp_path: Path) -> None:
    assert _during(tmp_path, stop_process, _states) == {"T"}


def test_one_stopped_thread_and_no_other(tmp_path: Path) -> None:
    states = _during(tmp_path, stop_vcpu, lambda machine: [thread.state for thread in _threads(machine)])
    assert isinstance(states, list)
    assert states.count("t") == 1 and set(states) - {"t"} and "T" not in states


def test_a_guest_stopped_by_qmp(tmp_path: Path) -> None:
    async def state(machine: VirtualMachine) -> str | None:
        return (await Observer(machine, encrypted=False, kvm=False).look(0.0, Deadline.after(5))).run_state

    assert _during(tmp_path, pause, state) == "paused"


@pytest.mark.parametrize("act", [partial(throttle, after="kernel"), partial(starve, after="kernel")])
def test_little_cpu(tmp_path: Path, act: Act) -> None:
    share = _during(tmp_path, act, _share)
    assert isinstance(share, float) and share < 0.3


def test_a_silent_guest_is_left_alone(tmp_path: Path) -> None:
    assert "T" not in _during(tmp_path, partial(silence, after="kernel"), _states)  # type: ignore[operator]
    assert "T" not in _during(tmp_path, partial(wait_only, after="kernel", duration_s=0.1), _states)  # type: ignore[operator]
