"""Run the programs of a folder of KVM selftests on the host, and keep what they answered."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from harness.clock import Deadline, monotonic_s
from harness.errors import InputError
from harness.evidence.selftests import Selftest
from harness.host.protocol import QemuHost

__all__ = ["find_selftests", "run_selftests"]

# System V ABI, figure 4-3: what an ELF file begins with, so that scripts and object files of a build are passed over.
_ELF = b"\x7fELF"


def find_selftests(folder: Path, only: Sequence[str]) -> tuple[Path, ...]:
    """Return the programs below ``folder`` in the order of their names: those that ``only`` names, or all if empty.

    :raise InputError: if there is no such folder, no program in it, or none for one of the patterns.
    """
    if not folder.is_dir():
        raise InputError(f"kvm_selftests: there is no folder {folder}; build tools/testing/selftests/kvm of the kernel")
    found = sorted((path for path in folder.rglob("*") if _is_program(path)), key=lambda path: path.name)
    if not found:
        raise InputError(f"kvm_selftests: {folder} has no programs; were they built?")
    for pattern in only:
        if not any(fnmatchcase(path.name, pattern) for path in found):
            names = ", ".join(path.name for path in found[:20])
            raise InputError(f"kvm_selftests: {folder} has no program {pattern!r}; it has {names}")
    return tuple(path for path in found if not only or any(fnmatchcase(path.name, pattern) for pattern in only))


async def run_selftests(
    host: QemuHost, programs: Sequence[Path], timeout_s: float, deadline: Deadline
) -> tuple[Selftest, ...]:
    """Copy and run each program, one after the other: two that load the host together disturb each other's timing.

    :raise HostError: if a program cannot be copied.
    :raise HostLost: if the host went away.
    :raise TimeoutError: at ``deadline``; one program's own limit only ends that program.
    """
    return tuple([await _run(host, program, timeout_s, deadline) for program in programs])


async def _run(host: QemuHost, program: Path, timeout_s: float, deadline: Deadline) -> Selftest:
    there = shlex.quote(await host.put(program, deadline))
    # A file that was copied has no mode; one of this machine is executable already, and may be another user's.
    script = f"[ -x {there} ] || chmod u+x {there} || exit; cd / && exec {there}"
    begin_s = monotonic_s()
    try:
        finished = await host.run(script, deadline.within(timeout_s))
    except TimeoutError:
        if deadline.expired:
            raise
        return Selftest(program.name, None, True, monotonic_s() - begin_s, b"", b"")
    took_s = monotonic_s() - begin_s
    return Selftest(program.name, finished.status, False, took_s, finished.stdout, finished.stderr)


def _is_program(path: Path) -> bool:
    if not path.is_file() or not os.access(path, os.X_OK) or path.suffix in (".so", ".o"):
        return False
    with path.open("rb") as file:
        return file.read(len(_ELF)) == _ELF
