"""Check QEMU: what the binary lists, and the IGVM file of the SVSM."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from harness.doctor.finding import (
    ALL,
    FROM_SNP,
    SVSM,
    WITH_IGVM,
    Answer,
    AskedOf,
    Check,
    Group,
    lacks,
    note,
    ok,
    unknown,
)
from harness.doctor.flavour import flavour_of
from harness.doctor.snapshot import HostSnapshot, QemuFacts, Unreadable
from harness.evidence.flavour import Flavour

__all__ = ["CHECKS", "OVMF"]

#: Where distributions put an OVMF that knows SEV.
OVMF = (
    "/usr/share/OVMF/OVMF.amdsev.fd",
    "/usr/share/ovmf/OVMF.amdsev.fd",
    "/usr/share/edk2/ovmf/OVMF.amdsev.fd",
    "/usr/share/ovmf/OVMF.fd",
    "/usr/share/OVMF/OVMF_CODE.fd",
    "/usr/share/OVMF/OVMF_CODE_4M.fd",
    "/usr/share/qemu/ovmf-x86_64-4m-code.bin",
)
_NAME_IT = "name it by SVSM_HARNESS_QEMU=/path/to/qemu-system-x86_64"
_SNP_QEMU = f"install QEMU 9.1 or later, and {_NAME_IT}"
_IGVM_QEMU = f"build QEMU 10.1 or later with --enable-igvm (needs the igvm C library), and {_NAME_IT}"
_PLANES_QEMU = f"build QEMU from coconut-svsm/qemu, the branch that fits the kernel, and {_NAME_IT}"
_PLANES = (Flavour.PLANES_617, Flavour.PLANES_V1)


def _with(look: Callable[[QemuFacts], Answer], host: HostSnapshot) -> Answer:
    return unknown(host.qemu) if isinstance(host.qemu, Unreadable) else look(host.qemu)


def _binary(host: HostSnapshot) -> Answer:
    if isinstance(host.qemu, Unreadable):
        return lacks(host.qemu.why)
    qemu = host.qemu
    return ok(" ".join(f"{qemu.version_text} {qemu.package} at {qemu.binary}".split()))


def _machine(name: str, qemu: QemuFacts) -> Answer:
    return ok("yes") if name in qemu.machines else lacks(f"no {name}")


def _microvm(qemu: QemuFacts) -> Answer:
    return ok("yes") if "microvm" in qemu.machines else note("no")


def _type(name: str, qemu: QemuFacts) -> Answer:
    return ok("yes") if name in qemu.types else lacks(f"no {name}")


def _optional_type(name: str, qemu: QemuFacts) -> Answer:
    return ok("yes") if name in qemu.types else note("no")


def _property(name: str, qemu: QemuFacts) -> Answer:
    if isinstance(qemu.machine_properties, Unreadable):
        return unknown(qemu.machine_properties)
    return ok(f"q35 has {name}") if name in qemu.machine_properties else lacks(f"q35 has no {name}")


def _device_plane(host: HostSnapshot) -> Answer:
    answer = _with(partial(_property, "device-plane"), host)
    # Other flavours place devices by themselves: only planes take the option.
    return answer if flavour_of(host).flavour in _PLANES else note(f"{answer.value}; only planes kernels need it")


def _igvm_file(host: HostSnapshot) -> Answer:
    if isinstance(host.igvm_file, Unreadable):
        return note(host.igvm_file.why, "build one (coconut-svsm/svsm: make), and name it: export SVSM_IGVM=FILE")
    return ok(host.igvm_file)


def _firmware(host: HostSnapshot) -> Answer:
    found = [path for path in OVMF if not isinstance(host.may(path), Unreadable)]
    return ok(found[0]) if found else note("none at the usual places", "install ovmf (edk2-ovmf)")


def _atomics(qemu: QemuFacts) -> Answer:
    # Measured: QEMU 7.2 lost 12 of 40 boots with cmpxchg16b under TCG, 10.0.2 none. The harness turns it off.
    if qemu.version < (10, 0):
        return note(f"{qemu.version_text}: 16-byte atomics fail now and then; cx16 is off under TCG")
    return ok(qemu.version_text)


def _blocks(qemu: QemuFacts) -> Answer:
    # QEMU commit deba78709ae8 (8.1): until then a CPU can go on with translated code that another has just patched.
    if qemu.version < (8, 1):
        return note(f"{qemu.version_text}: a kernel that patches itself may hang now and then where CPUs are emulated")
    return ok(qemu.version_text)


def _check(name: str, means: str, look: Callable[[QemuFacts], Answer], fix: str = "", snp: bool = False) -> Check:
    return Check(Group.QEMU, name, means, partial(_with, look), FROM_SNP if snp else frozenset(), snp, fix)


CHECKS = (
    Check(Group.QEMU, "QEMU", "boots everything", _binary, ALL, decides=True, fix=f"run ci/quickstart, or {_NAME_IT}"),
    Check(Group.QEMU, "q35", "most scenarios", partial(_with, partial(_machine, "q35")), ALL, fix=_NAME_IT),
    _check("microvm", "scenarios on microvm; no grade needs it", _microvm),
    _check("TCG atomics", "emulated boots are stable", _atomics),
    _check("TCG patched code", "emulated guests with several CPUs are stable", _blocks),
    _check("sev-snp-guest", "starts SNP guests", partial(_type, "sev-snp-guest"), _SNP_QEMU, snp=True),
    _check(
        "memory-backend-memfd", "backs the guest's memory", partial(_type, "memory-backend-memfd"), _SNP_QEMU, snp=True
    ),
    _check("sev-guest", "plain SEV and SEV-ES; no grade needs it", partial(_optional_type, "sev-guest")),
    Check(
        Group.QEMU,
        "igvm-cfg",
        "COCONUT is an IGVM file",
        partial(_with, partial(_type, "igvm-cfg")),
        WITH_IGVM,
        decides=True,
        fix=_IGVM_QEMU,
    ),
    Check(
        Group.QEMU,
        "machine igvm-cfg",
        "gives the machine its IGVM file",
        partial(_with, partial(_property, "igvm-cfg")),
        WITH_IGVM,
        decides=True,
        fix=_IGVM_QEMU,
    ),
    Check(
        Group.QEMU,
        "device-plane",
        "puts devices on the guest's plane",
        _device_plane,
        SVSM,
        decides=True,
        fix=_PLANES_QEMU,
    ),
    Check(Group.QEMU, "IGVM file", "the SVSM itself; a scenario may name its own", _igvm_file),
    Check(Group.QEMU, "OVMF", "SNP guests without an IGVM file", _firmware, asked_of=AskedOf.SNP),
)
