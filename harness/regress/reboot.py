"""Put a kernel on a machine of the inventory and boot it once, by the commands of its entry.

The order is: copy, install, choose it for the next start only, reboot. So a kernel that does not come up is followed by
the usual one, at once if it panics and reboots by itself, else after somebody, or ``power_cycle``, has switched the
power off and on. Nothing here uses kexec: an SNP host's firmware state would be the old kernel's.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import tarfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.boot.holder import Holder
from harness.boot.site import Site
from harness.clock import Deadline, poll
from harness.errors import EvidenceLost, HostError
from harness.host.asids import exclusive_host
from harness.host.protocol import Host, HostLost, QemuHost
from harness.regress.host_kernel import HostDown, WantedKernel
from harness.regress.span import CannotTest
from harness.scenario.hosts import HostEntry, KernelCommands
from harness.units import format_duration

__all__ = ["RebootedMachine"]

_COPY_S = 600.0
_INSTALL_S = 900.0
_COMMAND_S = 120.0
# Between two attempts to reach a machine that boots: nothing announces that its SSH server listens.
_ASK_EVERY_S = 1.0
_SAID_CHARS = 500


@dataclass(frozen=True, slots=True)
class RebootedMachine:
    """Be a machine that is rebooted into a kernel; ``held`` holds it open, and again after it came back.

    ``open_again`` is the way to it, tried until it works. ``say`` gets a sentence about what is waited for.
    """

    name: str
    entry: HostEntry
    held: Holder[Site]
    open_again: Callable[[], AbstractAsyncContextManager[Site]]
    say: Callable[[str], None]

    async def choose(self, host: QemuHost, kernel: WantedKernel) -> None:
        """Put ``kernel`` there, and choose it for the next start only.

        :raise CannotTest: if a command fails; the host runs on.
        :raise HostError: if it is lost, or cannot be written to.
        """
        self.say(f"host {self.name}: putting kernel {kernel.release} there")
        try:
            await _install(host, self._commands, kernel)
        except HostLost as lost:
            raise HostError(str(lost)) from lost

    async def restart(self, host: QemuHost, kernel: WantedKernel) -> Site:
        """Reboot, and return the machine as it came back, with whatever kernel.

        Waits until nobody's SNP guest runs there, for as long as that takes.

        :raise HostDown: if it does not come back, not even after its power was switched off and on.
        :raise HostError: if it does not go down, or is lost before.
        """
        before, down = host.facts.boot_id, False
        self.say(f"host {self.name}: rebooting into it, once nobody's SNP guest runs there")
        try:
            async with exclusive_host(host):
                await _restart(host, self._commands, kernel)
                down = True
        except HostLost as lost:
            if not down:
                raise HostError(str(lost)) from lost
        return await self.bring_back(before, f" after it was rebooted into kernel {kernel.release}")

    async def bring_back(self, before: str | None, since: str = "") -> Site:
        """Return the machine once it answers with another boot id than ``before`` (None: any).

        :raise HostDown: as :meth:`restart`.
        """
        await self.held.leave()
        back, why = await self._come_back(before)
        if back is None and self._commands.power_cycle is not None:
            self.say(f"host {self.name}: it did not come back ({why}); running power_cycle")
            cycled = await _power_cycle(self.name, self.entry, self._commands.power_cycle)
            back, why = await self._come_back(before)
            why = f"{why}; power_cycle {cycled}"
        if back is None:
            limit = format_duration(self._commands.up_within)
            raise HostDown(
                f"host {self.name} stays down: it did not come back within {limit}{since}: {why}. Switch its power off "
                "and on: its next start is the usual kernel"
            )
        return back

    @property
    def _commands(self) -> KernelCommands:
        assert self.entry.kernel is not None  # require_host_known
        return self.entry.kernel

    async def _come_back(self, before: str | None) -> tuple[Site | None, str]:
        deadline = Deadline.after(self._commands.up_within)
        why = "it never answered"
        async for _ in poll(deadline, _ASK_EVERY_S):
            try:
                async with deadline.limit():
                    site = await self.held.enter(self.open_again())
            except TimeoutError:
                break
            except (HostError, EvidenceLost) as error:
                why = str(error)
                continue
            if site.host.facts.boot_id != before:
                return site, ""
            why = "it answers, but has not rebooted"
            await self.held.leave()
        return None, why


async def _install(host: QemuHost, commands: KernelCommands, kernel: WantedKernel) -> None:
    variables = {"RELEASE": kernel.release, "IMAGE": "", "MODULES": ""}
    if kernel.image is not None:
        if commands.install is None:
            raise CannotTest(f"host {host.name} has no kernel.install in its entry, so no image can be put there")
        deadline = Deadline.after(_COPY_S)
        variables["IMAGE"] = await host.put(kernel.image, deadline)
        if kernel.modules is not None:
            async with _packed(kernel.modules) as packed:
                variables["MODULES"] = await host.put(packed, deadline)
        await _do(host, "install", commands.install, variables, _INSTALL_S)
    await _do(host, "once", commands.once, variables, _COMMAND_S)


async def _do(host: QemuHost, what: str, command: str, variables: Mapping[str, str], limit_s: float) -> None:
    try:
        done = await host.run(_script(command, variables), Deadline.after(limit_s))
    except TimeoutError as error:
        raise CannotTest(f"kernel.{what} of host {host.name} did not end within {format_duration(limit_s)}") from error
    if done.status != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()[-_SAID_CHARS:]
        raise CannotTest(f"kernel.{what} of host {host.name} ended with status {done.status}: {said or 'no words'}")


def _script(command: str, variables: Mapping[str, str]) -> str:
    given = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
    return f"# the host's kernel section\n{given}\n{command}\n"


# Whatever it answers: the connection may break before the answer comes. That it broke is the event that is waited for.
async def _restart(host: QemuHost, commands: KernelCommands, kernel: WantedKernel) -> None:
    deadline = Deadline.after(commands.up_within)
    listening = asyncio.Event()
    watching = asyncio.create_task(_until_gone(host, listening))
    try:
        with suppress(HostLost):
            await listening.wait()
            done = await host.run(_script(commands.reboot, {"RELEASE": kernel.release}), deadline)
            if done.status:
                said = done.stderr.decode(errors="replace").strip()[-_SAID_CHARS:]
                raise HostError(f"kernel.reboot of host {host.name} ended with status {done.status}: {said}")
        async with deadline.limit():
            await asyncio.shield(watching)
    except TimeoutError as error:
        limit = format_duration(commands.up_within)
        raise HostError(f"host {host.name} did not go down within {limit} of kernel.reboot") from error
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _until_gone(host: Host, listening: asyncio.Event) -> None:
    try:
        with suppress(HostLost):
            async with host.open("cat") as process:
                listening.set()
                while await process.receive() is not None:
                    pass
    finally:
        listening.set()


async def _power_cycle(name: str, entry: HostEntry, command: str) -> str:
    child = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", command,
        env={**os.environ, "HOST": name, "ADDRESS": entry.address},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with Deadline.after(_COMMAND_S).limit():
            said, _ = await child.communicate()
    except TimeoutError:
        return f"did not end within {format_duration(_COMMAND_S)}"
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    words = said.decode(errors="replace").strip()[-_SAID_CHARS:]
    return f"ended with status {child.returncode}" + (f": {words}" if child.returncode and words else "")


@asynccontextmanager
async def _packed(modules: Path) -> AsyncIterator[Path]:
    with TemporaryDirectory(prefix="svsm-modules-") as folder:
        packed = Path(folder) / "modules.tar.gz"
        await asyncio.to_thread(_pack, modules, packed)
        yield packed


def _pack(modules: Path, packed: Path) -> None:
    # `build` and `source` lead to where the kernel was built.
    with tarfile.open(packed, "w:gz", compresslevel=1) as tar:
        for path in sorted(modules.iterdir()):
            if path.name not in ("build", "source"):
                tar.add(path, f"lib/modules/{modules.name}/{path.name}")
