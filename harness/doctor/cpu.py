"""Check the CPU: is it one that can do SEV-SNP, with four VMPLs.

CPUID 8000001F: AMD64 Architecture Programmer's Manual, volume 3, E.4.17; snphost checks the same bits.
"""

from __future__ import annotations

from functools import partial

from harness.doctor.finding import FROM_SNP, SVSM, Answer, AskedOf, Check, Group, lacks, note, ok, unknown
from harness.doctor.snapshot import HostSnapshot, Unreadable

__all__ = ["CHECKS", "SEV_LEAF", "SNP_BIT"]

SEV_LEAF = 0x8000001F
SNP_BIT = 4

_CPUID_FIX = "as root: modprobe cpuid; then run doctor as root"
_OTHER_CPU = "use an AMD EPYC 7003 (Milan) or later"
# Family and first and last model. [INF] from AMD's published model ranges; no check rests on it alone.
_GENERATIONS = (
    (23, 0x30, 0x3F, "Rome (EPYC 7002), without SNP", False),
    (23, 0x00, 0x0F, "Naples (EPYC 7001), without SNP", False),
    (25, 0x00, 0x0F, "Milan (EPYC 7003)", True),
    (25, 0x10, 0x1F, "Genoa (EPYC 9004)", True),
    (25, 0xA0, 0xAF, "Bergamo or Siena (EPYC 97x4, 8004)", True),
    (26, 0x00, 0x1F, "Turin (EPYC 9005)", True),
)


def _vendor(host: HostSnapshot) -> Answer:
    vendor = host.cpu("vendor_id")
    if isinstance(vendor, Unreadable):
        return unknown(vendor)
    return ok(vendor) if vendor == "AuthenticAMD" else lacks(vendor)


def _generation(host: HostSnapshot) -> Answer:
    brand, family, model = host.cpu("model name"), host.cpu("cpu family"), host.cpu("model")
    if isinstance(brand, Unreadable):
        return unknown(brand)
    if isinstance(family, Unreadable) or isinstance(model, Unreadable):
        return unknown(f"{brand}; its family and model are not named")
    seen = f"{brand}, family {family} model {model}"
    if not (family.isdigit() and model.isdigit()):
        return unknown(seen)
    for known, first, last, name, able in _GENERATIONS:
        if int(family) == known and first <= int(model) <= last:
            return ok(f"{seen}: {name} [INF]") if able else lacks(f"{seen}: {name} [INF]")
    return note(f"{seen}: of no server generation that doctor knows")


def _microcode(host: HostSnapshot) -> Answer:
    seen = host.cpu("microcode")
    return unknown(seen) if isinstance(seen, Unreadable) else ok(seen)


def _bare(host: HostSnapshot) -> Answer:
    flags = host.flags()
    if isinstance(flags, Unreadable):
        return unknown(flags)
    if "hypervisor" in flags:
        return note("no: the flag hypervisor says that this is a guest itself")
    return ok("yes: no hypervisor flag")


def _virtualisation(host: HostSnapshot) -> Answer:
    flags = host.flags()
    if isinstance(flags, Unreadable):
        return unknown(flags)
    found = sorted(flags & {"svm", "vmx"})
    # A note: KVM can work without (pvm), and the probe guest decides.
    return ok(found[0]) if found else note("neither svm nor vmx", "turn on SVM or VT-x in the firmware's set-up")


def _svm(host: HostSnapshot) -> Answer:
    flags = host.flags()
    if isinstance(flags, Unreadable):
        return unknown(flags)
    return ok("svm") if "svm" in flags else lacks("no svm", "turn on SVM Mode in the firmware's set-up")


def _feature(bit: int, flag: str, host: HostSnapshot, optional: bool = False) -> Answer:
    leaf = host.leaf(SEV_LEAF)
    if not isinstance(leaf, Unreadable):
        seen = f"8000001F eax={leaf.eax:08x}, bit {bit} is {leaf.eax >> bit & 1}"
        if leaf.eax >> bit & 1:
            return ok(seen)
        return note(seen) if optional else lacks(seen, _OTHER_CPU)
    if leaf.absent and not isinstance(host.cpuid, Unreadable):
        return note(leaf.why) if optional else lacks(leaf.why, _OTHER_CPU)
    flags = host.flags()
    if not isinstance(flags, Unreadable) and flag in flags:
        return ok(f"flag {flag} in /proc/cpuinfo")
    # Linux clears the flags of what the firmware left off (arch/x86/kernel/cpu/amd.c early_detect_mem_encrypt).
    return unknown(f"{leaf.why}; no flag {flag} in /proc/cpuinfo, which proves nothing")


