"""Build a handful of the kernel's KVM selftests from the distribution's source package, without root.

The kernel's own Makefile wants its headers installed first; those of linux-libc-dev are there already, so the source of
that version is taken. The programs are linked statically, so that any host can run them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

__all__ = ["PROGRAMS", "Unavailable", "build_selftests"]

#: A start of a vCPU, exits to user space, registers, statistics, nested SVM, hypercalls, and one that AMD skips.
PROGRAMS = (
    "set_sregs_test",
    "userspace_io_test",
    "sync_regs_test",
    "kvm_binary_stats_test",
    "svm_vmcall_test",
    "fix_hypercall_test",
    "vmx_msrs_test",
)
_NEEDED = (
    "tools/testing/selftests/kvm",
    "tools/testing/selftests/rseq",
    "tools/testing/selftests/*.h",
    "tools/include",
    "tools/arch/x86/include",
    "tools/lib/*.c",
)


class Unavailable(Exception):
    """Say why there are no selftests here."""


def build_selftests(cache: Path) -> Path:
    """Return the folder of the built programs, kept below ``cache``.

    :raise Unavailable: if the source cannot be fetched, or this compiler does not take it.
    """
    for tool in ("apt-get", "dpkg-deb", "gcc", "tar", "xz"):
        if shutil.which(tool) is None:
            raise Unavailable(f"{tool} is not installed")
    package = _package()
    out = cache / package
    if out.is_dir():
        return out
    source = cache / f"{package}.source"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    try:
        _unpack(package, source)
        return _build(next(path for path in source.iterdir() if path.is_dir()), out)
    finally:
        shutil.rmtree(source, ignore_errors=True)


def _package() -> str:
    # Of the kernel that the compiler's headers are of: a newer one's programs want newer headers.
    try:
        header = Path("/usr/include/linux/version.h").read_text()
    except OSError as error:
        raise Unavailable(f"{error.filename} is missing; install linux-libc-dev") from error
    version = [re.search(rf"LINUX_VERSION_{part} (\d+)", header) for part in ("MAJOR", "PATCHLEVEL")]
    if None in version:
        raise Unavailable("linux/version.h names no version")
    return "linux-source-" + ".".join(match[1] for match in version if match is not None)


def _unpack(package: str, folder: Path) -> None:
    done = subprocess.run(["apt-get", "download", package], cwd=folder, capture_output=True, timeout=300)
    archives = list(folder.glob("*.deb"))
    if done.returncode != 0 or not archives:
        raise Unavailable(f"apt-get download {package}: {done.stderr.decode().strip()[-200:]}")
    wanted = " ".join(f"'*/{path}*'" for path in _NEEDED)
    script = (
        f"dpkg-deb --fsys-tarfile {archives[0].name} | tar -xO --wildcards './usr/src/linux-source-*.tar.xz'"
        f" | xz -dc | tar -x --wildcards {wanted}"
    )
    subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, timeout=300)
    if not list(folder.glob("linux-source-*/tools/testing/selftests/kvm")):
        raise Unavailable(f"{package} has no tools/testing/selftests/kvm")


def _build(tree: Path, out: Path) -> Path:
    here = tree / "tools" / "testing" / "selftests" / "kvm"
    # Linux 6.14 renamed x86_64 to x86.
    arch = next(name for name in ("x86_64", "x86") if (here / name).is_dir())
    # fmt: off
    compiler = [
        "gcc", "-O2", "-std=gnu99", "-w", "-D_GNU_SOURCE", "-U_FORTIFY_SOURCE", "-fno-stack-protector", "-fno-PIE",
        "-no-pie", "-static", "-pthread",
        "-I../../../include", "-I../../../arch/x86/include", "-Iinclude", f"-Iinclude/{arch}", "-I../rseq", "-I..",
    ]
    # fmt: on
    sources = sorted([*(here / "lib").glob("*.c"), *(here / "lib" / arch).glob("*.[cS]")])
    library = [str(path.relative_to(here)) for path in sources if path.name != "string_override.c"]
    library = [path for path in library if not path.startswith("lib/userfaultfd")]
    # memcmp() must not become a call of memcmp().
    _compile([*compiler, "-ffreestanding", "-c", "lib/string_override.c", "-o", "string_override.o"], here)
    for path in library:
        _compile([*compiler, f"-Ilib/{arch}", "-c", path, "-o", f"{path.replace('/', '_')}.o"], here)
    objects = [f"{path.replace('/', '_')}.o" for path in library] + ["string_override.o"]
    built = here / "built"
    built.mkdir()
    for name in PROGRAMS:
        found = next((path for path in (here / arch / f"{name}.c", here / f"{name}.c") if path.exists()), None)
        if found is not None:
            _compile([*compiler, str(found.relative_to(here)), *objects, "-o", f"built/{name}"], here)
    built.rename(out)
    return out


def _compile(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if "error:" in line]
        raise Unavailable(f"{' '.join(command[-3:])}: {(errors or [done.stderr])[0]}")
