"""Choose the guest's kernel: the scenario's own, else this machine's newest, else the distribution's cloud kernel.

The release is read from the image itself, never from its name: people rename kernels, and modules of another release
do not load.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HostError, InputError

__all__ = ["ELF_MAGIC", "GuestKernel", "find_kernel", "kernel_release", "newest_first", "vmlinux_release"]

ELF_MAGIC = b"\x7fELF"

# Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
_HEADER_END = 0x268
_BOOT_FLAG_AT, _BOOT_FLAG = 0x1FE, 0xAA55
_MAGIC_AT, _MAGIC = 0x202, b"HdrS"
_KERNEL_VERSION_AT, _KERNEL_VERSION_BASE = 0x20E, 0x200


@dataclass(frozen=True, slots=True)
class GuestKernel:
    """Be one bootable kernel.

    ``modules_dir`` holds ``modules.dep``; None means that nothing is loaded and all must be built in. ``origin`` says
    for people where it comes from.
    """

    image: Path
    modules_dir: Path | None
    release: str
    origin: str
    sha256: str


def kernel_release(image: bytes) -> str:
    """Return the release, such as ``6.1.0-56-cloud-amd64``, from the first 64 KiB of a bzImage.

    :raise ValueError: with the reason, when it is no bzImage or names no release.
    """
    if len(image) < _HEADER_END:
        raise ValueError("it is shorter than a kernel's header")
    (boot_flag,) = struct.unpack_from("<H", image, _BOOT_FLAG_AT)
    if boot_flag != _BOOT_FLAG or image[_MAGIC_AT : _MAGIC_AT + 4] != _MAGIC:
        raise ValueError("it is no x86 bzImage")
    (offset,) = struct.unpack_from("<H", image, _KERNEL_VERSION_AT)
    text = image[_KERNEL_VERSION_BASE + offset :].split(b"\0", 1)[0] if offset else b""
    release = text.split(b" ", 1)[0]
    if not re.fullmatch(rb"\d+\.\d+[\w.+~-]*", release):
        raise ValueError("its header names no kernel release")
    return release.decode("ascii")


def vmlinux_release(elf: bytes) -> str:
    """Return the release that an ELF kernel's banner names (init/version.c, linux_banner).

    :raise ValueError: when there is no banner.
    """
    banner = re.search(rb"Linux version (\d+\.\d+[\w.+~-]*) ", elf)
    if banner is None:
        raise ValueError("it has no line 'Linux version ...'")
    return banner[1].decode("ascii")


def newest_first(release: str) -> tuple[tuple[int, int | str], ...]:
    """Return a sort key that puts ``6.10`` above ``6.9``, for sorting with ``reverse=True``.

    A release candidate (``6.12-rc3``, ``6.12~rc3``) sorts below its release.
    """
    words = re.findall(r"~?rc|\d+|[a-z]+", release.lower())
    return (*((1, int(word)) if word.isdigit() else (-1 if "rc" in word else 0, word) for word in words), (0, ""))


def find_kernel(
    requested: Path | None,
    modules: Path | None,
    fetch: Callable[[], tuple[Path, Path, str]],
    boot_dir: Path = Path("/boot"),
    modules_roots: tuple[Path, ...] = (Path("/lib/modules"), Path("/usr/lib/modules")),
) -> GuestKernel:
    """Return the kernel to boot.

    ``requested`` and ``modules`` are the scenario's (None: not given); ``modules`` is the folder with ``modules.dep``
    or one above it, as ``make modules_install INSTALL_MOD_PATH=`` fills it. Without them, the newest readable kernel
    whose modules are installed too; without any, ``fetch`` is called and returns the image, its modules and its
    origin (:func:`harness.guest.kernel_package.fetch_cloud_kernel`).

    :raise InputError: when what the scenario names cannot be used.
    :raise HostError: when this machine has no kernel and none can be fetched.
    """
    if requested is not None:
        release = _requested_release(requested)
        return _kernel(requested, _requested_modules(modules, release, modules_roots), release, "the scenario's own")
    if modules is not None:
        raise InputError(f"guest.modules ({modules}) needs guest.kernel beside it: modules fit one kernel only")
    installed = list(_installed(boot_dir, modules_roots))
    if installed:
        image, modules_dir, release = max(installed, key=lambda found: newest_first(found[2]))
        return _kernel(image, modules_dir, release, f"installed on this machine ({image})")
    image, modules_dir, origin = fetch()
    try:
        release = kernel_release(_head(image))
    except (OSError, ValueError) as error:
        raise HostError(f"the cached kernel {image} is damaged ({error}); delete {image.parent.parent}") from error
    return _kernel(image, modules_dir, release, origin)


def _kernel(image: Path, modules_dir: Path | None, release: str, origin: str) -> GuestKernel:
    with image.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return GuestKernel(image, modules_dir, release, origin, digest)


def _head(image: Path) -> bytes:
    with image.open("rb") as stream:
        return stream.read(1 << 16)


def _requested_release(image: Path) -> str:
    try:
        head = _head(image)
        return vmlinux_release(image.read_bytes()) if head.startswith(ELF_MAGIC) else kernel_release(head)
    except FileNotFoundError as error:
        raise InputError(f"guest.kernel: {image} does not exist") from error
    except PermissionError as error:
        raise InputError(
            f"guest.kernel: {image} is not readable for you; "
            f"copy it (sudo install -m 644 {image} ~/) and name the copy, or leave guest.kernel out"
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(
            f"guest.kernel: {image} cannot be booted: {error}; give a bzImage (vmlinuz) or a vmlinux"
        ) from error


def _requested_modules(modules: Path | None, release: str, roots: tuple[Path, ...]) -> Path | None:
    if modules is None:
        return next((root / release for root in roots if (root / release / "modules.dep").is_file()), None)
    below = (modules, modules / release, modules / "lib/modules" / release, modules / "usr/lib/modules" / release)
    for folder in below:
        if (folder / "modules.dep").is_file():
            return folder
    raise InputError(
        f"guest.modules: {modules} has no modules.dep for {release}; "
        f"give the folder that `make modules_install` filled, or run `depmod -b BASE {release}`"
    )


# Debian and Ubuntu install to /boot/vmlinuz-<release>; Fedora, openSUSE and Arch keep a copy that everybody may read in
# /lib/modules/<release>/vmlinuz. What cannot be read or is no kernel is passed over: another one may do.
def _installed(boot_dir: Path, roots: tuple[Path, ...]) -> Iterator[tuple[Path, Path, str]]:
    images = [*boot_dir.glob("vmlinuz*"), *(image for root in roots for image in root.glob("*/vmlinuz"))]
    for image in images:
        try:
            release = kernel_release(_head(image))
        except (OSError, ValueError):
            continue
        for root in roots:
            if (root / release / "modules.dep").is_file():
                yield image, root / release, release
                break
