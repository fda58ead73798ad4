"""Do to a running QEMU what makes it hang, or look as if: for proving that hangs are told apart.

Each is a context manager: entered, it returns when the guest is to be given up, and what it did lasts until it is left,
so that the guest is looked at in that state.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from harness.clock import Deadline, settle
from harness.errors import HostError
from harness.evidence.startup import MILESTONES
from harness.qemu.machine import VirtualMachine

__all__ = ["pause", "share", "silence", "starve", "stop_process", "stop_vcpu", "throttle", "wait_only"]

_FOR_EVER_S = 300.0
# A console that was silent for so long belongs to a guest that hangs (classify.hang_signs asks for the same).
_SILENT_S = 2.2
# How long something lasts before the guest is looked at.
_LASTS_S = 3.3

# PTRACE_SEIZE and PTRACE_INTERRUPT (ptrace(2)) stop one thread and no other; a signal would stop them all. The thread
# goes on when this program ends.
_STOP_THREAD = """
import ctypes, os, signal, sys
libc, tid = ctypes.CDLL(None, use_errno=True), int(sys.argv[1])
for request in (0x4206, 0x4207):
    if libc.ptrace(request, tid, None, None):
        sys.exit(os.strerror(ctypes.get_errno()))
os.waitpid(tid, 0x40000000)
print("stopped", flush=True)
signal.pause()
"""


async def _reach(machine: VirtualMachine, milestone: str) -> None:
    for known in MILESTONES:
        if known.name == milestone:
            await machine.console.wait_for(known.pattern, Deadline.after(_FOR_EVER_S), anywhere=True)


@asynccontextmanager
async def silence(machine: VirtualMachine, *, after: str = "") -> AsyncIterator[None]:
    """Give up once the console is silent, and not before the milestone ``after`` (empty: at once)."""
    if after:
        await _reach(machine, after)
    while True:
        with suppress(TimeoutError):
            async with Deadline.after(_SILENT_S).limit():
                await machine.console.grown()
                continue
        break
    yield


@asynccontextmanager
async def wait_only(machine: VirtualMachine, *, after: str, duration_s: float) -> AsyncIterator[None]:
    """Give up ``duration_s`` after a milestone: too early, for the guest is well."""
    await _reach(machine, after)
    await settle(duration_s)
    yield


@asynccontextmanager
async def stop_process(machine: VirtualMachine) -> AsyncIterator[None]:
    """Stop QEMU by a signal in the middle of the kernel's start."""
    await _reach(machine, "kernel")
    os.kill(machine.process.pid, signal.SIGSTOP)
    try:
        await settle(_LASTS_S)
        yield
    finally:
        _let_go(machine)


@asynccontextmanager
async def pause(machine: VirtualMachine) -> AsyncIterator[None]:
    """Stop the guest by QMP in the middle of the kernel's start."""
    await _reach(machine, "kernel")
    await machine.monitor.execute("stop", None, Deadline.after(_FOR_EVER_S))
    await settle(_LASTS_S)
    yield


@asynccontextmanager
async def stop_vcpu(machine: VirtualMachine) -> AsyncIterator[None]:
    """Stop the thread of the last vCPU, and no other, in the middle of the kernel's start.

    :raise HostError: if this machine does not allow to trace a process of one's own.
    """
    await _reach(machine, "kernel")
    cpus = await machine.monitor.execute("query-cpus-fast", None, Deadline.after(_FOR_EVER_S))
    tid = cpus[-1]["thread-id"]
    words = (sys.executable, "-c", _STOP_THREAD, str(tid))
    child = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    try:
        assert child.stdout is not None
        if await child.stdout.readline() != b"stopped\n":
            raise HostError(f"cannot stop thread {tid} by ptrace; is kernel.yama.ptrace_scope above 1?")
        await settle(_LASTS_S)
        yield
    finally:
        await _end(child)


@asynccontextmanager
async def throttle(
    machine: VirtualMachine, *, after: str, on_s: float = 0.03, off_s: float = 0.27
) -> AsyncIterator[None]:
    """Stop QEMU and let it go in turn, from a milestone on."""
    await _reach(machine, after)

    async def beat() -> None:
        while True:
            os.kill(machine.process.pid, signal.SIGSTOP)
            await settle(off_s)
            os.kill(machine.process.pid, signal.SIGCONT)
            await settle(on_s)

    beating = asyncio.create_task(beat())
    try:
        await settle(_LASTS_S)
        yield
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        _let_go(machine)


@asynccontextmanager
async def starve(machine: VirtualMachine, *, after: str) -> AsyncIterator[None]:
    """Let QEMU have a CPU only when busy neighbours leave it one, from a milestone on."""
    await _reach(machine, after)
    async with _neighbours(_threads(machine), 6, os.SCHED_IDLE, 19):
        await settle(_LASTS_S)
        yield


@asynccontextmanager
async def share(machine: VirtualMachine, *, after: str, nice: int = 10) -> AsyncIterator[None]:
    """Let QEMU have a tenth of one CPU, from a milestone on."""
    await _reach(machine, after)
    async with _neighbours(_threads(machine), 1, None, nice):
        await settle(_LASTS_S)
        yield


@asynccontextmanager
async def _neighbours(threads: Sequence[int], neighbours: int, policy: int | None, nice: int) -> AsyncIterator[None]:
    # One CPU for QEMU and for programs that never sleep.
    cpu = max(os.sched_getaffinity(0))
    busy: list[asyncio.subprocess.Process] = []
    try:
        for _ in range(neighbours):
            argv = (sys.executable, "-c", f"import os; os.sched_setaffinity(0, {{{cpu}}})\nwhile True: pass")
            busy.append(await asyncio.create_subprocess_exec(*argv, start_new_session=True))
        for thread in threads:
            os.sched_setaffinity(thread, {cpu})
            # Where the kernel groups tasks by session (sched(7), "The autogroup feature"), only the group's counts.
            with suppress(OSError):
                Path(f"/proc/{thread}/autogroup").write_text(f"{nice}\n")
            if policy is not None:
                os.sched_setscheduler(thread, policy, os.sched_param(0))
            else:
                os.setpriority(os.PRIO_PROCESS, thread, nice)
        yield
    finally:
        for child in busy:
            await _end(child)


def _threads(machine: VirtualMachine) -> list[int]:
    return [int(task.name) for task in Path(f"/proc/{machine.process.pid}/task").iterdir()]


def _let_go(machine: VirtualMachine) -> None:
    if machine.process.status is None:
        with suppress(ProcessLookupError):
            os.kill(machine.process.pid, signal.SIGCONT)


async def _end(child: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        child.kill()
    await child.wait()
