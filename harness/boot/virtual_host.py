"""Boot a Linux guest with KVM in it, and use it as a host: so real KVM events exist on any machine.

The guest is the harness's own, with QEMU copied in. It is reached by SSH through a port that QEMU forwards, as any
other host is, and everything behind that is the same code. It is booted once a run; its console is the host's log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.boot.kvm_probe import probe_kvm
from harness.boot.load import Load, prepare_load
from harness.boot.ready import until_gone
from harness.boot.site import Site, site_of
from harness.boot.start import start_machine
from harness.clock import Deadline
from harness.errors import HostError
from harness.evidence.startup import MILESTONES
from harness.guest.host_image import QEMU_PATH, build_host_image, host_modules
from harness.guest.secrets import BootSecrets
from harness.host.bulk_port import BulkPort
from harness.host.login import Login, login_by_secrets
from harness.host.protocol import HostKind, HostLost
from harness.host.ssh import open_ssh_host
from harness.qemu.command import Accel, QemuCommand, Stream, Wiring, build_command, default_cpu
from harness.qemu.command import Guest as Loaded
from harness.qemu.machine import VirtualMachine
from harness.qemu.monitor import MonitorLost
from harness.scenario.model import Guest, Machine
from harness.scenario.setting import Setting

__all__ = ["LOG", "DidNotComeUp", "open_virtual_site"]

#: The folder of a run that holds the host's console, its QMP journal and how it was started.
LOG = "host"
# For guests of 256M on each of its CPUs beside QEMU and their images, which live in its memory too.
_MEMORY_BYTES = 2 << 30
_VCPUS = 2
# A guest under KVM on an emulated CPU takes four times as long as one on an emulated CPU: measured 21.7 s and 4.8 s
# until SSH with 2 vCPUs, both with nothing else running. Scenarios have their timeouts for the latter.
_PATIENCE = 4.0
# Emulated, CPUID leaf 0xD does not follow a nested guest's XCR0 (QEMU 7.2), and its kernel warns "XSAVE consistency
# problem". A guest without XSAVE has no such leaf.
_WITHOUT = ",-xsave"
# QEMU's emulation (7.2 and 10.0 alike) lets every CPU write to CPU 0's hflags2 whenever it restores FPU state
# (cpu_set_fpus calls cpu_clear_ignne, which changes first_cpu without a lock). A change of CPU 0's own GIF or NPT bit
# that falls into it is lost: an interrupt is taken between #VMEXIT and STGI on the guest's GS base, or the guest runs
# without its nested page table. So the host has one CPU more than it uses, and CPU 0 never runs a guest. The others
# come online when the init script has let the kernel patch itself for the last time: several emulated CPUs may not live
# through that. QEMU gives all its CPUs one time stamp counter (cpu_get_ticks), which Linux does not believe of an AMD
# CPU without constant_tsc ("TSCs unsynchronized"): it would read the HPET for each event of a trace and each timer.
# With the TSC a nested Linux boot takes 12.9 s, not 16.9 s, and a trace of all routing events 9% more, not 11%.
_EMULATED = f" tsc=reliable maxcpus=1 svsm.cpus={((1 << _VCPUS) - 1) << 1:x}"
# Two guests at once take longer than one after the other: Linux with 2 vCPUs 107 s each against 20 s.
_AT_ONCE_EMULATED = 1
# Measured: ready after 10 s on two idle cores under emulation.
_READY_S = 120.0
_OPEN_S = 60.0
_READY_LINE = next(milestone.pattern for milestone in MILESTONES if milestone.name == "ready")
# The init script lets SSH lead to the guests of this one.
_PARAMETERS = "svsm.role=host"
_PANIC = "Kernel panic"
_CONSOLE_BYTES = 1 << 20


class DidNotComeUp(HostError):
    """Report a virtual host whose kernel did not get as far as SSH; carries its console."""

    def __init__(self, why: str, console: bytes) -> None:
        """Take a text for people, and what the console said."""
        self.console = console
        super().__init__(why)


@asynccontextmanager
async def open_virtual_site(
    here: Site, logs: Path, kernel: str | None = None, modules: str | None = None
) -> AsyncIterator[Site]:
    """Yield the site of a virtual host on ``here``; ``logs`` is a folder for its log. It is gone when the body ends.

    ``kernel`` and ``modules`` are the files that it boots; None: as for guests.

    :raise InputError: if the kernel cannot be used.
    :raise DidNotComeUp: if it does not come up.
    :raise HostError: if this machine cannot start it.
    """
    kvm = await probe_kvm(here)
    accel = Accel.KVM if kvm.usable else Accel.TCG
    load = await _load(here, accel, kernel, modules)
    bulk = BulkPort(logs)
    cpu = default_cpu(accel, here.capabilities.version) + ("" if accel is Accel.KVM else _WITHOUT)
    vcpus = _VCPUS if accel is Accel.KVM else _VCPUS + 1
    machine = Machine(vcpus=vcpus, memory=_MEMORY_BYTES, cpu=cpu, options=bulk.options)
    assert load.secrets is not None

    def compose(described: Machine, loaded: Loaded, wiring: Wiring) -> QemuCommand:
        capabilities = here.capabilities
        return build_command(capabilities.binary, capabilities.version, accel, described, loaded, wiring)

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(here.memory.reserve(_MEMORY_BYTES))
        deadline = Deadline.after(_READY_S)
        start = start_machine(compose, machine, (Stream.CONSOLE, Stream.FIRMWARE), load, here, logs, deadline)
        running = await stack.enter_async_context(start)
        await running.start(deadline)
        bulk.open()
        stack.callback(bulk.close)
        login = await _await_login(running, load.secrets, deadline)
        opening = Deadline.after(_OPEN_S)
        last_words = partial(_last_words, running)
        way = open_ssh_host(HostKind.VIRTUAL, HostKind.VIRTUAL, login, opening, bulk, last_words)
        host = await stack.enter_async_context(way)
        await stack.enter_async_context(_falling_with(running))
        try:
            slots = _AT_ONCE_EMULATED if accel is Accel.TCG else None
            site = await site_of(host, QEMU_PATH, here.environment, slots, opening)
        except HostLost as lost:
            raise DidNotComeUp(f"{lost}; {last_words()}", running.console.tail(_CONSOLE_BYTES)) from lost
        yield replace(site, patience=1.0 if accel is Accel.KVM else _PATIENCE)


# A host that has stopped says nothing to whoever waits for it; a QEMU that has gone does.
@asynccontextmanager
async def _falling_with(machine: VirtualMachine) -> AsyncIterator[None]:
    async def fall() -> None:
        await until_gone(machine, ends_qemu=False)
        await machine.process.kill()

    falling = asyncio.create_task(fall())
    try:
        yield
    finally:
        falling.cancel()
        await asyncio.gather(falling, return_exceptions=True)


def _last_words(machine: VirtualMachine) -> str:
    said = machine.console.tail(20_000).decode(errors="replace").strip().splitlines()
    found = next((line for line in said if _PANIC in line), said[-1] if said else "")
    return f"its console ends with {found.strip()[:200]!r}"


async def _load(here: Site, accel: Accel, kernel: str | None, modules: str | None) -> Load:
    vendor = "AuthenticAMD" if accel is Accel.TCG else await asyncio.to_thread(_vendor)
    names = tuple(wanted.name for wanted in host_modules(vendor))
    append = _PARAMETERS + ("" if accel is Accel.KVM else _EMULATED)
    guest = Guest(kernel=kernel, modules=modules, append=append, extra_modules=names, unpack=True)
    load = await prepare_load(Setting(Machine(), guest, None, (), (), _READY_S, None), here, accel)
    image = await here.image(guest)
    built = await asyncio.to_thread(build_host_image, image, Path(here.capabilities.binary), here.cache)
    return replace(load, initramfs=built)


def _vendor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("vendor_id"):
            return line.partition(":")[2].strip()
    return ""


async def _await_login(machine: VirtualMachine, secrets: BootSecrets, deadline: Deadline) -> Login:
    ready = asyncio.create_task(_until_ready(machine, deadline))
    gone = asyncio.create_task(until_gone(machine, ends_qemu=False))
    try:
        # A kernel that stops at once must not be waited for.
        await asyncio.wait({ready, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            raise EOFError(f"it ended ({gone.result()})")
        port = ready.result()
    except (TimeoutError, EOFError, MonitorLost) as error:
        console = machine.console.tail(_CONSOLE_BYTES)
        said = console.decode(errors="replace").strip().splitlines()[-5:]
        why = str(error) or "not ready in time"
        text = "\n".join([f"the virtual host did not come up: {why}; its last words:", *said])
        raise DidNotComeUp(text, console) from error
    finally:
        for task in (ready, gone):
            task.cancel()
        await asyncio.gather(ready, gone, return_exceptions=True)
    return login_by_secrets(port, secrets.host_public, secrets.user_private)


async def _until_ready(machine: VirtualMachine, deadline: Deadline) -> int:
    port = await machine.forwarded_port(deadline)
    await machine.console.wait_for(_READY_LINE, deadline, anywhere=True)
    return port
