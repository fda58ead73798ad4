"""Perturb the start of a guest as its scenario asks, write down what was done when, and undo it.

Nothing outlives the boot, not even a harness that is killed: the CPUs are a property of QEMU's threads, the kernel
lets a paused thread go when its tracer dies, and the process that takes memory dies with the harness (as QEMU does).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from harness.boot.pause import pause_thread
from harness.clock import Deadline, settle
from harness.errors import Unsupported
from harness.evidence.records import Loss
from harness.host.memory import MemoryBudget
from harness.qemu.machine import VirtualMachine
from harness.qemu.monitor import MonitorLost, QmpRefused
from harness.qemu.process import QemuProcess, start_process
from harness.scenario.perturb import Perturb

__all__ = ["PERTURB_FILE", "perturbing"]

#: What of a boot's folder says what was done to it.
PERTURB_FILE = "perturb.json"
_ASK_S = 5.0
# A page at a time over all of it, for ever: each round dirties every page again.
_EATER = "import sys\nm = bytearray(int(sys.argv[1]))\nwhile True:\n for at in range(0, len(m), 4096): m[at] ^= 1\n"


@dataclass
class _Log:
    machine: VirtualMachine
    done: list[dict[str, object]] = field(default_factory=list)

    def add(self, what: str, **about: object) -> None:
        self.done.append({"at_s": round(self.machine.now_s(), 4), "what": what, **about})


@asynccontextmanager
async def perturbing(
    perturb: Perturb | None, machine: VirtualMachine, memory: MemoryBudget, folder: Path, losses: list[Loss]
) -> AsyncIterator[None]:
    """Perturb ``machine``, whose guest does not run yet, while the body runs; None: do nothing.

    ``perturb.json`` in ``folder`` says what was done and when. What could not be done is a loss of ``perturb``, since
    the boot is then not the one that was asked for.

    :raise Unsupported: if QEMU does not run on this machine, or the memory does not fit into it.
    """
    if perturb is None:
        yield
        return
    if not isinstance(machine.process, QemuProcess):
        raise Unsupported("perturb works only where QEMU runs on this machine", "leave out perturb, or --host local")
    lots = Random(perturb.seed)
    log = _Log(machine)
    try:
        async with AsyncExitStack() as stack:
            if perturb.cpus is not None:
                _confine(machine.process.pid, perturb.cpus, lots, log)
            if perturb.memory is not None:
                await stack.enter_async_context(memory.reserve(perturb.memory))
                eater = [sys.executable, "-c", _EATER, str(perturb.memory)]
                await stack.enter_async_context(start_process(eater, folder / "perturb.stderr"))
                log.add("memory", bytes=perturb.memory)
            if perturb.device is not None:
                delay_s = lots.uniform(0, perturb.device_within)
                plug = asyncio.create_task(_plug(machine, perturb.device, delay_s, log, losses))
                stack.push_async_callback(_ended, plug)
            if perturb.pause is not None:
                threads = await _vcpu_threads(machine)
                stop = threading.Event()
                pauses = asyncio.create_task(asyncio.to_thread(_pause, perturb, threads, lots, stop, log, losses))
                stack.push_async_callback(_stopped, pauses, stop)
            yield
    finally:
        about = {"seed": perturb.seed, "done": log.done}
        (folder / PERTURB_FILE).write_text(json.dumps(about, indent=1) + "\n")


def _confine(pid: int, cpus: int, lots: Random, log: _Log) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    chosen = sorted(lots.sample(allowed, min(cpus, len(allowed))))
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), chosen)  # later threads inherit it
    log.add("cpus", cpus=chosen)


async def _vcpu_threads(machine: VirtualMachine) -> tuple[int, ...]:
    cpus = await machine.monitor.execute("query-cpus-fast", None, Deadline.after(_ASK_S))
    return tuple(sorted({int(cpu["thread-id"]) for cpu in cpus}))


async def _plug(machine: VirtualMachine, device: str, delay_s: float, log: _Log, losses: list[Loss]) -> None:
    await settle(delay_s)
    driver, *options = device.split(",")
    arguments = {"driver": driver, **dict(option.partition("=")[::2] for option in options)}
    try:
        await machine.monitor.execute("device_add", arguments, Deadline.after(_ASK_S))
    except QmpRefused as error:
        losses.append(Loss("perturb", f"QEMU did not take the device {device}: {error}"))
    except MonitorLost:
        pass  # QEMU has ended, which the boot knows better
    else:
        log.add("device", device=device)


def _pause(
    perturb: Perturb, threads: Sequence[int], lots: Random, stop: threading.Event, log: _Log, losses: list[Loss]
) -> None:
    # In a thread of its own: ptrace belongs to the thread that began it.
    assert perturb.pause is not None  # the only caller asks for pauses
    while not stop.wait(lots.expovariate(1 / perturb.pause_every)):
        at = lots.randrange(len(threads))
        pause_s = lots.uniform(0, perturb.pause)
        log.add("pause", vcpu_thread=at, pause_s=round(pause_s, 4))
        try:
            if not pause_thread(threads[at], partial(stop.wait, pause_s)):
                return
        except OSError as error:
            losses.append(Loss("perturb", f"a vCPU's thread could not be stopped (ptrace): {error.strerror}"))
            return


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _stopped(pauses: asyncio.Task[None], stop: threading.Event) -> None:
    # A thread cannot be cancelled: it must let go of QEMU before anything else happens to that.
    stop.set()
    await asyncio.shield(pauses)
