"""Prepare what QEMU loads: the Linux guest's kernel and initramfs with this boot's keys, or a bare-metal payload."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.boot.payload import find_payload
from harness.boot.site import Site
from harness.errors import InputError
from harness.guest.initramfs import GuestImage
from harness.guest.parameters import kernel_parameters
from harness.guest.secrets import BootSecrets, initramfs_memfd, make_secrets, overlay_cpio
from harness.guest.tsc import measure_tsc_khz
from harness.qemu.command import Accel
from harness.qemu.command import Guest as Loaded
from harness.scenario.model import Guest, Machine
from harness.scenario.setting import Setting

__all__ = ["Load", "prepare_load"]


@dataclass(frozen=True, slots=True)
class Load:
    """Hold what one boot loads.

    ``initramfs`` and ``secrets`` are None for a payload. ``provenance`` maps each part to its digest or version.
    ``release`` is the kernel's, empty for a payload.
    """

    kernel: Path
    append: str
    initramfs: Path | None
    overlay: bytes
    secrets: BootSecrets | None
    ssh: bool
    provenance: Mapping[str, str]
    release: str = ""

    @contextmanager
    def descriptor(self) -> Iterator[int | None]:
        """Yield the descriptor of the initramfs with this boot's keys; None for a payload."""
        if self.initramfs is None:
            yield None
        else:
            with initramfs_memfd(self.initramfs, self.overlay) as descriptor:
                yield descriptor

    def loaded(self, descriptor: int | None) -> Loaded:
        """Say what the command line names: the descriptor's file, or by hand (None) the initramfs without keys."""
        initrd = str(self.initramfs) if self.initramfs else None
        return Loaded(
            kernel=str(self.kernel),
            append=self.append,
            initrd=initrd if descriptor is None else f"/proc/self/fd/{descriptor}",
            ssh=self.ssh,
        )


async def prepare_load(setting: Setting, site: Site, accel: Accel) -> Load:
    """Build or find everything that the setting's guest or payload needs.

    :raise InputError: if a file that the scenario names cannot be used.
    :raise HostError: if this machine lacks a part.
    """
    if setting.guest is not None:
        return _linux(setting.guest, setting.machine, accel, await site.image(setting.guest))
    assert setting.payload is not None  # Setting: exactly one of both
    image = await find_payload(setting.payload.image, site)
    digest = hashlib.sha256(await asyncio.to_thread(image.read_bytes)).hexdigest()
    return Load(
        image, setting.payload.command_line, None, b"", None, False, {f"payload {setting.payload.image}": digest}
    )


def _linux(guest: Guest, machine: Machine, accel: Accel, image: GuestImage) -> Load:
    secrets = make_secrets()
    files = {to: _read(Path(path), f"guest.files: {to}") for to, path in guest.files.items()}
    init = None if guest.init is None else _read(Path(guest.init), "guest.init")
    provenance = {
        "kernel": f"{image.kernel.release} sha256:{image.kernel.sha256}",
        "kernel origin": image.kernel.origin,
        "initramfs": f"sha256:{image.key}",
        **{f"initramfs {part}": f"sha256:{digest}" for part, digest in image.parts.items()},
    }
    return Load(
        kernel=image.kernel.image,
        append=" ".join(filter(None, (kernel_parameters(), _calibration(machine, accel), guest.append))),
        initramfs=image.initramfs,
        overlay=overlay_cpio(secrets, files, init),
        secrets=secrets,
        ssh=guest.ssh and machine.network and guest.init is None,
        provenance=provenance,
        release=image.kernel.release,
    )


def _calibration(machine: Machine, accel: Accel) -> str:
    # microvm has neither HPET nor ACPI PM timer, only the PIT, against which an emulated CPU on a busy host fails to
    # calibrate ("tsc: Unable to calibrate against PIT"). Its ACPI says hardware-reduced, so there is no legacy timer
    # interrupt to fall back to: without a TSC no time passes, and the boot stops for ever.
    khz = measure_tsc_khz() if machine.type == "microvm" and accel is Accel.TCG else None
    return "" if khz is None else f"tsc_early_khz={khz}"


def _read(path: Path, key: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{key}: cannot read {path}: {error.strerror}") from error