def _vmpls(host: HostSnapshot) -> Answer:
    leaf = host.leaf(SEV_LEAF)
    if isinstance(leaf, Unreadable):
        return unknown(leaf)
    count = leaf.ebx >> 12 & 0xF
    seen = f"ebx={leaf.ebx:08x}: {count} VMPLs"
    # COCONUT runs its guest at VMPL2: three are needed, four are what every part has.
    return ok(seen) if count >= 4 else note(seen) if count == 3 else lacks(seen, _OTHER_CPU)


def _c_bit(host: HostSnapshot) -> Answer:
    leaf = host.leaf(SEV_LEAF)
    if isinstance(leaf, Unreadable):
        return unknown(leaf)
    position = leaf.ebx & 0x3F
    seen = f"ebx={leaf.ebx:08x}: cbitpos={position}"
    # Read it, never assume it: the known parts have 47 or 51.
    return ok(seen) if position in (47, 51) else note(f"{seen}, neither 47 nor 51 as on the known parts")


def _reduction(host: HostSnapshot) -> Answer:
    leaf = host.leaf(SEV_LEAF)
    if isinstance(leaf, Unreadable):
        return unknown(leaf)
    return ok(f"ebx={leaf.ebx:08x}: {leaf.ebx >> 6 & 0x3F} bits")


def _online(host: HostSnapshot) -> Answer:
    online, present = host.text("/sys/devices/system/cpu/online"), host.text("/sys/devices/system/cpu/present")
    if isinstance(online, Unreadable):
        return unknown(online)
    if isinstance(present, Unreadable):
        return unknown(present)
    seen = f"online {online}, present {present}"
    return ok(seen) if online == present else note(seen, "boot with all CPUs: no maxcpus=, nr_cpus= or nosmt")


def _snp(name: str, bit: int, flag: str, means: str) -> Check:
    look = partial(_feature, bit, flag)
    return Check(Group.CPU, name, means, look, FROM_SNP, fix=_CPUID_FIX, asked_of=AskedOf.AMD)


def _optional(name: str, bit: int, flag: str, means: str) -> Check:
    look = partial(_feature, bit, flag, optional=True)
    return Check(Group.CPU, name, means, look, fix=_CPUID_FIX, asked_of=AskedOf.SNP)


CHECKS = (
    Check(Group.CPU, "vendor", "SEV-SNP is AMD's", _vendor, FROM_SNP, decides=True, fix=_OTHER_CPU),
    Check(Group.CPU, "generation", "SNP came with Milan", _generation, FROM_SNP, fix=_OTHER_CPU, asked_of=AskedOf.AMD),
    Check(Group.CPU, "microcode", "belongs into every report of a fault", _microcode),
    Check(Group.CPU, "bare metal", "SNP guests are started by the machine's own kernel", _bare),
    Check(Group.CPU, "virtualisation", "what KVM rests on", _virtualisation),
    Check(Group.CPU, "SVM", "what kvm_amd rests on", _svm, FROM_SNP, asked_of=AskedOf.AMD),
    _snp("SME", 0, "sme", "SNP rests on it"),
    _snp("SEV", 1, "sev", "SNP rests on it"),
    _snp("SEV-ES", 3, "sev_es", "SNP rests on it"),
    _snp("SEV-SNP", 4, "sev_snp", "without it there is no snp"),
    Check(
        Group.CPU,
        "VMPL",
        "an SVSM is what runs at VMPL0",
        partial(_feature, 5, "vmpl"),
        SVSM,
        fix=_CPUID_FIX,
        asked_of=AskedOf.SNP,
    ),
    Check(Group.CPU, "VMPL count", "a guest at VMPL2", _vmpls, SVSM, fix=_CPUID_FIX, asked_of=AskedOf.SNP),
    Check(Group.CPU, "C-bit", "cbitpos of sev-snp-guest must be this", _c_bit, fix=_CPUID_FIX, asked_of=AskedOf.SNP),
    Check(Group.CPU, "lost address bits", "reduced-phys-bits", _reduction, fix=_CPUID_FIX, asked_of=AskedOf.SNP),
    _optional("page flush MSR", 2, "vm_page_flush", "cheaper flushes; nothing needs it"),
    _optional("Secure TSC", 8, "secure_tsc", "secure-tsc=on, from Linux 6.18 on"),
    _optional("restricted injection", 12, "restricted_injection", "some SVSMs panic without it"),
    _optional("alternate injection", 13, "alternate_injection", "an SVSM that serves the guest's APIC"),
    Check(
        Group.CPU,
        "all CPUs online",
        "SNP is set up only on a machine with all its CPUs online",
        _online,
        asked_of=AskedOf.SNP,
    ),
)
