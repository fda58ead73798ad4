"""Read a host through its shell into the form of a recorded host, which :func:`~harness.doctor.collect.collect` reads.

One script prints every file, folder and access that the checks need; nothing of ours is left there.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from harness.doctor.collect import ACCESS, FILES, FOLDERS, FORMATS, MSRS, PROGRAMS, VULNERABILITIES
from harness.doctor.flavour import KVM_EVENTS, PLANE_SYMBOLS

__all__ = ["far_script", "write_tree"]

_STAMP = re.compile(r"^\[\s*\d+\.\d+\] ?")
# base64: a file may hold anything, and the answer is read line by line.
_FUNCTIONS = """
reachable() { d=$1; while [ ! -e "$d" ]; do d=${d%/*}; [ -n "$d" ] || d=/; done; [ ! -d "$d" ] || [ -x "$d" ]; }
file() {
    if [ -d "$1" ]; then return; fi
    if [ -e "$1" ]; then
        if c=$(base64 <"$1" 2>/dev/null); then echo "= file $1"; echo "$c"; else echo "= denied $1"; fi
    elif ! reachable "$1"; then echo "= denied $1"; fi
}
folder() {
    if [ -d "$1" ]; then
        if c=$(ls -a "$1" 2>/dev/null); then echo "= folder $1"; echo "$c"; else echo "= denied $1"; fi
    elif ! reachable "$1"; then echo "= denied $1"; fi
}
may() {
    if [ -e "$1" ]; then
        m=; [ -r "$1" ] && m=r; [ -w "$1" ] && m=${m}w; echo "= access $1"; echo "$m"
    elif ! reachable "$1"; then echo "= denied $1"; fi
}
leaf() {
    if [ ! -e /dev/cpu/0/cpuid ]; then return; fi
    if [ ! -r /dev/cpu/0/cpuid ]; then echo "= denied /dev/cpu/0/cpuid"; return; fi
    echo "= file /dev/cpu/0/cpuid"
    dd if=/dev/cpu/0/cpuid bs=16 skip=134217728 count=32 2>/dev/null | od -An -v -tx4 -w16 | tail -n 1 |
        sed 's/^/8000001f: /' | base64
}
msr() {
    if [ ! -e /dev/cpu/0/msr ]; then return; fi
    if [ ! -r /dev/cpu/0/msr ]; then echo "= denied /dev/cpu/0/msr"; return; fi
    echo "= file /dev/cpu/0/msr"
    for n in "$@"; do
        v=$(dd if=/dev/cpu/0/msr bs=8 count=1 iflag=skip_bytes skip=$((0x$n)) 2>/dev/null | od -An -v -tx8)
        [ -z "$v" ] || echo "$n: $v"
    done | base64
}
"""
_REST = """
if c=$(dmesg 2>/dev/null); then echo "= log"; echo "$c" | base64; else echo "= denied /dev/kmsg"; fi
if [ -r /proc/kallsyms ]; then
    echo "= file /proc/kallsyms"
    { head -n 1 /proc/kallsyms; grep -E ' (SYMBOLS)([.[:space:]]|$)' /proc/kallsyms; } | base64
fi
echo "= limits"; grep -E '^Max (locked memory|open files)' /proc/self/limits
echo "= root"; id -u
"""


def far_script() -> str:
    """Return the POSIX shell script that reads a host."""
    lines = [_FUNCTIONS]
    formats = [f"{KVM_EVENTS}/{name}/format" for name in FORMATS]
    lines += [f"file {shlex.quote(path)}" for path in (*FILES, *formats, "/proc/cmdline")]
    lines += [f'for f in {VULNERABILITIES}/*; do [ ! -e "$f" ] || file "$f"; done']
    lines += [f"folder {shlex.quote(path)}" for path in FOLDERS]
    lines += [f"may {shlex.quote(path)}" for path in ACCESS]
    lines += ["leaf", f"msr {' '.join(f'{number:x}' for number in MSRS)}"]
    lines += [f'echo "= program {name}"; command -v {name} || :' for name in PROGRAMS]
    return "\n".join([*lines, _REST.replace("SYMBOLS", "|".join(sorted(PLANE_SYMBOLS)))])


def write_tree(said: bytes, root: Path, kept: Mapping[str, object]) -> None:
    """Write what the script said as a recorded host below ``root``; ``kept`` is what else its snapshot.json has."""
    denied: list[str] = []
    access: dict[str, str] = {}
    programs: dict[str, str | None] = {}
    snapshot: dict[str, object] = {}
    folders: list[tuple[Path, list[str]]] = []
    for kind, name, lines in _parts(said.decode(errors="replace")):
        if kind == "file":
            _write(root, name, _decoded(lines))
        elif kind == "folder":
            folders.append((_below(root, name), lines))
        elif kind == "denied":
            denied.append(name)
        elif kind == "access":
            access[name] = "".join(lines)
        elif kind == "program":
            programs[name] = lines[0] if lines else None
        elif kind == "log":
            _write(root, "/dev/kmsg", _records(_decoded(lines).decode(errors="replace")))
        elif kind == "limits":
            snapshot |= _limits(lines)
        elif kind == "root":
            snapshot["root"] = lines[:1] == ["0"]
    for folder, _ in folders:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
    for folder, names in folders:  # after all files and folders, some of which are in others
        for name in names:
            if name not in (".", "..") and "/" not in name:
                with suppress(OSError):
                    (folder / name).touch()
    snapshot |= {"denied": denied, "access": access, "programs": programs, **kept}
    root.mkdir(parents=True, exist_ok=True)
    (root / "snapshot.json").write_text(json.dumps(snapshot))


def _parts(said: str) -> Iterator[tuple[str, str, list[str]]]:
    head, lines = "", list[str]()
    for line in [*said.splitlines(), "= end"]:
        if line.startswith("= "):
            if head:
                kind, _, name = head.partition(" ")
                yield kind, name.replace("\0", ""), lines
            head, lines = line[2:], []
        else:
            lines.append(line.replace("\0", ""))


# The far side chooses no path here: what it names stays below the root.
def _below(root: Path, name: str) -> Path:
    return root.joinpath(*(part for part in name.split("/") if part not in ("", ".", "..")))


def _write(root: Path, name: str, content: bytes) -> None:
    path = _below(root, name)
    with suppress(OSError):  # what cannot be is not there
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _decoded(lines: list[str]) -> bytes:
    try:
        return base64.b64decode("".join(lines))
    except ValueError:
        return b""


# Linux Documentation/ABI/testing/dev-kmsg; dmesg has taken the numbers away, and the checks read the text only.
def _records(log: str) -> bytes:
    return "".join(f"6,0,0,-;{_STAMP.sub('', line)}\n" for line in log.splitlines()).encode()


def _limits(lines: list[str]) -> dict[str, object]:
    keys = {"Max locked memory": "memlock_bytes", "Max open files": "open_files"}
    found: dict[str, object] = {}
    for line in lines:
        key = next((key for start, key in keys.items() if line.startswith(start)), None)
        if key is not None:
            soft = re.search(r"\s(unlimited|\d+)\s", line)
            if soft is not None:
                found[key] = None if soft[1] == "unlimited" else int(soft[1])
    return found
