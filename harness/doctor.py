"""Look at this machine and say what it can run: one finding a question, each with the value seen and what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.boot.kvm_probe import probe_kvm
from harness.boot.site import Site, open_site
from harness.errors import HarnessError
from harness.guest.initramfs import find_tools
from harness.guest.kernel import find_kernel
from harness.scenario.model import Guest, Platform
from harness.units import format_bytes

__all__ = ["Finding", "Report", "State", "examine"]

_ROOM_BYTES = 1 << 30


class State(StrEnum):
    """Say whether a finding stands in the way."""

    OK = "ok"
    LACKS = "lacks"
    BLOCKS = "BLOCKS"


@dataclass(frozen=True, slots=True)
class Finding:
    """Hold one answer.

    ``value`` is what was seen, as raw as it reads well. ``means`` says which grade it matters to. ``fix`` is what to
    do, empty where nothing needs doing.
    """

    group: str
    name: str
    state: State
    value: str
    means: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Hold all findings, the best grade that this machine reaches (None: none), and what keeps it from the next."""

    findings: tuple[Finding, ...]
    best: Platform | None
    in_the_way: str


async def examine(environment: Mapping[str, str], results: Path) -> Report:
    """Look at everything that decides what can run here.

    Never raises for what is missing: that is a finding.
    """
    findings = [_program("setpriv", "host", "QEMU dies with the harness", "install util-linux")]
    findings += [_results(results), _memory(), _program("make", "payloads", "builds the model payload", "install make")]
    findings += [_program("gcc", "payloads", "builds the model payload", "install gcc")]
    site: Site | None = None
    try:
        site = await open_site(environment)
        capabilities = site.capabilities
        seen = f"{capabilities.version_text} {capabilities.package}".strip()
        findings.append(Finding("QEMU", "QEMU", State.OK, f"{seen} at {capabilities.binary}", "every grade"))
        findings += [_type(site, name, what) for name, what in _TYPES]
    except HarnessError as error:
        findings.append(Finding("QEMU", "QEMU", State.BLOCKS, str(error).splitlines()[0], "every grade", _QUICKSTART))
    findings += _guest(environment)
    best: Platform | None = None
    if site is not None and not any(finding.state is State.BLOCKS for finding in findings):
        best, more = await _accelerated(site)
        findings += more
    return Report(tuple(findings), best, _in_the_way(findings, best))


_QUICKSTART = "run ci/quickstart, which installs it"
_TYPES = (
    ("microvm-machine", "boots on microvm"),
    ("sev-snp-guest", "snp and svsm"),
    ("igvm-cfg", "svsm: COCONUT is an IGVM file"),
)


def _program(name: str, group: str, means: str, fix: str) -> Finding:
    found = shutil.which(name)
    state = State.OK if found else State.BLOCKS
    return Finding(group, name, state, found or "not found", means, "" if found else fix)


def _type(site: Site, name: str, means: str) -> Finding:
    known = name in site.capabilities.types
    fix = "" if known else "build a newer QEMU, and name it by SVSM_HARNESS_QEMU"
    return Finding("QEMU", name, State.OK if known else State.LACKS, "yes" if known else "no", means, fix)


def _results(folder: Path) -> Finding:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    rounded = format_bytes(free >> 20 << 20)
    if not os.access(there, os.W_OK):
        return Finding("host", "results", State.BLOCKS, f"{there} is not writable", "every grade", "use --results DIR")
    if free < _ROOM_BYTES:
        return Finding("host", "results", State.BLOCKS, f"{rounded} free at {there}", "every grade", "free some space")
    return Finding("host", "results", State.OK, f"{rounded} free at {there}", "every grade")


def _memory() -> Finding:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) << 10
            state = State.OK if available >= _ROOM_BYTES else State.BLOCKS
            fix = "" if state is State.OK else "end something: a guest takes 256 MiB and QEMU as much again"
            return Finding(
                "host", "memory", state, f"{format_bytes(available >> 20 << 20)} available", "every grade", fix
            )
    return Finding("host", "memory", State.LACKS, "/proc/meminfo names none", "how many boots run at once")


def _guest(environment: Mapping[str, str]) -> list[Finding]:
    findings = []
    try:
        tools = find_tools(environment.get("PATH", ""))
        findings.append(Finding("guest", "busybox", State.OK, str(tools.busybox), "Linux guests"))
        findings.append(Finding("guest", "dropbear", State.OK, str(tools.dropbear), "Linux guests: SSH"))
    except HarnessError as error:
        findings.append(Finding("guest", "programs", State.BLOCKS, str(error), "Linux guests", _QUICKSTART))
    try:
        kernel = find_kernel(None, None, _not_fetched)
        findings.append(Finding("guest", "kernel", State.OK, f"{kernel.release}, {kernel.origin}", "Linux guests"))
    except _WouldFetchError:
        what = "none installed; the distribution's cloud kernel is fetched once, then cached"
        findings.append(Finding("guest", "kernel", State.OK, what, "Linux guests"))
    except HarnessError as error:
        findings.append(Finding("guest", "kernel", State.BLOCKS, str(error), "Linux guests", "set guest.kernel"))
    return findings


class _WouldFetchError(Exception):
    pass


def _not_fetched() -> tuple[Path, Path, str]:
    raise _WouldFetchError


async def _accelerated(site: Site) -> tuple[Platform | None, list[Finding]]:
    try:
        await site.image(Guest())
        kvm = await probe_kvm(site)
    except HarnessError as error:
        return None, [Finding("guest", "image", State.BLOCKS, str(error).splitlines()[0], "Linux guests", _QUICKSTART)]
    fix = "" if kvm.usable else "use a machine with hardware virtualisation; the tcg grade needs none"
    state = State.OK if kvm.usable else State.LACKS
    findings = [Finding("CPU", "KVM", state, kvm.why, "kvm, snp, svsm", fix)]
    snp = Path("/sys/module/kvm_amd/parameters/sev_snp")
    value = snp.read_text().strip() if snp.exists() else "kvm_amd is not loaded, or has no sev_snp"
    state = State.OK if value in ("Y", "1") else State.LACKS
    fix = (
        "" if state is State.OK else "use an EPYC 7003 or later with SNP on in the firmware, under Linux 6.11 or later"
    )
    findings.append(Finding("CPU", "SEV-SNP", state, value, "snp, svsm", fix))
    return Platform.KVM if kvm.usable else Platform.TCG, findings


def _in_the_way(findings: list[Finding], best: Platform | None) -> str:
    wanted = State.BLOCKS if best is None else State.LACKS
    order = ("CPU", "QEMU", "guest", "host", "payloads")
    for group in order:
        for finding in findings:
            if finding.group == group and finding.state is wanted and finding.name != "microvm-machine":
                return f"{finding.name}: {finding.value}"
    return "nothing that is looked for"
