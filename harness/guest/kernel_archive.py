"""Unpack a kernel that came as one file: a Debian package, or what ``make tar-pkg`` made; once, into the cache."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from filelock import FileLock

from harness.errors import InputError
from harness.guest.kernel_package import index_modules, modules_below, unpack_packages

__all__ = ["is_kernel_archive", "unpack_kernel_archive"]

_SUFFIXES = (".deb", ".tar", ".tar.gz", ".tar.xz", ".tar.zst", ".tgz")


def is_kernel_archive(path: str) -> bool:
    """Tell by its name whether a file is a package with a kernel in it, and not the kernel itself."""
    return path.endswith(_SUFFIXES)


def unpack_kernel_archive(path: Path, cache_dir: Path) -> tuple[Path, Path | None]:
    """Return the image and the modules of a package; None: it holds no modules.

    :raise InputError: if it holds no kernel, or cannot be unpacked.
    :raise HostError: if the cache cannot be written, or depmod is missing.
    """
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    folder = cache_dir / "kernels" / f"archive-{digest[:32]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (
            FileLock(folder.parent / f"{folder.name}.lock"),
            tempfile.TemporaryDirectory(dir=folder.parent, prefix=".archive-") as scratch,
        ):
            if not folder.is_dir():
                root = Path(scratch) / "root"
                root.mkdir()
                _unpack(path, root)
                root.rename(folder)
    image = _image(folder)
    if image is None:
        raise InputError(f"{path} holds no kernel: nothing in it is boot/vmlinuz-*")
    return image, modules_below(folder)


def _unpack(path: Path, root: Path) -> None:
    if path.suffix == ".deb":
        unpack_packages([path], root)
    else:
        _unpack_tar(path, root)
    shutil.rmtree(root / "usr/share", ignore_errors=True)


def _unpack_tar(path: Path, root: Path) -> None:
    # tar(1) knows the compressions that this machine has; it refuses paths that lead out of the folder.
    argv = ["tar", "-xf", str(path), "-C", str(root), "--no-same-owner"]
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise InputError(f"{path} cannot be unpacked: {done.stderr.strip()[-300:]}")
    modules = modules_below(root)
    if modules is not None and not (modules / "modules.dep").is_file():
        index_modules(modules)
    # `make tar-pkg` packs the image without debug symbols beside the one with them, which is large and not booted.
    for unneeded in root.glob("boot/vmlinux-*"):
        unneeded.unlink()


def _image(folder: Path) -> Path | None:
    return next(iter(sorted([*folder.glob("boot/vmlinuz*"), *folder.glob("boot/bzImage*")])), None)
