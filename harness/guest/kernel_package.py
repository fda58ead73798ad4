"""Fetch a kernel of the distribution with its package client, without root, into the cache.

Only the download needs the network, and only the first time: a fetched kernel stays until its folder is deleted, so
that two runs on one machine boot the same one.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from harness.errors import HostError

__all__ = [
    "concrete_packages",
    "fetch_cloud_kernel",
    "fetch_kernel",
    "index_modules",
    "modules_below",
    "unpack_packages",
]

# The meta package of each distribution. Debian's cloud kernel has all that the guest needs and half the size; Ubuntu's
# modules are a package of their own, which the image depends on.
_META_PACKAGES = {"debian": "linux-image-cloud-amd64", "ubuntu": "linux-image-virtual"}
_VERSIONED = re.compile(r"linux-image(-unsigned)?-\d\S*")
_INSTALL_HINTS = {
    "fedora": "dnf install kernel-core",
    "rhel": "dnf install kernel-core",
    "suse": "zypper install kernel-default",
    "opensuse": "zypper install kernel-default",
    "arch": "pacman -S linux",
}


def fetch_cloud_kernel(cache_dir: Path, os_release: str) -> tuple[Path, Path, str]:
    """Return (image, modules folder, origin) of the cached cloud kernel, after fetching it when there is none.

    ``os_release`` is the text of /etc/os-release. Builders may race: one fetches, the others wait.

    :raise HostError: saying which command to run, when the package client cannot deliver.
    """
    family = _family(os_release)
    if family not in _META_PACKAGES:
        hint = _INSTALL_HINTS.get(family, "install a kernel package whose vmlinuz everybody may read")
        raise HostError(
            "no readable kernel in /boot or /lib/modules, and on this distribution none can be fetched without root: "
            f"{hint}, or set guest.kernel and guest.modules"
        )
    return fetch_kernel(cache_dir, _META_PACKAGES[family])


def fetch_kernel(cache_dir: Path, package: str) -> tuple[Path, Path, str]:
    """Return (image, modules folder, origin) of a cached kernel, after fetching it when there is none.

    ``package`` is a meta package, such as ``linux-image-amd64``, or a version: ``linux-image-6.1.0-50-cloud-amd64``.

    :raise HostError: as :func:`fetch_cloud_kernel`.
    """
    folder = cache_dir / "kernels" / package
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f"{package}.lock"):
            if not folder.is_dir():
                _fetch(package, folder)
    return _located(folder, package)


def concrete_packages(depends: str) -> tuple[str, ...]:
    """Return the versioned kernel packages in the output of ``apt-cache depends``, such as linux-image-6.1.0-56-….

    Alternatives (``|Depends``) are left out except when they are all there is.
    """
    names = re.findall(r"^\s*\|?Depends: (linux-(?:image|modules)(?:-unsigned)?-\d\S*)$", depends, re.MULTILINE)
    return tuple(dict.fromkeys(names))


def unpack_packages(packages: Sequence[Path], folder: Path) -> None:
    """Unpack .deb files into ``folder`` and index their modules there (a package leaves that to its installation).

    :raise HostError: when a tool is missing or fails.
    """
    for package in packages:
        _run(["dpkg-deb", "-x", str(package), str(folder)], "the downloaded package is damaged, or the disk is full")
    modules_dir = modules_below(folder)
    if modules_dir is None:
        raise HostError(f"{', '.join(package.name for package in packages)} holds no kernel modules")
    index_modules(modules_dir)


def index_modules(modules_dir: Path) -> None:
    """Write ``modules.dep`` and the like of a tree of modules, ``…/lib/modules/RELEASE``.

    :raise HostError: when a tool is missing or fails.
    """
    # kmod's depmod where there is one. busybox's reads .ko, .ko.gz and .ko.xz; the guest needs busybox anyway.
    # By its path: an ordinary user's PATH need not name the folders that it is in (Debian).
    found = shutil.which("depmod", path="/usr/sbin:/sbin:/usr/bin:/bin")
    depmod = ["busybox", "depmod"] if found is None else [found]
    # With base /usr where modules are in /usr/lib: depmod looks for BASE/lib/modules.
    base = modules_dir.parents[2]
    _run([*depmod, "-b", str(base), modules_dir.name], "install the package kmod")
    index = modules_dir / "modules.dep"
    if not index.is_file() or not index.stat().st_size:
        raise HostError(f"{' '.join(depmod)} found no modules in {modules_dir}; install the package kmod")


# A folder appears complete or not at all: it is filled under another name and renamed, under the caller's lock.
def _fetch(meta: str, folder: Path) -> None:
    depends = _run(["apt-cache", "depends", meta], "run `apt-get update` as root, then try again")
    # A version may depend on its modules (Ubuntu); a meta package is nothing but what it depends on.
    packages = (meta,) if _VERSIONED.fullmatch(meta) else concrete_packages(depends)
    if not packages:
        raise HostError(f"the package lists know no kernel behind {meta}; run `apt-get update` as root, then try again")
    more = [concrete_packages(_run(["apt-cache", "depends", name], "run `apt-get update`")) for name in packages]
    wanted = dict.fromkeys([*packages, *(name for names in more for name in names)])
    unfinished = f".fetch-{meta}--"
    for abandoned in folder.parent.glob(f"{unfinished}*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=unfinished) as scratch:
        downloads, root = Path(scratch) / "packages", Path(scratch) / "root"
        downloads.mkdir()
        root.mkdir()
        # Sandbox user root: as root, apt would otherwise complain that its user _apt cannot write to our folder.
        argv = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *wanted]
        _run(argv, "check the network; where the package lists are old, run `apt-get update` as root", downloads)
        unpack_packages(sorted(downloads.glob("*.deb")), root)
        for unneeded in (root / "usr/share", root / "boot/System.map"):
            shutil.rmtree(unneeded, ignore_errors=True)
        root.rename(folder)


def _located(folder: Path, meta: str) -> tuple[Path, Path, str]:
    images = sorted(folder.glob("boot/vmlinuz-*"))
    modules_dir = modules_below(folder)
    if not images or modules_dir is None:
        raise HostError(f"the cached kernel is incomplete; delete {folder} and try again")
    return images[0], modules_dir, f"fetched package {meta}"


def modules_below(folder: Path) -> Path | None:
    """Return the folder with the modules of an unpacked package; None: it has none."""
    return next((found for place in ("lib/modules", "usr/lib/modules") for found in folder.glob(f"{place}/*")), None)


def _family(os_release: str) -> str:
    found = re.finditer(r"^(ID|ID_LIKE)=['\"]?([^'\"\n]*)['\"]?$", os_release, re.MULTILINE)
    fields: dict[str, str] = {match[1]: match[2] for match in found}
    names = [fields.get("ID", ""), *fields.get("ID_LIKE", "").split()]
    known = [name for name in names if name in _META_PACKAGES or name in _INSTALL_HINTS]
    return known[0] if known else names[0]


def _run(argv: Sequence[str], advice: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, check=False, text=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise HostError(f"{argv[0]} is not installed, so no kernel can be fetched; set guest.kernel instead") from error
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise HostError(f"`{' '.join(argv)}` failed: {said}\n{advice}")
    return done.stdout
