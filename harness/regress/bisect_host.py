"""Hold the host of a bisection, and let it run the kernel that a position names, where host kernels are searched.

On the virtual host a switch is a reboot of its first level. A machine of the inventory is rebooted by the commands of
its entry. A bisection of something else reboots nothing: it is told at once when its host is lost or hurt.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from harness.boot.holder import Holder
from harness.boot.hosts import open_host_site
from harness.boot.hurt_host import read_hurt
from harness.boot.site import Site
from harness.boot.virtual_host import DidNotComeUp
from harness.clock import Deadline, monotonic_s
from harness.errors import HostError, InputError
from harness.guest.modules import MissingModules
from harness.host.inventory import find_host
from harness.host.protocol import HostKind, HostLost
from harness.regress.host_kernel import Installed, compare_running, runs_already, wanted_kernel
from harness.regress.journal import HostOpened
from harness.regress.kernel_value import HOST_KEYS, host_of
from harness.regress.reboot import RebootedMachine
from harness.regress.span import CannotTest
from harness.results.store import Run

__all__ = ["BisectHost", "open_bisect_host", "require_host_known"]

_ASK_S = 60.0
# Until a switch was made, in seconds: a reboot of the first level, and of a server through its firmware.
_SWITCH_S = {HostKind.VIRTUAL: 20.0, HostKind.SSH: 300.0}


def require_host_known(name: str, environment: Mapping[str, str], *, switching: bool) -> None:
    """Check that there is such a host, and that its kernel can be switched if that is needed.

    :raise InputError: if not; says what would do.
    """
    if name == HostKind.VIRTUAL:
        return
    if name != HostKind.LOCAL:
        entry, _ = find_host(name, environment)
        if switching and entry.kernel is None:
            raise InputError(
                f"--host {name}: its entry has no kernel: section, which says how a kernel is put there and booted "
                "once; see ci/hosts.example.yaml"
            )
    elif switching:
        raise InputError(
            f"{HOST_KEYS[0]} is searched, and this machine cannot reboot under its own bisection: use --host virtual, "
            "or a machine of ci/hosts.yaml"
        )


@dataclass
class BisectHost:
    """Be the host that a bisection boots on; made by :func:`open_bisect_host`.

    ``opened`` is told of each host that is opened, ``say`` gets a sentence about what takes long. ``switching``:
    positions name its kernel, beside what is ``fixed``.
    """

    name: str
    environment: Mapping[str, str]
    run: Run
    fixed: Mapping[str, str]
    switching: bool
    opened: Callable[[HostOpened], None]
    say: Callable[[str], None]
    held: Holder[Site]
    open_site: Callable[[str | None, str | None], AbstractAsyncContextManager[Site]]
    _site: Site | None = None
    _runs: str | None = None
    _booted: str = ""

    def site(self) -> Site:
        """Return where boots are made now.

        :raise HostError: if no kernel of the host came up, and none was asked for since.
        :raise HostLost: if it was rebooted since it was opened: nobody knows what it runs now.
        """
        if self._site is None:
            raise HostError(f"host {self.name} runs no kernel now")
        if self._site.host.facts.boot_id != self._booted:
            raise HostLost(self.name, "booting on it", "it was rebooted under us")
        return self._site

    @property
    def switch_s(self) -> float:
        """Return what a switch is thought to take before one was made; 0: none is."""
        kind = HostKind.VIRTUAL if self.name == HostKind.VIRTUAL else HostKind.SSH
        return _SWITCH_S[kind] if self.switching else 0.0

    @property
    def left_with(self) -> str | None:
        """Say which kernel a machine is left with; None where nothing was switched, or nothing is left."""
        if not self.switching or self.name == HostKind.VIRTUAL or self._site is None:
            return None
        release = self._site.host.facts.release
        return f"host {self.name} runs {release} until its next start, which is its usual kernel"

    def at_once(self, wanted: int) -> int:
        """Return how many boots may run at a time; see :class:`~harness.regress.host_kernel.SearchHost`."""
        return wanted if self._site is None else self._site.at_once(wanted)

    async def begin(self, kernel: str | None, modules: str | None) -> None:
        """Open the host with the kernel that all positions share (None: its own).

        :raise HostError: as :func:`~harness.boot.hosts.open_host_site`.
        """
        if self.switching and self.name == HostKind.VIRTUAL:
            return  # opened with the first kernel that is asked for
        self._use(await self.held.enter(self.open_site(kernel, modules)))

    async def check(self) -> None:
        """Check that the host is there and well; see :class:`~harness.regress.host_kernel.SearchHost`."""
        wrong = None if self.switching else await self._wrong()
        if wrong is not None:
            raise HostError(wrong)

    async def install(self, values: Mapping[str, str]) -> Installed | None:
        """Let the host run the kernel of ``values``; see :class:`~harness.regress.host_kernel.SearchHost`."""
        if not self.switching:
            await self.check()
            return None
        values = {**self.fixed, **values}
        key = host_of(values)
        if self._site is not None and self._runs == key and await self._wrong() is None:
            return None
        self._runs = None
        begin_s = monotonic_s()
        switch = self._reboot_virtual if self.name == HostKind.VIRTUAL else self._reboot_machine
        try:
            installed = await switch(values, begin_s)
        except TimeoutError as error:
            raise HostError(f"host {self.name} does not answer") from error
        self._runs = key
        return installed

    async def _reboot_virtual(self, values: Mapping[str, str], begin_s: float) -> Installed:
        wanted = wanted_kernel(values)
        if wanted.image is None:
            raise CannotTest(f"{wanted.release} is a release; the virtual host boots an image or a package")
        self._site = None
        try:
            site = await self.held.enter(
                self.open_site(str(wanted.image), None if wanted.modules is None else str(wanted.modules))
            )
        except DidNotComeUp as error:
            kept = self.run.folder / f"host-failed-{wanted.release}.log"
            kept.write_bytes(error.console)
            raise CannotTest(f"{error}\nits console: {kept}") from error
        except (MissingModules, InputError) as error:
            raise CannotTest(str(error)) from error
        self._use(site)
        build_id, note = await compare_running(site.host, wanted)
        return Installed(wanted.release, build_id, note, monotonic_s() - begin_s)

    async def _reboot_machine(self, values: Mapping[str, str], begin_s: float) -> Installed:
        wanted = wanted_kernel(values)
        entry, _ = find_host(self.name, self.environment)
        machine = RebootedMachine(self.name, entry, self.held, lambda: self.open_site(None, None), self.say)
        if self._site is None or await self._lost() is not None:
            # An earlier kernel took it down, and it comes back by itself or by its power.
            self._use(await machine.bring_back(None))
        assert self._site is not None
        site = self._site
        hurt = read_hurt(site.cache, site.host.facts.boot_id)
        if hurt is None and (build_id := await runs_already(site.host, wanted)) is not None:
            self._booted = site.host.facts.boot_id
            return Installed(wanted.release, build_id, "", 0.0)
        await machine.choose(site.host, wanted)
        self._site = None
        self._use(await machine.restart(site.host, wanted))
        build_id, note = await compare_running(self.site().host, wanted)
        return Installed(wanted.release, build_id, note, monotonic_s() - begin_s)

    # None: it is there, it is the one that was opened, and no boot has hurt it.
    async def _wrong(self) -> str | None:
        lost = await self._lost()
        if lost is not None or self._site is None:
            return lost or f"host {self.name} runs no kernel"
        if self._site.host.facts.boot_id != self._booted:
            return f"host {self.name} was rebooted under us"
        return read_hurt(self._site.cache, self._booted)

    async def _lost(self) -> str | None:
        if self._site is None or self._site.host.kind is HostKind.LOCAL:
            return None
        host = self._site.host
        try:
            await host.run("true", Deadline.after(_ASK_S))
        except HostLost as lost:
            return await host.explain(lost)
        except TimeoutError:
            return f"host {self.name} does not answer"
        return None

    def _use(self, site: Site) -> None:
        site.keep_log(self.run.folder)
        facts = site.host.facts
        self._site, self._booted = site, facts.boot_id
        self.opened(HostOpened(self.name, facts.release, facts.cpu_model, facts.cpus))


@asynccontextmanager
async def open_bisect_host(
    name: str,
    environment: Mapping[str, str],
    run: Run,
    opened: Callable[[HostOpened], None],
    say: Callable[[str], None],
    fixed: Mapping[str, str],
    *,
    switching: bool,
    shared: tuple[str | None, str | None] = (None, None),
) -> AsyncIterator[BisectHost]:
    """Yield the host that ``--host`` names; in the end nothing of ours is left on it, and it runs its last kernel.

    ``shared`` are the kernel and the modules that a virtual host boots where nothing is switched; None: what guests
    boot. The rest is as in :class:`BisectHost`.

    :raise InputError: if there is no such host.
    :raise HostError: if it cannot be reached, or has no QEMU that runs.
    """

    def open_site(image: str | None, folder: str | None) -> AbstractAsyncContextManager[Site]:
        return open_host_site(name, environment, run.folder.parent, image, folder)

    host = BisectHost(name, environment, run, fixed, switching, opened, say, Holder(), open_site)
    try:
        await host.begin(*shared)
        yield host
    finally:
        await host.held.leave()
