"""QEMU behind scripts: the code for other machines, run by this machine's shell."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from harness.clock import Deadline
from harness.errors import LaunchError
from harness.host.local import LocalHost
from harness.host.protocol import HostLost
from harness.qemu.command import QemuCommand, Stream, Wiring
from harness.qemu.machine import There, VirtualMachine, launch
from harness.qemu.there import wiring_there

QEMU = shutil.which("qemu-system-x86_64") or ""
pytestmark = [pytest.mark.qemu, pytest.mark.skipif(not QEMU, reason="QEMU is not installed")]


def soon() -> Deadline:
    return Deadline.after(30)


def build(wiring: Wiring, more: Sequence[str] = ()) -> QemuCommand:
    options: list[tuple[str, ...]] = [("-machine", "none"), ("-nodefaults",), ("-display", "none")]
    for stream, backend in wiring.chardevs.items():
        options.append(("-chardev", backend.replace(",", f",id={stream},", 1)))
    if wiring.monitor is not None:
        options += [("-chardev", wiring.monitor.replace(",", ",id=qmp,", 1)), ("-mon", "chardev=qmp,mode=control")]
    return QemuCommand(QEMU, (*options, *((word,) for word in more)))


@asynccontextmanager
async def started(tmp_path: Path, *more: str, binary: str = QEMU) -> AsyncIterator[VirtualMachine]:
    (tmp_path / "there").mkdir()
    (tmp_path / "logs").mkdir()
    there = There(LocalHost(), str(tmp_path / "there"))
    streams = (Stream.CONSOLE, Stream.TRACE)

    def command(wiring: Wiring) -> QemuCommand:
        return QemuCommand(binary, build(wiring, more).options)

    async with launch(command, streams, tmp_path / "logs", soon(), there=there) as machine:
        yield machine


def test_it_is_up_and_quits_in_order(tmp_path: Path) -> None:
    async def scenario() -> int:
        async with started(tmp_path) as machine:
            assert (await machine.monitor.execute("query-status", None, soon()))["status"]
            assert Path(f"/proc/{machine.process.pid}/exe").resolve() == Path(QEMU).resolve()
            assert machine.process.status is None
            return await machine.quit()

    assert asyncio.run(scenario()) == 0
    assert not (tmp_path / "there").exists()
    assert "It ran on local." in (tmp_path / "logs" / "qemu.sh").read_text()


def test_a_signal_is_told_from_an_exit(tmp_path: Path) -> None:
    async def scenario() -> int:
        async with started(tmp_path) as machine:
            os.kill(machine.process.pid, signal.SIGSEGV)
            return await machine.process.wait()

    assert asyncio.run(scenario()) == -signal.SIGSEGV


@pytest.mark.parametrize(
    ("more", "binary", "status", "said"),
    [
        (("-bogus",), QEMU, "exit status 1", "-bogus: invalid option"),
        ((), "/nonexistent/qemu", "exit status 127", "not found"),
    ],
)
def test_what_does_not_start_is_told_with_its_own_words(
    tmp_path: Path, more: tuple[str, ...], binary: str, status: str, said: str
) -> None:
    async def scenario() -> None:
        async with started(tmp_path, *more, binary=binary):
            raise AssertionError("it is up")

    with pytest.raises(LaunchError) as raised:
        asyncio.run(scenario())
    assert raised.value.status == status
    assert said in raised.value.stderr
    assert not (tmp_path / "there").exists()


def test_one_that_is_killed_there_before_it_greets_is_lost_with_its_machine(tmp_path: Path) -> None:
    # As a machine does that goes down: its processes go first, and the connection after them.
    binary = tmp_path / "killed"
    binary.write_text("#!/bin/sh\nkill -KILL $$\n")
    binary.chmod(0o755)

    async def scenario() -> None:
        async with started(tmp_path, binary=str(binary)):
            raise AssertionError("it is up")

    with pytest.raises(HostLost, match="host local was lost while starting QEMU: QEMU was killed there"):
        asyncio.run(scenario())
    assert not (tmp_path / "there").exists()


def test_leaving_kills_it(tmp_path: Path) -> None:
    async def scenario() -> int:
        async with started(tmp_path) as machine:
            os.kill(machine.process.pid, signal.SIGSTOP)  # it hears nothing any more
            return machine.process.pid

    pid = asyncio.run(scenario())
    assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]
    assert not (tmp_path / "there").exists()


def test_a_comma_in_a_path_is_no_new_option() -> None:
    wiring = wiring_there("/tmp/a,b", [Stream.CONSOLE])
    assert wiring.chardevs == {Stream.CONSOLE: "pipe,path=/tmp/a,,b/console"}


def test_what_is_opened_after_its_end_is_heard(tmp_path: Path) -> None:
    # A descriptor that the loop still watches under its number would swallow whatever gets that number next.
    async def scenario() -> None:
        async with started(tmp_path) as machine:
            await machine.quit()
            loop = asyncio.get_running_loop()
            pipes = [os.pipe() for _ in range(16)]
            try:
                heard = [asyncio.Event() for _ in pipes]
                for (reader, writer), event in zip(pipes, heard, strict=True):
                    loop.add_reader(reader, event.set)
                    os.write(writer, b"x")
                async with soon().within(5.0).limit():
                    await asyncio.gather(*(event.wait() for event in heard))
            finally:
                for reader, writer in pipes:
                    loop.remove_reader(reader)
                    os.close(reader)
                    os.close(writer)

    asyncio.run(scenario())
