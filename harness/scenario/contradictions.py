"""Find what cannot be meant together, although each value alone would do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.scenario.model import Guest, Machine, Payload, Platform
from harness.scenario.steps import DownloadStep, GuestStep, QmpStep, Step, StimulusStep, UploadStep, WaitStep

__all__ = ["accel_on", "machine_contradictions", "sections_of", "ssh_reason"]

# Devices whose names do not end in -pci and that exist on PCI only (QEMU 7.2 to 10, `-device help`, bus PCI).
_PCI_ONLY = re.compile(
    r"(.*-pci(-(non-)?transitional)?|e1000.*|igb|rtl8139|ne2k_pci|pcnet|vmxnet3|nvme|nec-usb-xhci|qemu-xhci|ich9-.*|"
    r"intel-hda|AC97|ES1370|pcie-.*|pxb.*|edu|ivshmem-.*|megasas.*|lsi53c.*|am53c974|VGA|bochs-display|cirrus-vga|"
    r"qxl.*|virtio-vga.*|vfio-pci.*|amd-iommu|intel-iommu|sdhci-pci|tpci200)"
)


def accel_on(platform: Platform, machine: Machine) -> str | None:
    """Return the accelerator for ``machine`` on ``platform``, or None if the two contradict each other."""
    free = {Platform.TCG: "tcg", Platform.MODEL: machine.accel, Platform.NOCC: machine.accel}
    needed = free.get(platform, "kvm")
    return needed if machine.accel in ("auto", needed) else None


def sections_of(platform: Platform) -> tuple[str, ...]:
    """Return which of the sections snp and svsm mean something on ``platform``."""
    have = {Platform.SNP: ("snp",), Platform.SVSM: ("snp", "svsm"), Platform.NOCC: ("svsm",)}
    return have.get(platform, ())


def machine_contradictions(
    machine: Machine, guest: Guest | None, payload: Payload | None
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield each contradiction as the path of the key to blame and a sentence."""
    if machine.type == "none" and (guest is not None or payload is not None):
        yield ("machine", "type"), "machine.type none has no CPU and no memory that could boot anything"
    if machine.type == "microvm" and not any("pcie=on" in option for option in machine.options):
        for at, device in enumerate(machine.devices):
            model = device.partition(",")[0]
            if _PCI_ONLY.fullmatch(model):
                instead = f"; {model[:-4]}-device does the same there" if re.fullmatch("virtio-.*-pci", model) else ""
                yield (
                    ("machine", "devices", at),
                    f"{model} needs a PCI bus and microvm has none{instead}; options: [-machine, pcie=on] adds one",
                )
    if machine.pflash is not None and machine.firmware is not None:
        yield ("machine", "firmware"), "firmware (-bios) and pflash are two places of one thing; remove one"
    if machine.type == "microvm" and machine.pflash is not None:
        yield ("machine", "pflash"), "microvm has no flash; use firmware"
    if guest is not None:
        yield from _disk_contradictions(machine, guest)
    if payload is not None and payload.report_port == "none" and payload.reports != "none":
        yield (
            ("payload", "report_port"),
            f"the payload reports as {payload.reports}, but report_port none leaves it no port; "
            "write reports: none, or a port",
        )


def _disk_contradictions(machine: Machine, guest: Guest) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if guest.disk is None:
        if guest.initrd is not None:
            yield ("guest", "initrd"), "initrd belongs to the system on a disk; name the disk, or put files into files"
        return
    # cloud-init on the disk makes what the harness's own process 1 makes elsewhere.
    for name in ("modules", "init", "extra_modules"):
        if getattr(guest, name):
            yield ("guest", name), f"{name} goes into the harness's own initramfs, and guest.disk boots without it"
    if machine.type == "microvm":
        yield ("machine", "type"), "guest.disk needs a machine that boots from a disk: q35"
    if guest.kernel is None:
        for name in ("initrd", "append"):
            if getattr(guest, name):
                yield ("guest", name), f"{name} is for a kernel that QEMU loads; the disk's own boot loader has its own"


def ssh_reason(step: Step) -> str | None:
    """Return what of ``step`` needs SSH in a Linux guest, or None."""
    if isinstance(step, GuestStep | UploadStep | DownloadStep | StimulusStep):
        return step.key
    if isinstance(step, QmpStep) and step.paced_by is not None:
        return "paced_by"
    if isinstance(step, WaitStep) and step.interrupts is not None:
        return "wait: interrupts"
    return None
