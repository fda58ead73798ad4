"""Examine a host: what can be read of it, what its QEMU lists, and whether its KVM boots Linux."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.boot.kvm_probe import probe_kvm
from harness.boot.site import Site, open_site
from harness.clock import Deadline
from harness.doctor.collect import collect
from harness.doctor.far import far_script, write_tree
from harness.doctor.finding import Report
from harness.doctor.judge import judge
from harness.doctor.snapshot import HostSnapshot, QemuFacts, Unreadable
from harness.errors import HarnessError, HostError
from harness.guest.initramfs import find_tools
from harness.guest.kernel import find_kernel
from harness.scenario.model import Guest

__all__ = ["examine", "examine_site"]

# A shell, a hundred small files and the list of symbols, over a connection that may be slow.
_READ_S = 60.0
# Payloads are compiled, and hosts reached, from this machine.
_NEEDED_HERE = ("make", "gcc", "setpriv", "ssh")


async def examine(environment: Mapping[str, str], results: Path) -> Report:
    """Look at everything that decides what can run here.

    Never raises for what is missing: that is a finding.
    """
    # QEMU answers while the files are read: together they are most of the time.
    read, qemu = await asyncio.gather(asyncio.to_thread(_read, environment, results), _ask_qemu(environment))
    if isinstance(qemu, Unreadable):
        return judge(replace(read, qemu=qemu, kvm=qemu, guest_image=_planned(read)))
    site, facts = qemu
    return judge(await _booted(replace(read, qemu=facts), site))


async def examine_site(site: Site, environment: Mapping[str, str], results: Path) -> Report:
    """Look at the site's host, which is another machine; what guests are built from is looked at here.

    :raise HostError: if the host answers with nothing.
    :raise HostLost, TimeoutError: if it goes away or does not answer.
    """
    done, here = await asyncio.gather(
        site.host.run(far_script(), Deadline.after(_READ_S)), asyncio.to_thread(_read, environment, results)
    )
    if b"= root" not in done.stdout:
        said = done.stderr.decode(errors="replace").strip()[-300:]
        raise HostError(f"host {site.host.name} cannot be read: {said or 'its shell said nothing'}")
    with TemporaryDirectory(prefix="svsm-doctor-") as folder:
        write_tree(done.stdout, Path(folder), {})
        read = collect(Path(folder), results)
    read = replace(
        read,
        programs={**read.programs, **{name: here.programs.get(name) for name in _NEEDED_HERE}},
        results_folder=here.results_folder,
        results_free_bytes=here.results_free_bytes,
        results_writable=here.results_writable,
        guest_tools=here.guest_tools,
        guest_kernel=here.guest_kernel,
        igvm_file=await _igvm_there(site, environment),
        qemu=_qemu(site),
    )
    return judge(await _booted(read, site))


def _read(environment: Mapping[str, str], results: Path) -> HostSnapshot:
    return replace(
        collect(Path("/"), results),
        igvm_file=_igvm_file(environment),
        guest_tools=_guest_tools(environment),
        guest_kernel=_guest_kernel(),
    )


async def _ask_qemu(environment: Mapping[str, str]) -> tuple[Site, QemuFacts] | Unreadable:
    try:
        site = await open_site(environment)
    except HarnessError as error:
        return Unreadable(_first_line(error))
    return site, _qemu(site)


async def _booted(read: HostSnapshot, site: Site) -> HostSnapshot:
    missing = [part for part in (read.guest_tools, read.guest_kernel) if isinstance(part, Unreadable)]
    if missing or shutil.which("setpriv") is None:
        why = missing[0] if missing else Unreadable("setpriv is missing")
        return replace(read, guest_image=why, kvm=Unreadable("no probe guest can be booted here"))
    try:
        image = await site.image(Guest())
    except HarnessError as error:
        return replace(read, guest_image=Unreadable(_first_line(error)), kvm=Unreadable("no probe guest can be built"))
    read = replace(read, guest_image=f"{image.kernel.release}, {image.initramfs.stat().st_size >> 20} MiB, built")
    try:
        kvm = await probe_kvm(site)
    except HarnessError as error:
        return replace(read, kvm=Unreadable(_first_line(error)))
    return replace(read, kvm=(kvm.usable, kvm.why))


def _planned(read: HostSnapshot) -> str | Unreadable:
    # Without QEMU there is no site to build it in, which is no fault of the image's.
    missing = [part for part in (read.guest_tools, read.guest_kernel) if isinstance(part, Unreadable)]
    return missing[0] if missing else "built once QEMU is there"


def _qemu(site: Site) -> QemuFacts:
    found = site.capabilities
    return QemuFacts(
        found.binary,
        found.version,
        found.package,
        frozenset(found.machines),
        found.types,
        found.properties.get("q35", Unreadable("this QEMU has no q35")),
    )


async def _igvm_there(site: Site, environment: Mapping[str, str]) -> str | Unreadable:
    named = environment.get("SVSM_IGVM")
    if not named:
        return Unreadable("SVSM_IGVM names none", absent=True)
    done = await site.host.run(f"[ -r {shlex.quote(named)} ]", Deadline.after(_READ_S))
    if done.status != 0:
        return Unreadable(f"SVSM_IGVM names {named}, which cannot be read on {site.host.name}")
    return f"{named} on {site.host.name}"


def _igvm_file(environment: Mapping[str, str]) -> str | Unreadable:
    named = environment.get("SVSM_IGVM")
    if not named:
        return Unreadable("SVSM_IGVM names none", absent=True)
    if not os.access(named, os.R_OK):
        return Unreadable(f"SVSM_IGVM names {named}, which cannot be read")
    return f"{named}, {Path(named).stat().st_size >> 10} KiB"


def _guest_tools(environment: Mapping[str, str]) -> str | Unreadable:
    try:
        tools = find_tools(environment.get("PATH", ""))
    except HarnessError as error:
        return Unreadable(_first_line(error))
    return f"{tools.busybox}, {tools.dropbear}"


class _WouldFetchError(Exception):
    pass


def _not_fetched() -> tuple[Path, Path, str]:
    raise _WouldFetchError


def _guest_kernel() -> str | Unreadable:
    try:
        kernel = find_kernel(None, None, _not_fetched)
    except _WouldFetchError:
        return "none installed; the distribution's cloud kernel is fetched once, then cached"
    except HarnessError as error:
        return Unreadable(_first_line(error))
    return f"{kernel.release}, {kernel.origin}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
