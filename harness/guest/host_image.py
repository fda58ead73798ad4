"""Make a guest that can be a host: its image with QEMU, its libraries and its firmware copied in.

QEMU of Debian 12 with its libraries is 49 MB; the kernel copies that out of an initramfs in about two seconds under
emulation, where installing it in the guest would take minutes and a network.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from harness.errors import HostError
from harness.guest import cpio
from harness.guest.initramfs import GuestImage, shared_libraries
from harness.guest.modules import Wanted

__all__ = ["HOST_MODULES", "QEMU_PATH", "build_host_image", "host_modules"]

#: Where QEMU is in the guest.
QEMU_PATH = "/usr/bin/qemu-system-x86_64"
_DATA_DIR = "/usr/share/qemu"
# What q35, pc and microvm load without a graphics card: SeaBIOS, its loaders for -kernel, the option ROM that KVM
# guests patch themselves with (QEMU hw/i386/x86.c, hw/i386/kvmvapic.c).
_FIRMWARE = (
    "bios-256k.bin",
    "bios-microvm.bin",
    "bios.bin",
    "kvmvapic.bin",
    "linuxboot.bin",
    "linuxboot_dma.bin",
    "multiboot.bin",
    "multiboot_dma.bin",
    "pvh.bin",
    "qboot.rom",
)
# Distributions build accelerators as modules that QEMU loads by name (QEMU util/module.c).
_MODULE_DIRS = ("/usr/lib/x86_64-linux-gnu/qemu", "/usr/lib64/qemu", "/usr/lib/qemu")
_MODULES = ("accel-*x86_64.so", "accel-*i386.so")
# Raise it when the archive changes in a way that its inputs do not show.
_LAYOUT = 1

#: Without these a guest is no host; which of the vendors' it is depends on the CPU that it is given.
HOST_MODULES: tuple[Wanted, ...] = (Wanted("kvm", "/dev/kvm, and the tracepoints"),)


def host_modules(vendor: str) -> tuple[Wanted, ...]:
    """Return the modules of a host whose CPU says ``vendor``: AuthenticAMD or GenuineIntel (as /proc/cpuinfo)."""
    name = "kvm_intel" if vendor == "GenuineIntel" else "kvm_amd"
    return (*HOST_MODULES, Wanted(name, "the guests of this host run by it"))


def build_host_image(base: GuestImage, qemu: Path, cache_dir: Path) -> Path:
    """Return the archive of ``base`` with ``qemu`` and what it needs behind it; built only when it is not cached.

    :raise HostError: when a part is missing or unreadable.
    """
    folder = cache_dir / "images"
    folder.mkdir(parents=True, exist_ok=True)
    inputs = [_stamp(qemu), *(_stamp(path) for _, path in (*_firmware(qemu), *_modules()))]
    kept = folder / f"host-{hashlib.sha256(json.dumps([_LAYOUT, base.key, inputs]).encode()).hexdigest()}.cpio"
    if kept.exists():
        return kept
    with FileLock(folder / "build.lock"):
        if kept.exists():  # somebody else built it while we waited
            return kept
        parts = [(QEMU_PATH, qemu), *_firmware(qemu), *_modules()]
        programs = [path for to, path in parts if to == QEMU_PATH or to.endswith(".so")]
        libraries = {path for program in programs for path in shared_libraries(program)}
        parts += [(str(path), path) for path in sorted(libraries)]
        behind = cpio.archive(cpio.with_parents(cpio.file(to, _read(path), 0o755) for to, path in parts))
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".build-", delete=False) as stream:
            try:
                with base.initramfs.open("rb") as first:
                    shutil.copyfileobj(first, stream, 1 << 20)
                stream.write(behind)
                stream.flush()
                Path(stream.name).rename(kept)
            except BaseException:
                Path(stream.name).unlink(missing_ok=True)
                raise
    return kept


# QEMU itself knows where it looks; the first folder that has a file wins.
def _firmware(qemu: Path) -> list[tuple[str, Path]]:
    try:
        said = subprocess.run([str(qemu), "-L", "help"], capture_output=True, text=True, check=False).stdout
    except OSError as error:
        raise HostError(f"{qemu} cannot be run: {error.strerror}") from error
    folders = [Path(line.strip()) for line in said.splitlines() if line.strip().startswith("/")]
    found = []
    for name in _FIRMWARE:
        path = next((folder / name for folder in folders if (folder / name).is_file()), None)
        if path is not None:
            found.append((f"{_DATA_DIR}/{name}", path))
    if not any(name.endswith("bios-256k.bin") for name, _ in found):
        raise HostError(
            f"{qemu} has no bios-256k.bin in {', '.join(map(str, folders)) or 'any folder'}; install seabios"
        )
    return found


def _modules() -> list[tuple[str, Path]]:
    def find() -> Iterator[Path]:
        for folder in _MODULE_DIRS:
            for pattern in _MODULES:
                yield from sorted(Path(folder).glob(pattern))

    return [(str(path), path) for path in find()]


def _stamp(path: Path) -> tuple[str, int, int]:
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}; the virtual host needs it") from error
