"""Build the guest's initramfs once and keep it by content.

The archive is uncompressed: unpacking is then a copy, where decompressing would run under emulation, and the file
never leaves this machine.

Two names in the cache. ``images/<key>.cpio`` is the archive; its key is its digest. Building it anew for
every boot only to find that out would be slow, so ``images/<inputs>.json`` remembers, for one set of inputs
named by path, size and mtime_ns, which parts went in and which key came out. A part whose size or mtime_ns has
changed since is read again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from harness.errors import HostError
from harness.guest import cpio
from harness.guest.kernel import GuestKernel
from harness.guest.modules import DEFAULT_MODULES, ModuleTree, Wanted, decompress
from harness.host.cache import keep_whole

__all__ = ["GuestImage", "Tools", "build_image", "find_tools", "shared_libraries"]

# Raise it when the archive changes in a way that its inputs do not show.
_LAYOUT = 1
_LIBRARY = re.compile(r"^\s*(?:\S+ => )?(?P<path>/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)
_NOT_FOUND = re.compile(r"^\s*(\S+) => not found", re.MULTILINE)
# Programs of root live here, and an ordinary user's PATH need not name it (Debian).
_SEARCH = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")
# openSUSE and some others call the static one by its own name.
_CALLED = {"busybox": ("busybox-static", "busybox.static", "busybox"), "dropbear": ("dropbear",)}
_PACKAGES = {"busybox": "busybox-static (on others than Debian: busybox)", "dropbear": "dropbear-bin (dropbear)"}
_EMPTY = ("/dev", "/proc", "/sys", "/run", "/tmp", "/mnt", "/var")
_PASSWD = b"root:x:0:0:root:/root:/bin/sh\n"


@dataclass(frozen=True, slots=True)
class Tools:
    """Name the programs of the host that go into the guest: a static busybox, and dropbear."""

    busybox: Path
    dropbear: Path


@dataclass(frozen=True, slots=True)
class GuestImage:
    """Be a kernel and an initramfs that fits it.

    ``parts`` maps the guest path of everything that was copied in (init, busybox, dropbear, libraries, modules) to
    its SHA-256, in hexadecimal. ``key`` is the SHA-256 of the archive and names the file.
    """

    kernel: GuestKernel
    initramfs: Path
    parts: Mapping[str, str]
    key: str


# One file of the host that goes in: where, from where, with which mode.
@dataclass(frozen=True, slots=True)
class _Part:
    to: str
    source: Path
    mode: int

    def stamp(self) -> tuple[str, str, int, int]:
        try:
            status = self.source.stat()
        except OSError as error:
            raise HostError(f"{self.source}: {error.strerror}; the guest image needs it") from error
        return self.to, str(self.source), status.st_size, status.st_mtime_ns


def find_tools(path: str) -> Tools:
    """Find the programs along ``path`` (as in PATH) and in the system's own folders.

    :raise HostError: naming the packages to install.
    """
    search = os.pathsep.join((path, *_SEARCH))
    found = {
        name: next(filter(None, (shutil.which(called, path=search) for called in _CALLED[name])), None)
        for name in _PACKAGES
    }
    missing = [_PACKAGES[name] for name, where in found.items() if where is None]
    if missing:
        raise HostError(f"the guest image needs programs that are not installed: {', '.join(missing)}")
    return Tools(Path(str(found["busybox"])), Path(str(found["dropbear"])))


def build_image(
    kernel: GuestKernel,
    init: Path,
    tools: Tools,
    cache_dir: Path,
    wanted: Iterable[Wanted] = DEFAULT_MODULES,
) -> GuestImage:
    """Return the image of ``kernel`` with ``init`` as process 1; built only when ``cache_dir`` has none.

    Builders may race: one builds, the others wait and take its file. A file is there complete or not at all.

    :raise HostError: when a part is missing, unreadable or damaged.
    """
    folder = cache_dir / "images"
    fixed = [_Part("/init", init, 0o755), _Part("/bin/busybox", tools.busybox, 0o755)]
    fixed += [_Part("/usr/sbin/dropbear", tools.dropbear, 0o755)]
    modules = _module_parts(kernel, tuple(wanted))
    inputs = _digest([_LAYOUT, kernel.release, [part.stamp() for part in (*fixed, *modules)]])
    memo = folder / f"{inputs}.json"
    known = _recall(memo, folder, kernel)
    if known is not None:
        return known
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "build.lock"):
        known = _recall(memo, folder, kernel)
        if known is not None:
            return known
        libraries = [_Part(str(path), path, 0o755) for path in shared_libraries(tools.dropbear)]
        return _build(kernel, [*fixed, *libraries], modules, memo)


def shared_libraries(program: Path) -> tuple[Path, ...]:
    """Return the libraries and the loader that ``program`` needs, as ldd(1) resolves them here; static: none.

    :raise HostError: when one of them is not installed.
    """
    # C locale: the texts below are matched.
    done = subprocess.run(
        ["ldd", str(program)], capture_output=True, check=False, text=True, env={**os.environ, "LC_ALL": "C"}
    )
    lost = _NOT_FOUND.findall(done.stdout)
    if lost:
        raise HostError(f"{program} lacks its libraries {', '.join(lost)}; reinstall its package")
    if done.returncode and "not a dynamic executable" not in done.stdout + done.stderr:
        raise HostError(f"ldd cannot read {program}: {(done.stderr or done.stdout).strip()}")
    return tuple(Path(match["path"]) for match in _LIBRARY.finditer(done.stdout))


def _module_parts(kernel: GuestKernel, wanted: tuple[Wanted, ...]) -> list[_Part]:
    if kernel.modules_dir is None:
        return []
    try:
        depends = (kernel.modules_dir / "modules.dep").read_text()
        builtin_list = kernel.modules_dir / "modules.builtin"
        builtin = builtin_list.read_text() if builtin_list.exists() else ""
    except OSError as error:
        raise HostError(f"cannot read the index of the modules: {error}; run depmod {kernel.release}") from error
    closure = ModuleTree.parse(depends, builtin).closure(wanted, str(kernel.modules_dir))
    below = f"/lib/modules/{kernel.release}"
    return [_Part(f"{below}/{_plain(path)}", kernel.modules_dir / path, 0o644) for path in closure]


def _plain(path: str) -> str:
    return path[: path.index(".ko") + len(".ko")]


def _build(kernel: GuestKernel, programs: list[_Part], modules: list[_Part], memo: Path) -> GuestImage:
    stamps = [part.stamp() for part in (*programs, *modules)]
    entries = [cpio.directory(path) for path in _EMPTY]
    # The kernel opens it for process 1 before anything can be mounted.
    entries += [cpio.device("/dev/console", 5, 1), cpio.directory("/root", 0o700)]
    entries += [cpio.file("/etc/passwd", _PASSWD), cpio.file("/etc/group", b"root:x:0:\n")]
    load_order = "".join(f"{part.to}\n" for part in modules)
    entries += [cpio.file("/etc/svsm/modules", load_order.encode())]
    busybox = next(part.source for part in programs if part.to == "/bin/busybox")
    entries += [cpio.symlink(f"/bin/{name}", "busybox") for name in _applets(busybox) if name != "busybox"]
    parts = {}
    for part in (*programs, *modules):
        content = _read(part)
        if part in modules:
            content = decompress(str(part.source), content)
        parts[part.to] = hashlib.sha256(content).hexdigest()
        entries.append(cpio.file(part.to, content, part.mode))
    content = cpio.archive(cpio.with_parents(entries))
    key = hashlib.sha256(content).hexdigest()
    image = GuestImage(kernel, memo.parent / f"{key}.cpio", parts, key)
    keep_whole(image.initramfs, content)
    keep_whole(memo, json.dumps({"key": key, "bytes": len(content), "parts": parts, "stamps": stamps}).encode())
    return image


def _applets(busybox: Path) -> list[str]:
    done = subprocess.run([str(busybox), "--list"], capture_output=True, check=False, text=True)
    names = done.stdout.split()
    needed = {"sh", "insmod", "ip", "mount", "awk", "dd", "poweroff"}
    if done.returncode or not needed <= set(names):
        raise HostError(f"{busybox} lacks {', '.join(sorted(needed - set(names)))}; install the package busybox-static")
    if shared_libraries(busybox):
        raise HostError(f"{busybox} is not static and would not start in the guest; install the package busybox-static")
    return names


def _read(part: _Part) -> bytes:
    try:
        return part.source.read_bytes()
    except OSError as error:
        raise HostError(f"{part.source}: {error.strerror}; the guest image needs it") from error


# None: nothing remembered, a part has changed since, or somebody emptied the cache.
def _recall(memo: Path, folder: Path, kernel: GuestKernel) -> GuestImage | None:
    try:
        known = json.loads(memo.read_bytes())
        initramfs = folder / f"{known['key']}.cpio"
        intact = initramfs.stat().st_size == known["bytes"]
        for to, source, size_bytes, mtime_ns in known["stamps"]:
            intact = intact and _Part(to, Path(source), 0).stamp()[2:] == (size_bytes, mtime_ns)
    except (FileNotFoundError, HostError, ValueError, KeyError):
        return None
    return GuestImage(kernel, initramfs, known["parts"], known["key"]) if intact else None


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
