"""Read which build of a kernel an image is, and which one runs: two builds of one release have different build ids.

The linker writes a digest of the kernel into a note (ld(1), ``--build-id``; name ``GNU``, kind 3, NT_GNU_BUILD_ID of
elf.h), and the running kernel shows its notes in ``/sys/kernel/notes``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from harness.errors import HostError
from harness.guest.kernel import ELF_MAGIC
from harness.guest.vmlinux import elf_notes, parse_notes, unpack_bzimage

__all__ = ["NoBuildId", "build_id_of_notes", "image_build_id"]

_OWNER, _BUILD_ID = b"GNU\0", 3


class NoBuildId(Exception):
    """Say why a build id cannot be read."""


def build_id_of_notes(block: bytes) -> str:
    """Return the build id, in hexadecimal digits, of the bytes of ``/sys/kernel/notes``.

    :raise NoBuildId: if they hold none.
    """
    return _found(parse_notes(block))


def image_build_id(image: Path) -> str:
    """Return the build id of a bzImage or vmlinux; a bzImage is unpacked for it, which takes a second.

    :raise NoBuildId: if it has none, or cannot be unpacked here.
    """
    try:
        content = image.read_bytes()
        elf = content if content.startswith(ELF_MAGIC) else unpack_bzimage(content)
        return _found(elf_notes(elf))
    except (OSError, ValueError, HostError, struct.error) as error:
        raise NoBuildId(f"{image.name}: {error}") from error


def _found(notes: Iterable[tuple[bytes, int, bytes]]) -> str:
    for owner, kind, value in notes:
        if owner == _OWNER and kind == _BUILD_ID:
            return value.hex()
    raise NoBuildId("no note of the linker names a build id")
