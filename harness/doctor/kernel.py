"""Check the host's kernel: KVM, its modules' parameters, the command line, and whether it has been hurt."""

from __future__ import annotations

import re
from functools import partial

from harness.doctor.finding import FROM_KVM, FROM_SNP, Answer, AskedOf, Check, Group, lacks, note, ok, unknown
from harness.doctor.firmware import syscfg
from harness.doctor.snapshot import HostSnapshot, Unreadable

__all__ = ["CHECKS"]

_VERSION = re.compile(r"(\d+)\.(\d+)")
_YES = ("Y", "1", "y")
# Linux Documentation/admin-guide/tainted-kernels.rst: bits that say that something went wrong, not what was loaded.
_HURT = {4: "machine check", 5: "bad page", 7: "oops", 9: "warning", 14: "soft lockup"}
_SNP_KERNEL = "boot Linux 6.11 or later with CONFIG_KVM_AMD_SEV"
_ABOVE = "the kernel turns SNP on if firmware, IOMMU and parameters allow it: see what lacks above"
_AMD = "/sys/module/kvm_amd/parameters"


def _release(host: HostSnapshot) -> Answer:
    text = host.text("/proc/sys/kernel/osrelease")
    if isinstance(text, Unreadable):
        return unknown(text)
    found = _VERSION.match(text)
    if found is None:
        return unknown(f"{text!r} names no release")
    # A note, not more: distributions carry SNP back, and kvm_amd's own parameter decides.
    if (int(found[1]), int(found[2])) < (6, 11):
        return note(f"{text}, older than 6.11, the first with SNP hosts", "boot Linux 6.11 or later")
    return ok(text)


def _device(host: HostSnapshot) -> Answer:
    access = host.may("/dev/kvm")
    if isinstance(access, Unreadable):
        return lacks(access.why) if access.absent else unknown(access)
    if access.readable and access.writable:
        return ok("readable and writable")
    return lacks("this user may not open it", "as root: usermod -aG kvm USER; then log in anew")


def _works(host: HostSnapshot) -> Answer:
    if isinstance(host.kvm, Unreadable):
        return unknown(host.kvm)
    usable, why = host.kvm
    return ok(why) if usable else lacks(why)


def _loaded(host: HostSnapshot) -> Answer:
    found = [name for name in ("kvm_amd", "kvm_intel", "kvm_pvm") if _there(host, f"/sys/module/{name}")]
    if found:
        return ok(", ".join(found))
    return note("none of kvm_amd, kvm_intel", "as root: modprobe kvm_amd, or modprobe kvm_intel")


def _there(host: HostSnapshot, folder: str) -> bool:
    return not isinstance(host.names(folder), Unreadable)


def _switch(name: str, host: HostSnapshot) -> Answer:
    value = host.text(f"{_AMD}/{name}")
    if not isinstance(value, Unreadable):
        return ok(f"{name}={value}") if value in _YES else lacks(f"{name}={value}")
    if not value.absent:
        return unknown(value)
    if _there(host, "/sys/module/kvm_amd"):
        return lacks(f"this kernel's kvm_amd has no {name}", "boot Linux 6.11 or later with CONFIG_KVM_AMD_SEV")
    return lacks("kvm_amd is not loaded", "as root: modprobe kvm_amd")


def _optional(name: str, wanted: tuple[str, ...], fix: str, host: HostSnapshot) -> Answer:
    value = host.text(f"{_AMD}/{name}")
    if isinstance(value, Unreadable):
        return unknown(value)
    return ok(f"{name}={value}") if not wanted or value in wanted else note(f"{name}={value}", fix)


def _ciphertext(host: HostSnapshot) -> Answer:
    value = host.number(f"{_AMD}/ciphertext_hiding_asids")
    if isinstance(value, Unreadable):
        return unknown(value)
    return note(f"{value}: SNP guests get the ASIDs 1 to {value}") if value else ok("0: the ASIDs are not split")


def _psp(host: HostSnapshot) -> Answer:
    value = host.text("/sys/module/ccp/parameters/psp_init_on_probe")
    if isinstance(value, Unreadable):
        return unknown(value)
    return ok(value) if value in _YES else note(f"{value}: the firmware is set up by the first SNP guest")


def _nested(host: HostSnapshot) -> Answer:
    for module in ("kvm_amd", "kvm_intel"):
        value = host.text(f"/sys/module/{module}/parameters/nested")
        if not isinstance(value, Unreadable):
            return ok(f"{module} nested={value}") if value in _YES else note(f"{module} nested={value}")
    return unknown("neither kvm_amd nor kvm_intel says")


def _command_line(host: HostSnapshot) -> Answer:
    if isinstance(host.parameters, Unreadable):
        return unknown(host.parameters)
    off = {"nosnp", "mem_encrypt=off", "kvm_amd.sev=0", "kvm_amd.sev_es=0", "kvm_amd.sev_snp=0", "kvm_amd.sev_snp=N"}
    bad = [word for word in host.parameters if word in off]
    if bad:
        return lacks(" ".join(bad), f"remove {' '.join(bad)} from the kernel's command line and reboot")
    return ok(" ".join(host.parameters) or "none that matters here")


