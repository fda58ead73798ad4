"""Check what the firmware set up: memory encryption, the RMP table, the security processor."""

from __future__ import annotations

import re
from functools import partial

from harness.doctor.finding import FROM_SNP, Answer, AskedOf, Check, Group, lacks, note, ok, unknown
from harness.doctor.snapshot import HostSnapshot, Unreadable
from harness.units import format_bytes

__all__ = ["CHECKS", "RMP_BASE", "RMP_END", "SYSCFG", "syscfg"]

# AMD64 Architecture Programmer's Manual, volume 2: SYSCFG, RMP_BASE, RMP_END.
SYSCFG, RMP_BASE, RMP_END = 0xC0010010, 0xC0010132, 0xC0010133
_MSR_FIX = "as root: modprobe msr; then run doctor as root"
_SET_UP = "in the firmware's set-up turn on SMEE, SEV-SNP and SNP memory (RMP table) coverage; then power-cycle"
# snphost asks for 1.51.
_API = re.compile(r"SEV-SNP API:(\d+)\.(\d+)(?: build:(\d+))?")
_VULNERABILITIES = "/sys/firmware/sev/vulnerabilities"


def syscfg(bit: int, fix: str, host: HostSnapshot) -> Answer:
    """Answer whether one bit of SYSCFG is set."""
    value = host.msr(SYSCFG)
    if isinstance(value, Unreadable):
        return unknown(value)
    seen = f"MSR C0010010 = {value:#x}, bit {bit} is {value >> bit & 1}"
    return ok(seen) if value >> bit & 1 else lacks(seen, fix)


def _rmp_range(host: HostSnapshot) -> Answer:
    base, end = host.msr(RMP_BASE), host.msr(RMP_END)
    if isinstance(base, Unreadable):
        return unknown(base)
    if isinstance(end, Unreadable):
        return unknown(end)
    if not base or end <= base:
        return lacks(f"base {base:#x}, end {end:#x}: no table", _SET_UP)
    return ok(f"{base:#x} to {end:#x}, {format_bytes((end + 1 - base) >> 20 << 20)}")


def _rmp_log(host: HostSnapshot) -> Answer:
    bad = host.logged("has not been reserved by BIOS", "RMP initialization failed", "SNP init failed")
    if isinstance(bad, Unreadable):
        return unknown(bad)
    if bad is not None:
        return lacks(bad, _SET_UP)
    good = host.logged("RMP table physical range", "RMP segment")
    if good is None or isinstance(good, Unreadable):
        return unknown("no line of it is left in the kernel's log, which proves nothing")
    return ok(good)


def _driver(host: HostSnapshot) -> Answer:
    folder = host.names("/sys/module/ccp")
    if isinstance(folder, Unreadable):
        return lacks("the module ccp is not loaded") if folder.absent else unknown(folder)
    return ok("ccp is loaded")


def _api(host: HostSnapshot) -> Answer:
    line = host.logged("SEV-SNP API:")
    if isinstance(line, Unreadable):
        return unknown(line)
    found = None if line is None else _API.search(line)
    if found is None:
        return unknown("no line of it is left in the kernel's log; `snphost show version` (root) asks /dev/sev")
    version = int(found[1]), int(found[2])
    if version < (1, 51):
        return lacks(found[0], "update the firmware: the machine's BIOS, or /lib/firmware/amd/amd_sev_*.sbin")
    return ok(found[0])


def _device(host: HostSnapshot) -> Answer:
    access = host.may("/dev/sev")
    if isinstance(access, Unreadable):
        return lacks(access.why) if access.absent else unknown(access)
    if access.readable and access.writable:
        return ok("readable and writable")
    return lacks("this user may not open it", "run as root, or: chgrp kvm /dev/sev && chmod 660 /dev/sev")


def _hardening(host: HostSnapshot) -> Answer:
    names = host.names(_VULNERABILITIES)
    if isinstance(names, Unreadable):
        return unknown(f"{names.why}; Linux 7.3 and later has it")
    said = {name: host.text(f"{_VULNERABILITIES}/{name}") for name in sorted(names)}
    seen = "; ".join(f"{name}: {text.why if isinstance(text, Unreadable) else text}" for name, text in said.items())
    return note(seen) if "ulnerable" in seen else ok(seen or "none is listed")


def _bios(host: HostSnapshot) -> Answer:
    parts = [host.text(f"/sys/class/dmi/id/{name}") for name in ("bios_vendor", "bios_version", "bios_date")]
    seen = " ".join(part for part in parts if not isinstance(part, Unreadable))
    return ok(seen) if seen else unknown("/sys/class/dmi/id names none")


def _smt(host: HostSnapshot) -> Answer:
    control = host.text("/sys/devices/system/cpu/smt/control")
    return unknown(control) if isinstance(control, Unreadable) else ok(control)


CHECKS = (
    Check(Group.FIRMWARE, "BIOS", "belongs into every report of a fault", _bios),
    Check(
        Group.FIRMWARE,
        "SME on",
        "encryption is on",
        partial(syscfg, 23, _SET_UP),
        FROM_SNP,
        fix=_MSR_FIX,
        asked_of=AskedOf.SNP,
    ),
    Check(Group.FIRMWARE, "RMP range", "SNP needs its table", _rmp_range, FROM_SNP, fix=_MSR_FIX, asked_of=AskedOf.SNP),
    Check(
        Group.FIRMWARE,
        "RMP in the log",
        "what the kernel made of the table",
        _rmp_log,
        FROM_SNP,
        fix="run doctor as root, soon after the start",
        asked_of=AskedOf.SNP,
    ),
    Check(
        Group.FIRMWARE,
        "ccp driver",
        "drives the security processor",
        _driver,
        FROM_SNP,
        fix="as root: modprobe ccp",
        asked_of=AskedOf.SNP,
    ),
    Check(
        Group.FIRMWARE,
        "SNP firmware",
        "1.51 or later is needed",
        _api,
        FROM_SNP,
        fix="run doctor as root, soon after the start",
        asked_of=AskedOf.SNP,
    ),
    Check(
        Group.FIRMWARE,
        "/dev/sev",
        "QEMU starts SNP guests through it",
        _device,
        FROM_SNP,
        decides=True,
        fix="as root: modprobe ccp; if it stays away, turn on the security processor in the firmware's set-up",
        asked_of=AskedOf.SNP,
    ),
    Check(Group.FIRMWARE, "vulnerabilities", "what the firmware leaves open", _hardening, asked_of=AskedOf.SNP),
    Check(Group.FIRMWARE, "SMT", "the guest's policy must allow SMT (bit 16) where it is on", _smt),
)
