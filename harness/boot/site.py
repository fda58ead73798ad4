"""Hold what a host offers to every boot, found out once a run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import harness
from harness.clock import Deadline
from harness.errors import HostError
from harness.guest.initramfs import GuestImage, build_image, find_tools
from harness.guest.kernel import find_kernel
from harness.guest.kernel_package import fetch_cloud_kernel
from harness.guest.modules import DEFAULT_MODULES, Wanted
from harness.guest.vmlinux import unpacked_kernel
from harness.host.cache import cache_dir
from harness.host.local import LocalHost
from harness.host.memory import MemoryBudget
from harness.host.protocol import QemuHost
from harness.qemu.capabilities import Capabilities, find_qemu, probe_capabilities
from harness.qemu.capabilities_there import probe_capabilities_there
from harness.scenario.model import Guest
from harness.tracing.survey import Surveys

__all__ = ["Site", "open_site", "site_of"]


@dataclass(frozen=True, slots=True)
class Site:
    """Be what boots need: the host that they run on, and this machine's cache.

    ``slots`` is how many boots the host's inventory entry allows at a time, which nobody exceeds; None: one for each of
    its CPUs, or what is asked for.
    ``surveys`` keeps what the host was found to trace. ``log`` is the folder that a virtual host's console is written
    to; None: the host keeps its own. ``patience`` is how many times a scenario's timeout a boot has here.
    """

    capabilities: Capabilities
    cache: Path
    memory: MemoryBudget
    environment: Mapping[str, str]
    host: QemuHost = field(default_factory=LocalHost)
    slots: int | None = None
    surveys: Surveys = field(default_factory=Surveys)
    log: Path | None = None
    patience: float = 1.0

    def keep_log(self, run: Path) -> None:
        """Move the log of the host, where it has one, into the run's folder, while it is still written."""
        if self.log is not None:
            # A campaign that is gone on with has a host each time.
            names = (run / f"host{number}" for number in ("", *range(2, 10_000)))
            self.log.rename(next(name for name in names if not name.exists()))

    def at_once(self, wanted: int) -> int:
        """Return how many boots may run at a time where ``wanted`` are asked for; 0 leaves it to the host."""
        most = self.slots or self.host.facts.cpus
        return most if not wanted else min(wanted, self.slots or wanted)

    async def image(self, guest: Guest) -> GuestImage:
        """Build, or take from the cache, the image that the scenario's guest section describes.

        :raise InputError: if what the scenario names cannot be used.
        :raise HostError: if this machine lacks a part and cannot get it.
        """
        return await asyncio.to_thread(self._image, guest)

    def _image(self, guest: Guest) -> GuestImage:
        kernel = find_kernel(
            None if guest.kernel is None else Path(guest.kernel),
            None if guest.modules is None else Path(guest.modules),
            lambda: fetch_cloud_kernel(self.cache, _os_release()),
        )
        if guest.unpack:
            kernel = unpacked_kernel(kernel, self.cache)
        asked_for = (Wanted(name, "guest.extra_modules asks for it") for name in guest.extra_modules)
        tools = find_tools(self.environment.get("PATH", ""))
        return build_image(kernel, payload_folder("linux") / "init", tools, self.cache, (*DEFAULT_MODULES, *asked_for))


async def open_site(environment: Mapping[str, str]) -> Site:
    """Look at this machine.

    :raise HostError: if there is no QEMU, or it cannot be run.
    """
    cache = cache_dir(environment)
    capabilities = await probe_capabilities(find_qemu(environment), cache)
    return Site(capabilities, cache, MemoryBudget.of_this_machine(cache / "memory"), environment)


async def site_of(
    host: QemuHost, qemu: str, environment: Mapping[str, str], slots: int | None, deadline: Deadline
) -> Site:  # fmt: skip
    """Look at another machine; ``qemu`` is a path there, or a name on its PATH.

    :raise HostError: if there is no such QEMU, or it cannot be run.
    :raise HostLost: if the host goes away.
    """
    cache = cache_dir(environment)
    capabilities = await probe_capabilities_there(host, qemu, cache, deadline)
    memory = MemoryBudget.of_size(cache / f"memory-{host.name}", host.facts.memory_bytes)
    return Site(capabilities, cache, memory, environment, host, slots)


def payload_folder(name: str) -> Path:
    """Return the folder of one guest payload's sources.

    :raise HostError: if the harness runs without its checkout.
    """
    folder = Path(harness.__file__).parent.parent / "guest_payloads" / name
    if not folder.is_dir():
        raise HostError(f"{folder} is missing; run the harness from its checkout (pip install -e .)")
    return folder


def _os_release() -> str:
    try:
        return Path("/etc/os-release").read_text()
    except OSError:
        return ""
