"""Prepare what QEMU loads: a kernel and an initramfs with this boot's keys, a disk and its seed, or a payload."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex

from harness.boot.payload import find_payload
from harness.boot.site import Site, payload_folder
from harness.errors import InputError
from harness.guest.initramfs import GuestImage
from harness.guest.parameters import kernel_parameters
from harness.guest.secrets import BootSecrets, initramfs_memfd, make_secrets, overlay_cpio
from harness.guest.seed import seed_image, seed_memfd
from harness.guest.stimulus import STIMULUS, build_stimulus
from harness.guest.tsc import measure_tsc_khz
from harness.qemu.command import Accel
from harness.qemu.command import Guest as Loaded
from harness.qemu.disk import Disk
from harness.scenario.model import Guest, Machine
from harness.scenario.setting import Setting
from harness.scenario.snp_contradictions import SVSM_PAYLOAD
from harness.scenario.steps import StimulusStep

__all__ = ["Load", "prepare_load"]


@dataclass(frozen=True, slots=True)
class Load:
    """Hold what one boot loads.

    ``initramfs`` and ``secrets`` are None for a payload. ``provenance`` maps each part to its digest or version.
    ``release`` is the kernel's, empty for a payload. ``kernel`` is None where firmware finds it: on ``disk``, or in an
    SVSM's IGVM file. ``overlay`` is what is this boot's own: it goes behind the initramfs, or with a disk it is the
    seed's image. ``initrd`` belongs to the disk's system.
    """

    kernel: Path | None
    append: str
    initramfs: Path | None
    overlay: bytes
    secrets: BootSecrets | None
    ssh: bool
    provenance: Mapping[str, str]
    release: str = ""
    disk: Disk | None = None
    initrd: Path | None = None

    @contextmanager
    def descriptor(self) -> Iterator[int | None]:
        """Yield the descriptor of the initramfs, or of the seed, with this boot's keys; None for a payload."""
        if self.disk is not None:
            with seed_memfd(self.overlay) as descriptor:
                yield descriptor
        elif self.initramfs is None:
            yield None
        else:
            with initramfs_memfd(self.initramfs, self.overlay) as descriptor:
                yield descriptor

    def loaded(self, descriptor: int | None) -> Loaded:
        """Say what the command line names: the descriptor's file, or by hand (None) the initramfs without keys."""
        kernel = None if self.kernel is None else str(self.kernel)
        if self.disk is not None:
            seed = None if descriptor is None else f"/proc/self/fd/{descriptor}"
            initrd = None if self.initrd is None else str(self.initrd)
            return Loaded(kernel, self.append, initrd, self.ssh, replace(self.disk, seed=seed))
        initrd = str(self.initramfs) if self.initramfs else None
        return Loaded(
            kernel=kernel,
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
        tools = await asyncio.to_thread(_tools, setting, site)
        if setting.guest.disk is not None:
            return await asyncio.to_thread(_disk, setting.guest, setting.guest.disk, setting.machine, tools)
        return _linux(setting.guest, setting.machine, accel, await site.image(setting.guest), tools)
    assert setting.payload is not None  # Setting: exactly one of both
    if setting.payload.image == SVSM_PAYLOAD:
        return Load(None, "", None, b"", None, False, {})
    image = await find_payload(setting.payload.image, site)
    digest = hashlib.sha256(await asyncio.to_thread(image.read_bytes)).hexdigest()
    return Load(
        image, setting.payload.command_line, None, b"", None, False, {f"payload {setting.payload.image}": digest}
    )


# What the steps need in the guest: path there, content.
def _tools(setting: Setting, site: Site) -> dict[str, bytes]:
    if not any(isinstance(step, StimulusStep) for step in setting.steps):
        return {}
    return {STIMULUS: build_stimulus(payload_folder("linux") / "stimulus.c", site.cache).read_bytes()}


# qcow2's first bytes (QEMU docs/interop/qcow2.rst). Asked here and not by QEMU: a guest that writes them to a raw disk
# could otherwise have QEMU open any file.
def _format(disk: Path) -> str:
    try:
        with disk.open("rb") as stream:
            return "qcow2" if stream.read(4) == b"QFI\xfb" else "raw"
    except OSError:  # not here: whoever opens it says so
        return "qcow2" if disk.suffix == ".qcow2" else "raw"


def _disk(guest: Guest, disk: str, machine: Machine, tools: Mapping[str, bytes]) -> Load:
    secrets = make_secrets()
    files = {to: _read(Path(path), f"guest.files: {to}") for to, path in guest.files.items()}
    kernel = None if guest.kernel is None else Path(guest.kernel)
    return Load(
        kernel=kernel,
        append=" ".join(filter(None, (kernel_parameters() if kernel else "", guest.append))),
        initramfs=None,
        overlay=seed_image(secrets, f"svsm-harness-{token_hex(8)}", {**tools, **files}),
        secrets=secrets,
        ssh=guest.ssh and machine.network,
        provenance={"disk": _stamp(Path(disk))} | ({} if kernel is None else {"kernel": _stamp(kernel)}),
        disk=Disk(disk, guest.disk_format if guest.disk_format != "auto" else _format(Path(disk)), None),
        initrd=None if guest.initrd is None else Path(guest.initrd),
    )


# A disk is too large to digest for every boot.
def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return str(path)
    return f"{path}, {status.st_size} bytes, changed {status.st_mtime_ns} ns"


def _linux(guest: Guest, machine: Machine, accel: Accel, image: GuestImage, tools: Mapping[str, bytes]) -> Load:
    secrets = make_secrets()
    files = {to: _read(Path(path), f"guest.files: {to}") for to, path in guest.files.items()}
    files = {**tools, **files}
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
