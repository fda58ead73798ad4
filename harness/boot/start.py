"""Start the QEMU of a boot on the site's host: here with inherited descriptors, elsewhere with files put there."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

from harness.boot.load import Load
from harness.boot.site import Site
from harness.clock import Deadline
from harness.errors import HostError
from harness.host.protocol import HostKind, HostLost
from harness.qemu.command import Guest as Loaded
from harness.qemu.command import QemuCommand, Stream, Wiring
from harness.qemu.machine import There, VirtualMachine, launch
from harness.scenario.model import Machine

__all__ = ["Compose", "start_machine"]

#: Builds the command line from the machine and the files as the host has them.
Compose = Callable[[Machine, Loaded, Wiring], QemuCommand]


@asynccontextmanager
async def start_machine(
    compose: Compose,
    machine: Machine,
    streams: Sequence[Stream],
    load: Load,
    site: Site,
    folder: Path,
    deadline: Deadline,
    saw: Callable[[Stream, bytes], None] | None = None,
) -> AsyncIterator[VirtualMachine]:
    """Yield the machine, stopped before its first guest instruction; all of it is gone afterwards.

    ``folder`` gets the logs, ``saw`` each piece of console text.

    :raise LaunchError: if QEMU does not start.
    :raise HostError: if the host cannot take what it needs.
    :raise HostLost: if the host is lost.
    """
    by_hand = load.loaded(None)
    if site.host.kind is HostKind.LOCAL:
        with load.descriptor() as descriptor:

            def here(wiring: Wiring) -> QemuCommand:
                return compose(machine, by_hand if wiring.monitor is None else load.loaded(descriptor), wiring)

            fds = [] if descriptor is None else [descriptor]
            async with launch(here, streams, folder, deadline, fds=fds, saw=saw) as running:
                yield running
        return
    async with AsyncExitStack() as stack:
        try:
            there, placed_machine, placed = await _place(load, machine, by_hand, site, deadline)

            def elsewhere(wiring: Wiring) -> QemuCommand:
                if wiring.monitor is None:
                    return compose(machine, by_hand, wiring)
                return compose(placed_machine, placed, wiring)

            launching = launch(elsewhere, streams, folder, deadline, saw=saw, there=there)
            running = await stack.enter_async_context(launching)
        except TimeoutError as error:
            raise HostLost(site.host.name, "starting QEMU", "no answer in time") from error
        yield running


# What is the same in every boot is copied once a run. The keys of this boot go by standard input into a folder that
# nobody else can open, and that is gone with its QEMU.
async def _place(
    load: Load, machine: Machine, loaded: Loaded, site: Site, deadline: Deadline
) -> tuple[There, Machine, Loaded]:  # fmt: skip
    host = site.host
    folder = f"{await host.folder(deadline)}/boot-{token_hex(8)}"
    placed = loaded
    if loaded.kernel is not None:
        placed = replace(placed, kernel=await host.put(Path(loaded.kernel), deadline))
    script = f"umask 077; mkdir {shlex.quote(folder)}"
    if load.initramfs is not None:
        base = await host.put(load.initramfs, deadline)
        placed = replace(placed, initrd=f"{folder}/initrd")
        script += f" && cat {shlex.quote(base)} - >{shlex.quote(f'{folder}/initrd')}"
    if loaded.disk is not None:
        # The disk is the host's own: it is too large to be copied for a boot. Its seed is this boot's.
        if load.initrd is not None:
            placed = replace(placed, initrd=await host.put(load.initrd, deadline))
        placed = replace(placed, disk=replace(loaded.disk, seed=f"{folder}/seed"))
        script += f" && cat >{shlex.quote(f'{folder}/seed')}"
    if machine.firmware is not None and Path(machine.firmware).exists():
        # What is not here is the host's own, as an OVMF for SEV usually is.
        machine = machine.model_copy(update={"firmware": await host.put(Path(machine.firmware), deadline)})
    done = await host.run(script, deadline, load.overlay)
    if done.status != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise HostError(f"host {host.name}: the boot's folder cannot be filled: {said}")
    return There(host, folder), machine, placed