def _asid_lines(host: HostSnapshot) -> Answer:
    line = host.logged("kvm_amd: SEV-SNP ", "kvm_amd: SEV-ES and SEV-SNP")
    if isinstance(line, Unreadable):
        return unknown(line)
    if line is None:
        return unknown("no line of it is left in the kernel's log, which proves nothing")
    # The words differ between kernels: enabled, disabled, unusable.
    return ok(line) if "enabled" in line.lower() else lacks(line, _ABOVE)


def _private_memory(host: HostSnapshot) -> Answer:
    bad = host.logged("requires private memory support via guest_memfd")
    if isinstance(bad, Unreadable):
        return unknown(bad)
    return (
        lacks(bad, "boot a kernel with CONFIG_KVM_GENERIC_PRIVATE_MEM")
        if bad
        else ok("no complaint in what is left of the log")
    )


def _taint(host: HostSnapshot) -> Answer:
    value = host.number("/proc/sys/kernel/tainted")
    if isinstance(value, Unreadable):
        return unknown(value)
    hurt = [what for bit, what in _HURT.items() if value >> bit & 1]
    return note(f"{value}: {', '.join(hurt)} since the start", "reboot") if hurt else ok(str(value))


def _oops(host: HostSnapshot) -> Answer:
    bad = host.logged("Oops", "BUG:", "general protection fault", "soft lockup", "WARNING:")
    if isinstance(bad, Unreadable):
        return unknown(bad)
    return note(bad, "reboot, and keep the log for its report") if bad else ok("none in what is left of the log")


def _lockdown(host: HostSnapshot) -> Answer:
    text = host.text("/sys/kernel/security/lockdown")
    if isinstance(text, Unreadable):
        return ok("this kernel has none") if text.absent else unknown(text)
    mode = text[text.find("[") + 1 : text.find("]")] if "[" in text and "]" in text else text
    if mode == "none":
        return ok(mode)
    return note(
        f"{mode}: some of MSRs, kallsyms and tracing are shut", "turn off Secure Boot, or boot with lockdown=none"
    )


_MODPROBE = (
    "as root: modprobe -r kvm_amd && modprobe kvm_amd sev=1 sev_es=1 sev_snp=1; if it stays N, see what lacks above"
)


def _needed(name: str, means: str, decides: bool = False) -> Check:
    look = partial(_switch, name)
    return Check(Group.KERNEL, f"kvm_amd.{name}", means, look, FROM_SNP, decides, fix=_MODPROBE, asked_of=AskedOf.SNP)


def _asked(name: str, means: str, wanted: tuple[str, ...] = (), fix: str = "") -> Check:
    return Check(Group.KERNEL, f"kvm_amd.{name}", means, partial(_optional, name, wanted, fix), asked_of=AskedOf.SNP)


CHECKS = (
    Check(Group.KERNEL, "release", "SNP hosts: 6.11 and later", _release),
    Check(Group.KERNEL, "command line", "nothing turns SNP off", _command_line, FROM_SNP, asked_of=AskedOf.SNP),
    Check(Group.KERNEL, "KVM module", "kvm and above", _loaded),
    Check(
        Group.KERNEL,
        "/dev/kvm",
        "kvm and above",
        _device,
        FROM_KVM,
        decides=True,
        fix="as root: modprobe kvm_amd (or kvm_intel); a container needs --device /dev/kvm",
    ),
    Check(
        Group.KERNEL,
        "KVM runs Linux",
        "a probe guest boots under KVM; what opens may still not work",
        _works,
        FROM_KVM,
        decides=True,
        fix="use a machine whose KVM boots Linux; the grades model and tcg need none",
    ),
    _needed("sev", "SNP rests on it"),
    _needed("sev_es", "SNP rests on it"),
    _needed("sev_snp", "the kernel's own word on SNP", decides=True),
    Check(
        Group.KERNEL,
        "SNP on",
        "the CPUs check the RMP",
        partial(syscfg, 24, _ABOVE),
        FROM_SNP,
        fix="as root: modprobe msr; then run doctor as root",
        asked_of=AskedOf.SNP,
    ),
    Check(
        Group.KERNEL,
        "ASIDs in the log",
        "what kvm_amd made of it all",
        _asid_lines,
        FROM_SNP,
        fix="run doctor as root, soon after the start",
        asked_of=AskedOf.SNP,
    ),
    _asked("npt", "SNP needs nested paging", ("Y", "1"), "load kvm_amd with npt=1"),
    _asked("avic", "no matter for SEV guests: KVM keeps it off for them [INF]"),
    _asked(
        "dump_invalid_vmcb",
        "prints the VMCB when an entry fails",
        ("Y", "1"),
        f"as root: echo 1 > {_AMD}/dump_invalid_vmcb",
    ),
    Check(Group.KERNEL, "ciphertext hiding", "splits the ASIDs", _ciphertext, asked_of=AskedOf.SNP),
    Check(Group.KERNEL, "psp_init_on_probe", "when the firmware is set up", _psp, asked_of=AskedOf.SNP),
    Check(Group.KERNEL, "private memory", "guest_memfd", _private_memory, FROM_SNP, asked_of=AskedOf.SNP),
    Check(Group.KERNEL, "nested", "a virtual host with KVM inside it", _nested),
    Check(Group.KERNEL, "taint", "results on a hurt host are worth less", _taint),
    Check(Group.KERNEL, "oopses in the log", "results on a hurt host are worth less", _oops),
    Check(Group.KERNEL, "lockdown", "MSRs and tracing", _lockdown),
)
