"""Hold what was read of a host: text, folders, CPUID, MSRs, the kernel's log; each may be unreadable, with the reason.

Only what the checks need is in here. The log and the list of symbols are filtered where they are read, the kernel's
command line is cut down to the parameters that matter: a snapshot may be printed, recorded and sent to somebody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["Access", "Cpuid", "HostSnapshot", "QemuFacts", "Unreadable"]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Say why something could not be read.

    ``absent``: it does not exist. Only a caller who knows what creates it can tell what that means.
    """

    why: str
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Cpuid:
    """Hold the four registers of one CPUID leaf."""

    eax: int
    ebx: int
    ecx: int
    edx: int


@dataclass(frozen=True, slots=True)
class Access:
    """Say which of reading and writing this user may do."""

    readable: bool
    writable: bool


@dataclass(frozen=True, slots=True)
class QemuFacts:
    """Hold what the QEMU binary says of itself.

    ``machine_properties`` are those of q35.
    """

    binary: str
    version: tuple[int, ...]
    package: str
    machines: frozenset[str]
    types: frozenset[str]
    machine_properties: frozenset[str] | Unreadable

    @property
    def version_text(self) -> str:
        """Render the version: ``7.2.22``."""
        return ".".join(map(str, self.version))


_NOT_READ = Unreadable("it was not looked at")
_NOTHING: Mapping[str, str | Unreadable] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class HostSnapshot:
    """Hold every reading of one host.

    ``files`` maps absolute paths to text without white space at its ends. ``folders`` maps absolute paths to the names
    in them. ``access`` maps absolute paths. ``parameters`` are those of the kernel's command line that matter here, as
    written. ``log`` holds the lines of the kernel's log that matter here, without time stamps. ``symbols`` are those of
    the kernel's that matter here. ``fields`` maps KVM's tracepoints to the names of their fields. ``programs`` maps a
    name to its path, None where it is not found. ``memlock_bytes`` and ``open_files`` are soft limits, None unlimited.
    ``kvm`` is whether a probe guest booted under KVM, and what it rests on. ``guest_image`` describes the built image,
    ``guest_kernel`` the kernel.
    """

    files: Mapping[str, str | Unreadable] = field(default_factory=lambda: _NOTHING)
    folders: Mapping[str, frozenset[str] | Unreadable] = field(default_factory=dict)
    access: Mapping[str, Access | Unreadable] = field(default_factory=dict)
    cpuid: Mapping[int, Cpuid] | Unreadable = _NOT_READ
    msrs: Mapping[int, int] | Unreadable = _NOT_READ
    parameters: tuple[str, ...] | Unreadable = _NOT_READ
    log: tuple[str, ...] | Unreadable = _NOT_READ
    symbols: frozenset[str] | Unreadable = _NOT_READ
    fields: Mapping[str, frozenset[str]] | Unreadable = _NOT_READ
    programs: Mapping[str, str | None] = field(default_factory=dict)
    root: bool = False
    memlock_bytes: int | Unreadable | None = _NOT_READ
    open_files: int | Unreadable | None = _NOT_READ
    results_folder: str = "results"
    results_free_bytes: int | Unreadable = _NOT_READ
    results_writable: bool = False
    igvm_file: str | Unreadable = _NOT_READ
    qemu: QemuFacts | Unreadable = _NOT_READ
    kvm: tuple[bool, str] | Unreadable = _NOT_READ
    guest_tools: str | Unreadable = _NOT_READ
    guest_kernel: str | Unreadable = _NOT_READ
    guest_image: str | Unreadable = _NOT_READ

    def text(self, path: str) -> str | Unreadable:
        """Return the text of ``path``."""
        return self.files.get(path, _NOT_READ)

    def names(self, folder: str) -> frozenset[str] | Unreadable:
        """Return the names in ``folder``."""
        return self.folders.get(folder, _NOT_READ)

    def may(self, path: str) -> Access | Unreadable:
        """Return what this user may do with ``path``."""
        return self.access.get(path, _NOT_READ)

    def leaf(self, number: int) -> Cpuid | Unreadable:
        """Return one leaf of CPUID; a leaf above the highest is Unreadable."""
        if isinstance(self.cpuid, Unreadable):
            return self.cpuid
        return self.cpuid.get(number, Unreadable(f"CPUID has no leaf {number:#x}", absent=True))

    def msr(self, number: int) -> int | Unreadable:
        """Return one model-specific register of the first CPU."""
        if isinstance(self.msrs, Unreadable):
            return self.msrs
        return self.msrs.get(number, Unreadable(f"this CPU refuses to read MSR {number:#x}", absent=True))

    def cpu(self, key: str) -> str | Unreadable:
        """Return one field of the first CPU in /proc/cpuinfo, such as ``vendor_id``."""
        text = self.text("/proc/cpuinfo")
        if isinstance(text, Unreadable):
            return text
        for line in text.split("\n\n")[0].splitlines():
            name, colon, value = line.partition(":")
            if colon and name.strip() == key:
                return value.strip()
        return Unreadable(f"/proc/cpuinfo names no {key}", absent=True)

    def flags(self) -> frozenset[str] | Unreadable:
        """Return the flags of the first CPU.

        The kernel clears those of what it does not use, so that a missing flag says nothing of the CPU.
        """
        flags = self.cpu("flags")
        return flags if isinstance(flags, Unreadable) else frozenset(flags.split())

    def logged(self, *parts: str) -> str | Unreadable | None:
        """Return the last line of the log that holds one of ``parts``; None if no line does.

        None proves nothing: the log is a ring, and begins with its oldest line that is left.
        """
        if isinstance(self.log, Unreadable):
            return self.log
        return next((line for line in reversed(self.log) if any(part in line for part in parts)), None)

    def number(self, path: str) -> int | Unreadable:
        """Return the whole number in ``path``."""
        text = self.text(path)
        if isinstance(text, Unreadable):
            return text
        try:
            return int(text)
        except ValueError:
            return Unreadable(f"{path} holds {text[:40]!r}, which is no number")
