"""Choose the kernel modules of a guest, in the order in which they can be loaded.

Pure: the text of ``modules.dep`` and ``modules.builtin`` in, paths out. Formats: kmod, modules.dep(5); Linux
Documentation/kbuild/kbuild.rst for modules.builtin. Module names treat ``-`` and ``_`` alike, as the kernel does.
"""

from __future__ import annotations

import gzip
import lzma
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import HostError

__all__ = ["DEFAULT_MODULES", "MissingModules", "ModuleTree", "Wanted", "decompress", "module_name"]

_SUFFIXES = (".ko", ".ko.gz", ".ko.xz", ".ko.zst")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Name a module and the reason for it; ``required`` False means that a kernel without it is fine too."""

    name: str
    reason: str
    required: bool = True


DEFAULT_MODULES: tuple[Wanted, ...] = (
    Wanted("virtio_pci", "virtio devices on q35"),
    Wanted("virtio_mmio", "virtio devices on microvm, which names them in its ACPI tables"),
    Wanted("virtio_net", "the network card that SSH comes in through"),
    Wanted("virtio_console", "a channel for payload verdicts, apart from the console", required=False),
    Wanted("virtio_rng", "entropy from the host, where the CPU has no RDRAND", required=False),
    Wanted("i8042", "the keyboard controller: interrupt 1, which send-key raises"),
    Wanted("atkbd", "the keyboard; i8042 requests interrupt 1 for it"),
    Wanted("button", "the ACPI power button"),
    Wanted("evdev", "/dev/input/event*, where init sees the power button"),
)


class MissingModules(HostError):
    """Report modules that are neither files of the tree nor built into the kernel."""

    def __init__(self, names: Iterable[str], where: str) -> None:
        """Take the names, and the folder that was searched."""
        self.names = tuple(names)
        super().__init__(
            f"{where} has no module {', '.join(self.names)}, and it is not built in either; "
            "use a kernel that has it, such as the distribution's generic one (guest.kernel and guest.modules)"
        )


def module_name(path: str) -> str:
    """Return the kernel's name of a module file: ``…/virtio-rng.ko.xz`` is ``virtio_rng``."""
    return PurePosixPath(path).name.split(".ko", 1)[0].replace("-", "_")


@dataclass(frozen=True, slots=True)
class ModuleTree:
    """Be what ``modules.dep`` and ``modules.builtin`` say.

    ``depends`` maps a module file (relative to the tree) to the files that it needs, directly or not.
    """

    depends: Mapping[str, tuple[str, ...]]
    files: Mapping[str, str]
    builtin: frozenset[str]

    @classmethod
    def parse(cls, modules_dep: str, modules_builtin: str) -> ModuleTree:
        """Parse both files; lines that are no entry are ignored, as kmod does."""
        depends = {}
        for line in modules_dep.splitlines():
            path, colon, needed = line.partition(":")
            if colon and path.endswith(_SUFFIXES):
                depends[path] = tuple(needed.split())
        files = {module_name(path): path for path in depends}
        return cls(depends, files, frozenset(module_name(line) for line in modules_builtin.split()))

    def closure(self, wanted: Iterable[Wanted], where: str) -> tuple[str, ...]:
        """Return the files that ``wanted`` needs, each after everything that it depends on.

        Built-in modules need no file. ``where`` names the tree in the error.

        :raise MissingModules: when a required module is neither there nor built in; it names all of them.
        """
        ordered: dict[str, None] = {}
        missing = []
        for want in wanted:
            name = want.name.replace("-", "_")
            if name in self.files:
                self._visit(self.files[name], ordered, frozenset())
            elif name not in self.builtin and want.required:
                missing.append(want.name)
        if missing:
            raise MissingModules(missing, where)
        return tuple(ordered)

    # Depth first: kmod lists all dependencies of a file in load order from the right, busybox's depmod in another
    # order, so the order within a line is not relied on. A cycle cannot load anyway and is cut.
    def _visit(self, path: str, ordered: dict[str, None], above: frozenset[str]) -> None:
        if path in ordered or path in above:
            return
        for needed in self.depends.get(path, ()):
            self._visit(needed, ordered, above | {path})
        ordered[path] = None


def decompress(path: str, content: bytes) -> bytes:
    """Return the ELF bytes of a module file, by the suffix of ``path``: .ko, .ko.gz, .ko.xz or .ko.zst.

    The guest's insmod takes plain files only: busybox has no zstd, and decompressing under emulation costs time.

    :raise HostError: when the content is damaged, or when zstd is needed and missing.
    """
    try:
        if path.endswith(".gz"):
            return gzip.decompress(content)
        if path.endswith(".xz"):
            return lzma.decompress(content)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise HostError(f"{path} is damaged ({error}); reinstall the kernel's package") from error
    return _decompress_zstd(path, content) if path.endswith(".zst") else content


# Python has zstd since 3.14 only (PEP 784), so the tool does it.
def _decompress_zstd(path: str, content: bytes) -> bytes:
    try:
        done = subprocess.run(["zstd", "-dcq"], input=content, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise HostError(f"{Path(path).name} is compressed with zstd; install the package zstd") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise HostError(f"{path} is damaged ({said}); reinstall the kernel's package")
    return done.stdout
