"""Bring a QEMU up and down, without a guest: what is refused, what is left behind, what is written."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.clock import Deadline
from harness.errors import LaunchError
from harness.qemu.command import QemuCommand, Stream, Wiring
from harness.qemu.machine import launch
from harness.qemu.monitor import MonitorLost

QEMU = shutil.which("qemu-system-x86_64") or ""
pytestmark = [pytest.mark.qemu, pytest.mark.skipif(not QEMU, reason="QEMU is not installed")]


def build(wiring: Wiring, more: Sequence[str] = ()) -> QemuCommand:
    options: list[tuple[str, ...]] = [("-machine", "none"), ("-nodefaults",), ("-display", "none")]
    if wiring.monitor is not None:
        options += [("-chardev", wiring.monitor.replace(",", ",id=qmp,", 1)), ("-mon", "chardev=qmp,mode=control")]
    return QemuCommand(QEMU, (*options, *((word,) for word in more)))


def soon() -> Deadline:
    return Deadline.after(20)


def test_a_refused_command_line_is_told_with_a_line_to_paste(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with launch(lambda wiring: build(wiring, ["-bogus", "it's"]), [Stream.CONSOLE], tmp_path, soon()):
            raise AssertionError("it is up")

    with pytest.raises(LaunchError) as raised:
        asyncio.run(scenario())
    error = raised.value
    assert error.status == "exit status 1"
    assert "-bogus: invalid option" in error.stderr
    assert error.argv[0] == QEMU and error.argv[-2:] == ("-bogus", "it's")
    assert "fd=" not in " ".join(error.argv)  # what only the harness has is no use in a shell
    assert "-bogus 'it'\"'\"'s'" in str(error)
    assert "-bogus" in (tmp_path / "qemu.sh").read_text()


def test_a_qemu_that_cannot_be_executed_is_a_launch_error(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with launch(lambda wiring: QemuCommand("/nonexistent/qemu", ()), [Stream.CONSOLE], tmp_path, soon()):
            raise AssertionError("it is up")

    with pytest.raises(LaunchError, match="exit status 127"):
        asyncio.run(scenario())


def test_a_qemu_that_never_greets_is_killed_at_the_deadline(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with launch(
            lambda wiring: QemuCommand("/bin/sleep", (("1234567",),)), [Stream.CONSOLE], tmp_path, Deadline.after(0.2)
        ):
            raise AssertionError("it is up")

    with pytest.raises(LaunchError, match="killed by SIGKILL"):
        asyncio.run(scenario())


def test_quitting_is_orderly_and_written_down(tmp_path: Path) -> None:
    async def scenario() -> int:
        async with launch(build, [Stream.CONSOLE], tmp_path, soon()) as machine:
            await machine.monitor.execute("query-status", None, soon())
            return await machine.quit()

    assert asyncio.run(scenario()) == 0
    journal = [json.loads(line) for line in (tmp_path / "qmp.jsonl").read_text().splitlines()]
    assert [entry["sent"]["execute"] for entry in journal if "sent" in entry] == ["query-status", "quit"]
    assert [entry["event"]["event"] for entry in journal if "event" in entry] == ["SHUTDOWN"]
    assert all(journal[i]["at_s"] <= journal[i + 1]["at_s"] for i in range(len(journal) - 1))
    assert (tmp_path / "console.log").read_bytes() == b""


def test_a_killed_qemu_is_noticed_by_its_monitor_and_its_status(tmp_path: Path) -> None:
    async def scenario() -> int:
        async with launch(build, [Stream.CONSOLE], tmp_path, soon()) as machine:
            os.kill(machine.process.pid, signal.SIGKILL)
            with pytest.raises(MonitorLost):
                await machine.monitor.execute("query-status", None, soon())
            return await machine.quit()

    assert asyncio.run(scenario()) == -signal.SIGKILL


def test_a_stopped_qemu_is_killed_when_it_does_not_quit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.qemu.machine._QUIT_S", 0.2)

    async def scenario() -> int:
        async with launch(build, [Stream.CONSOLE], tmp_path, soon()) as machine:
            os.kill(machine.process.pid, signal.SIGSTOP)
            return await machine.quit()

    assert asyncio.run(scenario()) == -signal.SIGKILL


def test_no_descriptor_and_no_task_is_left(tmp_path: Path) -> None:
    async def scenario() -> tuple[int, int]:
        async def once(number: int) -> None:
            folder = tmp_path / str(number)
            folder.mkdir()
            async with launch(build, [Stream.CONSOLE, Stream.FIRMWARE], folder, soon()) as machine:
                await machine.quit()

        await once(0)  # what the event loop itself keeps is open after this one
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - iterating a Path keeps a descriptor open
        await once(1)
        await once(2)
        return len(os.listdir("/proc/self/fd")) - before, len(asyncio.all_tasks())  # noqa: PTH208

    assert asyncio.run(scenario()) == (0, 1)
