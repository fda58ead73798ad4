"""Find what an SNP guest or an SVSM excludes, although each value alone would do.

Sources: QEMU docs/system/igvm.rst (an IGVM file and -bios or pflash exclude each other), docs/system/i386/
amd-memory-encryption.rst and kvm-planes.rst of coconut-svsm/qemu, COCONUT-SVSM's INSTALL.md and launch_guest.sh.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.scenario.confidential import Snp, Svsm
from harness.scenario.model import Guest, Machine, Payload

__all__ = ["SVSM_PAYLOAD", "launch_contradictions"]

#: The payload that is the SVSM itself: its own tests, or its start with no guest above.
SVSM_PAYLOAD = "svsm"

_Contradiction = tuple[tuple[str | int, ...], str]
# What the sections render themselves; written twice, QEMU would take the last, or refuse.
_RENDERED = (
    (re.compile(r"(cbitpos|reduced-phys-bits)="), "the position of the C-bit is read from the host's CPUID"),
    (re.compile(r"confidential-guest-support=|memory-encryption="), "the snp section renders it"),
    (re.compile(r"memory-backend|^-mem-p"), "the memory of an SNP guest is a memfd shared with QEMU, rendered here"),
    (re.compile(r"igvm"), "svsm.igvm renders it"),
    (re.compile(r"device-plane="), "svsm.device_plane renders it"),
)
_REBOOTS = re.compile(r"reboot=reset")
_FIRMWARE = re.compile(r"^-bios$|^-pflash$|if=pflash|^pflash[01]=|,pflash[01]=")


def launch_contradictions(
    machine: Machine, guest: Guest | None, payload: Payload | None, snp: Snp | None, svsm: Svsm | None
) -> Iterator[_Contradiction]:
    """Yield each contradiction as the path of the key to blame and a sentence."""
    own_payload = payload is not None and payload.image == SVSM_PAYLOAD
    if own_payload and svsm is None:
        yield ("payload", "image"), "the payload svsm is the SVSM itself; it needs platform svsm or nocc"
    if snp is None and svsm is None:
        return
    yield from _machine(machine, snp, svsm)
    yield from _firmware(machine, snp, svsm)
    if svsm is not None and payload is not None and not own_payload:
        yield (
            ("payload", "image"),
            f"{payload.image} takes the place of SVSM, firmware and kernel; above an SVSM runs a guest, or "
            "payload: svsm is the SVSM alone",
        )
    if svsm is not None and snp is None and guest is not None:
        # COCONUT's native platform runs the SVSM alone: there is no VMPL to put a guest at.
        yield ("guest",), "without SNP the SVSM starts no guest (platform nocc); write payload: svsm"
    if snp is not None and snp.kernel_hashes and (guest is None or (guest.disk is not None and guest.kernel is None)):
        yield ("snp", "kernel_hashes"), "kernel_hashes measures a kernel that QEMU loads, and here is none"
    if snp is not None and snp.kernel_hashes and svsm is not None and not svsm.binary:
        # The hashes go to a page that the firmware's metadata names, and QEMU reads those from -bios only.
        yield (
            ("snp", "kernel_hashes"),
            "kernel_hashes needs firmware that QEMU loads itself; an IGVM file brings its own",
        )


def _machine(machine: Machine, snp: Snp | None, svsm: Svsm | None) -> Iterator[_Contradiction]:
    if not re.fullmatch(r"q35|pc-q35-.*", machine.type):
        yield ("machine", "type"), f"SNP guests and SVSMs start on q35, not on {machine.type}"
    if snp is not None and machine.irqchip == "off":
        yield ("machine", "irqchip"), "SNP needs the interrupt controllers in KVM: irqchip on or split"
    planes = svsm is not None and isinstance(svsm.device_plane, int)
    if planes and machine.irqchip not in ("split", None):
        yield (
            ("machine", "irqchip"),
            f"planes need irqchip: split, not {machine.irqchip}: KVM's own IOAPIC knows only plane 0",
        )
    if planes and snp is None:
        yield ("svsm", "device_plane"), "planes are VMPLs of an SNP guest, and platform nocc has none"
    for at, option in enumerate(machine.options):
        for pattern, why in _RENDERED:
            if pattern.search(option):
                yield ("machine", "options", at), f"{option}: {why}; remove it"
                break
        if _REBOOTS.search(option):
            yield ("machine", "options", at), f"{option}: an SNP guest cannot be reset, so -no-reboot is on; remove it"


def _firmware(machine: Machine, snp: Snp | None, svsm: Svsm | None) -> Iterator[_Contradiction]:
    in_options = [at for at, option in enumerate(machine.options) if _FIRMWARE.search(option)]
    if svsm is not None and not svsm.binary:
        brings = "an IGVM file holds the firmware, and QEMU refuses"
        if machine.firmware is not None:
            yield ("machine", "firmware"), f"{brings} -bios beside it; remove firmware"
        if machine.pflash is not None:
            yield ("machine", "pflash"), f"{brings} pflash beside it; remove pflash"
        for at in in_options:
            yield ("machine", "options", at), f"{brings} {machine.options[at]} beside it; remove it"
    elif svsm is not None:
        if machine.pflash is None:
            yield ("svsm", "binary"), "svsm.bin stands beside OVMF in flash; name it by machine.pflash: {code, vars}"
        if machine.firmware is not None:
            yield ("machine", "firmware"), "the SVSM's guest boots from machine.pflash; remove firmware"
    elif snp is not None and machine.pflash is not None:
        # QEMU measures what -bios loads; flash stays unencrypted memory, which an SNP guest cannot run from.
        yield (
            ("machine", "pflash"),
            "an SNP guest cannot start from flash; name an OVMF for SEV by machine.firmware",
        )
