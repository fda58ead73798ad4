"""Write initramfs archives in the "newc" format that the kernel unpacks.

In process instead of by ``cpio(1)``: the overlay of a boot holds private keys, which must never be a file, and
``cpio(1)`` archives nothing but files. One writer for both archives also allows device nodes without root and makes
the bytes a function of the entries alone. The tests compare it with ``cpio(1)``.

Format: Linux Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

__all__ = ["Entry", "archive", "device", "directory", "file", "symlink", "with_parents"]

_TRAILER = "TRAILER!!!"
_LIMIT_BYTES = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Entry:
    """Be one member: ``path`` is absolute in the guest, ``mode`` has the file type in it, the owner is root.

    ``device`` is (major, minor) of a device node and None for everything else.
    """

    path: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] | None = None


def file(path: str, content: bytes, mode: int = 0o644) -> Entry:
    """Describe a regular file."""
    return Entry(path, stat.S_IFREG | mode, content)


def directory(path: str, mode: int = 0o755) -> Entry:
    """Describe a directory."""
    return Entry(path, stat.S_IFDIR | mode)


def symlink(path: str, target: str) -> Entry:
    """Describe a symbolic link to ``target``."""
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def device(path: str, major: int, minor: int, mode: int = 0o600) -> Entry:
    """Describe a character device node."""
    return Entry(path, stat.S_IFCHR | mode, device=(major, minor))


def with_parents(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Add the directories that ``entries`` need and do not have, each before its first member.

    The kernel creates no parent by itself. A path that occurs twice stays once: the last one wins.
    """
    ordered: dict[str, Entry] = {}
    for entry in entries:
        for parent in reversed(PurePosixPath(entry.path).parents):
            if str(parent) != "/":
                ordered.setdefault(str(parent), directory(str(parent)))
        ordered[entry.path] = entry
    return tuple(ordered.values())


def archive(entries: Iterable[Entry]) -> bytes:
    """Return the archive, padded to 512 bytes, so that another archive may follow it directly.

    :raise ValueError: for a path that is not plain and absolute, or a file of 4 GiB or more, which the format cannot
        hold.
    """
    parts: list[bytes] = []
    for number, entry in enumerate(entries, start=1):
        _check_path(entry.path)
        parts.append(_member(number, entry.path.lstrip("/"), entry))
    parts.append(_member(0, _TRAILER, Entry("/", 0)))
    body = b"".join(parts)
    return body + bytes(-len(body) % 512)


# The kernel would take "..", and cpio(1) would refuse it: what a path means must not depend on the reader.
def _check_path(path: str) -> None:
    plain = PurePosixPath(path)
    if not plain.is_absolute() or str(plain) != path or path == "/" or ".." in plain.parts or "\0" in path:
        raise ValueError(f"{path!r} is no path of a file in the guest; write it absolute and plain, such as /etc/name")


def _member(number: int, name: str, entry: Entry) -> bytes:
    size_bytes = len(entry.content)
    if size_bytes > _LIMIT_BYTES:
        raise ValueError(f"{entry.path} has {size_bytes} bytes; an initramfs member holds less than 4 GiB")
    encoded = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    major, minor = entry.device or (0, 0)
    # c_ino c_mode c_uid c_gid c_nlink c_mtime c_filesize c_maj c_min c_rmaj c_rmin c_namesize c_chksum; time 0, so
    # that equal entries make equal bytes.
    fields = (number, entry.mode, 0, 0, links, 0, size_bytes, 0, 0, major, minor, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return header + bytes(-len(header) % 4) + entry.content + bytes(-size_bytes % 4)
