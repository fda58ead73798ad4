"""Render a guest's disks and flash, none of which is ever written; pure.

``snapshot=on`` puts what the guest writes into a file that QEMU makes in $TMPDIR (/var/tmp) and unlinks at once, so
that nothing is left behind, not even after SIGKILL.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.qemu.words import escape
from harness.scenario.model import Pflash

__all__ = ["Disk", "disk_options", "pflash_options"]


@dataclass(frozen=True, slots=True)
class Disk:
    """Hold the guest's disk and its seed.

    ``format`` is raw or qcow2. ``seed`` is the path of the seed's image; None: the system needs none.
    """

    path: str
    format: str
    seed: str | None


def disk_options(disk: Disk, *, encrypted: bool) -> list[tuple[str, ...]]:
    """Return the disk, bootable, and its seed, on one SCSI controller, as COCONUT's INSTALL.md has it.

    ``encrypted``: the guest shares with the controller only what it means to.
    """
    behind = ",iommu_platform=on" if encrypted else ""
    options: list[tuple[str, ...]] = [
        ("-device", f"virtio-scsi-pci,id=scsi0,disable-legacy=on{behind}"),
        ("-drive", f"file={escape(disk.path)},format={disk.format},if=none,id=disk0,snapshot=on"),
        ("-device", "scsi-hd,drive=disk0,bootindex=0"),
    ]
    if disk.seed is not None:
        options += [
            ("-drive", f"file={escape(disk.seed)},format=raw,if=none,id=seed0,readonly=on"),
            ("-device", "scsi-cd,drive=seed0"),
        ]
    return options


def pflash_options(pflash: Pflash) -> list[tuple[str, ...]]:
    """Return the flash of the code, and of the variables where there are some."""
    options: list[tuple[str, ...]] = [
        ("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={escape(pflash.code)}")
    ]  # fmt: skip
    if pflash.vars is not None:
        options.append(("-drive", f"if=pflash,format=raw,unit=1,snapshot=on,file={escape(pflash.vars)}"))
    return options
