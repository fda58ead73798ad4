"""Check the IOMMU: SNP wants it on, neither in passthrough mode nor with V2 page tables.

Source: Linux 7.3 drivers/iommu/amd/init.c, iommu_snp_enable().
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.doctor.finding import FROM_SNP, Answer, AskedOf, Check, Group, lacks, note, ok, unknown
from harness.doctor.snapshot import HostSnapshot, Unreadable

__all__ = ["CHECKS"]

_REFUSALS = (
    "SNP: IOMMU disabled",
    "configured in passthrough mode",
    "V2 page table mode",
    "IOMMU SNP feature not enabled",
)
_CMDLINE = "edit the kernel's command line (GRUB_CMDLINE_LINUX, then update-grub) and reboot: "


def _present(host: HostSnapshot) -> Answer:
    names = host.names("/sys/class/iommu")
    if isinstance(names, Unreadable):
        return lacks("there is none: no /sys/class/iommu") if names.absent else unknown(names)
    amd = sorted(name for name in names if name.startswith("ivhd"))
    if amd:
        return ok(f"{len(amd)} AMD IOMMUs ({amd[0]} …)" if len(amd) > 1 else amd[0])
    return lacks(", ".join(sorted(names)[:4]) or "/sys/class/iommu is empty")


def _says(words: Iterable[str], keys: tuple[str, ...], value: str) -> list[str]:
    # Both take a list: iommu=noagp,pt.
    pairs = ((word, *word.partition("=")) for word in words)
    return [word for word, key, _, values in pairs if key in keys and value in values.split(",")]


def _not_off(host: HostSnapshot) -> Answer:
    if isinstance(host.parameters, Unreadable):
        return unknown(host.parameters)
    bad = _says(host.parameters, ("iommu", "amd_iommu"), "off")
    return lacks(" ".join(bad), f"{_CMDLINE}remove {' '.join(bad)}") if bad else ok("no iommu=off, no amd_iommu=off")


def _passthrough(host: HostSnapshot) -> Answer:
    words = () if isinstance(host.parameters, Unreadable) else host.parameters
    bad = [*_says(words, ("iommu",), "pt"), *_says(words, ("iommu.passthrough",), "1")]
    if bad:
        return lacks(" ".join(bad), f"{_CMDLINE}iommu=nopt instead of {' '.join(bad)}")
    kind = host.text("/sys/kernel/iommu_groups/0/type")
    if not isinstance(kind, Unreadable):
        if kind == "identity":
            return lacks("the default domain of group 0 is identity", f"{_CMDLINE}add iommu=nopt")
        return ok(f"the default domain of group 0 is {kind}")
    return unknown(host.parameters if isinstance(host.parameters, Unreadable) else kind)


def _page_tables(host: HostSnapshot) -> Answer:
    if isinstance(host.parameters, Unreadable):
        return unknown(host.parameters)
    bad = _says(host.parameters, ("amd_iommu",), "pgtbl_v2")
    return lacks(" ".join(bad), f"{_CMDLINE}remove {' '.join(bad)}") if bad else ok("no amd_iommu=pgtbl_v2")


def _log(host: HostSnapshot) -> Answer:
    bad = host.logged(*_REFUSALS)
    if isinstance(bad, Unreadable):
        return unknown(bad)
    if bad is not None:
        return lacks(bad, f"{_CMDLINE}amd_iommu=on iommu=nopt; turn on the IOMMU in the firmware's set-up")
    good = host.logged("IOMMU SNP support enabled")
    if good is None or isinstance(good, Unreadable):
        return unknown("no line of it is left in the kernel's log, which proves nothing")
    return ok(good)


def _groups(host: HostSnapshot) -> Answer:
    names = host.names("/sys/kernel/iommu_groups")
    if isinstance(names, Unreadable):
        return unknown(names)
    return ok(f"{len(names)}") if names else note("0: no device is behind an IOMMU")


_ON = "turn on the IOMMU (AMD-Vi) in the firmware's set-up; amd_iommu=on"
_AS_ROOT = "run doctor as root, soon after the start"

CHECKS = (
    Check(
        Group.IOMMU,
        "AMD IOMMU",
        "SNP rests on it",
        _present,
        FROM_SNP,
        fix=_ON,
        asked_of=AskedOf.SNP,
    ),
    Check(Group.IOMMU, "not off", "SNP needs it on", _not_off, FROM_SNP, asked_of=AskedOf.SNP),
    Check(Group.IOMMU, "no passthrough", "SNP refuses passthrough mode", _passthrough, FROM_SNP, asked_of=AskedOf.SNP),
    Check(Group.IOMMU, "V1 page tables", "SNP refuses V2 page tables", _page_tables, FROM_SNP, asked_of=AskedOf.SNP),
    Check(Group.IOMMU, "SNP in the log", "the IOMMU agreed to SNP", _log, FROM_SNP, fix=_AS_ROOT, asked_of=AskedOf.SNP),
    Check(Group.IOMMU, "groups", "devices behind an IOMMU", _groups, asked_of=AskedOf.SNP),
)
