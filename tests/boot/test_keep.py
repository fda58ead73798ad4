"""Keep a real QEMU: frozen, with every way in, until it is let go."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.boot import keep
from harness.boot.context import BootContext
from harness.boot.keep import SECOND_MONITOR, keeping
from harness.boot.load import Load
from harness.boot.vitals import Observer
from harness.clock import Deadline
from harness.host.local import LocalHost
from harness.qemu.command import QemuCommand, Stream, Wiring
from harness.qemu.machine import VirtualMachine, launch

QEMU = shutil.which("qemu-system-x86_64") or ""
pytestmark = [pytest.mark.qemu, pytest.mark.skipif(not QEMU, reason="QEMU is not installed")]


def _kept(
    folder: Path,
    *,
    encrypted: bool = False,
    wrong: bool = True,
    fails: str = "",
    before: Callable[[VirtualMachine], None] | None = None,
    end: Callable[[VirtualMachine, asyncio.Event], None] | None = None,
) -> str:
    # What the person was told; empty: nothing.
    said: list[str] = []

    def build(wiring: Wiring) -> QemuCommand:
        options: list[tuple[str, ...]] = [("-machine", "q35,accel=tcg"), ("-nodefaults",), ("-display", "none")]
        options += [("-m", "16M"), ("-S",), *SECOND_MONITOR]
        if wiring.monitor is not None:
            options += [("-chardev", wiring.monitor.replace(",", ",id=qmp,", 1)), ("-mon", "chardev=qmp,mode=control")]
        return QemuCommand(QEMU, tuple(options))

    async def boot() -> None:
        release = asyncio.Event()
        async with launch(build, [Stream.CONSOLE], folder, Deadline.after(20)) as machine:
            context: Any = SimpleNamespace(
                machine=machine,
                folder=folder,
                host=LocalHost(),
                observer=Observer(machine, encrypted, kvm=False),
                image=None,
                release="",
                went_wrong=wrong,
                fails=fails,
            )

            def say(lines: str) -> None:
                said.append(lines)
                if end is None:
                    release.set()
                else:
                    end(machine, release)

            if before is not None:
                before(machine)
            gone = asyncio.create_task(asyncio.sleep(0, ""))
            await keeping(say, release)().hold(cast(BootContext, context), cast(Load, None), gone)
            assert signal.getsignal(signal.SIGINT) is handler_before
            await machine.process.kill()

    async def remember() -> None:
        nonlocal handler_before
        handler_before = signal.getsignal(signal.SIGINT)
        await boot()

    handler_before: Any = None
    asyncio.run(remember())
    return "\n".join(said)


def test_every_way_in_is_named(tmp_path: Path) -> None:
    said = _kept(tmp_path)
    assert "is frozen" in said and "Ctrl-C ends it" in said
    assert "gdb -ex 'target remote 127.0.0.1:" in said
    assert "ABSTRACT-CONNECT:svsm-harness-" in said and "-console" in said
    assert "socat READLINE TCP:127.0.0.1:" in said
    assert f"crash vmlinux {tmp_path / 'memory.dump'}" in said
    assert (tmp_path / "memory.dump").stat().st_size > 1000


def test_an_encrypted_guest_is_not_dumped(tmp_path: Path) -> None:
    said = _kept(tmp_path, encrypted=True)
    assert "no dump: the guest is encrypted" in said and "registers read as zero" in said
    assert not (tmp_path / "memory.dump").exists()


def test_a_guest_that_went_well_is_not_kept(tmp_path: Path) -> None:
    assert _kept(tmp_path, wrong=False) == ""


def test_a_guest_that_only_a_check_fails_is_kept_and_says_which(tmp_path: Path) -> None:
    said = _kept(tmp_path, wrong=False, fails="guest: answer: no match")
    assert "the guest failed (guest: answer: no match) and is frozen" in said


def test_no_dump_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=20 << 20))
    assert "no dump: it may need 16 MiB" in _kept(tmp_path)


def test_a_qemu_that_does_not_answer_is_kept_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep, "_ANSWER_S", 0.3)
    said = _kept(tmp_path, before=lambda machine: os.kill(machine.process.pid, signal.SIGSTOP))
    assert "NOT frozen: QEMU does not answer" in said and "gdb" not in said and "process " in said


def test_ctrl_c_lets_it_go(tmp_path: Path) -> None:
    assert _kept(tmp_path, end=lambda machine, release: os.kill(os.getpid(), signal.SIGINT))


def test_the_end_of_qemu_lets_it_go(tmp_path: Path) -> None:
    assert _kept(tmp_path, end=lambda machine, release: os.kill(machine.process.pid, signal.SIGKILL))
