"""Write a small ISO 9660 image in memory: some files in its root, as cloud-init's NoCloud wants its seed.

ECMA-119, interchange level 1 names but longer, and with a hyphen, as every writer of seeds does. Linux shows names in
small letters and without their version (fs/isofs/dir.c isofs_name_translate).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

__all__ = ["iso_image"]

_SECTOR = 2048
_FIRST = 16  # sectors before it are the system's
_PATHS_LITTLE, _PATHS_BIG, _ROOT, _DATA = _FIRST + 2, _FIRST + 3, _FIRST + 4, _FIRST + 5
# 2026-01-01 00:00:00 UTC: the same files give the same image.
_RECORD_TIME = bytes((126, 1, 1, 0, 0, 0, 0))
_VOLUME_TIME = b"2026010100000000\0"
_NO_TIME = b"0" * 16 + b"\0"
_DIRECTORY = 2
_LONGEST_NAME = 31


def iso_image(label: str, files: Mapping[str, bytes]) -> bytes:
    """Return the image; ``files`` maps names in the root (small letters, digits, ``-``, ``_``) to their content.

    :raise ValueError: if a name or the label cannot be written, or the root holds more than one sector of names.
    """
    if not 0 < len(label) <= 32 or not label.isascii():
        raise ValueError(f"{label!r} is no label of a volume")
    records = [_record(b"\0", _ROOT, _SECTOR, _DIRECTORY), _record(b"\1", _ROOT, _SECTOR, _DIRECTORY)]
    data = bytearray()
    for name, content in sorted(files.items()):
        records.append(_record(_identifier(name), _DATA + len(data) // _SECTOR, len(content), 0))
        data += _padded(content)
    root = b"".join(records)
    if len(root) > _SECTOR:
        raise ValueError(f"{len(files)} files are too many for one sector of names")
    volume = _volume(label, _DATA + len(data) // _SECTOR)
    end = b"\xffCD001\x01"
    sectors = (volume, end, _path_table("<"), _path_table(">"), root)
    return bytes(_FIRST * _SECTOR) + b"".join(map(_padded, sectors)) + bytes(data)


def _identifier(name: str) -> bytes:
    plain = name.replace("-", "").replace("_", "")
    if not (plain.isascii() and plain.isalnum() and plain == plain.lower()) or len(name) > _LONGEST_NAME:
        raise ValueError(f"{name!r} cannot be the name of a file here")
    return f"{name.upper()}.;1".encode()


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % _SECTOR)


# ECMA-119 7.3.3 and 7.2.3: a number little endian, then big endian.
def _both4(value: int) -> bytes:
    return struct.pack("<I", value) + struct.pack(">I", value)


def _both2(value: int) -> bytes:
    return struct.pack("<H", value) + struct.pack(">H", value)


# ECMA-119 9.1; the length of a record is even.
def _record(name: bytes, sector: int, length_bytes: int, flags: int) -> bytes:
    padding = b"" if len(name) % 2 else b"\0"
    body = _both4(sector) + _both4(length_bytes) + _RECORD_TIME + bytes((flags, 0, 0)) + _both2(1)
    body += bytes((len(name),)) + name + padding
    return bytes((len(body) + 2, 0)) + body


# ECMA-119 9.4: the root alone.
def _path_table(order: str) -> bytes:
    return bytes((1, 0)) + struct.pack(f"{order}IH", _ROOT, 1) + b"\0\0"


# ECMA-119 8.4.
def _volume(label: str, sectors: int) -> bytes:
    table_bytes = len(_path_table("<"))
    parts = [
        b"\x01CD001\x01\0",
        b" " * 32,
        label.encode().ljust(32),
        bytes(8),
        _both4(sectors),
        bytes(32),
        _both2(1) + _both2(1) + _both2(_SECTOR),
        _both4(table_bytes),
        struct.pack("<II", _PATHS_LITTLE, 0) + struct.pack(">II", _PATHS_BIG, 0),
        _record(b"\0", _ROOT, _SECTOR, _DIRECTORY),
        b" " * (4 * 128 + 3 * 37),
        _VOLUME_TIME + _VOLUME_TIME + _NO_TIME + _NO_TIME,
        b"\x01\0",
    ]
    return b"".join(parts)
