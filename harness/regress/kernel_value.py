"""Read what ``--list`` and settings say of kernels: an image, an image with its modules, a package, or a release.

``vmlinuz:FOLDER`` names the modules beside the image. ``linux-image-6.1.0-50-cloud-amd64`` is fetched by the
distribution's package client, a ``.deb`` or ``.tar`` is unpacked, both into the cache; anything else without a slash is
the release of a kernel that is installed on the host already.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.errors import InputError
from harness.guest.kernel_archive import is_kernel_archive, unpack_kernel_archive
from harness.guest.kernel_package import fetch_kernel

__all__ = ["HOST_KEYS", "host_of", "require_bootable", "require_kernel_files", "settle_kernels", "split_kernel"]

#: The keys whose change means another kernel on the host, and so its reboot.
HOST_KEYS = ("host.kernel", "host.modules")
_PACKAGE = "linux-image-"


def split_kernel(value: str) -> tuple[str, str | None]:
    """Return the image, and the folder with its modules; None: none is named."""
    if Path(value).exists():
        return value, None
    image, _, modules = value.partition(":")
    return image, modules or None


def host_of(values: Mapping[str, str]) -> str:
    """Return what tells the host kernels of two settings apart; the same of all that name none."""
    return "\0".join(values.get(key, "") for key in HOST_KEYS)


def require_kernel_files(option: str, value: str) -> None:
    """Check that the files of ``value`` are there, where it names files.

    :raise InputError: naming the one that is missing.
    """
    for part in split_kernel(value):
        if part is not None and "/" in part and not Path(part).exists():
            raise InputError(f"{option}: there is no {part}")


def require_bootable(option: str, value: str) -> None:
    """Check that ``value`` is something that can be booted anywhere, and not the release of what is installed.

    :raise InputError: if it is a release.
    """
    image, _ = split_kernel(value)
    if "/" not in image and not image.startswith(_PACKAGE):
        raise InputError(
            f"{option}: {image} is a release, and the virtual host has no kernels installed; name an image (with a / "
            f"in its path) or a package such as {_PACKAGE}6.1.0-50-cloud-amd64"
        )


def settle_kernels(values: Mapping[str, str], cache: Path) -> dict[str, str]:
    """Return ``values`` with each ``….kernel`` as an image, and its modules in ``….modules`` if it came with them.

    May fetch and unpack, which takes its time.

    :raise InputError: if a package holds no kernel, or modules are named twice.
    :raise HostError: if a package cannot be had.
    """
    settled = dict(values)
    for key, value in values.items():
        if not key.endswith(".kernel"):
            continue
        image, modules = split_kernel(value)
        if "/" not in image and image.startswith(_PACKAGE):
            found, folder, _ = fetch_kernel(cache, image)
            image, modules = str(found), modules or str(folder)
        elif "/" in image and is_kernel_archive(image):
            found, unpacked = unpack_kernel_archive(Path(image), cache)
            image, modules = str(found), modules or (None if unpacked is None else str(unpacked))
        settled[key] = str(Path(image).absolute()) if "/" in image else image
        where = f"{key.removesuffix('.kernel')}.modules"
        if modules is not None:
            if values.get(where, modules) != modules:
                raise InputError(f"{where} is given beside {key}={value}, which brings its own modules")
            settled[where] = str(Path(modules).absolute())
    return settled
