"""Read a host: the files, folders, devices and limits that the checks need, below a root folder.

With the root ``/`` this is the machine itself. Any other root is a recorded host: the same paths as plain files
(``dev/cpu/0/cpuid`` and ``msr`` as lines of hexadecimal, ``dev/kmsg`` as its records), and ``snapshot.json`` for what
is no file: ``denied`` paths, ``access``, ``programs``, limits, and what QEMU and the probes said.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import struct
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from harness.doctor.firmware import RMP_BASE, RMP_END, SYSCFG
from harness.doctor.flavour import KVM_EVENTS, PLANE_SYMBOLS
from harness.doctor.limits import CONTAINER_MARKS
from harness.doctor.qemu import OVMF
from harness.doctor.snapshot import Access, Cpuid, HostSnapshot, QemuFacts, Unreadable
from harness.doctor.tracing import TRACEFS
from harness.evidence.formats import parse_formats

__all__ = [
    "ACCESS",
    "FILES",
    "FOLDERS",
    "FORMATS",
    "MSRS",
    "PROGRAMS",
    "VULNERABILITIES",
    "collect",
]

PROGRAMS = ("make", "gcc", "setpriv", "ssh", "perf")
_LEAVES = (0x8000001F,)
MSRS = (SYSCFG, RMP_BASE, RMP_END)
_AMD = "/sys/module/kvm_amd/parameters"
FILES = (
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/mounts",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/tainted",
    "/proc/sys/kernel/kptr_restrict",
    "/proc/sys/kernel/perf_event_paranoid",
    "/run/systemd/container",
    "/sys/class/dmi/id/bios_vendor",
    "/sys/class/dmi/id/bios_version",
    "/sys/class/dmi/id/bios_date",
    "/sys/devices/system/cpu/online",
    "/sys/devices/system/cpu/present",
    "/sys/devices/system/cpu/smt/control",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource",
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/misc.capacity",
    "/sys/fs/cgroup/misc.current",
    "/sys/kernel/iommu_groups/0/type",
    "/sys/kernel/security/lockdown",
    "/sys/module/ccp/parameters/psp_init_on_probe",
    "/sys/module/kvm_intel/parameters/nested",
    *(f"{_AMD}/{name}" for name in ("sev", "sev_es", "sev_snp", "npt", "avic", "nested")),
    *(f"{_AMD}/{name}" for name in ("dump_invalid_vmcb", "ciphertext_hiding_asids")),
    f"{TRACEFS}/trace_clock",
    f"{TRACEFS}/buffer_size_kb",
)
VULNERABILITIES = "/sys/firmware/sev/vulnerabilities"
FOLDERS = (
    "/sys/class/iommu",
    "/sys/kernel/iommu_groups",
    *(f"/sys/module/{name}" for name in ("ccp", "kvm_amd", "kvm_intel", "kvm_pvm")),
    VULNERABILITIES,
    TRACEFS,
    KVM_EVENTS,
    f"{KVM_EVENTS}/kvm_exit",
)
ACCESS = ("/dev/kvm", "/dev/sev", f"{TRACEFS}/instances", f"{TRACEFS}/set_event_pid", *CONTAINER_MARKS, *OVMF)
FORMATS = ("kvm_entry", "kvm_msi_set_irq", "kvm_apic_accept_irq")
# A parameter that is not listed may hold a password or a name: it is never kept.
_PARAMETER = re.compile(
    r"(nosnp|nosmt|(amd_|intel_)?iommu(\.passthrough)?=\S*|mem_encrypt=\S*|kvm(_amd|_intel)?\.\S+|ccp\.\S+|"
    r"(maxcpus|nr_cpus|lockdown|tsc|clocksource)=\S*)"
)
# The same holds for lines of the kernel's log. Its own command line is among them, and is left out by this.
_LINE = re.compile(
    r"(AMD-Vi|SEV[-A-Za-z]*|SNP|SEV-SNP|RMP|kvm_amd|kvm|kvm_intel|ccp [0-9a-f:.]+|tsc|clocksource|BUG|WARNING|Oops|"
    r"general protection fault|watchdog)\b"
)
# Names that the compiler has split end in .cold, .isra.0 and the like.
_PLANES = re.compile(rf" ({'|'.join(sorted(PLANE_SYMBOLS))})(?=[.\s]|$)".encode())
_MOST_BYTES, _PIECE_BYTES = 64 << 20, 1 << 16
T = TypeVar("T")


def collect(root: Path = Path("/"), results: Path = Path("results")) -> HostSnapshot:
    """Read the host below ``root``; ``results`` is where boots will be recorded.

    Never raises for what is missing or damaged on the host: that is Unreadable.

    :raise ValueError: if a recorded host's ``snapshot.json`` is none.
    """
    tree = _Tree(root, _recorded(root))
    return _limits(_recalled(_read(tree), tree.recorded), tree, results)


@dataclass(frozen=True, slots=True)
class _Tree:
    root: Path
    # None: this is the machine itself.
    recorded: Mapping[str, Any] | None

    def read(self, path: str, read: Callable[[Path], T]) -> T | Unreadable:
        # Reads by the function, which may raise OSError.
        if self.recorded is not None and path in self.recorded.get("denied", ()):
            return Unreadable(f"{path}: permission denied; run as root")
        try:
            return read(self.root / path.lstrip("/"))
        except (FileNotFoundError, NotADirectoryError):
            return Unreadable(f"there is no {path}", absent=True)
        except PermissionError:
            return Unreadable(f"{path}: permission denied; run as root")
        except OSError as error:
            return Unreadable(f"{path}: {error.strerror or error}")

    def text(self, path: str) -> str | Unreadable:
        return self.read(path, _text)


def _recorded(root: Path) -> Mapping[str, Any] | None:
    if root == Path("/"):
        return None
    kept = json.loads((root / "snapshot.json").read_text())
    if not isinstance(kept, dict):
        raise ValueError(f"{root}/snapshot.json holds no object")
    return kept


def _read(tree: _Tree) -> HostSnapshot:
    folders = {path: tree.read(path, _names) for path in FOLDERS}
    holes = folders[VULNERABILITIES]
    listed = () if isinstance(holes, Unreadable) else tuple(f"{VULNERABILITIES}/{name}" for name in holes)
    return HostSnapshot(
        files={path: tree.text(path) for path in (*FILES, *listed)},
        folders=folders,
        access={path: _access(tree, path) for path in ACCESS},
        cpuid=tree.read("/dev/cpu/0/cpuid", _cpuid),
        msrs=tree.read("/dev/cpu/0/msr", _msrs),
        parameters=tree.read("/proc/cmdline", _parameters),
        log=tree.read("/dev/kmsg", _log),
        symbols=_symbols(tree),
        fields=_fields(tree),
    )


def _text(path: Path) -> str:
    return _bytes(path).decode(errors="replace").strip()


def _bytes(path: Path) -> bytes:
    # Piece by piece: what procfs allocates is as long as what is asked for.
    found = bytearray()
    with path.open("rb", buffering=0) as stream:
        while len(found) < _MOST_BYTES and (piece := stream.read(_PIECE_BYTES)):
            found += piece
    return bytes(found)


def _names(folder: Path) -> frozenset[str]:
    return frozenset(os.listdir(folder))  # noqa: PTH208 - names, not paths


def _access(tree: _Tree, path: str) -> Access | Unreadable:
    if tree.recorded is not None:
        may = tree.recorded.get("access", {}).get(path)
        return Unreadable(f"there is no {path}", absent=True) if may is None else Access("r" in may, "w" in may)
    found = tree.read(path, os.stat)
    return found if isinstance(found, Unreadable) else Access(os.access(path, os.R_OK), os.access(path, os.W_OK))


def _cpuid(path: Path) -> Mapping[int, Cpuid]:
    # drivers: arch/x86/kernel/cpuid.c, the position is the leaf.
    if not path.is_char_device():
        return {key: Cpuid(*words) for key, words in _hexadecimal(path) if len(words) == 4}
    with path.open("rb", buffering=0) as stream:
        (highest,) = struct.unpack_from("<I", os.pread(stream.fileno(), 16, 0x80000000))
        return {
            leaf: Cpuid(*struct.unpack("<4I", os.pread(stream.fileno(), 16, leaf)))
            for leaf in _LEAVES
            if leaf <= highest
        }


def _msrs(path: Path) -> Mapping[int, int]:
    if not path.is_char_device():
        return {key: words[0] for key, words in _hexadecimal(path) if len(words) == 1}
    found = {}
    with path.open("rb", buffering=0) as stream:
        for number in MSRS:
            try:
                (found[number],) = struct.unpack("<Q", os.pread(stream.fileno(), 8, number))
            except (OSError, struct.error):  # EIO: this CPU has no such MSR
                continue
    return found


def _hexadecimal(path: Path) -> Iterable[tuple[int, list[int]]]:
    for line in _text(path).splitlines():
        key, _, rest = line.partition(":")
        try:
            yield int(key, 16), [int(word, 16) for word in rest.split()]
        except ValueError:
            continue


def _parameters(path: Path) -> tuple[str, ...]:
    return tuple(word for word in _text(path).split() if _PARAMETER.fullmatch(word))


def _log(path: Path) -> tuple[str, ...]:
    # Linux Documentation/ABI/testing/dev-kmsg: "priority,sequence,microseconds,flags;text", then lines of properties.
    lines = []
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while True:
            try:
                chunk = os.read(descriptor, 1 << 16)
            except BlockingIOError:
                break
            except BrokenPipeError:  # a record was overwritten before it was read
                continue
            if not chunk:
                break
            lines += chunk.decode(errors="replace").splitlines()
    finally:
        os.close(descriptor)
    texts = (line.partition(";")[2] for line in lines if ";" in line and not line.startswith(" "))
    return tuple(text.strip() for text in texts if _LINE.match(text))


def _symbols(tree: _Tree) -> frozenset[str] | Unreadable:
    listed = tree.read("/proc/kallsyms", _bytes)
    if isinstance(listed, Unreadable):
        return listed
    if not listed.strip():
        return Unreadable("/proc/kallsyms is empty; run as root")
    return frozenset(name.decode() for name in _PLANES.findall(listed))


def _fields(tree: _Tree) -> Mapping[str, frozenset[str]] | Unreadable:
    texts = {name: tree.text(f"{KVM_EVENTS}/{name}/format") for name in FORMATS}
    found = parse_formats("\n".join(text for text in texts.values() if not isinstance(text, Unreadable)))
    if found:
        return {name: event.field_names for name, event in found.items()}
    unread = (text for text in texts.values() if isinstance(text, Unreadable))
    return next(unread, Unreadable("the formats of KVM's tracepoints are damaged"))


def _recalled(read: HostSnapshot, kept: Mapping[str, Any] | None) -> HostSnapshot:
    if kept is None:
        return read
    qemu, kvm = kept.get("qemu"), kept.get("kvm")
    return replace(
        read,
        qemu=Unreadable("there is no qemu-system-x86_64") if qemu is None else _qemu(qemu),
        kvm=Unreadable("no probe guest was booted") if kvm is None else (bool(kvm[0]), str(kvm[1])),
        **{
            name: kept.get(name, Unreadable(f"no {name.replace('_', ' ')} was recorded"))
            for name in ("igvm_file", "guest_tools", "guest_kernel", "guest_image")
        },
    )


def _qemu(kept: Mapping[str, Any]) -> QemuFacts:
    return QemuFacts(
        binary=kept["binary"],
        version=tuple(kept["version"]),
        package=kept["package"],
        machines=frozenset(kept["machines"]),
        types=frozenset(kept["types"]),
        machine_properties=frozenset(kept["machine_properties"]),
    )


def _limits(read: HostSnapshot, tree: _Tree, results: Path) -> HostSnapshot:
    if tree.recorded is not None:
        kept = tree.recorded
        return replace(
            read,
            programs=kept.get("programs", {}),
            root=kept.get("root", False),
            memlock_bytes=kept.get("memlock_bytes"),
            open_files=kept.get("open_files"),
            results_folder=str(results),
            results_free_bytes=kept.get("results_free_bytes", Unreadable("no results_free_bytes was recorded")),
            results_writable=kept.get("results_writable", True),
        )
    there = _nearest(results.absolute())
    return replace(
        read,
        programs={name: shutil.which(name) for name in PROGRAMS},
        root=os.geteuid() == 0,
        memlock_bytes=_soft(resource.RLIMIT_MEMLOCK),
        open_files=_soft(resource.RLIMIT_NOFILE),
        results_folder=str(there),
        results_free_bytes=tree.read(str(there), lambda path: shutil.disk_usage(path).free),
        results_writable=os.access(there, os.W_OK),
    )


def _nearest(folder: Path) -> Path:
    # The folder, or what of its path exists; what may not be looked at counts as not there.
    for path in (folder, *folder.parents):
        with suppress(OSError):
            if path.exists():
                return path
    return Path("/")


def _soft(limit: int) -> int | None:
    soft, _ = resource.getrlimit(limit)
    return None if soft == resource.RLIM_INFINITY else soft
