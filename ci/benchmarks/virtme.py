"""Boot, run a command and exit with virtme-ng, the nearest tool that people use for that.

virtme-ng comes from PyPI into a virtual environment of its own in the cache. Its guest sees this machine's file system,
through virtiofs or 9p, so its kernel must have one of them. 9p is used, because it needs no daemon that distributions
package differently. Debian's cloud kernel, which the harness boots by default, has no 9p: then both sides boot the
distribution's standard kernel, fetched by the package client without root.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from benchmarks.process import BenchError, Ended, run
from harness.guest.kernel import GuestKernel, find_kernel
from harness.guest.kernel_package import concrete_packages, fetch_cloud_kernel, unpack_packages

__all__ = ["Virtme", "prepare_virtme", "vng_argv"]

_VERSION = "1.42"
# What virtme-ng itself calls, and the packages that have it.
_NEEDS = {"modprobe": "kmod", "file": "file", "busybox": "busybox-static"}
_SEARCH = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")
_UDEV = (Path("/usr/lib/systemd/systemd-udevd"), Path("/lib/systemd/systemd-udevd"))
_STANDARD = {"debian": "linux-image-amd64", "ubuntu": "linux-image-generic"}


@dataclass(frozen=True, slots=True)
class Virtme:
    """Be a virtme-ng that can run, the kernel that it can boot, and the kernel that the harness boots of its ``own``.

    ``udev``: this machine, whose file system the guest has, has systemd's udevd. Without it the guest does not find the
    ports for the command's output and status. The output then goes to the console, which vng shows only when it is
    verbose, and vng ends with status 255 whatever the command did.
    """

    bin: Path
    kernel: GuestKernel
    own: GuestKernel
    udev: bool

    def boot_run_exit(self, argv: Sequence[str], folder: Path, expect: str) -> Ended:
        """Run ``vng``; ``expect`` must be a line of what it prints.

        :raise BenchError: if it fails, or the guest did not answer.
        """
        # vng calls its siblings by name.
        path = os.pathsep.join((str(self.bin), os.environ.get("PATH", ""), *_SEARCH))
        ended = run(argv, folder, {**os.environ, "PATH": path}, (0,) if self.udev else (255,))
        # The console is on the standard error of vng.
        if expect not in (ended.out + ended.errors).splitlines():
            raise BenchError(f"the guest of vng did not print {expect!r}, but {(ended.out + ended.errors)[-300:]!r}")
        return ended


def vng_argv(virtme: Virtme, command: str, memory_mib: int, cpu: str | None) -> tuple[str, ...]:
    """Return the words of one boot with one vCPU; ``cpu`` is QEMU's model under TCG, None trusts KVM."""
    words = [str(virtme.bin / "vng"), "--run", str(virtme.kernel.image), "--exec", command]
    words += ["--cpus", "1", "--memory", f"{memory_mib}M", "--force-9p", "--disable-microvm"]
    if cpu is not None:
        # The same model as the harness, also because `max` of QEMU before 10.0 crashes a third of all boots.
        words += ["--disable-kvm", f"--qemu-opts=-cpu {cpu}"]
    if not virtme.udev:
        words.append("--verbose")
    return tuple(words)


def prepare_virtme(cache: Path, say: Callable[[str], None]) -> Virtme:
    """Install virtme-ng and find a kernel that it can use; the second time both are there already.

    :raise BenchError: naming what is missing.
    """
    search = os.pathsep.join((os.environ.get("PATH", ""), *_SEARCH))
    missing = [package for name, package in _NEEDS.items() if shutil.which(name, path=search) is None]
    if missing:
        raise BenchError(f"virtme-ng needs the packages {', '.join(missing)}")
    folder = cache / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        udev = any(path.exists() for path in _UDEV)
        release = Path("/etc/os-release").read_text()
        own = find_kernel(None, None, lambda: fetch_cloud_kernel(cache, release))
        return Virtme(_install(folder, say), own if _has_9p(own) else _standard(own, release, folder, say), own, udev)


def _install(folder: Path, say: Callable[[str], None]) -> Path:
    venv = folder / f"virtme-ng-{_VERSION}"
    if not (venv / ".complete").exists():
        say(f"installing virtme-ng {_VERSION} into {venv}")
        run([sys.executable, "-m", "venv", "--clear", str(venv)], folder)
        pip = [str(venv / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, f"virtme-ng=={_VERSION}"], folder)
        (venv / ".complete").touch()
    return venv / "bin"


def _standard(own: GuestKernel, os_release: str, folder: Path, say: Callable[[str], None]) -> GuestKernel:
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    meta = _STANDARD.get(fields.get("ID", "").strip("'\""))
    if meta is None:
        raise BenchError(f"{own.release} has no 9p, and where else to get a kernel is not known here")
    unpacked = folder / meta
    if not unpacked.is_dir():
        say(f"fetching the package {meta}: {own.release} has no 9p, which virtme-ng's guest mounts its root by")
        _fetch(meta, unpacked)
    image = next(unpacked.glob("boot/vmlinuz-*"), None)
    modules = next((found for place in ("lib", "usr/lib") for found in unpacked.glob(f"{place}/modules/*")), None)
    if image is None or modules is None:
        raise BenchError(f"{unpacked} is incomplete; delete it and try again")
    kernel = find_kernel(image, modules, lambda: (image, modules, ""))
    if not _has_9p(kernel):
        raise BenchError(f"{kernel.release} of {meta} has no 9p either")
    return kernel


def _has_9p(kernel: GuestKernel) -> bool:
    if kernel.modules_dir is None:
        return False
    indexes = (kernel.modules_dir / name for name in ("modules.dep", "modules.builtin"))
    return any("/9p/9p.ko" in index.read_text() for index in indexes if index.exists())


# A folder appears complete or not at all: it is filled under another name and renamed.
def _fetch(meta: str, folder: Path) -> None:
    def depends(package: str) -> tuple[str, ...]:
        return concrete_packages(run(["apt-cache", "depends", package], folder.parent).out)

    packages = depends(meta)
    wanted = dict.fromkeys([*packages, *(name for package in packages for name in depends(package))])
    if not wanted:
        raise BenchError(f"the package lists know no kernel behind {meta}; run `apt-get update` as root")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as scratch:
        downloads, root = Path(scratch) / "packages", Path(scratch) / "root"
        downloads.mkdir()
        root.mkdir()
        run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *wanted], downloads)
        unpack_packages(sorted(downloads.glob("*.deb")), root)
        shutil.rmtree(root / "usr/share", ignore_errors=True)
        root.rename(folder)
