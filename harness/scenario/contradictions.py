"""Find what cannot be meant together, although each value alone would do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.scenario.model import Guest, Machine, Payload, Platform
from harness.scenario.steps import DownloadStep, GuestStep, QmpStep, Step, UploadStep, WaitStep

__all__ = ["accel_on", "machine_contradictions", "ssh_reason"]

# Devices whose names do not end in -pci and that exist on PCI only (QEMU 7.2 to 10, `-device help`, bus PCI).
_PCI_ONLY = re.compile(
    r"(.*-pci(-(non-)?transitional)?|e1000.*|igb|rtl8139|ne2k_pci|pcnet|vmxnet3|nvme|nec-usb-xhci|qemu-xhci|ich9-.*|"
    r"intel-hda|AC97|ES1370|pcie-.*|pxb.*|edu|ivshmem-.*|megasas.*|lsi53c.*|am53c974|VGA|bochs-display|cirrus-vga|"
    r"qxl.*|virtio-vga.*|vfio-pci.*|amd-iommu|intel-iommu|sdhci-pci|tpci200)"
)


def accel_on(platform: Platform, machine: Machine) -> str | None:
    """Return the accelerator for ``machine`` on ``platform``, or None if the two contradict each other."""
    needed = {Platform.TCG: "tcg", Platform.MODEL: machine.accel}.get(platform, "kvm")
    return needed if machine.accel in ("auto", needed) else None


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
    if payload is not None and payload.report_port == "none" and payload.reports != "none":
        yield (
            ("payload", "report_port"),
            f"the payload reports as {payload.reports}, but report_port none leaves it no port; "
            "write reports: none, or a port",
        )


def ssh_reason(step: Step) -> str | None:
    """Return what of ``step`` needs SSH in a Linux guest, or None."""
    if isinstance(step, GuestStep | UploadStep | DownloadStep):
        return step.key
    if isinstance(step, QmpStep) and step.paced_by is not None:
        return "paced_by"
    if isinstance(step, WaitStep) and step.interrupts is not None:
        return "wait: interrupts"
    return None
